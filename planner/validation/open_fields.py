"""What a row leaves open, and what that adds to the doubt about its prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping

from planner.validation.rows import Row

DOUBTS: Mapping[str, float] = {
    "framework": 0.16,
    "software_date": 0.03,
    "precision": 0.12,
    "degrees": 0.06,
    "micro_batch": 0.08,
    "experts": 0.11,
    "recompute": 0.03,
    "vpp": 0.02,
}
"""Standard deviation of ln(time) that an open field adds: how much farther predictions are off the shipped
runs where each lacks the field (`FIELDS`) than they are anyway; `planner calibrate` prints them again."""
LAGS: Mapping[str, float] = {"degrees": 0.02, "experts": 0.045}
"""ln of how much longer runs take than the fastest choice that fits, where a row leaves the field open: teams
do not always run what a model calls the fastest. Measured as `DOUBTS` are; smaller ones are left out."""
FIELDS: Mapping[str, tuple[str, ...]] = {
    "framework": ("framework",),
    "software_date": ("software_date",),
    "precision": ("precision",),
    "degrees": ("tp", "pp", "dp"),
    "micro_batch": ("micro_batch",),
    "experts": ("ep",),
    "recompute": ("recompute",),
    "vpp": ("vpp",),
}
"""The columns of a row that are open together."""
OTHERWISE = 0.08
"""The same for a row that was read otherwise than it stands, as for a micro-batch."""


def doubt(row: Row, known: bool, experts: bool, otherwise: bool) -> float:
    """Standard deviation of ln(time) for what a row leaves open, beside that of chip and software.

    Args:
        known: the row's framework has a profile.
        experts: its model is a mixture of experts.
        otherwise: it was read otherwise than it stands.
    """
    left = _open(row, known, experts)
    return math.hypot(
        OTHERWISE if otherwise else 0.0, *(DOUBTS[name] for name, is_open in left.items() if is_open)
    )


def lag(row: Row, experts: bool) -> float:
    """ln of what a prediction with the fastest choice for open degrees is too fast by in the mean.

    ``experts``: the row's model is a mixture of experts.
    """
    left = _open(row, known=True, experts=experts)
    return sum(later for name, later in LAGS.items() if left[name])


def _open(row: Row, known: bool, experts: bool) -> dict[str, bool]:
    return {
        "framework": not known,
        "software_date": row.software_date is None,
        "precision": row.precision is None,
        "degrees": row.tp is None or row.pp is None,
        "micro_batch": row.micro_batch is None,
        "experts": experts and row.ep is None,
        "recompute": row.recompute is None,
        "vpp": row.vpp is None and row.pp != 1,
    }
