"""Figures of software profiles as axes: of one profile by its id, or of whichever profile a point uses.

``software/megatron-2024: tp_overlap`` and ``serving-software/vllm-2025: host_step`` name a profile;
``software.tp_overlap`` means the profile of each system of the point, of training or of serving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from planner.errors import ScenarioError
from planner.problem import FigureKey
from planner.problem.evidence import PROFILES, SERVING_CONSTANTS, SERVING_SOFTWARE, SOFTWARE
from planner.scenario import Scenario, ServiceScenario
from planner.software import default_profile, profile, profiles
from planner.software.serving import (
    default_serving_profile,
    serving_constants,
    serving_profile,
    serving_profiles,
)
from planner.specs import Quantity, SpecFile, SpecLibrary

IN_USE = "software."
"""Head of an axis over a figure of whichever profile is in use."""
_BANDS_ONLY = ("spread", "spread_experts", "residual")
"""Figures that widen bands and move no answer."""


def figures_of(kind: str, spec_id: str, library: SpecLibrary, where: str) -> Mapping[str, Quantity]:
    """The figures of a spec file or a profile.

    Raises:
        ScenarioError: there is no such file (with the nearest name).
    """
    if kind not in PROFILES:
        if spec_id not in library.ids(kind):
            raise unknown(where, f"{kind} has no file {spec_id!r}", spec_id, library.ids(kind))
        return library.get(kind, spec_id).figure_table
    known = _profiles(kind)
    if spec_id not in known:
        raise unknown(where, f"{kind} has no file {spec_id!r}", spec_id, known)
    return known[spec_id]


@cache
def _profiles(kind: str) -> Mapping[str, Mapping[str, Quantity]]:
    """Figures of the shipped files of a kind, by id; without those that move no answer."""
    files: Mapping[str, Sequence[SpecFile]] = {
        SOFTWARE: profiles(),
        SERVING_SOFTWARE: serving_profiles(),
        SERVING_CONSTANTS: (serving_constants(),),
    }
    return {
        item.id: {key: figure for key, figure in item.figure_table.items() if key not in _BANDS_ONLY}
        for item in files[kind]
    }


def in_use(key: str, scenario: Scenario, library: SpecLibrary) -> list[FigureKey]:
    """The figure ``software.KEY`` in the profiles that a scenario's systems are planned with."""
    name, wanted = key.removeprefix(IN_USE), scenario.workload.software
    serving = isinstance(scenario, ServiceScenario)
    found: dict[FigureKey, None] = {}
    for system in scenario.hardware.systems:
        card = library.accelerator_of(library.system(library.resolve_hardware(system)))
        if serving:
            own = serving_profile(wanted).id if wanted else default_serving_profile(card.vendor).id
        else:
            own = profile(wanted).id if wanted else default_profile(card.vendor).id
        found[FigureKey(SERVING_SOFTWARE if serving else SOFTWARE, own, name)] = None
    return list(found)


def check_in_use(key: str, where: str) -> None:
    """Refuse ``software.KEY`` where no profile has such a figure.

    Raises:
        ScenarioError: with the nearest name.
    """
    name = key.removeprefix(IN_USE)
    known = dict.fromkeys(
        own for kind in (SOFTWARE, SERVING_SOFTWARE) for table in _profiles(kind).values() for own in table
    )
    if name not in known:
        raise unknown(where, f"no software profile has a figure {name!r}", name, known)


def unknown(where: str, message: str, name: str, known: Any, hint: str | None = None) -> ScenarioError:
    """The error for a name that is not known, with the nearest that is."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return ScenarioError(
        message,
        key=where,
        hint=hint or (f"did you mean {near[0]!r}?" if near else "docs/sweep.md shows keys"),
    )
