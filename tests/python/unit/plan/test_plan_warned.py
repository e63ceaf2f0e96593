"""Risks that show only in the whole plan, each at its threshold."""

from __future__ import annotations

from typing import cast

import pytest

from planner.plan.account import Band, Evidence
from planner.plan.plant_parts import CableLine, Fabric
from planner.plan.warned import FAR, warned
from planner.report.chinese import sentence

PROOF = Evidence.model_construct(risks=["another"])


def fabric(*lines: tuple[int, int, str | None]) -> Fabric:
    made = [
        CableLine(link="leaf-spine", metres=metres, count=count, medium=medium, cable=None)
        for metres, count, medium in lines
    ]
    return cast(Fabric, Fabric.model_construct(id="ub-400", cable_lines=made))


def test_cables_beyond_every_reach_are_told_first() -> None:
    found = warned(PROOF, fabric((50, 10, "singlemode"), (150, 1200, None), (300, 34, None)), None, None)
    assert found.risks == [
        "1,234 cables of 150-300 m are longer than any module of ub-400 reaches: "
        "they are priced as if one did",
        "another",
    ]
    assert warned(PROOF, fabric((50, 10, "singlemode")), None, None).risks == ["another"]


@pytest.mark.parametrize(("p90", "told"), [(FAR * 100.0, True), (FAR * 100.0 - 0.1, False)])
def test_a_tail_of_twice_the_days_is_a_risk(p90: float, told: bool) -> None:
    found = warned(PROOF, None, Band(p10=90.0, p50=120.0, p90=p90), 100.0)
    assert any("2.0 times the days stated" in risk for risk in found.risks) is told
    said = sentence(found.risks[0])
    assert (said is not None and "2.0" in said) or not told
