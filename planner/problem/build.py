"""From a scenario and the spec library to the problem that the core answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from planner.architectures import Architecture
from planner.architectures.library import resolve as resolve_architecture
from planner.errors import MissingFigureError, ScenarioError, SpecError
from planner.problem import wire
from planner.problem.climate import months
from planner.problem.evidence import Figure, FigureKey, Scope, leading_estimates, refuse_estimates
from planner.problem.figures import Figures, snippets
from planner.problem.halls import (
    boundary_limits,
    cards_within,
    chain_spec,
    hall_limits,
    halls_of,
    least,
    mean_tariff,
    rack_ceiling,
)
from planner.problem.hardware import DIRECT, Alternative, Hall, cluster, homeless, unit_cards
from planner.problem.market import excluded
from planner.problem.reliability import reliability
from planner.problem.space import space
from planner.problem.workload import model, software, training
from planner.scenario import Scenario
from planner.scenario.schema import Axis
from planner.software import SoftwareProfile, default_profile, profile
from planner.software.age import years_between
from planner.specs import SPEC_PATH_VARIABLE, Efficiency, Fabric, Part, Site, SpecLibrary, System
from planner.specs.check import refuse_impossible
from planner.specs.library import shipped
from planner.specs.reading import shown_path

MOST_CARDS = 1_000_000
"""Where the scenario sets no limit on cards: far beyond any cluster built."""
DEFAULT_CAPS = (1.0, 0.9, 0.8, 0.7)
"""Searched where power is limited or the objective: steps that operators enforce."""
SECONDS_PER_YEAR = 365 * 86400.0
SERVER_DAYS = 1000.0
"""Scenarios count failures per so many server-days."""
_MONEY_AXES: tuple[Axis, ...] = ("capex_usd", "tco_usd_per_year")
_MONEY_OBJECTIVES = ("capex", "tco")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Calibration:
    """What stands behind the efficiency figures of one cluster."""

    efficiency: str
    calibrated: str
    runs: int
    groups: int
    residual: float

    @classmethod
    def of(cls, efficiency: Efficiency) -> Calibration:
        """That of a file in ``efficiency/``."""
        return cls(
            efficiency.id,
            efficiency.calibrated,
            efficiency.runs,
            efficiency.groups,
            efficiency.residual.value,
        )


@dataclass(frozen=True)
class Problem:
    """A resolved question.

    Attributes:
        request: what the core is asked.
        figures: every spec figure that entered the request, with its provenance and role.
        architecture: the model.
        softwares: the profile of each cluster.
        calibrations: per cluster of the request.
        dropped_axes: axes left out of the front because prices are missing.
        missing_prices: labels of those prices.
        notes: what was inferred or assumed, for people.
        spec_hashes: ``kind/id`` -> SHA-256 of each spec file read.
        pue_by_month: by cooling kind, January first.
    """

    scenario: Scenario
    library: SpecLibrary
    request: wire.Request
    figures: tuple[Figure, ...]
    architecture: Architecture
    softwares: tuple[SoftwareProfile, ...]
    calibrations: tuple[Calibration, ...]
    dropped_axes: tuple[str, ...]
    missing_prices: tuple[str, ...]
    notes: tuple[str, ...]
    spec_hashes: Mapping[str, str]
    pue_by_month: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """``problem_hash``: see `wire.Request.hash`."""
        return self.request.hash

    def estimates(self, cluster: int, fabric: str, cooling: str) -> tuple[Figure, ...]:
        """Estimates in timing, power and failures on which a design with these choices rests."""
        return leading_estimates([f for f in self.figures if f.used_by(cluster, fabric, cooling)])

    def with_figures(self, values: Mapping[FigureKey, float]) -> Problem:
        """The same question with other values (base units, own currency) of some figures."""
        return build(self.scenario, self.library, figures=values)


def build(
    scenario: Scenario,
    library: SpecLibrary,
    figures: Mapping[FigureKey, float] | None = None,
    no_estimates: bool = False,
) -> Problem:
    """Resolve names, gather figures and state the problem in SI numbers.

    Args:
        scenario: the question.
        library: the spec library.
        figures: values that stand in for figures of the files, by their keys.
        no_estimates: refuse estimates in timing, power and failures.

    Raises:
        ScenarioError: unknown names, or wishes that contradict the hardware or the site.
        MissingFigureError: figures are not known (all of them are listed), or estimates are not wanted.
        SpecError: a spec file cannot be used.
    """
    return _Builder(scenario, Figures(library, figures)).problem(no_estimates)


class _Builder:
    def __init__(self, scenario: Scenario, figures: Figures) -> None:
        self.scenario = scenario
        self.figures = figures
        self.library = figures.library
        self.notes: list[str] = []

    def problem(self, no_estimates: bool) -> Problem:
        scenario, figures = self.scenario, self.figures
        architecture = self._architecture()
        systems = self._systems()
        profiles = [self._software(system) for system in systems]
        site = self._named("site.id", lambda: self.library.site(scenario.site.id))
        self._housed(site)
        scenario = self.scenario
        hall = Hall(site, scenario.site, self._facility(site))
        clusters, calibrations = self._clusters(systems, hall)
        wired = model(architecture)
        limits = self._limits(systems, site, hall.facility)
        reliability = self._reliability()
        economics = self._economics(hall.facility)
        prices = self._site(site, hall.facility)
        chain = chain_spec(scenario.site, figures.of("parts", hall.facility))
        rack = rack_ceiling(scenario.site.hall, figures.of("parts", hall.facility))
        rooms = {room.kind: room.pue for cluster in clusters for room in cluster.coolings}
        by_month = months(site, hall.facility, figures.of("parts", hall.facility), rooms)
        clusters = self._equipped(clusters, profiles, architecture)
        if scenario.limits.cards is None or scenario.limits.cards.highest is None:
            most = cards_within(limits, clusters, figures.of("parts", hall.facility))
            limits = limits.model_copy(update={"cards_max": most})
        if not figures.overridden:  # a sampled value lies inside the range that was judged with its file
            self._judge_files()
        figures.refuse_missing()
        figures.refuse_unknown_overrides()
        front, dropped = self._front()
        run = training(scenario.workload)
        request = wire.Request(
            model=wired,
            training=run,
            software=self._tools(profiles[0], 0, architecture),
            target=wire.Target(
                days=scenario.target.days, tokens_per_second=scenario.target.tokens_per_second
            ),
            limits=limits,
            chain=chain,
            rack=rack,
            clusters=clusters,
            site=prices,
            economics=economics,
            reliability=reliability,
            space=space(wired, run, limits.cards_max, clusters, scenario.layout, profiles[0].schedule),
            search=wire.Search(
                objective=scenario.objective,
                weights=tuple(
                    wire.Weight(axis=axis, weight=weight)
                    for axis, weight in (scenario.search.weights or {}).items()
                ),
                front=front,
                time_limit_seconds=scenario.search.time_limit,
                threads=scenario.search.threads,
            ),
        )
        if no_estimates:
            refuse_estimates(figures.used)
        return Problem(
            scenario=scenario,
            library=self.library,
            request=request,
            figures=figures.used,
            architecture=architecture,
            softwares=tuple(profiles),
            calibrations=calibrations,
            dropped_axes=dropped,
            missing_prices=figures.missing_prices,
            notes=tuple(self.notes),
            spec_hashes=figures.spec_hashes,
            pue_by_month=by_month,
        )

    def _judge_files(self) -> None:
        """Refuse impossible values of the files in use; doubts about the user's own files become notes."""
        files = self.figures.spec_files
        own = {
            shown_path(path) for path in (self.library.path(*place) for place in files) if not shipped(path)
        }
        for doubt in refuse_impossible(self.library, files):
            if doubt.file in own:
                where = f"{doubt.file}:{doubt.line}" if doubt.line else doubt.file
                self.notes.append(f"{where}: {doubt.key}: {doubt.message}; {doubt.remedy}")

    def _named(self, key: str, find: Callable[[], _T]) -> _T:
        """What a name in the scenario stands for; an unknown name is told as a fault of the scenario."""
        try:
            return find()
        except SpecError as fault:
            if fault.file is not None:
                raise
            raise self.scenario.origin.error(key, fault.message, fault.hint) from fault

    def _shape(self) -> Architecture:
        """The model by its name; what was inferred is noted."""
        name = self.scenario.workload.model
        beside = self._beside_scenario(name)
        found, inferred = self._named("workload.model", lambda: resolve_architecture(beside or name))
        self.notes += [f"model {found.id}: {text}" for text in inferred]
        return found

    def _architecture(self) -> Architecture:
        found = self._shape()
        workload, longest = self.scenario.workload, found.max_positions
        if found.learned_positions and longest is not None and workload.sequence > longest:
            raise self.scenario.origin.error(
                "workload.sequence",
                f"{workload.sequence} is longer than the {longest} positions that {found.id} learns",
                f"use at most {longest}, or a model with rotary positions",
            )
        if workload.batch_tokens is not None and workload.batch_tokens % workload.sequence:
            self.notes.append(
                f"a batch of {workload.batch_tokens:,.0f} tokens is {workload.global_batch:,} sequences"
            )
        return found

    def _beside_scenario(self, name: str) -> Path | None:
        """A relative path means a file beside the scenario, if there is one."""
        file = self.scenario.origin.file
        if file is None or not name.lower().endswith((".json", ".toml")) or Path(name).is_absolute():
            return None
        beside = Path(file).parent / name
        return beside if beside.is_file() else None

    def _systems(self) -> list[System]:
        names = self.scenario.hardware.systems
        ids = [self._named("hardware.systems", partial(self._system_of, name)) for name in names]
        twice = next((spec_id for spec_id in ids if ids.count(spec_id) > 1), None)
        if twice is not None:
            raise self.scenario.origin.error("hardware.systems", f"names {twice} twice")
        return self._on_the_market([self.library.system(spec_id) for spec_id in ids])

    def _on_the_market(self, systems: list[System]) -> list[System]:
        """Without those that origin, date and country of the limits rule out."""
        limits, kept, reasons = self.scenario.limits, [], []
        for system in systems:
            why = excluded(system, self.library.accelerator_of(system), limits)
            if why is None:
                kept.append(system)
            else:
                reasons.append(f"{system.id} is left out: {why}")
        if not kept:
            raise self.scenario.origin.error("hardware.systems", "; ".join(reasons), "name another system")
        self.notes += reasons
        return kept

    def _system_of(self, name: str) -> str:
        try:
            return self.library.resolve_hardware(name)
        except SpecError as fault:
            card = self.library.find("accelerators", name)
            if card is None:
                raise
            raise homeless(self.library.accelerator(card), self.figures) from fault

    def _software(self, system: System) -> SoftwareProfile:
        """The profile asked for, else the usual one of the card's vendor."""
        name = self.scenario.workload.software
        if name is not None:
            return self._named("workload.software", lambda: profile(name))
        return default_profile(self.library.accelerator_of(system).vendor)

    def _tools(self, tools: SoftwareProfile, cluster: int, architecture: Architecture) -> wire.Software:
        with self.figures.scope(Scope(cluster=cluster)):
            precision = self.scenario.workload.precision
            system = self._systems()[cluster]
            released = self.library.accelerator(system.accelerator).released or system.released
            age = years_between(released, tools.dated)
            return software(tools, architecture, precision, self.figures, self._block_scaled(cluster), age)

    def _block_scaled(self, cluster: int) -> bool:
        """Chips that multiply 4 bits also scale 8 bits per block: the recipe their software comes with."""
        system = self._systems()[cluster]
        peak = self.library.accelerator(system.accelerator).peak
        return self.scenario.workload.precision != "bf16" and peak.fp4 is not None

    def _equipped(
        self,
        clusters: tuple[wire.Cluster, ...],
        profiles: Sequence[SoftwareProfile],
        architecture: Architecture,
    ) -> tuple[wire.Cluster, ...]:
        """Each cluster with its own software, where they differ from that of the first."""
        tools = [self._tools(item, index, architecture) for index, item in enumerate(profiles)]
        return tuple(
            item if own == tools[0] else item.model_copy(update={"software": own})
            for item, own in zip(clusters, tools, strict=True)
        )

    def _facility(self, site: Site) -> Part:
        wanted = f"facility-{site.country.lower()}"
        if self.library.find("parts", wanted, ("id",)) is None:
            toml = snippets([FigureKey("parts", wanted, key) for key in ("building", "liquid_premium")])
            raise MissingFigureError(
                f"there is no part {wanted!r}: price and limits of a building in {site.country}",
                hint=f"supply it in a directory named by {SPEC_PATH_VARIABLE}, but with "
                f'extends = "facility-base" and a name and kind of its own:\n{toml}',
            )
        return self.library.part(wanted)

    def _clusters(
        self, systems: list[System], hall: Hall
    ) -> tuple[tuple[wire.Cluster, ...], tuple[Calibration, ...]]:
        hardware = self.scenario.hardware.model_copy(update={"power_caps": self._power_caps(hall.site)})
        chosen = [
            self._named("hardware.fabrics", partial(self.library.fabric, name))
            for name in hardware.fabrics or ()
        ]
        self._refuse_unused_cooling(systems, hall.site)
        clusters, calibrations = [], []
        for index, system in enumerate(systems):
            accelerator = self.library.accelerator_of(system)
            efficiency = self.library.efficiency_of(accelerator)
            item = Alternative(
                index=index,
                system=system,
                accelerator=accelerator,
                efficiency=efficiency,
                fabrics=self._fabrics_of(system, chosen),
                coolings=self._coolings_of(system, hall.site),
            )
            offloads = self.scenario.layout.offloads
            precision = self._precision()
            built = cluster(item, hall, hardware, precision, self.figures, offloads)
            own = self.scenario.reliability.failures
            clusters.append(
                built
                if own is None
                else built.model_copy(update={"failures_per_server_day": own / SERVER_DAYS})
            )
            if system.domain_cards > system.cards_per_server and system.domain.switches is None:
                self.notes.append(
                    f"{system.id}: the switches of a domain are not published, so their failures do not count"
                )
            self._refuse_caps_below_idle(clusters[-1])
            residual = efficiency.residual.value
            calibrations.append(
                Calibration(
                    efficiency.id, efficiency.calibrated, efficiency.runs, efficiency.groups, residual
                )
            )
            if accelerator.peak.bf16 is None and accelerator.peak.fp16 is not None:
                self.notes.append(f"{accelerator.id} lists no bf16 peak: its fp16 peak is used")
        return tuple(clusters), tuple(calibrations)

    def _refuse_caps_below_idle(self, built: wire.Cluster) -> None:
        asked = self.scenario.hardware.power_caps
        if asked is None or self.figures.missing or self.figures.overridden:
            return  # a figure that is missing stands as 1 until all of them are refused
        lowest = min(asked)
        if lowest * built.card_tdp <= built.card_idle:
            raise self.scenario.origin.error(
                "hardware.power_caps",
                f"{lowest:.3g} of the {built.card_tdp:.4g} W of {built.accelerator} is no more than the "
                f"{built.card_idle:.4g} W that it draws when idle",
                "caps of 0.5 to 1 are usual",
            )

    def _housed(self, site: Site) -> None:
        """Puts the halls of the site's file into a scenario that names none itself."""
        scenario = self.scenario
        if site.hall and not scenario.site.hall:
            halls = halls_of(site, scenario.site, self.figures)
            choice = scenario.site.model_copy(update={"hall": halls})
            self.scenario = scenario.model_copy(update={"site": choice})
            self.notes.append(f"the halls of {site.id} ({len(halls)}) bound the plan")

    def _precision(self) -> str | tuple[str, ...]:
        """What the devices must be able to compute at, as `cluster` takes it."""
        return self.scenario.workload.precision

    def _power_caps(self, site: Site) -> tuple[float, ...]:
        """As asked; else full power, and lower caps where they may pay: fewer watts carry more cards."""
        asked = self.scenario.hardware.power_caps
        if asked is not None:
            return asked
        limits, halls = self.scenario.limits, self.scenario.site.hall
        limited = limits.power is not None or site.power_available is not None or bool(halls)
        by_watts = self.scenario.objective in ("power", "energy", "tco", "tokens_per_joule")
        return DEFAULT_CAPS if limited or by_watts else (1.0,)

    def _fabrics_of(self, system: System, chosen: Sequence[Fabric]) -> tuple[Fabric, ...]:
        candidates = chosen or [self.library.fabric_of(system)]
        kinds = self.scenario.hardware.kinds
        fabrics = tuple(f for f in candidates if kinds is None or set(kinds) & {*f.kinds, *DIRECT})
        if not fabrics:
            raise self.scenario.origin.error(
                "hardware.kinds", f"no fabric for {system.id} is built as {' or '.join(kinds or ())}"
            )
        return fabrics

    def _coolings_of(self, system: System, site: Site) -> tuple[str, ...]:
        wanted = self.scenario.hardware.cooling
        both = self._lawful(system, site, [kind for kind in system.cooling if kind in site.cooling])
        usable = tuple(kind for kind in both if wanted is None or kind in wanted)
        if not usable:
            asked = f"of the kinds asked for ({', '.join(wanted)}), " if wanted else ""
            raise self.scenario.origin.error(
                "hardware.cooling",
                f"{asked}none suits both {system.id} (sold for {', '.join(system.cooling)}) and {site.id} "
                f"(known for {', '.join(site.cooling)})",
                f"both know {', '.join(both)}" if both else f"add cooling figures to the site {site.id}",
            )
        return usable

    def _lawful(self, system: System, site: Site, kinds: list[str]) -> list[str]:
        """Cooling kinds within the limit on PUE, that of the law or of the scenario."""
        asked = self.scenario.limits.pue
        limit = (
            self.figures.of("sites", site).want("pue_limit", "space", "legal PUE") if asked is None else asked
        )
        if limit is None or not kinds:
            return kinds
        own = self.scenario.site.pue
        means = {kind: own or site.cooling[kind].pue.value for kind in kinds}
        lawful = [kind for kind in kinds if means[kind] <= limit + 1e-9]
        key = "limits.pue" if asked is not None else "site.id" if own is None else "site.pue"
        whose = "limits.pue" if asked is not None else f"the legal limit of {site.id}"
        if not lawful:
            best = min(means, key=lambda kind: means[kind])
            raise self.scenario.origin.error(
                key,
                f"no cooling of {system.id} keeps to a PUE of {limit:g} ({whose}); "
                f"the best is {best} at {means[best]:g}",
                "another site, a system for liquid cooling, or limits.pue for a site built under other law",
            )
        for kind in kinds:
            if kind not in lawful and kind in (self.scenario.hardware.cooling or ()):
                raise self.scenario.origin.error(
                    "hardware.cooling",
                    f"{kind} at {site.id} has a PUE of {means[kind]:g}, above {limit:g} ({whose})",
                    f"within it are {', '.join(lawful)}",
                )
            if kind not in lawful:
                above = f"its PUE of {means[kind]:g} is above {limit:g} ({whose})"
                self.notes.append(f"{kind} is left out for {system.id}: {above}")
        return lawful

    def _refuse_unused_cooling(self, systems: list[System], site: Site) -> None:
        for kind in self.scenario.hardware.cooling or ():
            if kind not in site.cooling:
                raise self.scenario.origin.error(
                    "hardware.cooling",
                    f"{site.id} has no figures for {kind}",
                    f"it has {', '.join(site.cooling)}; or add [cooling.{kind}] to it in a directory of "
                    f"{SPEC_PATH_VARIABLE}",
                )
            if not any(kind in system.cooling for system in systems):
                sold = ", ".join(sorted({own for system in systems for own in system.cooling}))
                raise self.scenario.origin.error(
                    "hardware.cooling", f"no system asked for is sold with {kind}", f"they are with {sold}"
                )

    def _limits(self, systems: list[System], site: Site, facility: Part) -> wire.Limits:
        limits = self.scenario.limits
        cards = limits.cards
        self._refuse_broken_units(systems)
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
            capex_usd=capex,
        )

    def _refuse_broken_units(self, systems: list[System]) -> None:
        cards = self.scenario.limits.cards
        if cards is None or cards.highest is None:
            return
        units = {system.id: unit_cards(system) for system in systems}
        if cards.exactly is not None and all(cards.exactly % unit for unit in units.values()):
            unit = min(units.values())
            below, above = cards.exactly // unit * unit, math.ceil(cards.exactly / unit) * unit
            near = f"{below} or {above}" if below else str(above)
            raise self._card_error("exactly", f"{cards.exactly} cards are not whole units of {unit}", near)
        if all(cards.highest < unit for unit in units.values()):
            unit = min(units.values())
            raise self._card_error(
                "max", f"{cards.highest} cards are less than one unit of {unit}", str(unit)
            )

    def _card_error(self, key: str, message: str, near: str) -> ScenarioError:
        return self.scenario.origin.error(
            f"limits.cards.{key}", f"{message}, and servers (or supernodes) are bought whole", f"try {near}"
        )

    def _site(self, site: Site, facility: Part) -> wire.Site:
        choice, sheet = self.scenario.site, self.figures.of("sites", site)
        chain = self.figures.of("parts", facility)
        if choice.tariff is not None:
            tariff = choice.tariff.amount * self.figures.usd_per(choice.tariff.currency)
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
