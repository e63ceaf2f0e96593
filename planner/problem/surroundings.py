"""What surrounds the hardware of a problem: limits, site, money, failures, axes of the front."""

from __future__ import annotations

import math
from collections.abc import Mapping

from planner.problem import wire
from planner.problem.alternatives import Alternatives
from planner.problem.figures import Figures
from planner.problem.halls import (
    boundary_limits,
    hall_limits,
    least,
    mean_tariff,
)
from planner.problem.hardware import unit_cards
from planner.problem.reliability import reliability
from planner.scenario import Scenario
from planner.scenario.vocabulary import Axis
from planner.specs import Part, Site, System

MOST_CARDS = 1_000_000
"""Where the scenario sets no limit on cards: far beyond any cluster built."""
SECONDS_PER_YEAR = 365 * 86400.0
FAR = 5
"""A tariff this many times that of the site, or less than this part of it, is remarked on."""
_MONEY_AXES: tuple[Axis, ...] = ("capex_usd", "tco_usd_per_year")
_MONEY_OBJECTIVES = ("capex", "tco")


class Surroundings(Alternatives):
    """A question with everything but its job."""

    def _limits(self, systems: list[System], site: Site, facility: Part) -> wire.Limits:
        limits = self.scenario.limits
        cards = limits.cards
        refuse_broken_units(self.scenario, {system.id: unit_cards(system) for system in systems})
        watts = boundary_limits(limits.power, self.figures.of("parts", facility))
        halls = hall_limits(self.scenario.site.hall, self.figures.of("parts", facility))
        at_grid = watts.facility_watts
        available = self.figures.of("sites", site).want("power_available", "power", "power available")
        if available is not None and (at_grid is None or available < at_grid):
            at_grid = available
            self.notes.append(
                f"{site.id} offers {available / 1e6:.4g} MW at the grid intake, taken as a limit"
            )
        if watts.nameplate_watts is not None or watts.nameplate_intake_watts is not None:
            for system in systems:  # a rating that nobody knows is neither inside nor over a limit
                self.figures.of("systems", system).need("host.nameplate", "power", "nameplate")
        capex = None
        if limits.capex is not None:
            self.figures.refuse_missing_prices("limits.capex")
            capex = limits.capex.amount * self.figures.usd_per(limits.capex.currency)
        return wire.Limits(
            cards_min=cards.lowest if cards else 1,
            cards_max=(cards.highest if cards else None) or MOST_CARDS,
            facility_watts=at_grid,
            it_watts=watts.it_watts,
            nameplate_watts=watts.nameplate_watts,
            transformer_watts=least(watts.transformer_watts, halls.transformer_watts),
            ups_watts=watts.ups_watts,
            nameplate_intake_watts=watts.nameplate_intake_watts,
            liquid_watts=halls.liquid_watts,
            air_watts=halls.air_watts,
            racks=limits.racks if halls.racks is None else min(limits.racks or halls.racks, halls.racks),
            floor_m2=halls.floor_m2,
            capex_usd=capex,
        )

    def _site(self, site: Site, facility: Part) -> wire.Site:
        choice, sheet = self.scenario.site, self.figures.of("sites", site)
        chain = self.figures.of("parts", facility)
        if choice.tariff is not None:
            tariff = choice.tariff.amount * self.figures.usd_per(choice.tariff.currency)
            self._remark_on_tariff(site, tariff)
        else:
            tariff = sheet.price("tariff", "tariff") or 0.0
        tariff = mean_tariff(choice, tariff, self.figures)
        carbon = choice.carbon
        if carbon is None:
            carbon = sheet.need("carbon", "environment", "carbon intensity")
        return wire.Site(
            tariff_usd_per_kwh=tariff,
            carbon_kg_per_kwh=carbon,
            transformer_efficiency=chain.need("chain.transformer_efficiency", "space", "transformers"),
            ups_efficiency=chain.need("chain.ups_efficiency", "space", "uninterruptible supplies"),
            distribution_efficiency=chain.need("chain.distribution_efficiency", "space", "distribution"),
        )

    def _remark_on_tariff(self, site: Site, tariff: float) -> None:
        """A tariff (USD/kWh) that is far from the site's own is mostly one of another unit."""
        files = Figures(self.library)
        own = files.of("sites", site).price("tariff", "tariff")
        if own and not 1 / FAR <= tariff / own <= FAR:
            self.notes.append(
                f"site.tariff is {tariff:.3g} USD/kWh, {tariff / own:,.3g} times that of {site.id} "
                f"({own:.2g}): look at its unit"
            )

    def _economics(self, facility: Part) -> wire.Economics:
        sheet, asked = self.figures.of("parts", facility), self.scenario.money

        def share(name: str, given: float | None) -> float:
            return sheet.need(name, "cost", f"{name} share") if given is None else given

        technician = sheet.price("technician", "pay of a technician") or 0.0
        return wire.Economics(
            capital_rate=asked.rate,
            installation_share=share("installation", asked.installation),
            residual_share=share("residual", asked.residual),
            staff_usd_per_server_year=technician
            / sheet.need("servers_per_technician", "cost", "servers per technician"),
            crew_usd_per_year=technician * sheet.need("crew", "cost", "crew around the clock"),
            crew_watts=sheet.need("crew_site", "cost", "power of a site with a crew"),
            maintenance_share=share("maintenance", asked.maintenance),
            depreciation_years=sheet.need("depreciation", "cost", "life of hardware") / SECONDS_PER_YEAR,
            building_years=sheet.need("depreciation_building", "cost", "life of a building")
            / SECONDS_PER_YEAR,
        )

    def _reliability(self) -> wire.Reliability:
        return reliability(self.scenario, self.figures)

    def _front(self) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
        """Axes of the front and those dropped for want of prices.

        Raises:
            MissingFigureError: the objective itself needs the missing prices.
        """
        objective = self.scenario.objective
        if objective in _MONEY_OBJECTIVES:
            self.figures.refuse_missing_prices(f'search.objective = "{objective}"')
        if any(axis in _MONEY_AXES for axis in self.scenario.search.weights or ()):
            self.figures.refuse_missing_prices("search.weights")
        axes = self.scenario.front
        dropped = tuple(axis for axis in axes if axis in _MONEY_AXES) if self.figures.missing_prices else ()
        kept = tuple(axis for axis in axes if axis not in dropped)
        if dropped:
            prices = ", ".join(self.figures.missing_prices)
            self.notes.append(f"front without {', '.join(dropped)}: nobody published the {prices}")
        return kept, dropped


def refuse_broken_units(scenario: Scenario, units: Mapping[str, int]) -> None:
    """Refuse numbers of cards that cannot be bought; ``units``: cards bought whole, by system.

    Raises:
        ScenarioError: no whole number of units of any system, or fewer cards than one of the least.
    """
    cards = scenario.limits.cards
    if cards is None or cards.highest is None:
        return
    unit = min(units.values())
    if cards.exactly is not None and all(cards.exactly % each for each in units.values()):
        below, above = cards.exactly // unit * unit, math.ceil(cards.exactly / unit) * unit
        near = f"{below} or {above}" if below else str(above)
        key, message = "exactly", f"{_cards_are(cards.exactly)} not whole units of {unit}"
    elif cards.highest < unit:
        key, message, near = "max", f"{_cards_are(cards.highest)} less than one unit of {unit}", str(unit)
    else:
        return
    raise scenario.origin.error(
        f"limits.cards.{key}", f"{message}, and servers (or supernodes) are bought whole", f"try {near}"
    )


def _cards_are(count: int) -> str:
    return "1 card is" if count == 1 else f"{count:,} cards are"
