"""A figure: its value, its unit, where it comes from and how far it may be off."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from planner import units
from planner.units import Dimension

Kind = Literal["vendor", "paper", "measured", "third-party", "derived", "fitted", "estimate"]
"""Where a figure comes from. ``estimate`` includes figures recalled without a page at hand."""


_SHOWN_AS_WRITTEN = ("KiB", "MiB", "GiB", "TiB", "mm2", "TOP/s", "POP/s", "1/1000-node-days")
"""Units that readers compare with a data sheet digit by digit."""


NEVER_ZERO = (
    Dimension.BYTES,
    Dimension.BYTES_PER_SECOND,
    Dimension.FLOPS_PER_SECOND,
    Dimension.HERTZ,
    Dimension.SQUARE_METRES,
)
"""Dimensions in which no hardware has a zero."""


class ProvenanceError(ValueError):
    """A figure does not say where it comes from."""


class Frozen(BaseModel):
    """Spec files refuse unknown keys, and what was read is not changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantity(Frozen):
    """A sourced figure. ``value``, ``low`` and ``high`` are kept in base units (see ``dimension``).

    In a spec file: ``{ value = "3.2 TB/s", kind = "paper", source = "cm384", low = "2.9 TB/s" }``.
    ``low``/``high`` are read as an 80 % range. An estimate must give low, high and method; any other kind
    must name a key of the file's ``[sources]`` table (a derived or fitted one also its method).
    """

    dimension: ClassVar[Dimension] = Dimension.COUNT

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = Field(default="", description="the unit as written in the file")
    kind: Kind
    source: str | list[str] | None = Field(default=None, description="key or keys of [sources]")
    method: str | None = Field(default=None, description="how the figure was made")
    note: str | None = None
    date: str | None = Field(default=None, description="ISO, e.g. 2024-08; prices need one")

    @model_validator(mode="before")
    @classmethod
    def _read_units(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            raise ValueError(
                f'a figure is a table with its provenance, e.g. {{ value = {data!r}, kind = "vendor", '
                'source = "datasheet" }'
            )
        if "unit" in data:
            raise ValueError('unknown key "unit": it stands with the number, e.g. value = "3.2 TB/s"')
        out = dict(data)
        currencies = set()
        for key in ("value", "low", "high"):
            if out.get(key) is not None:
                try:
                    out[key], unit = units.parse(out[key], cls.dimension)
                except units.UnitError as fault:
                    raise fault if key == "value" else units.UnitError(f"{key}: {fault}") from None
                currencies.add(units.currency_of(unit))
                if key == "value":
                    out["unit"] = unit
        if len(currencies) > 1:
            raise ValueError("value, low and high are in different currencies")
        return out

    @field_validator("source")
    @classmethod
    def _named(cls, source: str | list[str] | None) -> str | list[str] | None:
        if source in ("", []):
            raise ProvenanceError("source is empty")
        return source

    @model_validator(mode="after")
    def _provenance(self) -> Self:
        if self.kind == "estimate":
            lacking = [n for n in ("low", "high", "method") if getattr(self, n) is None]
            if lacking:
                raise ProvenanceError(f"an estimate needs {', '.join(lacking)}")
        elif self.source is None:
            raise ProvenanceError(f"a {self.kind} figure needs a source (a key of [sources])")
        if self.kind in ("derived", "fitted") and self.method is None:
            raise ProvenanceError(f"a {self.kind} figure needs a method")
        if self.dimension is not Dimension.CELSIUS and min(self.value, self.low or 0.0) < 0:
            raise ValueError("a figure is never negative")
        if self.value == 0 and self.dimension in NEVER_ZERO:
            raise ValueError("is 0, which no hardware has: leave the figure out where it is not known")
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        if not low <= self.value <= high:
            low_shown, shown, high_shown = (units.show(x, self.dimension) for x in (low, self.value, high))
            raise ValueError(
                f"low <= value <= high does not hold: {low_shown}, {shown}, {high_shown}; check the units"
            )
        return self

    @property
    def currency(self) -> str | None:
        """Currency of a money figure."""
        return units.currency_of(self.unit)

    @property
    def source_keys(self) -> list[str]:
        """Keys of the file's ``[sources]`` table that this figure cites."""
        if self.source is None:
            return []
        return [self.source] if isinstance(self.source, str) else list(self.source)

    def shown(self) -> str:
        """The value for people, in a fitting prefix (money in its currency, binary sizes in binary units)."""
        if self.dimension.value.startswith("money"):
            return f"{self.value:,.6g} {self.unit.removeprefix('M')}"
        if self.unit in _SHOWN_AS_WRITTEN:
            return units.show_in(self.value, self.dimension, self.unit)
        return units.show(self.value, self.dimension)


class Count(Quantity):
    """A plain number."""

    dimension: ClassVar[Dimension] = Dimension.COUNT


class Fraction(Quantity):
    """A share between 0 and 1 unless its field says otherwise."""

    dimension: ClassVar[Dimension] = Dimension.FRACTION


class Size(Quantity):
    """Bytes."""

    dimension: ClassVar[Dimension] = Dimension.BYTES


class Rate(Quantity):
    """Bytes per second, one way."""

    dimension: ClassVar[Dimension] = Dimension.BYTES_PER_SECOND


class ComputeRate(Quantity):
    """FLOP/s or OP/s, dense."""

    dimension: ClassVar[Dimension] = Dimension.FLOPS_PER_SECOND


class Duration(Quantity):
    """Seconds."""

    dimension: ClassVar[Dimension] = Dimension.SECONDS


class Power(Quantity):
    """Watts."""

    dimension: ClassVar[Dimension] = Dimension.WATTS


class Frequency(Quantity):
    """Hertz."""

    dimension: ClassVar[Dimension] = Dimension.HERTZ


class Area(Quantity):
    """Square metres (``mm2`` accepted)."""

    dimension: ClassVar[Dimension] = Dimension.SQUARE_METRES


class Length(Quantity):
    """Metres."""

    dimension: ClassVar[Dimension] = Dimension.METRES


class Mass(Quantity):
    """Kilograms."""

    dimension: ClassVar[Dimension] = Dimension.KILOGRAMS


class Temperature(Quantity):
    """Degrees Celsius."""

    dimension: ClassVar[Dimension] = Dimension.CELSIUS


class Money(Quantity):
    """An amount in its own currency; prices carry a date."""

    dimension: ClassVar[Dimension] = Dimension.MONEY

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if self.date is None:
            raise ValueError(
                'a price needs its date, e.g. date = "2024-08"; without the price plans leave capital open'
            )
        return self


class EnergyPrice(Quantity):
    """Money per kWh."""

    dimension: ClassVar[Dimension] = Dimension.MONEY_PER_KWH


class BuildingPrice(Quantity):
    """Money per watt of IT capacity."""

    dimension: ClassVar[Dimension] = Dimension.MONEY_PER_WATT


class CarbonIntensity(Quantity):
    """kg CO2 per kWh."""

    dimension: ClassVar[Dimension] = Dimension.KG_CO2_PER_KWH


class WaterUse(Quantity):
    """Litres per kWh of IT energy (WUE)."""

    dimension: ClassVar[Dimension] = Dimension.LITRES_PER_KWH


class FailureRate(Quantity):
    """Failures per node-day."""

    dimension: ClassVar[Dimension] = Dimension.PER_NODE_DAY


class Source(Frozen):
    """Where figures were read."""

    title: str
    url: str | None = Field(default=None, description="address; absent only for material without one")
    date: str = Field(description="date of the page or of reading it, ISO")
    note: str | None = Field(default=None, description="e.g. read second-hand through ...")


Text = Annotated[str, Field(min_length=1)]
