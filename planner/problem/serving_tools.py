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
    "graphs", "two_batch_overlap", "hierarchical_dispatch", "chunked_prefill", "gather_ranks",
    "dispatch_bytes", "combine_bytes", "token_budget", "most_sequences",
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


def family(efficiency: str, figures: Figures) -> serving_wire.Family:
    """The factors of a chip family, recorded; 1 where nothing sets it apart."""
    shared: ServingConstants = serving_constants()
    if efficiency not in shared.families:
        return serving_wire.Family()
    sheet = figures.of(SERVING_CONSTANTS, shared)
    return serving_wire.Family.model_validate(
        {
            name: sheet.need(f"families.{efficiency}.{name}", "timing", f"factor on {name} of {efficiency}")
            for name in Factors.model_fields
        }
    )
