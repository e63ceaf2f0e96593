"""Numbers in scenarios: suffixes, durations, money, shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.scenario import values


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("15.6T", 15.6e12), ("15.6e12", 15.6e12), (15.6e12, 15.6e12), ("16M", 16e6), ("16 Mi", 16 * 2**20),
        ("8k", 8e3), ("8Ki", 8192.0), ("2B", 2e9), ("1,000", 1000.0), ("1_000", 1000.0), (7, 7.0),
    ],
)  # fmt: skip
def test_counts_take_suffixes(text: object, amount: float) -> None:
    assert values.count(text) == pytest.approx(amount, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["400Gb", "T", "", "1e400", "-3M", "0", None, [1], True, "nan", "inf", "12 cats"]
)
def test_other_texts_are_no_counts(text: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        values.count(text)


def test_a_plain_number_of_days_and_a_duration_are_the_same() -> None:
    assert values.days(180) == values.days("180") == values.days("180 days") == 180.0
    assert values.days("6 h") == 0.25
    assert values.seconds("2 min") == values.seconds(120) == 120.0


def test_a_latency_carries_its_unit() -> None:
    assert values.latency("50 ms") == pytest.approx(0.05)
    assert values.latency("2 s") == 2.0
    for plain in (50, 0.05, "50", " 0.05 "):
        with pytest.raises(ValueError, match=r'has no unit: write "[\d.]+ ms" or "[\d.]+ s"'):
            values.latency(plain)
    for wrong in (True, None, "fast", "50 W", "-1 ms"):
        with pytest.raises(ValueError, match=r".+"):
            values.latency(wrong)


def test_money_keeps_its_currency() -> None:
    assert values.money("1400 MCNY") == values.Money(amount=1.4e9, currency="CNY")
    assert values.energy_price("0.06 USD/kWh") == values.Money(amount=0.06, currency="USD")


def test_shares_may_be_percentages() -> None:
    assert values.share("85 %") == pytest.approx(0.85)
    with pytest.raises(ValueError, match="between 0 and 1"):
        values.share(1.2)


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=12), st.booleans(), st.none()))
def test_a_count_is_positive_and_finite_or_refused(value: object) -> None:
    try:
        amount = values.count(value)
    except ValueError:
        return
    assert amount > 0
    assert math.isfinite(amount)
