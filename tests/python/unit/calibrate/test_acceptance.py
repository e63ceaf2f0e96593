"""A filled acceptance sheet becomes spec files with which the planner says what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

import planner
from planner.calibrate.acceptance import accepted, read_sheet, sheet_text
from planner.calibrate.write import write
from planner.errors import PlannerError
from planner.plan.model import Plan
from planner.specs import SpecLibrary
from planner.specs.library import shipped_directory

QUESTION = {
    "workload": {"model": "llama2-70b", "tokens": "200B", "sequence": 4096, "batch_sequences": 512},
    "limits": {"cards": 512},
    "hardware": {"systems": ["kunlun-p800-8"], "fabrics": ["roce-400"], "cooling": "cold-plate"},
    "site": {"id": "guizhou"},
    "layout": {"tp": 8, "micro_batch": 1},
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planner.size(QUESTION, samples=64)


def filled(plan: Plan, ratios: dict[str, float]) -> str:
    """The sheet with every line of a key measured at a ratio of what is expected."""
    assert plan.risk is not None
    text = sheet_text(plan).replace('date = ""', 'date = "2026-11-30"')
    for item in plan.risk.acceptance:
        if item.key in ratios:
            value = item.expected * ratios[item.key]
            before = f'expected = {item.expected:.6g}\nunit = "{item.unit}"\n# measured ='
            text = text.replace(before, before.replace("# measured =", f"measured = {value:.6g}"))
    return text


def test_measured_rates_and_power_become_the_figures_of_the_chip(plan: Plan, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.toml"
    ratios = {"gemm": 1.1, "memory": 0.9, "scale_up": 0.8, "scale_out": 1.2, "power": 1.02}
    sheet.write_text(filled(plan, ratios), encoding="utf-8")
    shipped = SpecLibrary.from_environment()
    found = accepted(read_sheet(sheet), shipped, sheet.name)
    own = tmp_path / "own"
    write(own, found.files)
    library = SpecLibrary([shipped_directory(), own])
    card = library.accelerator("kunlun-p800")
    old, new = shipped.efficiency("kunlun"), library.efficiency(card.efficiency)
    assert new.matmul.bf16.value == pytest.approx(1.1 * old.matmul.bf16.value, rel=1e-3)
    assert new.memory.value == pytest.approx(0.9 * old.memory.value, rel=1e-3)
    assert new.scale_up.value == pytest.approx(0.8 * old.scale_up.value, rel=1e-3)
    assert new.scale_out.value == pytest.approx(1.2 * old.scale_out.value, rel=1e-3)
    assert (new.memory.kind, new.calibrated) == ("measured", "operators")
    assert new.matmul.half_depth == old.matmul.half_depth
    # The next plan expects what was measured.
    again = planner.size(QUESTION, samples=64, library=library)
    assert again.risk is not None
    assert plan.risk is not None
    for before, after in zip(plan.risk.acceptance, again.risk.acceptance, strict=True):
        if before.key in ratios:
            assert after.expected == pytest.approx(before.expected * ratios[before.key], rel=2e-3), before.key


def test_a_chip_measured_as_expected_is_planned_with_narrower_bands(plan: Plan, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.toml"
    ratios = dict.fromkeys(("gemm", "memory", "scale_up", "scale_out"), 1.0)
    sheet.write_text(filled(plan, ratios), encoding="utf-8")
    own = tmp_path / "own"
    write(own, accepted(read_sheet(sheet), SpecLibrary.from_environment(), sheet.name).files)
    # Failures and software weigh more than what a sheet measures: few draws would not tell the bands apart.
    libraries = (SpecLibrary([shipped_directory()]), SpecLibrary([shipped_directory(), own]))
    plans = [planner.size(QUESTION, samples=1024, library=library) for library in libraries]
    days = [item.bands.days for item in plans if item.bands]
    assert days[0] is not None
    assert days[1] is not None
    assert days[1].p90 / days[1].p10 < days[0].p90 / days[0].p10


def test_slips_on_a_sheet_are_told_by_their_line(plan: Plan, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.toml"

    def refused(text: str, words: str) -> None:
        sheet.write_text(text, encoding="utf-8")
        with pytest.raises(PlannerError, match=words) as fault:
            accepted(read_sheet(sheet), SpecLibrary.from_environment(), sheet.name)
        assert fault.value.exit_code == 2

    refused(filled(plan, {"memory": 1e3}), "is expected")
    refused(filled(plan, {"memory": 1.5}), "more than the nominal peak")
    refused(filled(plan, {}), "nothing is filled in")
    refused(filled(plan, {"power": 0.3}), "of the board power")
    refused(filled(plan, {"memory": 0.9}).replace('key = "gemm"', 'key = "gem"'), "gemm")
    refused("line = 3", "is missing|valid list")
    refused("not toml", "no TOML")
    with pytest.raises(PlannerError, match="needs a plan with draws"):
        sheet_text(planner.size(QUESTION))
