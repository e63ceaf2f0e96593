"""A trace of arrivals: when requests came, and how long their prompts and outputs were."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from planner.errors import ScenarioError

ARRIVAL = "arrival_seconds"
LENGTHS = ("input_tokens", "output_tokens")
COLUMNS = (ARRIVAL, *LENGTHS)

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Trace:
    """What a trace says; spreads are standard deviation over mean, rates per second.

    Of items, which have no lengths, these are one token each and ``inputs`` and ``outputs`` are empty.
    """

    count: int
    mean_rate: float
    peak_rate: float
    gap_spread: float
    """Of the times between arrivals; 1: Poisson, more: bursts."""
    input_mean: float
    input_spread: float
    output_mean: float
    output_spread: float
    longest: float
    """Tokens of the longest request, prompt and output."""
    arrivals: Numbers
    inputs: Numbers
    outputs: Numbers


def read_trace(path: Path, window: float, *, lengths: bool = True) -> Trace:
    """The trace of a CSV file with the columns of ``COLUMNS``, in the order of arrival.

    Args:
        path: the file.
        window: seconds over which the peak is taken; it slides over the arrivals.
        lengths: whether it needs them; items come with ``arrival_seconds`` alone.

    Raises:
        ScenarioError: the file cannot be read, is empty, lacks a column, or is not in order.
    """
    try:
        state = path.stat()
        return _read(path, window, lengths, (state.st_mtime_ns, state.st_size))
    except FileNotFoundError as fault:
        raise ScenarioError("no such file", hint="a path is taken from the folder of the scenario") from fault
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise ScenarioError(f"cannot be read: {fault}") from fault


@lru_cache(maxsize=4)
def _read(path: Path, window: float, lengths: bool, _state: tuple[int, int]) -> Trace:
    """The trace, read once for all the problems that an answer is made of."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = _rows(csv.DictReader(stream), COLUMNS if lengths else (ARRIVAL,))
    if len(rows) < 2:
        raise ScenarioError("is empty: a trace needs at least two requests")
    times, *tokens = (tuple(column) for column in zip(*rows, strict=True))
    span = times[-1] - times[0]
    if span <= 0.0:
        raise ScenarioError("all requests arrive at once, so it says no rate")
    inputs, outputs = tokens or ((), ())
    # As many gaps as requests: the mean over the span, and one mean gap for the last.
    mean_rate = (len(times) - 1) / span
    (input_mean, input_spread), (output_mean, output_spread) = _moments(inputs), _moments(outputs)
    return Trace(
        count=len(times),
        mean_rate=mean_rate,
        peak_rate=max(mean_rate, _busiest(times, window) / window) if window < span else mean_rate,
        gap_spread=_moments([after - before for before, after in pairwise(times)])[1],
        input_mean=input_mean,
        input_spread=input_spread,
        output_mean=output_mean,
        output_spread=output_spread,
        longest=max((asked + told for asked, told in zip(inputs, outputs, strict=True)), default=0.0),
        arrivals=tuple(time - times[0] for time in times),
        inputs=inputs,
        outputs=outputs,
    )


def _rows(reader: csv.DictReader[str], columns: Sequence[str]) -> list[Numbers]:
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise ScenarioError(
            f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            hint=f"the first line names the columns: {','.join(columns)}",
        )
    rows: list[Numbers] = []
    for row in reader:
        try:
            found = tuple(float(row[name]) for name in columns)
        except (TypeError, ValueError) as fault:
            many = "three numbers" if len(columns) > 1 else "a number"
            raise ScenarioError(f"line {reader.line_num}: is not {many}") from fault
        if not all(math.isfinite(value) for value in found) or min(found[1:], default=1.0) < 1:
            raise ScenarioError(f"line {reader.line_num}: lengths are at least one token")
        if rows and found[0] < rows[-1][0]:
            raise ScenarioError(
                f"line {reader.line_num}: arrives at {found[0]:g} s, before the line above",
                hint="sort the trace by arrival_seconds",
            )
        rows.append(found)
    return rows


def _moments(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 1.0, 0.0
    mean = math.fsum(values) / len(values)
    square = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return mean, math.sqrt(square) / mean


def _busiest(times: Sequence[float], window: float) -> int:
    """Most arrivals in a window [t, t + window)."""
    first, most = 0, 0
    for last, time in enumerate(times):
        while times[first] <= time - window:
            first += 1
        most = max(most, last - first + 1)
    return most
