"""The memo: everything an engineer asks for, within a screen and a half."""

from __future__ import annotations

from io import StringIO

import pytest

from planner.plan.model import Plan
from planner.report.memo import sections
from planner.report.text import render, show


def test_the_first_line_is_the_headline_however_narrow(plan: Plan) -> None:
    for width in (60, 110):
        assert render(plan, width).splitlines()[0] == plan.headline


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_other_line_is_wider_than_asked(plan: Plan, width: int) -> None:
    lines = render(plan, width).splitlines()[1:]
    assert max(map(len, lines)) <= width


def test_the_memo_is_compact(plan: Plan) -> None:
    read, _, annex = render(plan).partition("\nAnnex: ")
    assert len(read.splitlines()) <= 85
    assert "by month" not in read
    assert "levels" in annex


def test_the_answer_stands_on_the_first_screen(plan: Plan) -> None:
    screen = "\n".join(render(plan).splitlines()[:12])
    assert plan.cards is not None
    for wanted in (
        f"{plan.cards.total:,} x kunlun-p800",
        "MW at the grid",
        "of capital",
        "of the draws half take",
    ):
        assert wanted in screen, wanted


def test_the_memo_has_what_an_engineer_asks_for(plan: Plan) -> None:
    text = render(plan, 200)
    assert plan.cards is not None
    for wanted in (
        f"{plan.cards.total:,} x kunlun-p800", "servers of 8 cards", "racks", "switches", "transceivers",
        "cables", "NIC ports", "leaf", "spine", "PUE", "design day", "nameplate", "kW a rack", "tp 8",
        "matmul", "MFU",
        "HFU", "productive", "goodput", "checkpoint", "capital", "total cost of ownership", "P10",
        "moves days",
        "the deadline (target.days)", "enumerated", "rejected", "docs/physics.md#training-step",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "None" not in text
    assert "nan" not in text


def test_the_parts_of_a_step_make_a_whole(plan: Plan) -> None:
    rows = {label: text for section in sections(plan) for label, text in section.rows}
    shares = [float(word.split()[-2]) for word in rows["goes to"].split(", ")]
    assert sum(shares) == pytest.approx(100, abs=0.6)


def test_a_plan_without_a_design_still_reads(plan: Plan) -> None:
    empty = dict.fromkeys(
        ("cards", "system", "accelerator", "power_cap", "clock", "layout", "performance", "memory", "bands",
         "fabric", "facility", "cost", "reliability", "confidence")
    )  # fmt: skip
    table = (
        plan.to_dict() | empty | {"feasible": False, "pools": [], "network": [], "headline": "No: too slow"}
    )
    table["nearest"] = {"what": "target", "why": "too slow", "design": table["runners_up"][0]}
    text = render(Plan.model_validate(table))
    assert text.startswith("No: too slow\n")
    assert "too slow" in text
    assert "nearest" in text
    assert "What to buy" not in text


def test_what_is_not_a_terminal_gets_plain_text(plan: Plan) -> None:
    out = StringIO()
    show(plan, out)
    assert "\033" not in out.getvalue()
    assert out.getvalue() == render(plan)
