"""Where it stands: halls that bound a plan, and what is known better than the spec file of the site."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from planner.scenario.values import AtLeastOne, Carbon, Celsius, EnergyPrice, Positive, Watts, Whole
from planner.specs.quantity import Frozen, Text

HOURS_OF_A_DAY = 24.0
MOST_PUE = 4.0
"""More is a slip of the decimal point: machine rooms of the 2000s lay at 2 to 3."""


class Hall(Frozen):
    """A hall that stands already, or is designed: what it takes bounds what is put into it."""

    name: Text | None = Field(default=None, description="for people; default: hall 1, hall 2, ...")
    racks: Whole = Field(description="racks of all kinds")
    rack_power: Watts | None = Field(default=None, description="of the feed of one rack: breakers")
    busway_power: Watts | None = Field(default=None, description="of a busway, shared evenly by its racks")
    busway_racks: Whole | None = Field(default=None, description="racks on one busway")
    rack_units: Positive | None = Field(default=None, description="height of a rack; default: 42")
    rack_ports: Whole | None = Field(
        default=None, description="cables of the cards' network that may leave a rack: its patch panel"
    )
    floor_area: Positive | None = Field(default=None, description="m2 of white space, aisles included")
    supply_temperature: Celsius | None = Field(
        default=None,
        description="degC of what cools: air, water at the doors, liquid of cold plates and tanks; default: "
        "what the cooling kind is planned with",
    )
    liquid_power: Watts | None = Field(default=None, description="IT heat that the liquid loop takes")
    air_power: Watts | None = Field(default=None, description="IT heat that the air takes")
    floor_load: Positive | None = Field(default=None, description="kg/m2 under a rack")
    transformers: Whole | None = Field(default=None, description="installed")
    transformer_kva: Positive | None = Field(default=None, description="of each")
    redundancy: Literal["N", "N+1", "2N"] = Field(default="N", description="of the transformers")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.transformers is None) != (self.transformer_kva is None):
            raise ValueError("transformers: and transformer_kva go together")
        if (self.busway_power is None) != (self.busway_racks is None):
            raise ValueError("busway_power: and busway_racks go together")
        if self.transformers is not None and self.usable_transformers < 1:
            raise ValueError(
                f"transformers: {self.transformers} at {self.redundancy} leave none to carry the load"
            )
        return self

    @property
    def busway_share(self) -> float | None:
        """Watts of a busway over its racks."""
        if self.busway_power is None or self.busway_racks is None:
            return None
        return self.busway_power / self.busway_racks

    @property
    def usable_transformers(self) -> int:
        """Those that carry load when the redundant ones stand by."""
        installed = self.transformers or 0
        return {"N": installed, "N+1": installed - 1, "2N": installed // 2}[self.redundancy]


class SiteChoice(Frozen):
    """Where it stands, and what is known better than the spec file about it."""

    id: Text = Field(description="id or name of a site")
    tariff: EnergyPrice | None = Field(default=None, description='e.g. "0.06 USD/kWh"')
    carbon: Carbon | None = Field(default=None, description='e.g. "0.4 kgCO2/kWh"')
    pue: AtLeastOne | None = Field(
        default=None, le=MOST_PUE, description="annual mean, for every cooling kind"
    )
    pue_design_day: AtLeastOne | None = Field(
        default=None, le=MOST_PUE, description="default: the site's, at least pue"
    )
    tariff_peak: EnergyPrice | None = Field(default=None, description="price in the peak hours")
    tariff_valley: EnergyPrice | None = Field(default=None, description="price in the valley hours")
    peak_hours: Positive = Field(default=8.0, le=24, description="of a day, with tariff_peak")
    valley_hours: Positive = Field(default=8.0, le=24, description="of a day, with tariff_valley")
    redundancy: Literal["N", "N+1", "2N"] = Field(
        default="N+1", description="of transformers, supplies and generators"
    )
    chillers: bool = Field(
        default=True, description="false: none; the supply warms on hot days, and clocks may fall"
    )
    hot_day: Literal["cap", "slow"] = Field(
        default="cap",
        description="cap: cards are capped to what cooling holds on the hot design day, all year; slow: "
        "their clocks fall in the hot hours, which are told and not counted",
    )
    hall: tuple[Hall, ...] = Field(default=(), description="[[site.hall]]: halls to fill")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.pue is not None and self.pue_design_day is not None and self.pue_design_day < self.pue:
            raise ValueError(
                f"pue_design_day: {self.pue_design_day} is below pue = {self.pue}, its annual mean"
            )
        hours = self._hours_of("peak") + self._hours_of("valley")
        if hours > HOURS_OF_A_DAY:
            raise ValueError(f"peak_hours: and valley_hours are {hours:g} hours together; a day has 24")
        return self

    def _hours_of(self, name: Literal["peak", "valley"]) -> float:
        """Hours that are asked for: a default without its tariff plays no part."""
        asked = getattr(self, f"tariff_{name}") is not None or f"{name}_hours" in self.model_fields_set
        return float(getattr(self, f"{name}_hours")) if asked else 0.0
