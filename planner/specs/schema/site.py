"""Sites: climate, electricity, carbon, and how efficiently each cooling kind runs there."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from planner.specs.quantity import (
    CarbonIntensity,
    Count,
    EnergyPrice,
    Fraction,
    Frozen,
    Power,
    Temperature,
    Text,
    WaterUse,
)
from planner.specs.reading import COUNTRY
from planner.specs.schema.common import SpecFile


class Climate(Frozen):
    """Outdoor climate."""

    dry_bulb_monthly: list[float] = Field(
        min_length=12, max_length=12, description="mean by month, degC, Jan-Dec"
    )
    wet_bulb_monthly: list[float] | None = Field(
        default=None, min_length=12, max_length=12, description="mean by month, degC"
    )
    design_dry_bulb: Temperature | None = Field(default=None, description="hot design day (0.4 % of hours)")
    design_wet_bulb: Temperature | None = None
    source: str = Field(description="key of [sources]")


class CoolingAtSite(Frozen):
    """One cooling kind at this site."""

    pue: Count = Field(description="annual mean")
    pue_design_day: Count = Field(description="hot design day: sizes the intake")
    wue: WaterUse | None = None


class SiteHall(Frozen):
    """A hall of this site that stands, or is designed. It bounds every plan that names no halls."""

    name: Text | None = None
    racks: int = Field(ge=1, description="places for racks of all kinds")
    rack_power: Power | None = Field(default=None, description="of the feed of one rack: breakers")
    busway_power: Power | None = Field(default=None, description="of a busway, shared evenly by its racks")
    busway_racks: int | None = Field(default=None, ge=1, description="racks on one busway")
    rack_units: float | None = Field(default=None, gt=0, description="height of a rack; default: 42")
    rack_ports: int | None = Field(
        default=None, ge=1, description="cables of the cards' network that may leave a rack"
    )
    floor_area: Count | None = Field(default=None, description="m2 of white space, aisles included")
    supply_temperature: Temperature | None = Field(
        default=None, description="of what cools: air, water at the doors, liquid of cold plates and tanks"
    )
    liquid_power: Power | None = Field(default=None, description="IT heat that the liquid loop takes")
    air_power: Power | None = Field(default=None, description="IT heat that the air takes")
    floor_load: Count | None = Field(default=None, description="kg/m2 under a rack")
    transformers: int | None = Field(default=None, ge=1, description="installed")
    transformer_kva: Count | None = Field(default=None, description="of each")
    redundancy: Literal["N", "N+1", "2N"] = Field(default="N", description="of the transformers")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.transformers is None) != (self.transformer_kva is None):
            raise ValueError("transformers: and transformer_kva go together")
        if (self.busway_power is None) != (self.busway_racks is None):
            raise ValueError("busway_power: and busway_racks go together")
        return self


class Site(SpecFile):
    """A place with power, climate and law."""

    country: str = Field(pattern=COUNTRY)
    region: Text
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    altitude_m: float | None = None
    climate: Climate
    tariff: EnergyPrice = Field(description="all-in energy price for a large industrial customer")
    carbon: CarbonIntensity = Field(description="grid average, direct emissions unless noted")
    power_available: Power | None = Field(
        default=None, description="at the grid intake, where a limit is known"
    )
    pue_limit: Count | None = Field(default=None, description="legal limit for new large sites")
    transformer_chain_efficiency: Fraction | None = Field(
        default=None, description="grid intake to server input; inside PUE, kept for the boundary"
    )
    hall: list[SiteHall] = Field(default=[], description="[[hall]]: halls to fill")
    cooling: dict[str, CoolingAtSite] = Field(description="by cooling kind, e.g. cold-plate")
