"""Figures: provenance is required, ranges hold, units are those of the field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from planner.specs.quantity import ComputeRate, Count, Money, Power, Rate, Size


def _power(**fields: Any) -> Power:
    return Power.model_validate({"value": "700 W", "kind": "vendor", "source": "datasheet"} | fields)


def test_a_figure_is_kept_in_base_units_with_its_written_unit() -> None:
    figure = Rate.model_validate({"value": "400 Gb/s", "kind": "vendor", "source": "s", "low": "300 Gb/s"})
    assert (figure.value, figure.low, figure.high, figure.unit) == (50e9, 37.5e9, None, "Gb/s")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"source": None}, "a vendor figure needs a source"),
        ({"source": ""}, "source is empty"),
        ({"source": []}, "source is empty"),
        ({"kind": "estimate"}, "an estimate needs low, high, method"),
        ({"kind": "derived"}, "a derived figure needs a method"),
        ({"low": "800 W"}, "low <= value <= high does not hold"),
        ({"high": "600 W"}, "low <= value <= high does not hold"),
        ({"value": "-700 W"}, "never negative"),
        ({"low": "-1 W"}, "never negative"),
        ({"value": "700"}, "has no unit"),
        ({"low": "600"}, "low: '600' has no unit"),
        ({"value": [700]}, "not a number with a unit"),
        ({"unit": "W"}, 'unknown key "unit"'),
        ({"kind": "rumour"}, "Input should be"),
        ({"sauce": "x"}, "Extra inputs"),
    ],
)
def test_a_figure_without_its_due_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _power(**fields)
    assert words in str(caught.value)


def test_what_no_hardware_has_is_not_written_as_zero() -> None:
    with pytest.raises(ValidationError, match="leave the figure out"):
        Rate.model_validate({"value": "0 GB/s", "kind": "vendor", "source": "s"})
    assert Power.model_validate({"value": "0 W", "kind": "vendor", "source": "s"}).value == 0


def test_a_bare_number_is_told_how_to_become_a_figure() -> None:
    with pytest.raises(ValidationError, match="a figure is a table with its provenance"):
        Power.model_validate("700 W")


def test_a_price_needs_a_date_and_one_currency() -> None:
    price = {"value": "100 USD", "kind": "vendor", "source": "s"}
    with pytest.raises(ValidationError, match="a price needs its date"):
        Money.model_validate(price)
    with pytest.raises(ValidationError, match="different currencies"):
        Money.model_validate(price | {"date": "2024", "high": "900 CNY"})
    assert Money.model_validate(price | {"date": "2024"}).currency == "USD"


def test_a_figure_made_in_python_is_taken_as_it_is() -> None:
    figure = _power()
    assert Power.model_validate(figure) is figure


@pytest.mark.parametrize(
    ("model", "value", "shown"),
    [
        (Size, "80 GiB", "80 GiB"),
        (Size, "80 GB", "80 GB"),
        (Rate, "400 Gb/s", "50 GB/s"),
        (ComputeRate, "624 TOP/s", "624 TOP/s"),
        (ComputeRate, "1979 TFLOP/s", "1.979 PFLOP/s"),
        (Count, 528, "528"),
    ],
)
def test_shows_itself_for_people(model: type[Count], value: Any, shown: str) -> None:
    assert model.model_validate({"value": value, "kind": "vendor", "source": "s"}).shown() == shown
