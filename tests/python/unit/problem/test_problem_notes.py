"""What an answer remarks on: figures that look like slips, choices that have no price."""

from __future__ import annotations

from typing import Any

import pytest

from planner.problem import build
from planner.scenario import from_table
from planner.specs import SpecLibrary

TABLE: dict[str, Any] = {
    "workload": {"model": "llama3.1-405b", "tokens": "15.6T", "sequence": 8192, "batch_sequences": 2048},
    "target": {"days": 180},
    "limits": {"cards": 30_720},
    "hardware": {"systems": "kunlun-p800-8"},
}


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


def notes(library: SpecLibrary, **site: str) -> list[str]:
    return list(build(from_table({**TABLE, "site": {"id": "guizhou", **site}}), library).notes)


@pytest.mark.parametrize(
    ("site", "told"),
    [
        ({"tariff": "30 USD/kWh"}, "look at its unit"),
    ],
)
def test_what_is_doubtful_or_has_no_price_is_remarked_on(
    library: SpecLibrary, site: dict[str, str], told: str
) -> None:
    assert any(told in note for note in notes(library, **site))


def test_what_is_usual_is_not_remarked_on(library: SpecLibrary) -> None:
    usual = notes(library, tariff="0.5 CNY/kWh", redundancy="N+1")
    assert not any("tariff" in note or "redundancy" in note for note in usual)
