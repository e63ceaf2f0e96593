"""Capacity planner for AI accelerator clusters: from hardware spec files to the cluster that meets a target.

``planner.size(scenario)`` and ``planner.evaluate(scenario)`` answer with a `Plan`, ``compare`` with a
`Comparison`, ``sweep`` with `Rows`; ``explain``, ``diff``, ``fabric``, ``supply`` have answers of their own.
``write_report`` writes a plan down, ``planner.specs`` is the library of hardware. Names are loaded when they
are first used, so that ``import planner`` costs nothing. docs/tutorial.md shows them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner import specs
    from planner.api import compare, diff, evaluate, explain, fabric, size, supply, sweep, write_report
    from planner.difference import Difference
    from planner.errors import PlannerError
    from planner.plan.bill import FabricBill
    from planner.plan.compare import Comparison
    from planner.plan.explained import Explanation, ServiceExplanation
    from planner.plan.model import Plan
    from planner.plan.supply import SupplyPlan
    from planner.scenario import Scenario
    from planner.specs.library import SpecLibrary
    from planner.sweeps import Rows
    from planner.table import Table

_HOMES = {
    "Comparison": "planner.plan.compare",
    "Difference": "planner.difference",
    "Explanation": "planner.plan.explained",
    "FabricBill": "planner.plan.bill",
    "Plan": "planner.plan.model",
    "PlannerError": "planner.errors",
    "Rows": "planner.sweeps",
    "Scenario": "planner.scenario",
    "ServiceExplanation": "planner.plan.explained",
    "SpecLibrary": "planner.specs.library",
    "SupplyPlan": "planner.plan.supply",
    "Table": "planner.table",
    "compare": "planner.api",
    "diff": "planner.api",
    "evaluate": "planner.api",
    "explain": "planner.api",
    "fabric": "planner.api",
    "size": "planner.api",
    "supply": "planner.api",
    "sweep": "planner.api",
    "write_report": "planner.api",
}

__all__ = [
    "Comparison",
    "Difference",
    "Explanation",
    "FabricBill",
    "Plan",
    "PlannerError",
    "Rows",
    "Scenario",
    "ServiceExplanation",
    "SpecLibrary",
    "SupplyPlan",
    "Table",
    "compare",
    "diff",
    "evaluate",
    "explain",
    "fabric",
    "size",
    "specs",
    "supply",
    "sweep",
    "version",
    "write_report",
]


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
