"""How much farther off a run is that comes from nowhere the fit knows."""

from __future__ import annotations

DENSE = 0.057
EXPERTS = 0.11
"""Standard deviations of ln(step time), beside those of chip and software, for runs of a source that no run
of the fit is from: what shipped runs are off by where the fit has not seen their framework, beyond what they
are off by where it has not seen their group. ``planner calibrate`` prints both again."""


def elsewhere(experts: bool) -> float:
    """Standard deviation of ln(step time) for an unknown source; ``experts``: of a mixture of experts."""
    return EXPERTS if experts else DENSE
