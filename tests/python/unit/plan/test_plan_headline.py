"""The first line of every answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from planner.plan.account import (
    Band,
    Comparison,
    Confidence,
    Estimate,
    Evidence,
    Nearest,
    Summary,
    Sureness,
    Untuned,
)
from planner.plan.headline import Facts, headline, unsure
from planner.plan.parts import Cards, LayoutCore, Limits, Performance, Target

LAYOUT = LayoutCore(
    tp=8, pp=16, vpp=1, dp=172, cp=1, ep=1, etp=1, micro_batch=1, recompute="none", sharding=1,
    sequence_parallel=True,
)  # fmt: skip


def estimate(label: str) -> Estimate:
    return Estimate(label=label, key=label, role="power", value=1, low=0.5, high=2, unit="W", method="guess")


def evidence(*labels: str) -> Evidence:
    return Evidence(
        grade="D", why="no run on this chip", estimates=[estimate(label) for label in labels], software=None,
        calibrated="none", runs_on_chip=0, runs_in_family=0, groups_in_family=0, residual_ln=0.2,
        nearest_measured=None,
    )  # fmt: skip


def performance(days: float) -> Performance:
    return Performance(
        step_seconds=10, tokens_per_second=1e6, tokens_per_second_per_card=50, mfu=0.3,
        mfu_full_attention=0.31, mfu_advertised=None, hfu=0.3, goodput=0.9, productive_days=0.9 * days,
        days=days,
        breakdown={"matmul_seconds": 10.0},
    )  # fmt: skip


def summary(cards: int, days: float) -> Summary:
    return Summary(
        system="kunlun-p800-8", fabric="roce-400", fabric_kind="leaf-spine", oversubscription=1,
        cooling="cold-plate", power_cap=1, cards=cards, layout=LAYOUT, step_seconds=10, days=days,
        tokens_per_second=1e6,
        facility_megawatts=20, capex_usd=None, tco_usd_per_year=None,
    )  # fmt: skip


def facts(**changes: Any) -> Facts:
    base = Facts(
        question="both", chip="Kunlun P800", target=Target(days=180), limits=Limits(cards_max=30000),
        cards=Cards(total=22016, active=22016, spare=0, per_server=8, devices_per_card=1),
        performance=performance(176), days=Band(p10=140.2, p50=176, p90=232),
        evidence=evidence("P800 board power", "NIC", "peak", "memory"), confidence=None, nearest=None,
    )  # fmt: skip
    return replace(base, **changes)


def test_a_target_leads_with_the_cards_that_meet_it() -> None:
    sure = Confidence(
        probability=0.9, cards=28400, cards_tried=120000, system=None, days_p50=140, facility_megawatts=25
    )
    assert headline(facts(confidence=sure)) == (
        "22,016 Kunlun P800 meet 180 days: 176 days (P10-P90 140-232) · evidence D: no run on this chip · "
        "4 estimates (P800 board power, NIC, peak, ...) · 90 % sure needs 28,400 cards"
    )


def test_limits_alone_lead_with_the_days() -> None:
    line = headline(facts(question="limits", target=Target(), evidence=evidence()))
    assert line == "176 days (P10-P90 140-232) · 22,016 Kunlun P800 · evidence D: no run on this chip"


def test_a_median_that_is_not_the_central_answer_is_told_beside_it() -> None:
    line = headline(facts(days=Band(p10=140.2, p50=201, p90=332)))
    assert line.startswith(
        "22,016 Kunlun P800 meet 180 days if every figure is as stated (176 days); 201 days "
        "(P10-P90 140-332) in the median of the draws · "
    )
    # 2.8 % off: the same number to a reader.
    assert "median" not in headline(facts(days=Band(p10=140.2, p50=181, p90=232)))


def test_how_often_a_target_is_met_is_told_beside_what_every_figure_as_stated_says() -> None:
    seldom = facts(days=Band(p10=140.2, p50=201, p90=332), met=0.224, performance=performance(179.8))
    assert headline(seldom).startswith(
        "22,016 Kunlun P800 meet 180 days if every figure is as stated, but only in 22 % of the draws of all "
        "ranges: half take up to 201 days (P10-P90 140-332) · "
    )
    often = replace(seldom, met=0.6)
    assert headline(often).startswith(
        "22,016 Kunlun P800 meet 180 days in 60 % of the draws of all ranges: half take up to 201 days "
        "(P10-P90 140-332), 180 days if every figure is as stated · "
    )


def test_a_rate_is_met_in_tokens() -> None:
    line = headline(facts(target=Target(tokens_per_second=8e5)))
    # Days of 140.2 to 232 around 176: 900 k x 176 / 232 to 900 k x 176 / 140.2.
    assert line.startswith(
        "22,016 Kunlun P800 meet 800 k tokens/s: 900 k tokens/s (P10-P90 683 k tokens/s - 1.13 M tokens/s) · "
    )


def test_draws_without_memory_for_the_layout_are_told() -> None:
    assert "(P10-P90 140-232 in the 44 % of draws where it fits)" in headline(facts(runs=0.443))
    assert "(P10-P90 140-232)" in headline(facts(runs=0.98))


def test_no_names_the_nearest_design() -> None:
    nearest = Nearest(what="target", why="too slow", design=summary(30000, 203))
    line = headline(facts(cards=None, performance=None, nearest=nearest))
    assert line.startswith(
        "No: nothing inside the limits meets 180 days; nearest: 30,000 Kunlun P800 in 203 days · evidence D"
    )


def test_more_cards_than_can_be_built_are_told_the_most_that_can() -> None:
    nearest = Nearest(
        what="limits", why="too large", design=summary(65536, 40), over_limits=["limits.cards_min"]
    )
    line = headline(facts(cards=None, performance=None, nearest=nearest, target=Target()))
    assert line.startswith(
        "No: nothing fits the limits; nearest, with fewer cards than asked for: 65,536 Kunlun P800 in 40 days"
    )


def test_no_without_a_nearest_design_says_why() -> None:
    nearest = Nearest(what="memory", why="no layout fits into memory", design=None)
    assert headline(facts(cards=None, performance=None, nearest=nearest)).startswith(
        "No: no layout fits into memory · "
    )


def test_nobody_can_be_sure_is_said() -> None:
    sure = Confidence(
        probability=0.9, cards=None, cards_tried=120000, system=None, days_p50=None, facility_megawatts=None
    )
    assert headline(facts(confidence=sure)).endswith("90 % sure: none tried up to 120,000 cards")
    near = Sureness(cards=71_872, met=0.768, days=336.2)
    line = headline(facts(confidence=sure.model_copy(update={"nearest": near})))
    assert line.endswith("none tried up to 120,000 cards; at best 77 % with 71,872, 90 % in 336 days")
    never = sure.model_copy(update={"nearest": near.model_copy(update={"days": None})})
    assert headline(facts(confidence=never)).endswith("at best 77 % with 71,872, 90 % at no date")


def test_a_probability_that_nothing_reaches_is_a_no_with_what_comes_nearest() -> None:
    why = unsure(0.9, 120_000, Sureness(cards=71_872, met=0.768, days=336.2))
    line = headline(facts(unsure=why))
    assert line.startswith(
        "No: no cluster tried, up to 120,000 cards, meets the target with 90 % certainty; at best 77 % with "
        "71,872, 90 % in 336 days: 22,016 Kunlun P800 meet 180 days"
    )


def comparison(**changes: Any) -> Comparison:
    base = {"named": True, "broken_rules": [], "over_limits": [], "meets_target": True, "best": None}
    return Comparison(**{**base, "behind_best": None, **changes})


def test_a_named_layout_says_how_far_behind_it_is() -> None:
    line = headline(facts(comparison=comparison(best=summary(22016, 150), behind_best=0.173)))
    assert line.startswith(
        "176 days (P10-P90 140-232) · 22,016 Kunlun P800 in the named layout, 17.3 % behind the best"
    )


def test_a_named_layout_says_what_it_breaks() -> None:
    line = headline(facts(comparison=comparison(broken_rules=["memory"])))
    assert line.startswith("No: the layout breaks memory")


def test_an_unfinished_search_is_said() -> None:
    assert headline(facts(complete=False)).endswith("search not complete")


def test_what_is_unproven_is_said_first() -> None:
    assert headline(facts(warning="UNPROVEN: LLM training on this chip")).startswith("UNPROVEN: ")


def test_the_software_behind_the_answer_and_its_tuning_are_told() -> None:
    tuned = evidence().model_copy(
        update={
            "software": "megatron-2026-spring",
            "tuning": "tuned",
            "untuned": Untuned(software="megatron-lm-2025", step_seconds=11.9),
        }
    )
    assert (
        " · default software megatron-2026-spring, tuned (as it comes a step takes +19 %) · evidence D"
        in headline(facts(evidence=tuned))
    )
    asked = tuned.model_copy(update={"tuning": "default", "untuned": None, "software_asked": True})
    assert " · software megatron-2026-spring, as it comes · evidence D" in headline(facts(evidence=asked))
