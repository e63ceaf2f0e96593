"""What cannot be: told with its key and a way out, and where there is one the nearest plan that would do."""

from __future__ import annotations

from pathlib import Path

import pytest

import planner
from planner import api
from planner.errors import PlannerError
from planner.plan.draws import Range
from planner.plan.storage import storage_risks
from planner.problem import build
from planner.scenario import load
from planner.specs import SpecLibrary
from planner.specs.schema.part import Part

EXAMPLES = Path(__file__).parents[4] / "examples"
LLAMA = EXAMPLES / "llama3-405b-h100.toml"
SMALL = {
    "workload": {"model": "llama2-70b", "tokens": "200B", "sequence": 4096, "batch_sequences": 512},
    "target": {"days": 60},
    "limits": {"cards": 2048},
    "hardware": {"systems": ["dgx-h100"], "fabrics": ["infiniband-ndr"], "cooling": "cold-plate"},
    "site": {"id": "dallas"},
    "layout": {"tp": 8, "micro_batch": 1},
}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("search.confidence=1.5", "search.confidence"),
        ("search.confidence=-0.1", "search.confidence"),
        ("reliability.spare_confidence=1", "reliability.spare_confidence"),
        ("reliability.failures=0", "reliability.failures"),
        ("reliability.failures=-3", "reliability.failures"),
        ("reliability.checkpoint_bandwidth=0 GB/s", "reliability.checkpoint_bandwidth"),
        ("reliability.restart=-1 min", "reliability.restart"),
        ("reliability.operations=hopeful", "reliability.operations"),
    ],
)
def test_probabilities_and_rates_that_cannot_be_are_refused_by_their_key(change: str, key: str) -> None:
    with pytest.raises(PlannerError) as fault:
        api.read(LLAMA, [change])
    assert fault.value.exit_code == 2
    assert key in str(fault.value)


def test_a_range_with_its_ends_swapped_is_refused() -> None:
    with pytest.raises(PlannerError, match="low <= value <= high"):
        Range(5.0, 7.0, 3.0)
    with pytest.raises(ValueError, match="low"):
        Part.model_validate(
            {
                "id": "x",
                "name": "x",
                "kind": "reliability",
                "detection": {
                    "value": "3 min",
                    "kind": "estimate",
                    "low": "9 min",
                    "high": "4 min",
                    "method": "m",
                },
            }
        )


def test_storage_too_slow_to_checkpoint_is_named_with_the_one_that_would_do() -> None:
    slow = {**SMALL, "reliability": {"checkpoint_bandwidth": "0.2 MB/s"}}
    plan = planner.size(slow)
    assert not plan.feasible
    assert plan.headline.startswith("No: storage of 200 kB/s is too slow to checkpoint (a write takes")
    assert "cards would do in" in plan.headline
    enough = plan.headline.split("; with ")[1].split("/s")[0] + "/s"
    assert planner.size({**SMALL, "reliability": {"checkpoint_bandwidth": enough}}).feasible
    # A target that no storage would help to meet blames none.
    hopeless = {**slow, "target": {"days": 1}}
    assert "storage" not in planner.size(hopeless).headline


def test_copies_in_memory_are_held_against_the_memory_of_the_hosts() -> None:
    library = SpecLibrary.from_environment()
    problem = build(load(LLAMA, ["reliability.checkpoint=memory"]), library)
    design = {
        "cluster": 0,
        "system": "dgx-h100",
        "cards": {"active": 16},
        "reliability": {"checkpoint_write_seconds": 60.0, "mttf_hours": 100.0, "checkpoint_bytes": 4e12},
    }
    # 4 TB of state on two servers, twice: 4 TB each, which a DGX H100 of 2 TB does not have.
    (told,) = storage_risks(problem, library, design)
    assert told.startswith("copies in memory take 4,000 GB of each server, which has 2,")
    assert storage_risks(problem, library, {**design, "cards": {"active": 1600}}) == []
    design["reliability"] = {"checkpoint_write_seconds": 7200.0, "mttf_hours": 1.0, "checkpoint_bytes": 1e9}
    assert "hardly any is ever finished" in storage_risks(problem, library, design)[0]


def test_a_date_before_the_first_delivery_says_when_that_is() -> None:
    plan = api.supply("ascend-910c", cards=5000, set={"stock": 0, "lead_time": 6}, by_months=3)
    assert not plan.feasible
    assert plan.headline.startswith("No: month 3 is before the first delivery (month 6)")
    assert "months (P10-P90" in plan.headline
    for by in (0.0, -1.0):
        with pytest.raises(PlannerError, match="above 0"):
            api.supply("ascend-910c", cards=5000, by_months=by)
    for key, value in (("share", 0.0), ("share", 1.2), ("die_yield", 0.0), ("wafer_starts", -5.0)):
        with pytest.raises(PlannerError) as fault:
            api.supply("ascend-910c", cards=5000, set={key: value})
        assert fault.value.exit_code == 2
