"""Labels of figures are short, and scopes tell which designs use a figure."""

from __future__ import annotations

import pytest

from planner.problem import Scope
from planner.problem.evidence import short_name
from planner.specs import SpecLibrary


@pytest.mark.parametrize(
    ("kind", "name", "short"),
    [
        ("accelerators", "kunlun-p800", "P800"),
        ("systems", "kunlun-p800-8", "P800 server"),
        ("systems", "kunlun-p800-64", "Kunlun supernode"),
        ("sites", "guizhou", "Gui'an"),
    ],
)
def test_names_lose_the_vendor_and_what_follows_a_comma(kind: str, name: str, short: str) -> None:
    assert short_name(SpecLibrary().get(kind, name)) == short


def test_a_scope_holds_for_the_designs_that_make_its_choice() -> None:
    assert Scope().holds(3, "roce-400", "cold-plate")
    assert Scope(cluster=1).holds(1, "roce-400", "cold-plate")
    assert not Scope(cluster=1).holds(0, "roce-400", "cold-plate")
    assert not Scope(cluster=1, fabric="roce-200").holds(1, "roce-400", "cold-plate")
    assert not Scope(cooling="immersion").holds(1, "roce-400", "cold-plate")
