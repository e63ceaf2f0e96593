"""The names of a scenario resolved to spec files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from planner.architectures import Architecture
from planner.architectures.library import resolve as resolve_architecture
from planner.errors import MissingFigureError, SpecError
from planner.problem.evidence import FigureKey
from planner.problem.figures import Figures, snippets
from planner.problem.halls import (
    halls_of,
)
from planner.problem.hardware import homeless, unit_cards
from planner.problem.market import excluded
from planner.scenario import Scenario
from planner.specs import SPEC_PATH_VARIABLE, Part, Site, System

_T = TypeVar("_T")
"""What a hall says of its racks, in words."""


class Question:
    """A scenario with the library that it is asked of; what was inferred gathers in ``notes``."""

    def __init__(self, scenario: Scenario, figures: Figures) -> None:
        self.scenario = scenario
        self.figures = figures
        self.library = figures.library
        self.notes: list[str] = []

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
        """Without those that origin, date and country of the limits or the kinds of cooling rule out."""
        limits, kept, reasons = self.scenario.limits, [], []
        for system in systems:
            why = excluded(system, self.library.accelerator_of(system), limits)
            if why is None:
                kept.append(system)
            else:
                reasons.append(f"{system.id} is left out: {why}")
        if not kept:
            raise self.scenario.origin.error("hardware.systems", "; ".join(reasons), "name another system")
        cooling = self.scenario.hardware.cooling
        most = limits.cards.highest if limits.cards is not None else None
        small = [system for system in kept if most is None or unit_cards(system) <= most]
        if small:  # where none is, the limit is refused with the size that each would need
            reasons += [
                f"{system.id} is left out: {unit_cards(system):,} cards are the least that are sold of it"
                for system in kept
                if system not in small
            ]
            kept = small
        suited = [system for system in kept if cooling is None or set(cooling) & set(system.cooling)]
        if suited:  # where none is, the kinds of cooling are to blame, and refused where they are looked at
            reasons += [
                f"{system.id} is left out: it is sold for {', '.join(system.cooling)} alone"
                for system in kept
                if system not in suited
            ]
        self.notes += (reason for reason in reasons if reason not in self.notes)
        return suited or kept

    def _system_of(self, name: str) -> str:
        try:
            return self.library.resolve_hardware(name)
        except SpecError as fault:
            card = self.library.find("accelerators", name)
            if card is None:
                raise
            raise homeless(self.library.accelerator(card), self.figures) from fault

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

    def _housed(self, site: Site) -> None:
        """Puts the halls of the site's file into a scenario that names none itself."""
        scenario = self.scenario
        if site.hall and not scenario.site.hall:
            halls = halls_of(site, scenario.site, self.figures)
            choice = scenario.site.model_copy(update={"hall": halls})
            self.scenario = scenario.model_copy(update={"site": choice})
            self.notes.append(f"the halls of {site.id} ({len(halls)}) bound the plan")
        self._hall_notes()

    def _hall_notes(self) -> None:
        """What the halls are taken to be where that is not exact."""
        halls = self.scenario.site.hall
        if any(hall.floor_load is not None for hall in halls):
            unweighed = [system.id for system in self._systems() if system.rack.server_mass is None]
            if unweighed:
                self.notes.append(
                    f"nobody published what a server of {', '.join(unweighed)} weighs: its racks are not "
                    "held to the floor load (rack.server_mass)"
                )

    def _precision(self) -> str | tuple[str, ...]:
        """What the devices must be able to compute at, as `cluster` takes it."""
        return self.scenario.workload.precision
