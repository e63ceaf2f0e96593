"""The account of a step for people: time and memory by cause, the value of each resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.explain import CAUSES

LOSSES = {
    "checkpoint": "standing still for checkpoints",
    "rework": "work done again after failures",
    "recovery": "detection, swap, restart and load",
    "waiting": "too few spares",
    "stragglers": "slow servers not yet found",
}


def text(answer: Mapping[str, Any]) -> str:
    """For people."""
    if "time" not in answer:
        return f"{answer['why']}\n"
    layout = answer["layout"]
    named = ", ".join(f"{key}={value}" for key, value in layout.items())
    out = [
        f"{answer['cards']:,} cards of {answer['system']}: {named}",
        "",
        f"Step {answer['step_seconds']:.3f} s",
    ]
    for name, seconds in sorted(answer["time"].items(), key=lambda item: -item[1]):
        if seconds > 5e-4 * answer["step_seconds"]:
            out.append(f"  {100 * seconds / answer['step_seconds']:5.1f} %  {seconds:8.3f} s  {CAUSES[name]}")
    memory = answer["memory"]
    out += [
        "",
        f"Memory of the fullest device: {100 * memory['share']:.1f} % of "
        f"{memory['capacity_bytes'] / 2**30:.1f} GiB",
    ]
    for name in ("weights", "gradients", "optimizer", "activations", "working", "overhead"):
        if memory[name] > 0:
            out.append(f"  {memory[name] / 2**30:8.2f} GiB  {name}")
    failures = answer["reliability"]
    out += ["", f"Calendar time: {100 * failures['goodput']:.1f} % is useful"]
    for name, words in LOSSES.items():
        if failures[name] > 5e-5:
            out.append(f"  {100 * failures[name]:5.2f} %  {words}")
    for name, rate in sorted(failures["causes"].items(), key=lambda item: -item[1]):
        if rate > 0:
            out.append(f"  {rate:7.3f}  failures a day by {name}")
    out += ["", "10 % more of each resource changes the step time by"]
    for name, change in sorted(answer["value"].items(), key=lambda item: item[1]):
        out.append(f"  {100 * change:+6.2f} %  {name}")
    out += [f"Most is gained from: {answer['bound_by']}."]
    out += [f"Warning: {warning}." for warning in answer["warnings"]]
    return "\n".join(out) + "\n"
