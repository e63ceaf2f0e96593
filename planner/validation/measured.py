"""The step time that a row measured: printed, or worked out of a rate or a "
"utilisation as the source defines it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.validation.rows import Row


@dataclass(frozen=True)
class Measure:
    """What was measured.

    Attributes:
        metric: the key of the figure that was used.
        seconds: of one optimizer step; None where the figure is a utilisation.
        utilisation: model FLOPs over peak, or FLOP/s per card where ``per_card``; None where ``seconds``
        stands.
        per_card: ``utilisation`` is in FLOP/s per card.
        counting: causal, full (whole score matrix) or hardware (recomputation counted).
    """

    metric: str
    seconds: float | None
    utilisation: float | None = None
    per_card: bool = False
    counting: str = "full"


def measure(row: Row, card_peak: float | None = None) -> Measure | None:
    """The figure of a row that its score uses; None where there is none that can be compared.

    Times come first, then rates of tokens, then what the collectors of the file derived, then FLOP/s and MFU,
    whose definitions differ most between sources. ``card_peak``: FLOP/s per card at the precision.
    """
    tokens = (row.global_batch or 0) * (row.seq_len or 0)
    time = _positive(row.measured, "iteration_time_s")
    if time:
        return Measure("iteration_time_s", time)
    rate = _positive(row.measured, "tokens_per_s_per_card")
    if rate and row.cards and tokens:
        return Measure("tokens_per_s_per_card", tokens / rate / row.cards)
    rate = _positive(row.measured, "tokens_per_s_total")
    if rate and tokens:
        return Measure("tokens_per_s_total", tokens / rate)
    time = _positive(row.derived, "iteration_time_s")
    if time:
        return Measure("derived.iteration_time_s", time)
    definition = (row.metric_definition or "").lower()
    counting = "causal" if "causal" in definition else "full"
    if "hardware" in definition:
        counting = "hardware"
    hfu = _positive(row.measured, "hfu")
    flops = _positive(row.measured, "tflops_per_card")
    if hfu and flops and card_peak and abs(flops * 1e12 / card_peak / hfu - 1.0) < 0.03:
        # FLOP/s that divide by the peak to the printed HFU count recomputation, whatever the table is called.
        counting = "hardware"
    for key, per_card, how in (
        ("tflops_per_card", True, counting),
        ("mfu_causal", False, "causal"),
        ("mfu", False, "full" if counting == "hardware" else counting),
        ("hfu", False, "hardware"),
    ):
        value = _positive(row.measured, key)
        if value:
            return Measure(key, None, value * (1e12 if per_card else 1.0), per_card, how)
    return None


def measured_seconds(found: Measure, performance: Mapping[str, Any], card_peak: float) -> float:
    """Seconds of the measured step.

    A utilisation u is turned into time by the FLOPs that the prediction counts: t = t' u'/u, where u' is the
    predicted utilisation in the same counting at time t'; what is compared is still only time.

    Args:
        found: the figure.
        performance: ``performance`` of the evaluated design.
        card_peak: FLOP/s at the precision, per card.
    """
    if found.seconds is not None:
        return found.seconds
    predicted = {
        "causal": performance["mfu"],
        "full": performance["mfu_full_attention"],
        "hardware": performance["mfu_full_attention"] * performance["hfu"] / performance["mfu"],
    }[found.counting]
    scale = card_peak if found.per_card else 1.0
    assert found.utilisation is not None
    return float(performance["step_seconds"] * predicted * scale / found.utilisation)


def measured_memory(row: Row) -> float | None:
    """Peak bytes allocated per card, where the source prints allocated and not reserved memory."""
    value = _positive(row.measured, "mem_alloc_gib_per_card")
    return None if value is None else value * 2**30


def _positive(table: Mapping[str, Any], key: str) -> float | None:
    value = table.get(key)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value) if value > 0 else None
