"""Differences of services: waterfalls that sum, paired bands, and no mixing with training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from planner.difference import Difference, Side, difference, side_of_plan, side_of_scenario
from planner.difference.text import text
from planner.errors import ScenarioError
from planner.plan.bands import Z90
from planner.software.serving import serving_constants
from planner.specs import SpecLibrary

CHAT: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 40, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["dgx-h100"]},
    "layout": {"pp": 1, "tp": [1, 2], "mode": "aggregated"},
}
TRAINING = Path(__file__).parents[4] / "examples/cloudmatrix-384.toml"


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


def side(folder: Path, name: str, library: SpecLibrary, **tables: dict[str, Any]) -> Side:
    path = folder / f"{name}.toml"
    made = {**CHAT, **{key: {**CHAT.get(key, {}), **table} for key, table in tables.items()}}
    path.write_text(tomli_w.dumps(made))
    return side_of_scenario(path, library)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, library: SpecLibrary) -> tuple[Side, Side]:
    folder = tmp_path_factory.mktemp("services")
    other: dict[str, dict[str, Any]] = {
        "hardware": {"systems": ["hgx-h20"]},
        "target": {"requests_per_second": 80, "tpot": "20 ms"},
    }
    return side(folder, "a", library), side(folder, "b", library, **other)


@pytest.fixture(scope="module")
def found(sides: tuple[Side, Side]) -> Difference:
    return difference(*sides)


def test_both_waterfalls_sum_to_the_difference(found: Difference) -> None:
    names = [item.name for item in found.outputs]
    assert names == ["cards", "requests_per_second", "facility_megawatts", "capex_usd", "usd_per_million"]
    for output in found.outputs:
        assert output.before is not None
        assert output.after is not None
        change = output.after - output.before
        for causes in (output.by_part, output.by_question):
            assert sum(cause.change for cause in causes) == pytest.approx(change, rel=1e-6, abs=1e-9)
        assert output.by_question[-1].after == pytest.approx(output.after)


def test_what_the_load_is_asked_at_moves_cards(found: Difference) -> None:
    asked = {cause.cause for cause in found.outputs[0].by_question}
    assert {"hardware.systems", "target.requests_per_second", "target.tpot"} == asked
    assert {item.key for item in found.choices} >= {"system", "cards"}
    assert "Most requests per second within the latencies" in text(found)


def test_the_same_service_twice_differs_by_nothing_known_exactly(sides: tuple[Side, Side]) -> None:
    same = difference(sides[0], sides[0])
    for output in same.outputs:
        assert output.relative == 0.0
        if output.name != "cards":
            assert output.paired is not None
            assert (output.paired.p10, output.paired.p90) == (0.0, 0.0)


def test_cards_are_bought_and_have_no_band_while_what_they_carry_has(found: Difference) -> None:
    spans = {item.name: item.paired for item in found.outputs}
    assert spans["cards"] is None
    carried = spans["requests_per_second"]
    assert carried is not None
    assert carried.p10 < carried.p50 < carried.p90


def test_another_chip_keeps_the_models_error_on_both_sides(found: Difference) -> None:
    carried = next(item for item in found.outputs if item.name == "requests_per_second").paired
    assert carried is not None
    # What the stack is off by is common to both; what the model is off by on a chip, here two, is not.
    sigma = math.log((1 + carried.p90) / (1 + carried.p50)) / Z90
    assert sigma >= math.sqrt(2.0) * serving_constants().residual.value * (1 - 1e-9)


def test_a_service_and_a_training_plan_are_not_compared(
    sides: tuple[Side, Side], library: SpecLibrary
) -> None:
    other = side_of_scenario(TRAINING, library)
    with pytest.raises(ScenarioError, match="about serving"):
        difference(sides[0], other)


def test_a_stored_plan_of_a_service_is_asked_again(tmp_path: Path, library: SpecLibrary) -> None:
    made = side(tmp_path, "a", library)
    command = f"planner size {tmp_path / 'a.toml'}"
    plan = made.plan.model_copy(
        update={"provenance": made.plan.provenance.model_copy(update={"command": command})}
    )
    again = side_of_plan("stored", plan, library)
    assert again.why_not is None
    assert again.design is not None
    changed = plan.provenance.model_copy(update={"problem_hash": "0" * 64})
    stale = side_of_plan("stale", plan.model_copy(update={"provenance": changed}), library)
    assert stale.why_not is not None
    assert "changed since" in stale.why_not
