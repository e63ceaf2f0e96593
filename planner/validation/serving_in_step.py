"""How much the prediction of a closed loop hangs on how far its requests run in step.

Load generators differ in that: some send requests of one length in waves, whose prompts then wait for each
other before their first token, some let them drift apart, so that prompts come between the tokens of
others. Rows do not say which. A profile's `bunching` is the share that is usual; a band allows for all and
for none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.validation.serving_predict import Answers, Battery, Tables, refusal, seconds

KEY = "bunching"


def step_doubts(battery: Battery, tables: Tables) -> list[tuple[float, ...]]:
    """Per row of the battery, the standard deviation of ln(time) of each of its figures.

    sigma = sqrt(b (1 - b)) |ln(t(1) / t(0))|, t(b) the time with a share b in step, b that of the profile:
    the deviation of a choice between all and none that has b on the mean. 0 where there is no closed loop.
    """
    none, every = (_asked(battery, tables, share) for share in (0.0, 1.0))
    found = []
    for item, apart, together in zip(battery.ready, none, every, strict=True):
        share = float(tables.software[item.software.id][KEY])
        deviation = math.sqrt(share * (1.0 - share))
        ends = [
            (seconds(apart, item.row, figure), seconds(together, item.row, figure))
            if refusal(apart) is None and refusal(together) is None
            else (None, None)
            for figure in item.figures
        ]
        found.append(
            tuple(deviation * abs(math.log(last / first)) if first and last else 0.0 for first, last in ends)
        )
    return found


def excess(error: float, doubt: float, z: float) -> float:
    """What is left of an error beyond ``doubt``: e with e² + (z doubt)² = error²; at least 0."""
    return math.sqrt(max(0.0, error**2 - (z * doubt) ** 2))


def _asked(battery: Battery, tables: Tables, share: float) -> list[Mapping[str, Mapping[str, Any]]]:
    software: dict[str, Mapping[str, Any]] = {
        name: {**figures, KEY: share} for name, figures in tables.software.items()
    }
    answers: list[Answers] = list(battery.answers(replace(tables, software=software)))
    return answers
