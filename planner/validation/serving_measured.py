"""What a serving row measured, as times: rates are turned into seconds per token and card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from planner.validation.serving_rows import ServingRow

Quantity = Literal["throughput", "decode_rate", "prefill_rate", "tpot", "ttft", "latency"]
LATENCIES: tuple[Quantity, ...] = ("tpot", "ttft", "latency")
"""Times that a request sees; the others are rates of the whole."""


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        metric: the key of the row's ``measured``.
        quantity: which predicted quantity stands against it.
        seconds: the time, or for a rate the seconds per token and card.
    """

    metric: str
    quantity: Quantity
    seconds: float


def figures(row: ServingRow) -> tuple[Figure, ...]:
    """All figures of a row that can be predicted; the first is the row's own score.

    Rates come before latencies, since a deployment is sized by them; of several keys for one quantity the
    first counts. Percentiles, powers and requests per second (the same as tokens per second) are not scored.
    """
    found: list[Figure] = []
    seen: set[Quantity] = set()
    for metric, quantity, seconds in _all(row):
        if quantity not in seen:
            seen.add(quantity)
            found.append(Figure(metric, quantity, seconds))
    return tuple(found)


def _all(row: ServingRow) -> list[tuple[str, Quantity, float]]:
    output: Quantity = "decode_rate" if row.phase == "decode" else "throughput"
    rates: list[tuple[str, Quantity, float | None]] = [
        ("output_tokens_per_s_total", output, row.cards),
        ("output_tokens_per_s_per_card", output, 1.0),
        ("output_tokens_per_s_per_node_with_overlap", output, row.cards_per_server),
        ("total_tokens_per_s_per_card", output, _output_share(row)),
        ("decode_tokens_per_s_per_card", "decode_rate", 1.0),
        ("prefill_tokens_per_s_per_card", "prefill_rate", 1.0),
        ("prefill_tokens_per_s_total", "prefill_rate", row.cards),
    ]
    times: list[tuple[str, Quantity]] = [
        ("tpot_ms", "tpot"),
        ("itl_ms", "tpot"),
        ("ttft_ms", "ttft"),
        ("e2e_ms", "latency"),
    ]
    out: list[tuple[str, Quantity, float]] = []
    for metric, quantity, cards in rates:
        value = _positive(row.measured, metric)
        if value and cards:
            out.append((metric, quantity, cards / value))
    for metric, quantity in times:
        value = _positive(row.measured, metric)
        if value:
            out.append((metric, quantity, value / 1e3))
    tpot, ttft = _positive(row.measured, "tpot_ms"), _positive(row.measured, "ttft_ms")
    if tpot and ttft and row.mean_output and row.phase in ("mixed", "disaggregated"):
        # A request's first token, and the rest at the mean interval: how serving benchmarks define TPOT.
        out.append(("ttft_ms + tpot_ms", "latency", (ttft + tpot * max(row.mean_output - 1.0, 0.0)) / 1e3))
    return out


def _output_share(row: ServingRow) -> float | None:
    """Cards by which a rate of all tokens becomes one of output tokens: value x share = cards / seconds."""
    return (row.isl + row.osl) / row.osl if row.isl and row.osl and row.phase == "mixed" else None


def _positive(table: Mapping[str, Any], key: str) -> float | None:
    value = table.get(key)
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
    )
