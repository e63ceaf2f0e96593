"""Storage that is too slow for a job: named as the cause of a no, with the slowest storage that would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.architectures.counts import parameter_counts
from planner.plan.shown import days, duration
from planner.problem import Problem, wire
from planner.specs import SpecLibrary

Wire = Mapping[str, Any]
Size = Callable[[wire.Request], Wire]
SUSPECT = 0.2
"""A write over that share of the time between two failures of the largest cluster is suspected."""
FASTEST = 1e15
"""Bytes per second at which storage is out of the way."""
COPIES = 2
"""Of the state in host memory: that of the server itself and that of the peer it keeps a copy for."""
SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True)
class SlowStorage:
    """Why storage keeps the target from being met."""

    bytes_per_second: float
    write_seconds: float
    mttf_seconds: float
    """Of the largest cluster that the limits allow."""
    enough_bytes_per_second: float
    design: Wire
    """What that storage would do."""
    meets: bool = True
    """It was asked to meet the target, and does; else it only works at all."""

    @property
    def words(self) -> str:
        """For the first line of the answer."""
        performance = self.design["performance"]
        return (
            f"storage of {_rate(self.bytes_per_second)} is too slow to checkpoint (a write takes "
            f"{duration(self.write_seconds)}, a failure comes every {duration(self.mttf_seconds)}); with "
            f"{_rate(self.enough_bytes_per_second)} {self.design['cards']['total']:,} cards would "
            f"{'do in' if self.meets else 'take'} {days(performance['days'])}"
        )


def _rate(value: float) -> str:
    for unit, size in (("TB/s", 1e12), ("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} B/s"


def slow_storage(problem: Problem, size: Size, asked: wire.Request | None = None) -> SlowStorage | None:
    """Whether faster storage alone would turn the no of a problem into a yes; None: it is not that.

    The slowest storage that does is found to a factor of two. ``asked``: the request, where it is not the
    problem's own.
    """
    request = asked or problem.request
    terms = request.reliability
    state = terms.checkpoint_bytes_per_parameter * parameter_counts(problem.architecture).total
    write = state / terms.checkpoint_bytes_per_second
    mttf = max(_mttf(cluster, request.limits.cards_max) for cluster in request.clusters)
    if write < SUSPECT * mttf:
        return None

    def best(rate: float) -> Wire | None:
        faster = terms.model_copy(update={"checkpoint_bytes_per_second": rate})
        found: Wire | None = size(request.model_copy(update={"reliability": faster}))["best"]
        return found

    if best(FASTEST) is None:
        return None
    low, high = terms.checkpoint_bytes_per_second, FASTEST
    while high > 2.0 * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if best(middle) is not None else (middle, high)
    design = best(high)
    assert design is not None, "the last rate tried that does"
    wanted = request.target.days is not None or request.target.tokens_per_second is not None
    return SlowStorage(terms.checkpoint_bytes_per_second, write, mttf, high, design, meets=wanted)


def _mttf(cluster: wire.Cluster, cards: int) -> float:
    servers = max(1.0, cards / cluster.cards_per_server)
    rate = servers * cluster.failures_per_server_day
    return SECONDS_PER_DAY / rate if rate > 0.0 else float("inf")


def storage_risks(problem: Problem, library: SpecLibrary, design: Wire) -> list[str]:
    """Of a design: a write longer than the time between failures, and copies that host memory cannot hold."""
    found = []
    failures = design["reliability"]
    write, mttf = failures["checkpoint_write_seconds"], failures["mttf_hours"]
    if write and mttf and write > mttf * 3600.0:
        found.append(
            f"a checkpoint takes {duration(write)} to write and a failure comes every "
            f"{duration(mttf * 3600.0)}: hardly any is ever finished"
        )
    if problem.request.reliability.memory is not None:
        cluster = problem.request.clusters[design["cluster"]]
        servers = max(1, -(-design["cards"]["active"] // cluster.cards_per_server))
        needed = COPIES * failures["checkpoint_bytes"] / servers
        has = library.system(design["system"]).host.memory
        if has is None:
            found.append(
                f"copies in memory take {needed / 1e9:,.0f} GB of each server; its memory is not known"
            )
        elif needed > has.value:
            found.append(
                f"copies in memory take {needed / 1e9:,.0f} GB of each server, which has "
                f"{has.value / 1e9:,.0f} GB: they do not fit"
            )
    return found
