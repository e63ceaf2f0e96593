"""Bad files: each fault is told with file, line, key and remedy, never a traceback."""

# Tables of cases read better one to a line.
# ruff: noqa: E501

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_files import CARD, SITE, SYSTEM, MakeLibrary

from planner.errors import SpecError
from planner.specs.reading import LARGEST_FILE, SpecText, dotted, locate, parse_table, read_text, undotted


def _text(text: str) -> SpecText:
    return SpecText(Path("x.toml"), text.encode(), text)


def _line(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


class TestBytes:
    def test_a_file_that_is_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "x.toml"
        path.write_bytes('id = "x"\nname = "昇腾"\n'.encode("gb18030"))
        with pytest.raises(SpecError, match="is not UTF-8 text") as caught:
            read_text(path)
        assert caught.value.line == 2

    def test_a_huge_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x.toml"
        path.write_bytes(b"#" * (LARGEST_FILE + 1))
        with pytest.raises(SpecError, match="larger than 4 MiB"):
            read_text(path)

    def test_a_directory_or_nothing(self, tmp_path: Path) -> None:
        for path, said in ((tmp_path, "not a regular file"), (tmp_path / "none.toml", "no such file")):
            with pytest.raises(SpecError, match=said):
                read_text(path)

    def test_a_byte_order_mark_does_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "x.toml"
        path.write_bytes(b'\xef\xbb\xbfid = "x"\r\n')
        assert parse_table(read_text(path)) == {"id": "x"}


class TestToml:
    @pytest.mark.parametrize("text", ["", "  \n", "# only a comment\n"])
    def test_an_empty_file(self, text: str) -> None:
        with pytest.raises(SpecError, match="is empty"):
            parse_table(_text(text))

    def test_a_slip_has_line_and_column(self) -> None:
        with pytest.raises(SpecError, match=r"not valid TOML.*column 9") as caught:
            parse_table(_text('id = "x"\nvalue = 3.2 TB/s\n'.replace("3.2 TB/s", "TB")))
        assert caught.value.line == 2

    def test_an_end_too_soon_has_the_last_line(self) -> None:
        with pytest.raises(SpecError, match="not valid TOML") as caught:
            parse_table(_text('id = "x"\nlist = ["a",'))
        assert caught.value.line == 2

    def test_a_key_given_twice(self) -> None:
        with pytest.raises(SpecError, match="not valid TOML"):
            parse_table(_text("a = 1\na = 2\n"))

    @pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
    def test_numbers_that_are_not_finite(self, number: str) -> None:
        text = f"id = 'x'\n[[levels]]\nsize = 2\n[[levels]]\nbandwidth = {{ value = {number} }}\n"
        with pytest.raises(SpecError, match="not a finite number") as caught:
            parse_table(_text(text))
        assert (caught.value.key, caught.value.line) == ("levels[1].bandwidth.value", 5)

    @pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000])
    def test_abuse_of_the_parser(self, text: str) -> None:
        with pytest.raises(SpecError):
            parse_table(_text(text))

    @given(st.text(max_size=60))
    def test_any_text_is_a_table_or_a_spec_error(self, text: str) -> None:
        with contextlib.suppress(SpecError):
            parse_table(SpecText(Path("x.toml"), b"", text))


class TestLocate:
    TEXT = """id = "x"
memory.capacity = 1

[[levels]]
name = "a"
[levels.bandwidth]
value = 1

[[levels]]
name = "b"
[ "odd key" ]
'quoted' = 2
[power]
tdp = { value = 3 }
"""

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            (("id",), (1, 1)),
            (("memory", "capacity"), (2, 2)),
            (("levels", 0, "name"), (3, 5)),
            (("levels", 1, "name"), (3, 10)),
            (("levels", 0, "bandwidth", "value"), (4, 7)),
            (("odd key", "quoted"), (2, 12)),
            (("power", "tdp", "value"), (3, 14)),
            (("power", "tdp", "low"), (2, 14)),
            (("power", "idle"), (1, 13)),
            (("none",), (0, None)),
            ((), (0, None)),
        ],
    )
    def test_finds_the_line_of_a_key(
        self, path: tuple[str | int, ...], found: tuple[int, int | None]
    ) -> None:
        assert locate(self.TEXT, path) == found

    def test_dotted_paths_go_both_ways(self) -> None:
        path = ("levels", 1, "bandwidth")
        assert dotted(path) == "levels[1].bandwidth"
        assert undotted("levels[1].bandwidth") == path


@pytest.mark.parametrize(
    ("old", "new", "key", "words", "hint"),
    [
        ("bandwidth =", "bandwith =", "memory.bandwith", "unknown key 'bandwith'", "did you mean 'bandwidth'?"),
        ("[memory]", "[memroy]", "memroy", "unknown key 'memroy'", "did you mean 'memory'?"),
        ('kind = "vendor", source = "s" }\nbandwidth', 'kynd = "vendor", kind = "vendor", source = "s" }\nbandwidth',
         "memory.capacity.kynd", "unknown key 'kynd'", "did you mean 'kind'?"),
        ('"64 GB"', '"64 Gb"', "memory.capacity", "is in bits", None),
        ('"1.6 TB/s"', '"1.6 TB"', "memory.bandwidth", "is a size, not a rate", None),
        ('"400 W", kind = "vendor", source = "s"', '"400 W", kind = "vendor"', "power.tdp", "needs a source", "cite"),
        ('"400 W", kind = "vendor", source = "s"', '"400 W", kind = "vendor", source = "z"', "power.tdp",
         "source 'z' is not in the [sources] table", "cite"),
        ('"400 W", kind = "vendor"', '"400 W", kind = "estimate"', "power.tdp", "an estimate needs low", "cite"),
        ('{ value = "400 W", kind = "vendor", source = "s" }', '"400 W"', "power.tdp", "a figure is a table", None),
        ('status = "shipping"', 'status = "shiping"', "status", "must be one of", "did you mean 'shipping'?"),
        ('vendor = "Acme"\n', "", "vendor", "is missing", None),
        ('vendor = "Acme"', 'vendor = ""', "vendor", "is empty", None),
        ('vendor = "Acme"', "vendor = 5", "vendor", "must be a text", 'put it in quotes: "5"'),
        ('date = "2024-08"', "date = 2024-08-01", "sources.s.date", "must be a text", '"2024-08-01"'),
        ('id = "card-a"', 'id = "Card A"', "id", "does not have the form", None),
    ],
)  # fmt: skip
def test_a_fault_names_key_line_and_remedy(  # noqa: PLR0917
    make_library: MakeLibrary, old: str, new: str, key: str, words: str, hint: str | None
) -> None:
    assert old in CARD
    text = CARD.replace(old, new)
    library = make_library({"accelerators/card-a.toml": text})
    with pytest.raises(SpecError) as caught:
        library.get("accelerators", library.ids("accelerators")[0])
    error = caught.value
    assert error.key == key
    assert words in error.message
    assert str(error.file).endswith("card-a.toml")
    if hint is not None:
        assert hint in str(error.hint)
    if new:
        assert error.line == _line(text, new.split("\n", maxsplit=1)[0])
    assert "pydantic" not in str(error)


def test_all_faults_of_a_file_are_listed_and_counted(make_library: MakeLibrary) -> None:
    text = CARD.replace('"64 GB"', '"64 Gb"').replace('status = "shipping"', 'status = "sold"')
    with pytest.raises(SpecError) as caught:
        make_library({"accelerators/card-a.toml": text}).accelerator("card-a")
    assert "1 of 2 faults" in caught.value.message
    assert "memory.capacity" in caught.value.message


def test_faults_inside_lists_and_tables_of_figures(make_library: MakeLibrary) -> None:
    system = SYSTEM.replace('"196 GB/s"', '"196 GB"')
    site = SITE.replace("pue = { value = 1.25,", 'pue = { value = "1.25 W",')
    library = make_library({"systems/server-a.toml": system, "sites/place-a.toml": site})
    for kind, name, key in (
        ("systems", "server-a", "levels[0].bandwidth"),
        ("sites", "place-a", "cooling.contained-air.pue"),
    ):
        with pytest.raises(SpecError) as caught:
            library.get(kind, name)
        assert caught.value.key == key
        assert caught.value.line is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "no id"\n', "has no id"),
        ("id = 5\n", "must be a text"),
        ('name = "x"\n[table]\nid = "late"\n', "has no id"),
        ('id = "x"\naliases = "y"\n', "must be a list of texts"),
        ('id = "x"\naliases = [1]\n', "must be a list of texts"),
        ("", "is empty"),
        ("id = \n", "is not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_indexed_is_not_passed_over(
    make_library: MakeLibrary, text: str, words: str
) -> None:
    library = make_library({"accelerators/x.toml": text})
    with pytest.raises(SpecError) as caught:
        library.accelerator("card-a")
    assert words in caught.value.message
    assert str(caught.value.file).endswith("x.toml")


def test_a_header_look_alike_inside_a_text_does_not_cut_the_head(make_library: MakeLibrary) -> None:
    text = CARD.replace('vendor = "Acme"', 'note = """\n[not a table]\n"""\nvendor = "Acme"')
    assert make_library({"accelerators/card-a.toml": text}).resolve("accelerator", "卡甲") == "card-a"
