"""Capacity planner for AI accelerator clusters: from hardware spec files to the cluster that meets a target.

``planner.size(scenario)`` and ``planner.evaluate(scenario)`` answer with a ``planner.Plan``,
``planner.sweep(file)`` with rows; ``planner.specs`` is the library of hardware. Names are loaded when they
are first used, so that ``import planner`` costs nothing. docs/tutorial.md shows them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner import specs
    from planner.api import evaluate, explain, size, supply, sweep
    from planner.errors import PlannerError
    from planner.plan.model import Plan
    from planner.scenario import Scenario
    from planner.specs.library import SpecLibrary

__all__ = [
    "Plan",
    "PlannerError",
    "Scenario",
    "SpecLibrary",
    "evaluate",
    "explain",
    "size",
    "specs",
    "supply",
    "sweep",
    "version",
]

_HOMES = {
    "Plan": "planner.plan.model",
    "PlannerError": "planner.errors",
    "Scenario": "planner.scenario",
    "SpecLibrary": "planner.specs.library",
    "evaluate": "planner.api",
    "explain": "planner.api",
    "size": "planner.api",
    "sweep": "planner.api",
    "supply": "planner.api",
}


def version() -> str:
    """The version of the core, which is that of the package."""
    from planner import _core  # noqa: PLC0415

    return _core.version()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "specs":
        return import_module("planner.specs")
    if name == "__version__":
        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "specs"})
