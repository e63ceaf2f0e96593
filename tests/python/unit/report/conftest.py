"""A whole plan to draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.plan.model import Plan

SAMPLE = Path(__file__).with_name("sample_plan.json")


@pytest.fixture
def plan() -> Plan:
    """A plan of 22,272 cards as the planner wrote it, its lists of figures, front and estimates cut short."""
    return Plan.from_json(SAMPLE.read_bytes())
