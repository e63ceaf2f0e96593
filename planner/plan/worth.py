"""What to measure first, and the acceptance sheet of a delivered machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.plan.bands import Study
from planner.plan.figures import address, unit_of
from planner.plan.risk_parts import Acceptance, Measure, SheetKey
from planner.problem import Figure, Problem, wire

if TYPE_CHECKING:
    from planner.problem.service import ServiceProblem

LISTED = 8
TESTS = (
    ("accelerators", "peak.", "GEMM at 8192 x 8192 x 8192 in the training precision, all cards at once, hot"),
    ("accelerators", "memory.bandwidth", "copy and triad over half of the device memory"),
    ("accelerators", "memory", "largest allocation that a process gets"),
    (
        "accelerators",
        "power",
        "board power in a training step and idle, by the card's own sensor and the plug",
    ),
    ("systems", "levels", "all-reduce of 1 GB inside one scale-up level, every level"),
    ("systems", "scale_out", "all-reduce of 1 GB over two and over 32 servers, one card of each"),
    ("systems", "host.power", "server power at the plug while training, less the cards"),
    ("systems", "domain", "power of a full scale-up domain at its feed, less the servers"),
    ("systems", "failures", "failures that stop a job over a month of burn-in, by cause"),
    ("systems", "price", "a quotation"),
    ("parts", "checkpoint", "a full checkpoint written and read at the planned number of servers"),
    ("parts", "detection", "pull a card, a NIC and a cable: time until the job stops"),
    ("parts", "restart", "restart the job at full scale after a drained server"),
    ("parts", "repair", "the service contract: time to return of a failed server"),
    ("parts", "price", "a quotation"),
    ("sites", "", "a month of meter readings, or the operator's contract"),
    ("fabrics", "", "all-to-all and all-reduce over a whole leaf, idle and loaded"),
    ("software", "", "tokens per second of one step of the model on 8 to 64 cards"),
)
RUN = "tokens per second of one step of the model on 64 or more cards, in the planned layout"


def test_for(kind: str, key: str) -> str:
    """What to run to know a figure better."""
    for folder, start, test in TESTS:
        if kind == folder and key.startswith(start):
            return test
    return "ask the vendor for a signed figure"


def measure_first(problem: Problem | ServiceProblem, study: Study, output: str = "days") -> list[Measure]:
    """The inputs that make most of the variance of ln(output), one at a time, the weightiest first.

    ``share`` is what a perfect measurement of the one input would take away.
    """
    used = {address(figure.key): figure for figure in problem.figures}
    squares = study.variance.get(output, {})
    whole = sum(squares.values())
    if whole <= 0.0:
        return []
    ranked = sorted(squares, key=lambda label: (-squares[label], label))[:LISTED]
    return [_measure(label, study, used, squares[label] / whole) for label in ranked]


def _measure(label: str, study: Study, used: dict[str, Figure], share: float) -> Measure:
    key = study.keys.get(label)
    figure = used.get(key) if key else None
    if figure is None:
        return Measure(
            label=label, key=None, low=None, high=None, unit=None, kind=None, share=share, test=RUN
        )
    quantity = figure.quantity
    return Measure(
        label=label,
        key=key,
        low=quantity.low,
        high=quantity.high,
        unit=unit_of(quantity),
        kind=quantity.kind,
        share=share,
        test=test_for(figure.key.kind, figure.key.key),
    )


def acceptance(problem: Problem, choice: wire.DesignChoice, tokens_per_second: float) -> list[Acceptance]:
    """What the delivered machine has to show for the plan to hold, and where the results go."""
    return acceptance_of(
        problem.request.clusters[choice.cluster],
        choice.fabric,
        problem.calibrations[choice.cluster].efficiency,
        problem.request.training.precision,
        _line(
            "workload",
            "training step in the planned layout, tokens per second per card",
            tokens_per_second,
            "tokens/s",
            "a run of `planner calibrate --cases`: tokens_per_s_per_card",
        ),
    )


def served_line(requests_per_second: float) -> Acceptance:
    """The line of a service: the highest load within its latencies, per card bought."""
    return _line(
        "workload",
        "the service at its planned lengths, highest load within latencies, requests/s per card",
        requests_per_second,
        "requests/s",
        "a row of `planner validate --cases`",
    )


def acceptance_of(
    cluster: wire.Cluster, fabric_index: int, family: str, precision: str, whole: Acceptance
) -> list[Acceptance]:
    """The sheet of a cluster; ``whole`` is its line for the workload itself."""
    device, shares = cluster.device, cluster.device.efficiency
    chip = f"accelerators/{cluster.accelerator}"
    rate = getattr(device.peak, precision, None) or device.peak.bf16
    share = getattr(shares.matmul, precision, None) or shares.matmul.bf16
    out = [
        _line(
            "gemm",
            "large GEMM, per device",
            rate * share,
            "FLOP/s",
            f"{chip}: peak.{precision}; {family}: matmul",
        ),
        _line(
            "memory",
            "memory stream, per device",
            device.memory_bandwidth * shares.memory,
            "B/s",
            f"{chip}: memory.bandwidth",
        ),
    ]
    for place, level in enumerate(cluster.levels):
        out.append(
            _line(
                "scale_up",
                f"all-reduce inside {level.name}, bus bandwidth per device",
                level.bandwidth * shares.scale_up,
                "B/s",
                f"systems/{cluster.system}: levels[{place}].bandwidth",
            )
        )
    fabric = cluster.fabrics[fabric_index]
    out.append(
        _line(
            "scale_out",
            "all-reduce between servers, bus bandwidth per device",
            fabric.bandwidth * fabric.share_of_line_rate * shares.scale_out,
            "B/s",
            f"systems/{cluster.system}: scale_out.bandwidth",
        )
    )
    out.append(whole)
    draw = cluster.card_tdp * cluster.card_training_share * cluster.cards_per_server + cluster.host_power
    out.append(
        _line(
            "power",
            "server at the plug, at work",
            draw,
            "W",
            f"{chip}: power; systems/{cluster.system}: host",
        )
    )
    return out


def _line(key: SheetKey, test: str, expected: float, unit: str, feeds: str) -> Acceptance:
    return Acceptance(key=key, test=test, expected=expected, low=None, high=None, unit=unit, feeds=feeds)
