"""One column of rows, and the columns that every design has: fabric, facility, cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal["whole", "number", "text", "truth"]


@dataclass(frozen=True)
class Column:
    """One column of the rows.

    Attributes:
        name: as in the files.
        unit: of the numbers; empty for plain numbers and texts.
        meaning: in a few words.
        kind: whole, number, text or truth (yes or no); every column but the first three may be null.
        path: keys to the figure in a design of the engine; empty: filled in elsewhere.
    """

    name: str
    unit: str
    meaning: str
    kind: Kind
    path: tuple[str, ...] = ()

    def described(self) -> dict[str, str]:
        """Name, unit, meaning and kind, for the files beside the rows."""
        return {key: value for key, value in asdict(self).items() if key != "path"}


def column_at(path: str, unit: str, meaning: str, kind: Kind = "number", name: str | None = None) -> Column:
    """A column of the figure at a dotted path of the design; its name, else the last part of the path."""
    keys = tuple(path.split("."))
    return Column(name or keys[-1], unit, meaning, kind, keys)


PLANT = (
    column_at("fabric.id", "", "scale-out fabric", "text", "fabric"),
    column_at("fabric.kind", "", "how the fabric is built", "text", "fabric_kind"),
    column_at("fabric.oversubscription", "", "of the fabric's top tier"),
    column_at("fabric.switches", "switches", "of all tiers", "whole"),
    column_at("facility.cooling", "", "cooling kind", "text"),
    column_at("facility.racks.total", "racks", "of all kinds", "whole", "racks"),
    column_at("facility.it_megawatts", "MW", "typical draw at the servers' plugs"),
    column_at("facility.facility_megawatts", "MW", "grid intake, annual mean"),
    column_at("facility.facility_design_megawatts", "MW", "grid intake on the design day"),
    column_at("facility.energy_mwh_per_year", "MWh", "energy of a year"),
    column_at("facility.carbon_tonnes_per_year", "t", "CO2 of a year"),
    column_at("facility.water_m3_per_year", "m3", "water of a year; null: not known"),
    column_at("cost.capex_usd", "USD", "capital; null: a price is missing"),
    column_at("cost.energy_usd_per_year", "USD", "electricity of a year"),
    column_at("cost.tco_usd_per_year", "USD", "cost of a year; null: a price is missing"),
)
"""Fabric, facility and cost: the same of training and of a service."""
