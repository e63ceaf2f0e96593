"""A Dask cluster of several processes: the same rows, and a killed worker costs only its chunk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from planner.errors import PlannerError
from planner.specs import SpecLibrary
from planner.sweeps import Sweep
from planner.sweeps.engines import refuse_other
from planner.sweeps.schema import from_table

distributed: Any = pytest.importorskip("distributed")
# Dask warns of its own about ports in use and about workers that go away, which is what is tested here.
pytestmark = [pytest.mark.filterwarnings("ignore")]

BASE: dict[str, Any] = {
    "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "hardware": {"systems": ["dgx-h100"]},
    "limits": {"cards": 4096},
    "site": {"id": "texas"},
    "layout": {"tp": 8, "cp": 1, "micro_batch": 1, "sharding": 1},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as made:
        yield made


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    axes = [{"key": "limits.cards.max", "range": {"from": 64, "to": 4096, "step": 64}}]
    return Sweep(from_table({"base": BASE, "axes": axes}), SpecLibrary())


def test_rows_are_the_same_though_a_worker_is_killed(cluster: Any, sweep: Sweep) -> None:
    wanted = [row for rows, _ in sweep.rows(threads=2) for row in rows]
    engine = sweep.dask(cluster.scheduler_address)
    found: list[dict[str, Any]] = []
    try:
        for rows, _ in sweep.rows(workers=engine):
            if not found:
                victim = next(iter(cluster.workers.values()))
                os.kill(victim.process.process.pid, signal.SIGKILL)
            found += rows
    finally:
        engine.close()
    assert found == wanted


def test_a_cluster_with_other_spec_files_is_refused(cluster: Any) -> None:
    axes = [{"key": "limits.cards.max", "values": [64]}]
    other = Sweep(from_table({"base": BASE, "axes": axes}), SpecLibrary())
    object.__setattr__(other.job, "identity", {**other.job.identity, "library": "0" * 64})
    with pytest.raises(PlannerError, match="other spec files"):
        other.dask(cluster.scheduler_address)


def test_a_worker_of_another_version_is_refused() -> None:
    own = {"planner": "1.0", "library": "a"}
    with pytest.raises(PlannerError, match=r"planner 0\.9, this is 1\.0"):
        refuse_other({"planner": "0.9", "library": "a"}, own, "tcp://worker")


def test_a_scheduler_that_is_not_there_is_told(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.sweeps.engines.CONNECT_SECONDS", 1)
    with pytest.raises(PlannerError, match="no Dask scheduler answers"):
        sweep.dask("tcp://127.0.0.1:1")


def test_a_scheduler_that_goes_down_is_told_and_the_rows_before_are_kept(sweep: Sweep) -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as made:
        engine = sweep.dask(made.scheduler_address)
        rows = sweep.rows(workers=engine)
        first, _ = next(rows)
        assert first[0]["index"] == 0
        made.close(timeout=5)
        with pytest.raises(PlannerError, match=r"does not answer|gave a chunk up|could not work"):
            for _ in rows:
                pass
        engine.close(at_once=True)
