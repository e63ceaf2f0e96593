"""What must be met and what may not be exceeded: [target], [limits], and halls that stand already."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from planner.scenario.values import Amount, AtLeastOne, Days, MoneyAmount, Watts, Whole, as_list
from planner.scenario.vocabulary import Cards, table_of
from planner.specs.quantity import Frozen
from planner.specs.reading import COUNTRY, DATE

OF_SERVING = (
    "requests_per_second",
    "ttft",
    "tpot",
    "tokens_per_second_per_card",
    "latency",
    "headroom",
    "availability",
)
"""Keys of [target] that only services have."""


def _refuse_keys_of_services(data: Any) -> Any:
    for key in data if isinstance(data, dict) else ():
        if key in OF_SERVING:
            raise ValueError(f'{key}: belongs to services: set workload.kind = "serving" or "generic"')
    return data


class Target(Frozen):
    """What must be met."""

    days: Days | None = Field(
        default=None, description='calendar days for all tokens, failures included ("6 h" too)'
    )
    tokens_per_second: Amount | None = Field(default=None, description="mean rate, failures included")

    @model_validator(mode="before")
    @classmethod
    def _of_training(cls, data: Any) -> Any:
        return _refuse_keys_of_services(data)

    @property
    def any(self) -> bool:
        """Whether anything is asked."""
        return self.days is not None or self.tokens_per_second is not None


class CardLimit(Frozen):
    """How many cards may be bought, spares included."""

    min: Cards | None = None
    max: Cards | None = None
    exactly: Cards | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.exactly is not None and (self.min is not None or self.max is not None):
            raise ValueError("exactly: excludes min and max; keep either")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min: {self.min} is more than max = {self.max}")
        return self

    @property
    def lowest(self) -> int:
        """At least."""
        return self.exactly or self.min or 1

    @property
    def highest(self) -> int | None:
        """At most."""
        return self.exactly or self.max


class PowerLimit(Frozen):
    """How much power there is, and where it is counted."""

    value: Watts
    boundary: Literal["grid", "transformer", "ups", "it"] | None = Field(
        default=None,
        description="grid: intake on the hot design day (default); transformer: its output that day; "
        "ups: output of the supplies, which carry IT alone; it: at the servers' plugs (default of nameplate)",
    )
    basis: Literal["measured", "nameplate"] = Field(
        default="measured",
        description="measured: typical draw in training; nameplate: rated power, what breakers are sized for",
    )

    @property
    def counted_at(self) -> Literal["grid", "transformer", "ups", "it"]:
        """The boundary, with its default filled in."""
        return self.boundary or ("it" if self.basis == "nameplate" else "grid")


def _date_text(given: Any) -> Any:
    """A year or a date of TOML as text."""
    plain = isinstance(given, int | date) and not isinstance(given, bool | datetime)
    return str(given) if plain else given


class Limits(Frozen):
    """What may not be exceeded."""

    cards: Annotated[CardLimit | None, BeforeValidator(table_of("max"))] = Field(
        default=None, description="at most that many, or { min, max } or { exactly }"
    )
    power: Annotated[PowerLimit | None, BeforeValidator(table_of("value"))] = Field(
        default=None, description='"30 MW", or { value, boundary, basis }'
    )
    racks: Whole | None = Field(default=None, description="racks of all kinds")
    pue: AtLeastOne | None = Field(
        default=None, description="annual mean; default: the legal limit of the site, where it has one"
    )
    capex: MoneyAmount | None = Field(default=None, description='capital with its currency, e.g. "200 MUSD"')
    origin: Annotated[tuple[Annotated[str, Field(pattern=COUNTRY)], ...], BeforeValidator(as_list)] | None = (
        Field(default=None, min_length=1, description='countries that cards may come from, e.g. "CN"')
    )
    available_in: str | None = Field(
        default=None,
        pattern=COUNTRY,
        description="country that it is bought for: on sale, no export rule",
    )
    available_by: Annotated[str | None, BeforeValidator(_date_text)] = Field(
        default=None, pattern=DATE, description="released by then: year, month or day"
    )

    @property
    def any(self) -> bool:
        """Whether anything bounds the answer from above."""
        cards = self.cards is not None and self.cards.highest is not None
        return cards or any(limit is not None for limit in (self.power, self.racks, self.capex))
