"""Two local Dask workers against one on a processor-bound sweep: rows per second of each, and their ratio.

    python benches/dask_workers.py            # sweeps of about a minute on one worker
    python benches/dask_workers.py --points 200

Runs alternate, so that other work on the machine falls on both; rows of both must be the same.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from planner.specs import SpecLibrary
from planner.sweeps import Sweep
from planner.sweeps.schema import from_table

BASE: dict[str, Any] = {
    "workload": {"model": "llama3.1-405b", "tokens": "15.6T", "sequence": 8192, "batch_sequences": 2048},
    "hardware": {"systems": ["dgx-h100"]},
    "limits": {"cards": 16384},
    "site": {"id": "texas"},
}


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--points", type=int, default=1500, help="of the sweep")
    asked.add_argument("--rounds", type=int, default=1, help="runs of each number of workers")
    words = asked.parse_args()
    axis = {
        "key": "limits.cards.max",
        "range": {"from": 1024, "to": 16384, "count": words.points, "multiple_of": 8},
    }
    sweep = Sweep(from_table({"base": BASE, "axes": [axis]}), SpecLibrary())
    seconds: dict[int, list[float]] = {1: [], 2: []}
    rows: dict[int, list[Any]] = {}
    for _ in range(words.rounds):
        for workers in (1, 2):
            taken, rows[workers] = run(sweep, workers)
            seconds[workers].append(taken)
            print(f"{workers} worker(s): {len(rows[workers]):,} rows in {taken:.1f} s")
    if rows[1] != rows[2]:
        raise SystemExit("the rows differ")
    print(f"two workers are {min(seconds[1]) / min(seconds[2]):.2f} times as fast as one; rows are the same")


def run(sweep: Sweep, workers: int) -> tuple[float, list[Any]]:
    """Seconds and rows of the sweep on so many processes of one thread each, warmed up."""
    import distributed  # noqa: PLC0415 (an extra)

    made: Any = distributed
    with made.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        for limit in (8 * workers, None):
            engine = sweep.dask(cluster.scheduler_address)
            part = sweep if limit is None else Sweep(sweep.file, sweep.library, limit=limit)
            begun = time.perf_counter()
            found = [row for rows, _ in part.rows(workers=engine) for row in rows]
            taken = time.perf_counter() - begun
            engine.close()
    return taken, found


if __name__ == "__main__":
    main()
