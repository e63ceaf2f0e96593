"""Parts of a whole as percentages."""

from __future__ import annotations

from planner.plan.shown import percent

SMALL_SHARE = 0.005
"""Parts below this share are summed up in one."""


def shares(leaves: dict[str, float], root: float) -> str:
    """Leaves as percentages of their root, largest first; the small ones as a sum."""
    words, small = [], 0.0
    for name, value in sorted(leaves.items(), key=lambda item: (-item[1], item[0])):
        share = value / root if root else 0.0
        if share < SMALL_SHARE:
            small += share
            continue
        words.append(
            f"{name.removesuffix('_seconds').removesuffix('_bytes').replace('_', ' ')} {percent(share)}"
        )
    if small > 5e-5:
        words.append(f"the rest {percent(small)}")
    return ", ".join(words)
