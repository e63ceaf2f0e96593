"""Serving software that runs collected later decide, the laws held; and how far off runs from elsewhere are.

The laws and the profiles of current software are fitted on the shipped rows and points alone
(`serving_run`). Runs collected to judge the model (``judged.json``) come from other houses, years and
engines; fitted together, odd ones among them would move the laws for everybody (tried: rows of the shipped
files went from 8.5 to 10.6 %). So a second fit holds the first one's figures and moves only the profiles that
these runs decide; each source is left out of it in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.calibrate.serving_fit import ServingFit, ServingModel, fit, left_out
from planner.calibrate.serving_parameters import later_parameters
from planner.calibrate.serving_run import errors_of, prepared, times
from planner.software.serving import serving_profile
from planner.specs import SpecLibrary
from planner.validation.files import read
from planner.validation.judged import JUDGED
from planner.validation.serving_predict import Battery, Tables, refusal
from planner.validation.serving_request import ServingDesk, ServingReady

Z90 = 1.2816
Say = Callable[[str], None]
Times = Mapping[str, tuple[float | None, ...]]
Known = tuple[str, float, float]
"""Source of a row, its ln(measured/predicted), and the spread of its profile."""


@dataclass(frozen=True)
class LaterServing:
    """The second fit.

    Attributes:
        ready: rows of the runs collected later that the core answers.
        folds: row id -> times (s) of its figures by the fit without its source.
    """

    model: ServingModel
    fit: ServingFit
    ready: tuple[ServingReady, ...]
    folds: Times
    date: str

    def errors(self) -> list[tuple[ServingReady, float]]:
        """(row, ln(measured/predicted)) of first figures of scored rows, source left out."""
        return [
            (item, -error)
            for item, place, error in errors_of(self.ready, dict(self.folds))
            if place == 0 and item.row.scored
        ]

    def elsewhere(self) -> tuple[float, float]:
        """What a source adds that no fit knows, beside the spread of its profile: standard deviations of
        ln(time) on the fast and on the slow side. See `cautious`."""
        return cautious(self._known())

    def coverage(self) -> float:
        """Share of runs in bands of `elsewhere` found without their source; every source weighs the same."""
        return coverage_of(self._known())

    def _known(self) -> list[Known]:
        return [
            (item.row.source, error, serving_profile(item.software.id).spread.value)
            for item, error in self.errors()
        ]


def coverage_of(known: Sequence[Known]) -> float:
    """Mean over the sources of the share of their rows in bands of `cautious` found without them."""
    shares = []
    for name in sorted({source for source, _, _ in known}):
        fast, slow = cautious([item for item in known if item[0] != name])
        held = [
            -Z90 * math.hypot(spread, fast) <= error <= Z90 * math.hypot(spread, slow)
            for source, error, spread in known
            if source == name
        ]
        shares.append(sum(held) / len(held))
    return sum(shares) / len(shares)


def cautious(known: Sequence[Known]) -> tuple[float, float]:
    """The largest of `beside` with any one source left out.

    With a dozen sources the tenth that decides hangs on single rows, and a band too wide is the lesser fault.
    """
    names = {source for source, _, _ in known}
    found = [beside([item for item in known if item[0] != name]) for name in names]
    return max(fast for fast, _ in found), max(slow for _, slow in found)


def beside(known: Sequence[Known]) -> tuple[float, float]:
    """Standard deviations, fast and slow side, that in quadrature with a spread make bands hold 80 %.

    Args:
        known: rows; every source weighs 1.

    Returns:
        Of the fast side so that a tenth of the runs is faster than the band, of the slow side likewise.
    """
    count: dict[str, int] = {}
    for source, _, _ in known:
        count[source] = count.get(source, 0) + 1
    weights = [1.0 / count[source] for source, _, _ in known]

    def wide(sign: float) -> float:
        # The s at which a row comes to lie on the end of its band: error^2 = Z90^2 (spread^2 + s^2).
        needed = [
            max((sign * error / Z90) ** 2 - spread**2, 0.0) ** 0.5 if sign * error > 0.0 else 0.0
            for _, error, spread in known
        ]
        ranked = sorted(zip(needed, weights, strict=True))
        passed, total = 0.0, sum(weights)
        for value, weight in ranked:
            passed += weight
            if passed >= 0.9 * total - 1e-9:
                return value
        return ranked[-1][0]

    return wide(-1.0), wide(1.0)


def later(library: SpecLibrary, base: Tables, date: str, say: Say) -> LaterServing:
    """Fit the profiles that runs collected later decide, from ``base``, the first fit's figures."""
    found = read(JUDGED)
    desk = ServingDesk(library, {**read().models, **found.models})
    ready = prepared(desk, found.inference)
    answers = Battery(desk, ready).answers(base)
    ready = [item for item, given in zip(ready, answers, strict=True) if refusal(given) is None]
    scored = [item for item in ready if item.row.scored]
    model = ServingModel(desk, scored, later_parameters(), base)
    say(f"runs collected later: {len(scored)} rows, laws held")
    result = fit(model, say)
    say(f"fitted: {result.effective:.1f} effective parameters of {len(result.u)}")
    folds = dict(times(desk, ready, model.tables(result.u)))

    def by_source(name: str, tables: Tables) -> None:
        folds.update(times(desk, [item for item in ready if item.row.source == name], tables))

    left_out(model, result, np.array(model.groups), by_source)
    return LaterServing(model, result, tuple(ready), folds, date)
