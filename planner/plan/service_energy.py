"""What a service draws at its mean load, as the core tells it, with what a year of that comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.plant import HOURS_PER_YEAR
from planner.plan.service_parts import PhaseShare, PoolDraw, ServiceEnergy

Wire = Mapping[str, Any]
PHASES = ("compute", "memory", "communication", "idle")


def energy_of(design: Wire) -> ServiceEnergy | None:
    """The draw of ``design`` at its mean load; None where the draw of its cards by phase is not known."""
    found = design["draw"]
    if found is None:
        return None
    facility, cost = design["facility"], design["cost"]

    def year(megawatts: float) -> float:
        return float(megawatts * facility["pue"] * HOURS_PER_YEAR)

    return ServiceEnergy(
        requests_per_second=found["requests_per_second"],
        pools=[_pool(item) for item in found["pools"]],
        idle_cards=found["idle_cards"],
        it_megawatts=found["it_megawatts"],
        it_megawatts_low=found["it_megawatts_low"],
        it_megawatts_high=found["it_megawatts_high"],
        energy_mwh_per_year=facility["energy_mwh_per_year"],
        energy_mwh_per_year_low=year(found["it_megawatts_low"]),
        energy_mwh_per_year_high=year(found["it_megawatts_high"]),
        carbon_tonnes_per_year=facility["carbon_tonnes_per_year"],
        energy_usd_per_year=cost["energy_usd_per_year"],
        tco_usd_per_year=cost["tco_usd_per_year"],
    )


def _pool(item: Wire) -> PoolDraw:
    return PoolDraw(
        role=item["role"],
        cards=item["cards"],
        shares=[PhaseShare(phase=name, share=item[name]) for name in PHASES],
        card_watts=item["card_watts"],
        card_watts_low=item["card_watts_low"],
        card_watts_high=item["card_watts_high"],
    )
