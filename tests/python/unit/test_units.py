"""Units: text to SI numbers, and slips of unit told apart."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.units import BITS_PER_BYTE, Dimension, UnitError, currency_of, known, parse, show, show_in


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("3.2 TB/s", Dimension.BYTES_PER_SECOND, 3.2e12),
        ("400 Gb/s", Dimension.BYTES_PER_SECOND, 50e9),
        ("400Gb/s", Dimension.BYTES_PER_SECOND, 50e9),
        ("80 GB", Dimension.BYTES, 80e9),
        ("80 GiB", Dimension.BYTES, 80 * 1024**3),
        ("353.9 TFLOP/s", Dimension.FLOPS_PER_SECOND, 353.9e12),
        ("1,979 TOP/s", Dimension.FLOPS_PER_SECOND, 1979e12),
        ("1_000 W", Dimension.WATTS, 1000.0),
        ("7e2 W", Dimension.WATTS, 700.0),
        ("826 mm2", Dimension.SQUARE_METRES, 826e-6),
        ("50 %", Dimension.FRACTION, 0.5),
        (0.87, Dimension.FRACTION, 0.87),
        ("3.4 us", Dimension.SECONDS, 3.4e-6),
        ("-5.5 degC", Dimension.CELSIUS, -5.5),
        ("1.5 MUSD", Dimension.MONEY, 1.5e6),
        ("500 gCO2/kWh", Dimension.KG_CO2_PER_KWH, 0.5),
        ("3.79 1/1000-node-days", Dimension.PER_NODE_DAY, 0.00379),
    ],
)
def test_reads_a_quantity_in_base_units(text: str | float, dimension: Dimension, value: float) -> None:
    assert parse(text, dimension)[0] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "words"),
    [
        ("400 Gb", Dimension.BYTES, "write GB if bytes are meant"),
        ("400 GB", Dimension.BYTES_PER_SECOND, "is a size, not a rate: write GB/s"),
        ("400 Gb", Dimension.BYTES_PER_SECOND, "is a size, not a rate: write Gb/s"),
        ("400 Gbps", Dimension.BYTES_PER_SECOND, "write Gb/s"),
        ("400 gb/s", Dimension.BYTES_PER_SECOND, "did you mean GB/s or Gb/s"),
        ("400 Gb/s", Dimension.BYTES, "is a rate, not a size"),
        ("354 TFLOPS", Dimension.FLOPS_PER_SECOND, "write TFLOP/s"),
        ("624 TOPS", Dimension.FLOPS_PER_SECOND, "write TOP/s"),
        ("700 w", Dimension.WATTS, "did you mean W?"),
        ("5m", Dimension.SECONDS, "write min"),
        ("3 months", Dimension.SECONDS, "write days or weeks"),
        ("700", Dimension.WATTS, "has no unit"),
        (700, Dimension.WATTS, "has no unit"),
        ("1,5 TB/s", Dimension.BYTES_PER_SECOND, "the decimal sign is a point"),
        ("1,2345 W", Dimension.WATTS, "not a number with a unit"),
        ("fast", Dimension.WATTS, "not a number with a unit"),
        ("", Dimension.COUNT, "not a number with a unit"),
        ("nan", Dimension.COUNT, "not a number with a unit"),
        (math.nan, Dimension.COUNT, "not a finite number"),
        (math.inf, Dimension.COUNT, "not a finite number"),
        ("1e400", Dimension.COUNT, "not a finite number"),
        (10**400, Dimension.COUNT, "too large"),
        ("1e300 EB", Dimension.BYTES, "too large"),
        (True, Dimension.COUNT, "true/false"),
        ("5 GB", Dimension.COUNT, "known: a plain number"),
        ("5 GBP", Dimension.MONEY, "USD"),
        ("1400 MRMB", Dimension.MONEY, "write MCNY"),
    ],
)
def test_a_slip_is_refused_and_named(text: str | float, dimension: Dimension, words: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse(text, dimension)
    assert words in str(caught.value)


@pytest.mark.parametrize("thing", [[1], {}, None])
def test_what_is_no_text_is_refused_without_a_traceback(thing: object) -> None:
    with pytest.raises(UnitError, match="not a number with a unit"):
        parse(thing, Dimension.COUNT)  # type: ignore[arg-type]


@pytest.mark.parametrize("dimension", list(Dimension))
def test_every_unit_of_the_table_is_read_back(dimension: Dimension) -> None:
    for unit in known(dimension):
        assert parse(f"2 {unit}", dimension)[1] == unit


@given(st.floats(min_value=0, max_value=1e20, allow_nan=False))
def test_a_bit_rate_is_an_eighth_of_the_byte_rate(number: float) -> None:
    in_bits = parse(f"{number!r} Gb/s", Dimension.BYTES_PER_SECOND)[0]
    in_bytes = parse(f"{number!r} GB/s", Dimension.BYTES_PER_SECOND)[0]
    assert in_bits * BITS_PER_BYTE == pytest.approx(in_bytes, rel=1e-12)


@given(st.text(max_size=20), st.sampled_from(list(Dimension)))
def test_any_text_is_a_finite_number_or_a_unit_error(text: str, dimension: Dimension) -> None:
    try:
        value, _ = parse(text, dimension)
    except UnitError:
        return
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (3.2e12, Dimension.BYTES_PER_SECOND, "3.2 TB/s"),
        (50e9, Dimension.BYTES_PER_SECOND, "50 GB/s"),
        (700.0, Dimension.WATTS, "700 W"),
        (0.0, Dimension.WATTS, "0 W"),
        (3.4e-6, Dimension.SECONDS, "3.4 us"),
        (0.0025, Dimension.SECONDS, "2.5 ms"),
        (0.87, Dimension.FRACTION, "0.87"),
        (528, Dimension.COUNT, "528"),
        (-5.5, Dimension.CELSIUS, "-5.5 degC"),
    ],
)
def test_shows_a_value_in_a_fitting_prefix(value: float, dimension: Dimension, text: str) -> None:
    assert show(value, dimension) == text


def test_shows_a_value_in_the_unit_asked_for() -> None:
    assert show_in(80 * 1024**3, Dimension.BYTES, "GiB") == "80 GiB"


def test_the_currency_of_a_money_unit() -> None:
    assert [currency_of(unit) for unit in ("MUSD", "CNY/kWh", "W")] == ["USD", "CNY", None]
