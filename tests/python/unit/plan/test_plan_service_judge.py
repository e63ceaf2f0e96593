"""What ``evaluate`` of a service asks of the core, and how it judges the answer."""

from pathlib import Path

import pytest

from planner.plan.parts import Target
from planner.plan.service_case import open_service
from planner.plan.service_headline import refuted
from planner.plan.service_judge import best_on, verdict
from planner.problem.serving_wire import ServiceRequest
from planner.scenario import ServiceScenario, load
from planner.specs import SpecLibrary

SERVICE = Path(__file__).parents[4] / "examples" / "deepseek-r1-p800-service.toml"


@pytest.fixture(scope="module")
def asked() -> ServiceRequest:
    question = load(SERVICE)
    assert isinstance(question, ServiceScenario)
    return open_service(question, SpecLibrary()).request


def test_no_limit_but_cards_chooses_the_service_that_is_judged(asked: ServiceRequest) -> None:
    tight = asked.limits.model_copy(
        update=dict.fromkeys(set(type(asked.limits).model_fields) - {"cards_min", "cards_max"}, 1)
    )
    limits = best_on(asked.model_copy(update={"limits": tight}), 640).limits.model_dump()
    assert {key: value for key, value in limits.items() if value is not None} == {
        "cards_min": 640,
        "cards_max": 640,
    }


@pytest.mark.parametrize(
    ("simulated", "meets"), [({"confirmed": True}, True), ({"confirmed": False}, False), (None, True)]
)
def test_a_service_that_the_simulation_refutes_does_not_carry_the_load(
    asked: ServiceRequest, simulated: dict[str, bool] | None, meets: bool
) -> None:
    design = {"broken_rules": [], "over_limits": [], "simulated": simulated}
    assert verdict(asked, design, named=True).meets_target is meets


def test_only_a_load_asked_for_can_be_refuted() -> None:
    design = {"simulated": {"confirmed": False}}
    none = Target(days=None, tokens_per_second=None)
    loaded = none.model_copy(update={"peak_requests_per_second": 20.0})
    assert refuted(design, loaded)
    assert not refuted(design, none)
    assert not refuted({"simulated": None}, loaded)
    assert not refuted({"simulated": {"confirmed": True}}, loaded)
