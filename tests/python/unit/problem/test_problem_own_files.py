"""Spec files of the user make problems, and what they lack or get wrong is told by file and key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from planner.errors import EXIT_BAD_INPUT, MissingFigureError, SpecError
from planner.problem import Problem, build
from planner.problem.figures import Figures
from planner.scenario import from_table
from planner.specs import SpecLibrary, shipped_directory

TABLE: dict[str, Any] = {
    "workload": {"model": "llama3.1-405b", "tokens": "15.6T", "sequence": 8192, "batch_sequences": 2048},
    "target": {"days": 180},
    "limits": {"cards": 30_720},
    "hardware": {"systems": "kunlun-p800-8"},
    "site": "guizhou",
}

BARE_CARD = """\
id = "bare-card"
name = "Bare Card"
vendor = "Nobody"
origin = "CN"
status = "rumoured"
efficiency = "kunlun"
[peak]
fp16 = { value = "100 TFLOP/s", kind = "vendor", source = "s" }
[memory]
capacity = { value = "100 GB", kind = "vendor", source = "s" }
[sources]
s = { title = "a page", date = "2025" }
"""
BARE_SYSTEM = """\
id = "bare-server"
name = "Bare server"
extends = "kunlun-p800-8"
accelerator = "bare-card"
"""


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


def problem(library: SpecLibrary, *sets: str, **options: Any) -> Problem:
    return build(from_table(TABLE, sets), library, **options)


def with_files(directory: Path, files: dict[str, str]) -> SpecLibrary:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return SpecLibrary([shipped_directory(), directory])


def test_all_missing_figures_of_an_own_card_are_told_at_once_with_the_file_to_edit(tmp_path: Path) -> None:
    bare = with_files(
        tmp_path, {"accelerators/bare-card.toml": BARE_CARD, "systems/bare-server.toml": BARE_SYSTEM}
    )
    with pytest.raises(MissingFigureError) as caught:
        problem(bare, "hardware.systems=bare-card")
    text = str(caught.value)
    lines = tomllib.loads((caught.value.hint or "").partition("\n")[2].replace("= ...", "= 1"))
    for key in ("memory.bandwidth", "power.tdp", "power.idle", "power.training_share"):
        assert key in caught.value.message
        table, _, name = key.partition(".")
        assert "value" in lines[table][name]
    assert "that your files do not give" in text
    assert (
        f"add to your files, each line in its table:\n    # {tmp_path / 'accelerators/bare-card.toml'}"
        in (caught.value.hint or "")
    )
    assert "extends" not in text
    assert "nobody published" not in text


def test_missing_figures_of_a_shipped_card_are_supplied_by_a_file_that_extends_it(
    library: SpecLibrary,
) -> None:
    figures = Figures(library)
    figures.of("accelerators", library.accelerator("ascend-310p")).need(
        "power.training_share", "power", "draw"
    )
    with pytest.raises(MissingFigureError, match="that nobody published") as caught:
        figures.refuse_missing()
    assert 'extends = "ascend-310p"' in (caught.value.hint or "")
    assert "PLANNER_SPEC_PATH" in (caught.value.hint or "")


def test_supplied_figures_make_the_card_plannable_and_half_precision_stands_in(tmp_path: Path) -> None:
    power = "\n".join(
        f'{key} = {{ value = {value}, kind = "estimate", low = {value}, high = {value}, method = "test" }}'
        for key, value in [("tdp", '"300 W"'), ("idle", '"50 W"'), ("training_share", "0.8")]
    )
    memory = '[memory]\nbandwidth = { value = "1 TB/s", kind = "vendor", source = "s" }'
    supplied = BARE_CARD.replace("[memory]", memory).replace("[sources]", f"[power]\n{power}\n[sources]")
    full = with_files(
        tmp_path, {"accelerators/bare-card.toml": supplied, "systems/bare-server.toml": BARE_SYSTEM}
    )
    found = problem(full, "hardware.systems=bare-card")
    device = found.request.clusters[0].device
    assert device.peak.bf16 == 100e12
    assert device.memory == pytest.approx(94e9)
    assert any("fp16" in note for note in found.notes)
    usable = next(
        f for f in found.figures if f.key == ("accelerators", "bare-card", "memory.usable_fraction")
    )
    assert usable.is_estimate


def test_a_card_without_a_system_says_how_to_add_one(library: SpecLibrary) -> None:
    with pytest.raises(MissingFigureError) as caught:
        problem(library, "hardware.systems=kunlun-m100")
    assert 'accelerator = "kunlun-m100"' in (caught.value.hint or "")
    assert "peak.bf16" in caught.value.message


def test_a_limit_on_rated_power_needs_the_rating(tmp_path: Path) -> None:
    shipped = SpecLibrary().path("systems", "kunlun-p800-8").read_text(encoding="utf-8")
    lines = [line for line in shipped.splitlines() if not line.startswith(("nameplate", "aliases"))]
    text = "\n".join(lines).replace('id = "kunlun-p800-8"', 'id = "unrated"')
    library = with_files(tmp_path, {"systems/unrated.toml": text})
    rated = "limits.power={ value = '10 MW', boundary = 'it', basis = 'nameplate' }"
    with pytest.raises(MissingFigureError, match=r"unrated.toml: host.nameplate"):
        problem(library, "hardware.systems=unrated", rated)
    assert problem(library, "hardware.systems=unrated", "limits.power=10 MW")
    assert problem(library, rated).request.limits.nameplate_watts == 10e6


def test_impossible_values_of_a_spec_file_are_refused_not_computed_with(tmp_path: Path) -> None:
    text = (
        'id = "kunlun-p800"\nextends = "kunlun-p800"\n'
        'peak.bf16 = { value = "345000 TFLOP/s", kind = "vendor", source = "s" }\n'
        'sources.s = { title = "a page", date = "2025", note = "-" }\n'
    )
    with pytest.raises(SpecError, match="outside what is possible") as caught:
        problem(with_files(tmp_path, {"accelerators/kunlun-p800.toml": text}))
    assert (caught.value.key, caught.value.line) == ("peak.bf16", 3)
    assert caught.value.exit_code == EXIT_BAD_INPUT


def test_doubts_about_the_users_own_files_are_notes_and_about_ours_are_not(tmp_path: Path) -> None:
    text = (
        'id = "my-server"\nname = "My server"\nextends = "kunlun-p800-8"\n'
        'scale_out = { bandwidth = { value = "200 Gb/s", kind = "vendor", source = "s" }, '
        'ports_per_server = 16, fabric = "roce-400" }\n'
        'sources.s = { title = "a page", date = "2025", note = "-" }\n'
    )
    noted = problem(with_files(tmp_path, {"systems/my-server.toml": text}), "hardware.systems=my-server")
    assert any("my-server.toml" in note and "carry 800 GB/s" in note for note in noted.notes)
    # The int8 rate of the B300 draws a warning from `specs check`, which is ours to look at.
    ours = problem(SpecLibrary(), "hardware.systems=dgx-b300")
    assert not any("int8" in note for note in ours.notes)


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("systems/s.toml", 'extends = "kunlun-p800-8"\naccelerator = "kunlun-p8000"\n', "accelerator"),
        ("systems/s.toml", 'extends = "kunlun-p800-8"\nscale_out.fabric = "roce-40"\n', "scale_out.fabric"),
    ],
)
def test_a_dangling_name_is_told_of_the_file_that_has_it(
    tmp_path: Path, name: str, text: str, key: str
) -> None:
    library = with_files(tmp_path, {name: f'id = "s"\nname = "S"\n{text}'})
    with pytest.raises(SpecError, match="there is no") as caught:
        problem(library, "hardware.systems=s")
    assert (caught.value.key, caught.value.line) == (key, 4)
    assert "did you mean" in (caught.value.hint or "")
