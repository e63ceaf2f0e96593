"""Failures, checkpoints and spares: the part ``reliability``, and what the scenario knows better."""

from __future__ import annotations

from planner.problem import wire
from planner.problem.figures import Figures, Sheet
from planner.scenario import Scenario


def reliability(scenario: Scenario, figures: Figures) -> wire.Reliability:
    """The terms on which a job fails, saves and resumes."""
    sheet = figures.of("parts", figures.library.part("reliability"))
    known, workload = scenario.reliability, scenario.workload

    def need(key: str, what: str) -> float:
        return sheet.need(key, "reliability", what)

    # What the user knows better is not looked up, so it counts as no estimate.
    detection, restart = _times(scenario, sheet)
    return wire.Reliability(
        checkpoint_bytes_per_second=known.checkpoint_bandwidth or need("checkpoint_bandwidth", "write rate"),
        checkpoint_stall_seconds=0.0 if known.checkpoint == "blocking" else need("checkpoint_stall", "stall"),
        recovery_seconds=detection + restart,
        # A checkpoint holds the weights of the products and the optimizer's state, not the gradients.
        checkpoint_bytes_per_parameter=workload.weight_bytes + workload.optimizer_bytes,
        load_bytes_per_second=need("checkpoint_read", "read rate"),
        save="blocking" if known.checkpoint == "blocking" else "asynchronous",
        memory=_memory(scenario, sheet) if known.checkpoint == "memory" else None,
        interval_seconds=known.checkpoint_interval,
        failures=_failures(scenario, sheet),
    )


def _times(scenario: Scenario, sheet: Sheet) -> tuple[float, float]:
    """Seconds to detect a failure and to restart: given, or those of the scenario's kind of operations."""
    known = scenario.reliability
    suffix = "" if known.operations == "usual" else "_tuned"

    def of(given: float | None, key: str, what: str) -> float:
        return given or sheet.need(f"{key}{suffix}", "reliability", what)

    return (
        of(known.detection, "detection", "time to detect a failure"),
        of(known.restart, "restart", "time to restart"),
    )


def _memory(scenario: Scenario, sheet: Sheet) -> wire.PeerMemory:
    detection, restart = _times(scenario, sheet)
    return wire.PeerMemory(
        stall_seconds=sheet.need("memory_stall", "reliability", "stall of a copy in memory"),
        # A copy next door loads in seconds: detection and restart are all there is.
        recovery_seconds=detection + restart,
        covers=sheet.need("memory_covers", "reliability", "failures that a copy in memory survives"),
    )


def _failures(scenario: Scenario, sheet: Sheet) -> wire.FailureModel:
    def need(key: str, what: str) -> float:
        return sheet.need(key, "reliability", what)

    known = scenario.reliability
    return wire.FailureModel(
        shares=wire.Shares(
            card=need("failure_shares.card", "share of cards in failures"),
            host=need("failure_shares.host", "share of hosts in failures"),
            nic=need("failure_shares.nic", "share of NICs in failures"),
            software=need("failure_shares.software", "share of software in failures"),
        ),
        per_link_day=need("link_failures", "failure rate of a link"),
        per_switch_day=need("switch_failures", "failure rate of a switch"),
        repair_seconds=known.repair or need("repair", "time to repair a server"),
        domain_repair_seconds=need("domain_repair", "time to repair a domain"),
        spares=known.spares,
        spare_confidence=known.spare_confidence,
        straggler_per_server_day=need("straggler_rate", "rate of stragglers"),
        straggler_seconds=need("straggler_detection", "time to find a straggler"),
        straggler_slowdown=need("straggler_slowdown", "slowdown by a straggler"),
    )
