"""From a scenario and the spec library to the problem that the core answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from planner.architectures import Architecture
from planner.problem import wire
from planner.problem.alternatives import Calibration, alike
from planner.problem.climate import months, water_months
from planner.problem.evidence import Figure, FigureKey, Scope, leading_estimates, refuse_estimates
from planner.problem.figures import Figures, Parts
from planner.problem.halls import (
    cards_within,
    chain_spec,
    hall_specs,
    rack_ceiling,
    side_networks,
    storage_spec,
)
from planner.problem.hardware import Hall
from planner.problem.heat import HotDay, room
from planner.problem.space import space
from planner.problem.surroundings import Surroundings, refuse_broken_units
from planner.problem.workload import model, software, training
from planner.scenario import Scenario
from planner.scenario.limits import CardLimit
from planner.scenario.vocabulary import Axis
from planner.software import SoftwareProfile, default_profile, profile
from planner.software.age import years_between
from planner.specs import Site, SpecLibrary, System
from planner.specs.check import refuse_impossible
from planner.specs.library import shipped
from planner.specs.reading import shown_path


@dataclass(frozen=True)
class Climate:
    """What the weather of the site makes of each cooling kind; months January first."""

    pue_by_month: Mapping[str, tuple[float, ...]]
    wue_by_month: Mapping[str, tuple[float, ...]]
    hot_days: Mapping[str, HotDay]


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
        climate: PUE and water by month and the hot day, by cooling kind.
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
    _hashes: Callable[[], Mapping[str, str]] = field(repr=False)
    _climate: Callable[[], Climate] = field(repr=False)

    @property
    def hash(self) -> str:
        """``problem_hash``: see `wire.Request.hash`."""
        return self.request.hash

    @property
    def spec_hashes(self) -> Mapping[str, str]:
        """``kind/id`` -> SHA-256 of each spec file read: only a plan that is shown needs them."""
        return self._hashes()

    @property
    def climate(self) -> Climate:
        """What is shown beside a plan; worked out when it is."""
        return self._climate()

    def estimates(self, cluster: int, fabric: str, cooling: str) -> tuple[Figure, ...]:
        """Estimates in timing, power and failures on which a design with these choices rests."""
        return leading_estimates([f for f in self.figures if f.used_by(cluster, fabric, cooling)])

    def with_figures(self, values: Mapping[FigureKey, float]) -> Problem:
        """The same question with other values (base units, own currency) of some figures."""
        return build(self.scenario, self.library, figures=values)

    def with_cards(self, cards: CardLimit) -> Problem:
        """The same question within another upper limit on cards, as if it were built anew.

        Nothing but the limits and the space of layouts depends on it, so what a thousand sizes of one cluster
        have in common is worked out once.

        Raises:
            ScenarioError: no whole number of servers, or fewer cards than one unit.
            ValueError: ``cards`` sets no upper limit; one may then follow from the limits on power.
        """
        if cards.highest is None:
            raise ValueError("cards are not limited")
        limited = self.scenario.limits.model_copy(update={"cards": cards})
        scenario = self.scenario.model_copy(update={"limits": limited})
        asked = self.request
        refuse_broken_units(scenario, {item.system: item.unit_cards for item in asked.clusters})
        limits = asked.limits.model_copy(update={"cards_min": cards.lowest, "cards_max": cards.highest})
        layouts = space(
            asked.model,
            asked.training,
            limits.cards_max,
            asked.clusters,
            scenario.layout,
            self.softwares[0].schedule,
        )
        request = asked.model_copy(update={"limits": limits, "space": layouts})
        return replace(self, scenario=scenario, request=request)


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


class Rebuilding:
    """One question put again and again with other values of its figures: what they do not reach is kept."""

    def __init__(self, scenario: Scenario, library: SpecLibrary) -> None:
        """Ask it once with every figure as its file has it; errors as for `build`."""
        self._scenario, self._library = scenario, library
        self._parts: Parts = {}
        self._known: dict[tuple[tuple[FigureKey, float], ...], wire.Request] = {}
        self.central = self({})

    def __call__(self, figures: Mapping[FigureKey, float]) -> wire.Request:
        """The request of ``build(scenario, library, figures)``; the files have values for all of them."""
        place = tuple(figures.items())
        if place not in self._known:
            read = Figures(self._library, figures, self._parts)
            self._known[place] = _Builder(self._scenario, read).asked().request
        return self._known[place]


@dataclass
class _Asked:
    """A request, with what of its making a problem tells."""

    request: wire.Request
    architecture: Architecture
    softwares: tuple[SoftwareProfile, ...]
    calibrations: tuple[Calibration, ...]
    dropped_axes: tuple[Axis, ...]
    climate: Callable[[], Climate]


class _Builder(Surroundings):
    def problem(self, no_estimates: bool) -> Problem:
        asked, figures = self.asked(), self.figures
        if no_estimates:
            refuse_estimates(figures.used)
        return Problem(
            scenario=self.scenario,
            library=self.library,
            request=asked.request,
            figures=figures.used,
            architecture=asked.architecture,
            softwares=asked.softwares,
            calibrations=asked.calibrations,
            dropped_axes=asked.dropped_axes,
            missing_prices=figures.missing_prices,
            notes=tuple(self.notes),
            _hashes=lambda: figures.spec_hashes,
            _climate=asked.climate,
        )

    def asked(self) -> _Asked:
        """The request; what is made of figures is a part, for others to be put together from."""
        figures, part = self.figures, self.figures.part
        architecture = part("architecture", self._architecture)
        systems = part("systems", self._systems)
        profiles = part("profiles", lambda: tuple(self._software(system) for system in systems))
        site = self._named("site.id", lambda: self.library.site(self.scenario.site.id))
        self._housed(site)
        scenario = self.scenario
        hall = part("hall", lambda: Hall(site, scenario.site, self._facility(site)))
        bare, calibrations = part("clusters", lambda: self._clusters(systems, hall), systems, hall)
        wired = part("model", lambda: model(architecture), architecture)
        limits = part("limits", lambda: self._limits(systems, site, hall.facility))
        around = self._around(site, hall)
        tools = part(
            "tools",
            lambda: tuple(self._tools(item, index, architecture) for index, item in enumerate(profiles)),
        )
        clusters = part("equipped", lambda: _equipped(bare, tools), bare, tools)
        if scenario.limits.cards is None or scenario.limits.cards.highest is None:
            most = cards_within(limits, clusters, figures.of("parts", hall.facility))
            limits = limits.model_copy(update={"cards_max": most})
        if not figures.overridden:  # a sampled value lies inside the range that was judged with its file
            self._judge_files()
        figures.refuse_missing()
        figures.refuse_unknown_overrides()
        front, dropped = part("front", self._front)
        run = part("training", lambda: training(scenario.workload))
        layouts = part(
            "space",
            lambda: space(wired, run, limits.cards_max, clusters, scenario.layout, profiles[0].schedule),
            limits,
            clusters,
        )
        goal = wire.Target(days=scenario.target.days, tokens_per_second=scenario.target.tokens_per_second)
        request = wire.Request(
            model=wired,
            training=run,
            software=tools[0],
            target=goal,
            limits=limits,
            clusters=clusters,
            space=layouts,
            search=self._search(front, calibrations),
            **around,
        )
        rooms = {room.kind: room.pue for cluster in clusters for room in cluster.coolings}
        climate = partial(self._climate, hall, clusters, rooms)
        return _Asked(request, architecture, profiles, calibrations, dropped, climate)

    def _around(self, site: Site, hall: Hall) -> dict[str, Any]:
        """The fields of a request about the building, the money and what fails."""
        figures, facility = self.figures, hall.facility
        scenario, sheet = self.scenario, figures.of("parts", facility)
        made: dict[str, Callable[[], Any]] = {
            "reliability": self._reliability,
            "economics": lambda: self._economics(facility),
            "site": lambda: self._site(site, facility),
            "chain": lambda: chain_spec(scenario.site, sheet),
            "rack": lambda: rack_ceiling(scenario.site.hall, sheet),
            "halls": lambda: hall_specs(scenario.site.hall, sheet),
            "side_networks": lambda: side_networks(facility, figures),
            "storage": lambda: storage_spec(
                facility,
                figures,
                scenario.workload.tokens,
                rate_given=scenario.reliability.checkpoint_bandwidth is not None,
                training=True,
            ),
        }
        return {name: figures.part(name, make) for name, make in made.items()}

    def _search(self, front: tuple[Axis, ...], calibrations: Sequence[Calibration]) -> wire.Search:
        asked = self.scenario.search
        weights = (asked.weights or {}).items()
        return wire.Search(
            objective=self.scenario.objective,
            weights=tuple(wire.Weight(axis=axis, weight=weight) for axis, weight in weights),
            front=front,
            time_limit_seconds=asked.time_limit,
            threads=asked.threads,
            similar=alike(calibrations),
            memory_headroom=asked.memory_headroom,
        )

    def _climate(self, hall: Hall, clusters: Sequence[wire.Cluster], annual: Mapping[str, float]) -> Climate:
        """Shown beside a plan; what it rests on was recorded with its cooling kind already."""
        files = Figures(self.library)
        sheet, site, facility = files.of("parts", hall.facility), hall.site, hall.facility
        rooms = {kind: room(kind, site, hall.choice, facility, files) for kind in annual}
        water = {
            option.kind: option.wue
            for cluster in clusters
            for option in cluster.coolings
            if option.wue is not None
        }
        return Climate(
            months(site, facility, sheet, annual, {kind: found.shift for kind, found in rooms.items()}),
            water_months(site, facility, sheet, water),
            {kind: found.hot_day for kind, found in rooms.items() if found.hot_day is not None},
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

    def _architecture(self) -> Architecture:
        found = self._shape()
        workload, longest = self.scenario.workload, found.max_positions
        if found.learned_positions and longest is not None and workload.sequence > longest:
            raise self.scenario.origin.error(
                "workload.sequence",
                f"{workload.sequence} is longer than the {longest} positions that {found.id} learns",
                f"use at most {longest}, or a model with rotary positions",
            )
        if longest is not None and workload.sequence > longest:
            self.notes.append(
                f"sequences of {workload.sequence:,} are longer than the {longest:,} positions that "
                f"{found.id} is published for: its rotary positions must be stretched"
            )
        if workload.batch_tokens is not None and workload.batch_tokens % workload.sequence:
            self.notes.append(
                f"a batch of {workload.batch_tokens:,.0f} tokens is {workload.global_batch:,} sequences"
            )
        return found

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


def _equipped(clusters: tuple[wire.Cluster, ...], tools: Sequence[wire.Software]) -> tuple[wire.Cluster, ...]:
    """Each cluster with its own software, where it differs from that of the first."""
    return tuple(
        item if own == tools[0] else item.model_copy(update={"software": own})
        for item, own in zip(clusters, tools, strict=True)
    )
