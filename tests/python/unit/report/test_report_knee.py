"""The plan of most throughput names what nearly the same takes."""

from __future__ import annotations

from typing import Any

from planner.plan.account import Summary
from planner.plan.model import Plan
from planner.report.knee import for_less


def fastest(plan: Plan, *points: dict[str, Any]) -> Plan:
    """The plan as one that was asked for throughput: 100 days, 10,000 cards, 10 MW."""
    assert plan.cards is not None
    assert plan.facility is not None
    assert plan.performance is not None
    base = {
        "system": plan.system, "fabric": "roce-400", "fabric_kind": "rail-optimised", "oversubscription": 2.0,
        "cooling": "cold-plate", "power_cap": 0.98, "layout": plan.front[0].layout, "step_seconds": 10.0,
        "tokens_per_second": 1e6, "capex_usd": 2.5e8, "tco_usd_per_year": None,
    }  # fmt: skip
    return plan.model_copy(
        update={
            "question": "limits",
            "front": [Summary.model_validate({**base, **point}) for point in points],
            "cards": plan.cards.model_copy(update={"total": 10_000}),
            "facility": plan.facility.model_copy(
                update={"facility_design_megawatts": 10.0, "cooling": "rear-door"}
            ),
            "performance": plan.performance.model_copy(update={"days": 100.0}),
        }
    )


BEST = {"cards": 10_000, "days": 100.0, "facility_megawatts": 10.0}


def test_the_fewest_cards_and_the_least_power_within_a_twentieth_are_named(plan: Plan) -> None:
    few = {"cards": 6_000, "days": 104.0, "facility_megawatts": 7.0}
    cool = {"cards": 9_500, "days": 102.0, "facility_megawatts": 6.0}
    slow = {"cards": 1_000, "days": 106.0, "facility_megawatts": 1.0}  # 94.3 %: too slow to be named
    told = [text for _, text in for_less(fastest(plan, BEST, few, cool, slow))]
    # 100 / 104 and 100 / 102 of the throughput.
    assert told[0].startswith("96.2 % of the throughput with 6,000 cards (-40 %), 7 MW (-30 %), $250 M: ")
    assert told[1].startswith("98.0 % of the throughput with 9,500 cards (-5 %), 6 MW (-40 %), $250 M: ")
    assert told[0].endswith("cold-plate, roce-400 2:1, cap 98 %")
    assert len(told) == 2


def test_one_point_that_saves_both_is_named_once_and_small_savings_are_not(plan: Plan) -> None:
    both = {"cards": 6_000, "days": 104.0, "facility_megawatts": 6.0}
    assert len(list(for_less(fastest(plan, BEST, both)))) == 1
    little = {"cards": 9_100, "days": 104.0, "facility_megawatts": 9.2}
    assert not list(for_less(fastest(plan, BEST, little)))


def test_a_plan_for_a_date_says_nothing_of_it(plan: Plan) -> None:
    few = {"cards": 6_000, "days": 104.0, "facility_megawatts": 6.0}
    asked = fastest(plan, BEST, few).model_copy(update={"question": "target"})
    assert not list(for_less(asked))
