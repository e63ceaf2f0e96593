"""The library: names to files, inheritance, directories of the user."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from spec_files import CARD, LIBRARY, SYSTEM, MakeLibrary

from planner.errors import EXIT_BAD_INPUT, SpecError
from planner.specs import SpecLibrary, shipped_directory

CHILD = 'id = "card-b"\nname = "Card B"\nextends = "card-a"\n'


def _refusal(library: SpecLibrary, kind: str, name: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        library.get(kind, name)
    assert caught.value.exit_code == EXIT_BAD_INPUT
    return caught.value


@pytest.mark.parametrize("name", ["card-a", "CARD-A", "A", "卡甲", " Card  A ", "Ｃard-a"])
def test_a_card_is_found_by_id_alias_and_name_in_any_case(make_library: MakeLibrary, name: str) -> None:
    assert make_library().accelerator(name).id == "card-a"


def test_an_id_goes_before_an_alias_and_an_alias_before_a_name(make_library: MakeLibrary) -> None:
    other = CARD.replace('id = "card-a"', 'id = "a"').replace('["a", "卡甲"]', "[]").replace("Card A", "卡甲")
    library = make_library({"accelerators/a.toml": other})
    assert library.resolve("accelerator", "a") == "a"
    assert library.resolve("accelerator", "卡甲") == "card-a"


def test_an_alias_of_two_files_is_ambiguous(make_library: MakeLibrary) -> None:
    library = make_library({"accelerators/card-b.toml": CARD.replace("card-a", "card-b")})
    assert "may be any of card-a, card-b" in str(_refusal(library, "accelerators", "卡甲"))


def test_an_unknown_name_is_told_the_nearest_and_how_to_list(make_library: MakeLibrary) -> None:
    error = _refusal(make_library(), "accelerators", "crad-a")
    assert "no accelerator 'crad-a'" in error.message
    assert "card-a" in str(error.hint)
    assert "planner specs list" in str(error.hint)


def test_an_unknown_kind_is_refused(make_library: MakeLibrary) -> None:
    with pytest.raises(SpecError, match="did you mean 'systems'"):
        make_library().get("sistems", "x")


def test_every_kind_has_its_own_reader(make_library: MakeLibrary) -> None:
    library = make_library()
    assert library.system("server-a").cards_per_server == 8
    assert library.fabric("roce-a").port_rate.value == 25e9
    assert library.part("switch-a").ports == 64
    assert library.site("place-a").tariff.value == 0.4
    assert library.efficiency("acme").matmul.bf16.value == 0.6
    assert library.ids("part") == ["fibre-a", "nic-a", "optic-a", "switch-a"]


def test_a_file_is_read_once(make_library: MakeLibrary) -> None:
    library = make_library()
    assert library.accelerator("card-a") is library.accelerator("卡甲")


def test_only_what_is_asked_for_is_validated(make_library: MakeLibrary) -> None:
    library = make_library({"accelerators/broken.toml": 'id = "broken"\nname = "B"\n[peak]\nbf16 = 1\n'})
    assert library.accelerator("card-a").id == "card-a"
    assert "a figure is a table" in str(_refusal(library, "accelerators", "broken"))


class TestHardwareNames:
    def test_a_system_goes_before_an_accelerator_of_the_same_name(self, make_library: MakeLibrary) -> None:
        cloud = SYSTEM.replace("server-a", "cloud").replace("甲服务器", "卡甲")
        library = make_library({"systems/cloud.toml": cloud})
        assert library.resolve_hardware("卡甲") == "cloud"

    def test_a_card_stands_for_its_usual_system(self, make_library: MakeLibrary) -> None:
        assert make_library().resolve_hardware("卡甲") == "server-a"

    def test_the_usual_system_is_bought_by_the_server_then_ships_then_comes_first(
        self, make_library: MakeLibrary
    ) -> None:
        def system(spec_id: str, unit: str, status: str) -> dict[str, str]:
            text = SYSTEM.replace("server-a", spec_id).replace('"甲服务器"', "").replace("Server A", spec_id)
            text = text.replace('purchase_unit = "server"', f'purchase_unit = "{unit}"')
            return {f"systems/{spec_id}.toml": text.replace('status = "shipping"', f'status = "{status}"')}

        base = {name: text for name, text in LIBRARY.items() if not name.startswith("systems/")}
        base |= system("a", "domain", "shipping") | system("b", "server", "announced")
        assert make_library(base=base).default_system("card-a") == "b"
        base |= system("d", "server", "shipping") | system("c", "server", "shipping")
        assert make_library(base=base).default_system("card-a") == "c"

    def test_a_system_may_inherit_its_accelerator(self, make_library: MakeLibrary) -> None:
        big = 'id = "aa-big"\nname = "Big"\nextends = "server-a"\nmax_cards = 64\n'
        assert make_library({"systems/aa-big.toml": big}).default_system("card-a") == "aa-big"

    def test_a_card_without_a_system_says_so(self, make_library: MakeLibrary) -> None:
        library = make_library({"accelerators/card-b.toml": CHILD})
        with pytest.raises(SpecError, match="no system holds the accelerator 'card-b'"):
            library.resolve_hardware("card-b")

    def test_an_unknown_name_is_refused(self, make_library: MakeLibrary) -> None:
        with pytest.raises(SpecError, match="no system or accelerator 'sever-a'"):
            make_library().resolve_hardware("sever-a")


class TestExtends:
    def test_the_child_wins_and_the_rest_is_inherited(self, make_library: MakeLibrary) -> None:
        child = CHILD + '[memory]\ncapacity = { value = "32 GB", kind = "vendor", source = "s" }\n'
        card = make_library({"accelerators/card-b.toml": child}).accelerator("card-b")
        assert card.memory.capacity is not None
        assert card.memory.capacity.value == 32e9
        assert card.memory.bandwidth is not None
        assert card.memory.bandwidth.value == 1.6e12
        assert (card.id, card.name, card.aliases, card.vendor) == ("card-b", "Card B", [], "Acme")

    def test_a_figure_is_taken_whole_so_that_provenance_never_mixes(self, make_library: MakeLibrary) -> None:
        parent = CARD.replace(
            'tdp = { value = "400 W", kind = "vendor", source = "s" }',
            'tdp = { value = "400 W", low = "300 W", high = "500 W", kind = "estimate", method = "guess" }',
        )
        child = CHILD + '[power]\ntdp = { value = "350 W", kind = "vendor", source = "s" }\n'
        library = make_library({"accelerators/card-a.toml": parent, "accelerators/card-b.toml": child})
        tdp = library.accelerator("card-b").power.tdp
        assert tdp is not None
        assert (tdp.low, tdp.high, tdp.method) == (None, None, None)

    def test_sources_are_joined_and_one_source_is_taken_whole(self, make_library: MakeLibrary) -> None:
        parent = CARD + 'note = "second hand"\n'
        child = (
            CHILD
            + '[sources]\ns = { title = "Another", date = "2025" }\nt = { title = "T", date = "2025" }\n'
        )
        library = make_library({"accelerators/card-a.toml": parent, "accelerators/card-b.toml": child})
        sources = library.accelerator("card-b").sources
        assert sorted(sources) == ["s", "t"]
        assert (sources["s"].title, sources["s"].url, sources["s"].note) == ("Another", None, None)

    def test_a_list_replaces_a_list(self, make_library: MakeLibrary) -> None:
        child = 'id = "pcie"\nname = "PCIe"\nextends = "server-a"\ndomain_cards = 1\nlevels = []\n'
        assert make_library({"systems/pcie.toml": child}).system("pcie").levels == []

    def test_chains_of_three(self, make_library: MakeLibrary) -> None:
        grand = 'id = "card-c"\nname = "Card C"\nextends = "card-b"\nstatus = "legacy"\n'
        library = make_library({"accelerators/card-b.toml": CHILD, "accelerators/card-c.toml": grand})
        card = library.accelerator("card-c")
        assert (card.status, card.vendor) == ("legacy", "Acme")
        assert [entry.id for entry in library.chain("accelerators", "card-c")] == [
            "card-c",
            "card-b",
            "card-a",
        ]

    def test_a_cycle_is_refused(self, make_library: MakeLibrary) -> None:
        first = 'id = "x"\nname = "X"\nextends = "y"\n'
        second = 'id = "y"\nname = "Y"\nextends = "x"\n'
        library = make_library({"accelerators/x.toml": first, "accelerators/y.toml": second})
        assert "x -> y -> x" in str(_refusal(library, "accelerators", "x"))

    @pytest.mark.parametrize("parent", ["card-z", "card-b"])
    def test_an_unknown_parent_is_refused(self, make_library: MakeLibrary, parent: str) -> None:
        child = CHILD.replace('extends = "card-a"', f'extends = "{parent}"')
        error = _refusal(make_library({"accelerators/card-b.toml": child}), "accelerators", "card-b")
        assert error.key == "extends"
        assert "card-a" in str(error.hint)

    def test_an_inherited_fault_is_told_of_the_file_that_holds_it(self, make_library: MakeLibrary) -> None:
        parent = CARD.replace('"1.6 TB/s"', '"1.6 TB"')
        library = make_library({"accelerators/card-a.toml": parent, "accelerators/card-b.toml": CHILD})
        error = _refusal(library, "accelerators", "card-b")
        assert str(error.file).endswith("card-a.toml")
        assert error.line == 1 + parent[: parent.index("bandwidth = { value")].count("\n")


class TestHash:
    def test_a_file_alone_has_the_sha256_of_its_bytes(self, make_library: MakeLibrary) -> None:
        library = make_library()
        path = library.path("accelerators", "card-a")
        assert library.hash("accelerators", "card-a") == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_a_change_of_the_parent_changes_the_hash_of_the_child(self, make_library: MakeLibrary) -> None:
        before = make_library({"accelerators/card-b.toml": CHILD}).hash("accelerators", "card-b")
        after = make_library({"accelerators/card-a.toml": CARD + "# more\n"}).hash("accelerators", "card-b")
        assert before != after


class TestDirectories:
    def _two(self, tmp_path: Path, second: dict[str, str]) -> SpecLibrary:
        for directory, files in (("first", LIBRARY), ("second", second)):
            for name, text in files.items():
                path = tmp_path / directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        return SpecLibrary([tmp_path / "first", tmp_path / "second"])

    def test_an_override_extends_its_own_id_and_keeps_its_names(self, tmp_path: Path) -> None:
        override = 'id = "card-a"\nextends = "card-a"\nstatus = "legacy"\n'
        library = self._two(tmp_path, {"accelerators/card-a.toml": override})
        card = library.accelerator("卡甲")
        assert (card.status, card.name, card.vendor) == ("legacy", "Card A", "Acme")

    def test_children_of_the_first_directory_inherit_the_override(self, tmp_path: Path) -> None:
        override = 'id = "card-a"\nextends = "card-a"\nstatus = "legacy"\n'
        library = self._two(
            tmp_path, {"accelerators/card-a.toml": override, "accelerators/card-b.toml": CHILD}
        )
        assert library.accelerator("card-b").status == "legacy"

    def test_the_same_id_twice_is_refused_with_both_files(self, tmp_path: Path) -> None:
        error = _refusal(self._two(tmp_path, {"accelerators/card-a.toml": CARD}), "accelerators", "card-a")
        assert "is defined twice" in error.message
        assert str(Path("first", "accelerators", "card-a.toml")) in error.message
        assert str(Path("second", "accelerators", "card-a.toml")) in str(error.file)

    def test_the_same_id_twice_in_one_directory_is_refused(self, make_library: MakeLibrary) -> None:
        library = make_library(
            {"accelerators/card-b.toml": 'id = "card-a"\nname = "x"\nextends = "card-a"\n'}
        )
        assert "is defined twice" in str(_refusal(library, "accelerators", "card-a"))

    @pytest.mark.parametrize("name", ["card.toml", "gpus/card.toml", "accelerators/acme/card.toml"])
    def test_a_file_in_the_wrong_place_is_not_passed_over(self, make_library: MakeLibrary, name: str) -> None:
        assert "no folder of the library" in str(
            _refusal(make_library({name: CARD}), "accelerators", "card-a")
        )

    def test_the_environment_adds_directories(self, tmp_path: Path) -> None:
        self._two(tmp_path, {"accelerators/card-z.toml": CARD.replace("card-a", "card-z")})
        path = os.pathsep.join([str(tmp_path / "second"), ""])
        library = SpecLibrary.from_environment({"PLANNER_SPEC_PATH": path})
        assert library.directories == [shipped_directory(), tmp_path / "second"]

    def test_a_directory_of_the_environment_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(SpecError, match="PLANNER_SPEC_PATH"):
            SpecLibrary.from_environment({"PLANNER_SPEC_PATH": str(tmp_path / "none")})

    def test_answers_do_not_depend_on_the_order_of_files(
        self, make_library: MakeLibrary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changes = {"accelerators/card-b.toml": CHILD}
        straight = make_library(changes)
        expected = [
            straight.ids("parts"),
            straight.resolve_hardware("a"),
            straight.hash("accelerators", "card-b"),
        ]
        plain = Path.iterdir
        monkeypatch.setattr(Path, "iterdir", lambda self: reversed(list(plain(self))))
        turned = make_library(changes)
        actual = [turned.ids("parts"), turned.resolve_hardware("a"), turned.hash("accelerators", "card-b")]
        assert actual == expected
