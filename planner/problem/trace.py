"""A trace of arrivals: when requests came, and how long their prompts and outputs were."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planner.errors import ScenarioError

COLUMNS = ("arrival_seconds", "input_tokens", "output_tokens")


@dataclass(frozen=True)
class Trace:
    """What a trace says; spreads are standard deviation over mean, rates per second."""

    count: int
    mean_rate: float
    peak_rate: float
    input_mean: float
    input_spread: float
    output_mean: float
    output_spread: float


def read_trace(path: Path, window: float) -> Trace:
    """The trace of a CSV file with the columns of ``COLUMNS``, in the order of arrival.

    Args:
        path: the file.
        window: seconds over which the peak is taken; it slides over the arrivals.

    Raises:
        ScenarioError: the file cannot be read, is empty, lacks a column, or is not in order.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = _rows(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise ScenarioError(f"cannot be read: {fault}") from fault
    if len(rows) < 2:
        raise ScenarioError("is empty: a trace needs at least two requests")
    times, inputs, outputs = zip(*rows, strict=True)
    span = times[-1] - times[0]
    if span <= 0.0:
        raise ScenarioError("all requests arrive at once, so it says no rate")
    # As many gaps as requests: the mean over the span, and one mean gap for the last.
    mean_rate = (len(times) - 1) / span
    (input_mean, input_spread), (output_mean, output_spread) = _moments(inputs), _moments(outputs)
    return Trace(
        count=len(times),
        mean_rate=mean_rate,
        peak_rate=max(mean_rate, _busiest(times, window) / window) if window < span else mean_rate,
        input_mean=input_mean,
        input_spread=input_spread,
        output_mean=output_mean,
        output_spread=output_spread,
    )


def _rows(reader: csv.DictReader[str]) -> list[tuple[float, float, float]]:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ScenarioError(
            f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            hint=f"the first line names the columns: {','.join(COLUMNS)}",
        )
    rows: list[tuple[float, float, float]] = []
    for row in reader:
        try:
            found = tuple(float(row[name]) for name in COLUMNS)
        except (TypeError, ValueError) as fault:
            raise ScenarioError(f"line {reader.line_num}: is not three numbers") from fault
        if not all(math.isfinite(value) for value in found) or min(found[1:]) < 1:
            raise ScenarioError(f"line {reader.line_num}: lengths are at least one token")
        if rows and found[0] < rows[-1][0]:
            raise ScenarioError(
                f"line {reader.line_num}: arrives at {found[0]:g} s, before the line above",
                hint="sort the trace by arrival_seconds",
            )
        rows.append((found[0], found[1], found[2]))
    return rows


def _moments(values: Sequence[float]) -> tuple[float, float]:
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
