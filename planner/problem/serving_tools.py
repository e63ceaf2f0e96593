"""Software, constants and chip family of the serving model, read through the one door of figures."""

from __future__ import annotations

from planner.problem import serving_wire
from planner.problem.evidence import SERVING_CONSTANTS, SERVING_SOFTWARE
from planner.problem.figures import Figures
from planner.software.serving import (
    Factors,
    ServingConstants,
    ServingProfile,
    serving_constants,
)

_SWITCHES = (
    "graphs", "graph_filling", "two_batch_overlap", "hierarchical_dispatch", "chunked_prefill",
    "gather_ranks",
    "dispatch_bytes", "combine_bytes", "token_budget", "most_sequences", "graph_tokens",
)  # fmt: skip


def software(profile: ServingProfile, figures: Figures) -> serving_wire.ServingSoftware:
    """The profile's figures, recorded."""
    sheet = figures.of(SERVING_SOFTWARE, profile)
    values: dict[str, float | bool] = {name: getattr(profile, name) for name in _SWITCHES}
    for name in serving_wire.ServingSoftware.model_fields:
        if name not in _SWITCHES:
            values[name] = sheet.need(name, "timing", name.replace("_", " "))
    return serving_wire.ServingSoftware.model_validate(values)


def constants(figures: Figures) -> serving_wire.Constants:
    """The shared constants, recorded."""
    sheet = figures.of(SERVING_CONSTANTS, serving_constants())
    return serving_wire.Constants.model_validate(
        {
            name: sheet.need(name, "timing", name.replace("_", " "))
            for name in serving_wire.Constants.model_fields
        }
    )


_ON_DEVICE = ("products", "experts", "attention", "memory", "collectives")


def family(efficiency: str, figures: Figures) -> serving_wire.Family:
    """The factors of a chip family, recorded; 1 where nothing sets it apart.

    ``serving_time`` of its efficiency file, which `planner calibrate --cases` writes, is on what the
    device does.
    """
    shared: ServingConstants = serving_constants()
    values = dict.fromkeys(Factors.model_fields, 1.0)
    if efficiency in shared.families:
        sheet = figures.of(SERVING_CONSTANTS, shared)
        values = {
            name: sheet.need(f"families.{efficiency}.{name}", "timing", f"factor on {name} of {efficiency}")
            for name in Factors.model_fields
        }
    own = figures.library.efficiency(efficiency)
    if own.serving_time is not None:
        time = figures.of("efficiency", own).need("serving_time", "timing", "own serving runs")
        values |= {name: values[name] * time for name in _ON_DEVICE}
    return serving_wire.Family.model_validate(values)
