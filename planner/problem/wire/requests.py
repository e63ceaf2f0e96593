"""Whole requests: a search, and one design to evaluate."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import Field

from planner.problem.wire.base import Unsigned, Wire, canonical
from planner.problem.wire.hardware import Cluster
from planner.problem.wire.layouts import LayoutOfDesign, Space
from planner.problem.wire.plant import (
    ChainSpec,
    Economics,
    HallSpec,
    Limits,
    RackCeiling,
    Reliability,
    SideNetwork,
    Site,
    StorageSpec,
)
from planner.problem.wire.workload import Model, Software, Target, Training


class Weight(Wire):
    """Part of a weighted objective."""

    axis: str
    weight: float


class Search(Wire):
    """How to search."""

    objective: Literal["cards", "days", "throughput", "power", "energy", "capex", "tco", "tokens_per_joule"]
    weights: tuple[Weight, ...] = ()
    front: tuple[str, ...]
    front_points: Unsigned = 50
    time_limit_seconds: float | None
    threads: Unsigned | None
    similar: float = 0.02
    prices: bool = False
    runners_up: Unsigned = 5


class Request(Wire):
    """``problem/1``."""

    # pydantic's BaseModel has an attribute of that name.
    schema_: Literal["problem/1"] = Field(default="problem/1", alias="schema")
    model: Model
    training: Training
    software: Software
    target: Target
    limits: Limits
    rack: RackCeiling = RackCeiling()
    halls: tuple[HallSpec, ...] = ()
    side_networks: tuple[SideNetwork, ...] = ()
    storage: StorageSpec | None = None
    chain: ChainSpec | None = None
    clusters: tuple[Cluster, ...]
    site: Site
    economics: Economics
    reliability: Reliability
    space: Space
    search: Search

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON with ``search.threads`` and ``search.time_limit_seconds`` null,
        and without ``search.prices``: they say how the answer is computed, not what is asked."""
        asked = self.model_dump(by_alias=True)
        asked["search"] |= {"threads": None, "time_limit_seconds": None}
        del asked["search"]["prices"]
        return hashlib.sha256(canonical(asked)).hexdigest()


class DesignChoice(Wire):
    """One design to evaluate: indices into the problem's lists, a cap, a size and a layout."""

    cluster: Unsigned
    fabric: Unsigned
    cooling: Unsigned
    power_cap: float
    cards: Unsigned | None = None
    layout: LayoutOfDesign


class EvaluateRequest(Wire):
    """The request of ``evaluate``."""

    problem: Request
    design: DesignChoice

    def encoded(self) -> bytes:
        """The canonical JSON of the request."""
        return canonical(self.model_dump(by_alias=True))
