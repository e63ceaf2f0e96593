"""The account of a step for people: time and memory by cause, the value of each resource."""

from __future__ import annotations

from collections.abc import Mapping

from planner.plan.explain import CAUSES
from planner.plan.explained import Explanation
from planner.plan.shown import counted
from planner.report import explain_doubt

LOSSES = {
    "checkpoint": "standing still for checkpoints",
    "rework": "work done again after failures",
    "recovery": "detection, swap, restart and load",
    "waiting": "too few spares",
    "stragglers": "slow servers not yet found",
}


def text(answer: Explanation) -> str:
    """For people."""
    step, memory, failures = answer.step_seconds, answer.memory, answer.reliability
    if step is None or memory is None or failures is None or answer.layout is None:
        return f"{answer.why}\n"
    named = answer.layout.short().replace(",", ", ")
    share, capacity = 100 * memory.share, memory.capacity_bytes / 2**30
    out = [
        f"{counted(answer.cards or 0, 'card')} of {answer.system}: {named}",
        "",
        f"Step {step:.3f} s",
    ]
    for name, seconds in sorted(answer.time.items(), key=lambda item: -item[1]):
        if seconds > 5e-4 * step:
            where = _levels(answer.exposed.get(name, {}))
            out.append(f"  {100 * seconds / step:5.1f} %  {seconds:8.3f} s  {CAUSES[name]}{where}")
    out += [
        "",
        f"Memory of the fullest device: {share:.1f} % of {capacity:.1f} GiB",
    ]
    for name in ("weights", "gradients", "optimizer", "activations", "working", "overhead"):
        if getattr(memory, name) > 0:
            out.append(f"  {getattr(memory, name) / 2**30:8.2f} GiB  {name}")
    out += ["", f"Calendar time: {100 * failures.goodput:.1f} % is useful"]
    for name, words in LOSSES.items():
        if (getattr(failures, name) or 0.0) > 5e-5:
            out.append(f"  {100 * getattr(failures, name):5.2f} %  {words}")
    for name, rate in sorted(failures.causes.items(), key=lambda item: -item[1]):
        if rate > 0:
            out.append(f"  {rate:7.3f}  failures a day by {name}")
    out += ["", "10 % more of each resource changes the step time by"]
    for name, change in sorted(answer.value.items(), key=lambda item: item[1]):
        out.append(f"  {100 * change:+6.2f} %  {name}")
    out += [f"Most is gained from: {answer.bound_by}."]
    out += [f"Warning: {warning}." for warning in answer.warnings]
    if answer.doubt is not None:
        out += ["", *explain_doubt.lines(answer.doubt)]
    return "\n".join(out) + "\n"


def _levels(levels: Mapping[str, float]) -> str:
    """Levels of the network that traffic waits for: what each would save if it had no limit."""
    waits = [f"{seconds:.3f} s at {name}" for name, seconds in levels.items()]
    return f": {', '.join(waits)}" if waits else ""
