"""Where chunks are worked: threads of this process, or a Dask cluster; results come back in order."""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Later
from dataclasses import dataclass, field
from typing import Any, Protocol

from planner.errors import PlannerError
from planner.specs import SpecLibrary
from planner.sweeps.points import Job, Point, identity
from planner.sweeps.runner import Row, Runner

CONNECT_SECONDS = 10
_ADDRESS = re.compile(r"(?:\w+://)?(?:\[[^\]\s]+\]|[^:/\s]+):\d+")
"""Checked before the client is made, which would say so in a traceback of its own on the way out."""
LOOK_EVERY = 0.2
"""Seconds between looks at Ctrl-C and at the health of the cluster."""
_CHUNK_SECONDS = 0.5
"""A chunk takes about that long: what a killed worker costs, and how long Ctrl-C waits."""
_MOST_POINTS = 256


@dataclass
class Chunk:
    """Points worked together; ``upto`` is the index behind the last."""

    points: list[Point]
    upto: int


@dataclass
class Pace:
    """How many points a chunk holds: few at first, then as many as take half a second."""

    points: int = 4
    _seen: float | None = field(default=None)

    def learn(self, points: int, seconds: float) -> None:
        """A chunk of so many points took so long."""
        each = max(seconds, 1e-6) / max(points, 1)
        self._seen = each if self._seen is None else 0.7 * self._seen + 0.3 * each
        self.points = max(1, min(int(_CHUNK_SECONDS / self._seen), 2 * self.points, _MOST_POINTS))


Work = tuple[list[Row], float]
"""Rows of a chunk, and the seconds they took."""


class Engine(Protocol):
    """Somewhere to work chunks."""

    window: int

    def submit(self, chunk: Sequence[Point]) -> Future[Work]:
        """Begin a chunk."""

    def check(self) -> None:
        """Raise PlannerError if no result can be expected any more."""

    def close(self, at_once: bool = False) -> None:
        """End; ``at_once``: without waiting for what runs."""


class Threads:
    """Threads over the core: while one builds problems in Python, the others search."""

    def __init__(self, runner: Runner, threads: int) -> None:
        """``threads`` searches at a time."""
        # One more than cores: building a problem holds the interpreter lock, a search does not.
        self._executor: Executor = ThreadPoolExecutor(threads + 1, thread_name_prefix="sweep")
        self._runner = runner
        self.window = 2 * (threads + 1)

    def submit(self, chunk: Sequence[Point]) -> Future[Work]:
        """Begin a chunk."""
        return self._executor.submit(_worked, self._runner, list(chunk))

    def check(self) -> None:
        """Threads do not get lost."""

    def close(self, at_once: bool = False) -> None:
        """End."""
        self._executor.shutdown(wait=not at_once, cancel_futures=True)


class Dask:
    """An existing Dask cluster, through the executor interface of ``dask.distributed``."""

    def __init__(self, job: Job, address: str) -> None:
        """Connect, and refuse workers that would answer otherwise.

        Raises:
            PlannerError: no such extra, scheduler or worker; a worker of another version or spec library.
        """
        try:
            import distributed  # noqa: PLC0415 (an extra; a second)
        except ImportError as fault:
            raise PlannerError(
                "--engine dask needs dask.distributed", hint="pip install 'planner[dask]'"
            ) from fault
        self._job = job
        self._address = address
        if not _ADDRESS.fullmatch(address):
            raise PlannerError(
                f"{address!r} is no address of a Dask scheduler", file="--scheduler",
                hint="tcp://HOST:PORT, as the scheduler prints it; its usual port is 8786",
            )  # fmt: skip
        # A scheduler that goes away is told by `lost`; its client would log a traceback beside it.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            module: Any = distributed
            self._client: Any = module.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as fault:
            raise PlannerError(
                f"no Dask scheduler answers at {address}: {fault}",
                hint="start one with `dask scheduler`, or give its address with --scheduler tcp://HOST:8786",
            ) from fault
        self._check_workers()
        cores = sum(self._client.ncores().values())
        self.window = 3 * max(cores, 1)
        self._executor: Executor = self._client.get_executor(pure=False, retries=3)

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as fault:
            raise PlannerError(
                f"the Dask scheduler at {self._address} has no workers", hint="start some with `dask worker`"
            ) from fault
        for worker, own in self._client.run(_own_identity, on_error="return").items():
            if isinstance(own, BaseException):
                raise PlannerError(
                    f"{worker} cannot say which planner it has: {type(own).__name__}: {own}",
                    hint="install this version of planner, with its extra dask, on every worker",
                ) from own
            refuse_other(own, self._job.identity, worker)

    def submit(self, chunk: Sequence[Point]) -> Future[Work]:
        """Begin a chunk."""
        return self._executor.submit(remote, self._job, list(chunk))

    def check(self) -> None:
        """Refuse to wait for a cluster that is gone.

        Raises:
            PlannerError: the scheduler does not answer any more.
        """
        if self._client.status not in ("running", "newly-created"):
            raise self.lost()

    def lost(self) -> PlannerError:
        """The error for a scheduler that went away."""
        return PlannerError(
            f"the Dask scheduler at {self._address} does not answer any more",
            hint="the rows so far are safe: start it again and go on with --resume",
        )

    def close(self, at_once: bool = False) -> None:
        """Leave the cluster as it was."""
        self._client.close(timeout=1 if at_once else 10)


def _worked(runner: Runner, points: list[Point]) -> Work:
    begun = time.perf_counter()
    return runner.rows(points), time.perf_counter() - begun


_runners: dict[str, Runner] = {}
"""Of this worker process: spec files are read once, not per chunk."""


def remote(job: Job, points: list[Point]) -> Work:
    """A chunk on a worker of another process.

    Raises:
        PlannerError: the worker would answer otherwise than the process that asks.
    """
    from planner.sweeps.journal import line  # noqa: PLC0415

    known = line({"index": 0, "job": job.__dict__})
    if known not in _runners:
        library = SpecLibrary.from_environment()
        refuse_other(_own_identity(), job.identity, "a Dask worker")
        _runners.clear()
        _runners[known] = Runner(job, library)
    return _worked(_runners[known], points)


def _own_identity() -> dict[str, str]:
    from planner import engine  # noqa: PLC0415

    return identity(SpecLibrary.from_environment(), engine.version())


def refuse_other(own: Mapping[str, str], wanted: Mapping[str, str], worker: str) -> None:
    """Refuse a worker of another version or spec library.

    Raises:
        PlannerError: with both.
    """
    if own.get("planner") != wanted["planner"]:
        raise PlannerError(
            f"{worker} has planner {own.get('planner')}, this is {wanted['planner']}",
            hint="install the same version on every worker",
        )
    if own.get("library") != wanted["library"]:
        raise PlannerError(
            f"{worker} has other spec files ({str(own.get('library'))[:12]}, here {wanted['library'][:12]})",
            hint="install the same version and set the same PLANNER_SPEC_PATH on every worker",
        )


def in_order(
    engine: Engine, chunks: Iterator[Chunk], pace: Pace, stopping: Callable[[], bool]
) -> Iterator[tuple[list[Row], int]]:
    """Rows chunk by chunk in the order of the points, with the index behind them.

    At most ``engine.window`` chunks are in work or waiting, so memory does not grow with the sweep.

    Args:
        engine: where chunks are worked.
        chunks: made when there is room.
        pace: told how long chunks take.
        stopping: asked now and then; once true, nothing new begins and what runs is brought home.
    """
    running: deque[tuple[Chunk, Future[Work]]] = deque()
    while True:
        while len(running) < engine.window and not stopping():
            chunk = next(chunks, None)
            if chunk is None:
                break
            running.append((chunk, engine.submit(chunk.points)))
        if not running:
            return
        chunk, future = running.popleft()
        if stopping() and future.cancel():
            for _, other in running:
                other.cancel()
            return
        rows, seconds = _result(engine, future)
        pace.learn(len(chunk.points), seconds)
        yield rows, chunk.upto


def _result(engine: Engine, future: Future[Work]) -> Work:
    while True:
        try:
            return future.result(timeout=LOOK_EVERY)
        except Later:
            if future.done():
                continue
            engine.check()
        except CancelledError as fault:
            engine.check()
            raise PlannerError(
                "the cluster gave a chunk up", hint="the rows so far are safe: go on with --resume"
            ) from fault
        except PlannerError:
            raise
        except Exception as fault:
            if type(fault).__name__ in ("KilledWorker", "CommClosedError", "FutureCancelledError"):
                raise PlannerError(
                    f"the cluster could not work a chunk: {fault}",
                    hint="the rows so far are safe: go on with --resume",
                ) from fault
            raise
