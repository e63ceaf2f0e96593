"""Where the model is weak: what the scores of parts and pairs say by themselves, and known causes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

Part = Mapping[str, Any]

MEAN = {"dense": 0.08, "moe": 0.13}
"""Mean errors beyond which a part is named; other parts than these two as dense."""
BIAS, P90, ORDER = 0.05, 0.17, 0.97
COVERED = (0.70, 0.95)
WIDTH = 100
"""Of a line of the page."""
LEAST = 4
"""Runs below which a part says little about itself."""
PLACES = (
    ("by_kind", "kind"),
    ("by_family", "chip family"),
    ("by_hardware", "chip"),
    ("by_software", "software"),
)


def weak_parts(answer: Part) -> list[list[str]]:
    """Rows of a table: the parts of the runs that miss a yardstick, and by what."""
    rows = []
    for key, what in PLACES:
        for name, part in answer[key].items():
            missed = list(_missed(name, part)) if part["answered"] >= LEAST else []
            if missed:
                rows.append([f"{what} {name}", str(part["n"]), str(part["groups"]), ", ".join(missed)])
    return rows


def _missed(name: str, part: Part) -> Iterator[str]:
    if part["mape"] > MEAN.get(name, MEAN["dense"]):
        yield f"mean error {100 * part['mape']:.1f} %"
    if abs(part["bias"]) > BIAS:
        yield f"too {'slow' if part['bias'] > 0 else 'fast'} by {100 * abs(part['bias']):.1f} %"
    if part["abs_error_p90"] > P90:
        yield f"P90 {100 * part['abs_error_p90']:.1f} %"
    if not COVERED[0] <= part["coverage80"] <= COVERED[1]:
        yield f"{100 * part['coverage80']:.0f} % in the 80 % band"
    if part["pair_order"] is not None and part["pair_order"] < ORDER:
        yield f"order {100 * part['pair_order']:.0f} % of {part['pairs']} pairs"


def wrong_pairs(answer: Part) -> list[list[str]]:
    """Rows of a table: pairs of layouts ranked wrong, those that share cards and batch first."""
    return [
        [
            pair["faster"],
            pair["slower"],
            "yes" if pair["same_batch"] else "no",
            f"{100 * pair['measured']:.1f} % faster",
            f"{-100 * pair['predicted']:.1f} % slower",
        ]
        for pair in answer["misranked"]
    ]


def selection_lines(found: Part) -> list[str]:
    """What choosing the fastest prediction did to its error, in words."""
    if not found["groups"]:
        return ["No two layouts of one run, with the same cards and batch, are there to choose from."]
    optimism, doubt = found["optimism"], found["standard_error"] or 0.0
    seen = abs(optimism) > 2.0 * doubt
    verdict = (
        f"the choice does take what is predicted too {'fast' if optimism < 0.0 else 'slow'}"
        if seen
        else "nothing of a winner's curse can be seen, and none is corrected"
    )
    lines = [
        "A search takes the layout that is predicted fastest, and so perhaps one that is predicted too "
        "fast. In",
        f"{found['groups']} groups of runs that differ in layout alone (cards and batch the same), the "
        "one predicted",
        f"fastest is {100 * optimism:+.1f} % off against the mean of its group (standard error "
        f"{100 * doubt:.1f}): {verdict}.",
        f"The chosen one ran {100 * found['lost']:.1f} % longer than the fastest of its group. Published "
        "layouts are few",
        "and tuned: the choice among all that a search looks at may be worse, which these runs cannot tell.",
    ]
    return [line for text in [" ".join(lines)] for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False)]
