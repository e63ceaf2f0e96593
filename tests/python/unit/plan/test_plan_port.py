"""A first port costs months, people and money, and widens the slow side where nobody has shown the way."""

from __future__ import annotations

import math

import pytest

from planner import engine
from planner.plan.account import Band
from planner.plan.bands import ModelError, study
from planner.plan.maturity import Estimated, PlanMaturity, maturity_of
from planner.plan.port import less_stable, port_errors, port_of
from planner.problem import build
from planner.scenario import from_table
from planner.specs import SpecLibrary

LIBRARY = SpecLibrary.from_environment()
DAYS = Band(p10=90.0, p50=100.0, p90=120.0)


def exactly(value: float) -> Estimated:
    return Estimated(value=value, low=value, high=value, method=None)


def mature(level: str = "partial", **figures: float) -> PlanMaturity:
    known = {"efficiency": 0.5, "porting_months": 6.0, "porting_staff": 4.0, "stability": 2.0} | figures
    return PlanMaturity.model_validate(
        {
            "workload_class": "llm-training",
            "level": level,
            "stack": "stack-x",
            "evidence": "none",
            **{name: exactly(value) for name, value in known.items()},
        }
    )


def test_six_months_of_four_people_are_24_engineer_months_before_the_run() -> None:
    port = port_of(mature(), LIBRARY, "US", DAYS, 1e6)
    assert port is not None
    assert port.engineer_months.p50 == pytest.approx(24.0)
    pay = port.engineer_usd_per_year.value
    assert port.usd.p50 == pytest.approx(24.0 * pay / 12.0, rel=0.01)
    # The pay alone is uncertain here: the ends are those of its range.
    assert port.usd.p90 == pytest.approx(24.0 * port.engineer_usd_per_year.high / 12.0, rel=0.05)
    assert port.capex_with_port_usd is not None
    assert port.capex_with_port_usd.p50 == pytest.approx(1e6 + port.usd.p50)
    # 6 months of 365/12 days, then the run with its own range.
    assert port.days_to_finish is not None
    assert port.days_to_finish.p50 == pytest.approx(182.5 + 100.0, rel=0.002)
    assert port.days_to_finish.p90 == pytest.approx(182.5 + 120.0, rel=0.01)


def test_a_service_starts_when_the_port_is_done() -> None:
    port = port_of(mature(), LIBRARY, "CN", None, None)
    assert port is not None
    assert port.days_to_finish is None
    assert port.capex_with_port_usd is None
    assert port.days_before_start.p50 == pytest.approx(182.5)


def test_only_what_nobody_has_shown_widens_the_slow_side() -> None:
    speed, failures = port_errors(mature(efficiency=0.5), "none", 0.9, 0.8)
    assert speed.slow_ln == pytest.approx(math.log(2.0))
    assert failures.slow_ln == pytest.approx(math.log(0.9 / 0.8))
    assert (speed.sigma_ln, failures.sigma_ln) == (0.0, 0.0)
    assert port_errors(mature(), "runs", 0.9, 0.8) == []
    assert port_errors(mature("proven"), "none", 0.9, 0.8) == []
    central = {"performance": {"days": 100.0}}
    found = study(central, [], lambda *_: None, [ModelError("port", slow_ln=math.log(2.0))]).bands.days
    assert found is not None
    assert (found.p10, found.p50) == (100.0, 100.0)
    assert found.p90 == pytest.approx(200.0)


def test_software_that_fails_more_often_fails_so_and_nothing_else_does() -> None:
    scenario = from_table(
        {
            "workload": {"model": "llama2-70b", "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
            "limits": {"cards": 1024},
            "hardware": {"systems": ["dgx-h100"], "fabrics": ["infiniband-ndr"]},
            "site": {"id": "dallas"},
        },
        [],
    )
    request = build(scenario, LIBRARY).request
    before, after = (
        engine.size(asked)["best"]["reliability"]["causes"]
        for asked in (request, less_stable(request, 0, 3.0))
    )
    assert after["software"] == pytest.approx(3.0 * before["software"], rel=0.02)
    assert after["card"] == pytest.approx(before["card"], rel=0.02)


def test_an_unproven_pair_says_so_first_with_the_months_of_its_port() -> None:
    library = LIBRARY
    chips = [library.accelerator(name) for name in library.ids("accelerators")]
    unproven = [maturity_of(library, chip, "llm-training") for chip in chips]
    warned = [item.warning for item in unproven if item.level == "unproven"]
    assert warned
    for warning in warned:
        assert warning is not None
        assert warning.startswith("UNPROVEN: LLM training")
        assert "months first" in warning
