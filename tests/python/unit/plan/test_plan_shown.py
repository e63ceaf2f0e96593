"""Numbers for people."""

from __future__ import annotations

import pytest

from planner.plan import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (22016, "22,016"),
        (176.4, "176"),
        (74.24, "74.2"),
        (6.237, "6.24"),
        (10.0, "10"),
        (0.0123, "0.0123"),
        (0, "0"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert shown.number(value) == text


def test_units() -> None:
    assert shown.days(1.0) == "1 day"
    assert shown.power(16.4) == "16.4 MW"
    assert shown.power(0.00849) == "8.49 kW"
    assert shown.counted(1, "server") == "1 server"
    assert shown.counted(1280, "switch") == "1,280 switches"
    assert shown.days(74.2) == "74.2 days"
    assert shown.rate(2.512e6) == "2.51 M tokens/s"
    assert shown.usd(1.234e9) == "$1.23 bn"
    assert shown.scaled(1.8e12, "B/s") == "1.8 TB/s"
    assert shown.percent(0.305) == "30.5 %"
    assert shown.signed_percent(0.3257) == "+33 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3e-6, "3 us"), (0.04, "40 ms"), (13.03, "13 s"), (156, "2.6 min"), (7200, "2 h"), (172800, "2 days")],
)
def test_durations(seconds: float, text: str) -> None:
    assert shown.duration(seconds) == text
