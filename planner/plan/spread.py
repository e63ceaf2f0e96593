"""The band of one design from draws of everything uncertain together, where nobody asked for more draws.

One figure at a time does not tell it: ranges that reach further up than down move the middle, and what
multiplies (failures and the time to recover from each) reaches further together than its parts. So every
answer draws its own design `DRAWS` times; ``--samples`` draws more, and other designs beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from planner import engine
from planner.lazy import np
from planner.plan.account import Band, Bands
from planner.plan.bands import ModelError
from planner.plan.drawn import Drawn, Inputs, Prepared, range_of, untargeted
from planner.plan.draws import Floats, percentiles, plain_normals
from planner.plan.fewest import patched
from planner.plan.figures import uncertain
from planner.plan.leaves import leaves_of
from planner.plan.risk import CANNOT_RUN, CAPEX, DAYS, FATAL, MEGAWATTS, MFU, REASONS, STEP
from planner.problem import Figure, Problem, wire

DRAWS = 2048
"""Enough that 79 to 81 % of 8,192 truths lie inside the bands (benches/coverage.py)."""
WINDOW = 0.05
"""Draws so near to a quantile, as shares of all, are taken for it."""
Wire = Mapping[str, Any]
if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.intp]
else:
    Places = object


@dataclass(frozen=True)
class Spread:
    """Draws of the plant of one design, for that design and others on it."""

    drawn: Drawn
    _known: dict[wire.DesignChoice, Floats] = field(default_factory=dict, repr=False)

    def columns(self, choice: wire.DesignChoice) -> Floats:
        """draws x outputs of a design of the plant, the model's own error on its times."""
        if choice not in self._known:
            of = self.drawn.of
            out = engine.sample(of.request, [choice], of.leaves.pointers, self.drawn.matrix)[:, 0]
            out[:, (DAYS, STEP)] *= self.drawn.factors[:, :1]
            # No product runs above its peak, whatever the ranges say.
            out[:, MFU] = np.minimum(out[:, MFU] / self.drawn.factors[:, 0], 1.0)
            self._known[choice] = out
        return self._known[choice]

    def _days(self, choice: wire.DesignChoice, stops: int) -> Floats:
        """Calendar days by draw; infinite where one of the reasons ``stops`` it."""
        columns = self.columns(choice)
        stopped = (columns[:, REASONS].astype(int) & stops) != 0
        out: Floats = np.where(stopped, np.inf, columns[:, DAYS])
        return out

    def days(self, choice: wire.DesignChoice, probability: float) -> float:
        """Calendar days within which a design does it, inside all limits, with a probability; or infinite."""
        days = np.sort(self._days(choice, FATAL))
        place = math.ceil(probability * len(days)) - 1
        return float(days[min(max(place, 0), len(days) - 1)])

    def runs(self, choice: wire.DesignChoice) -> float:
        """Share of the draws in which a design can run at all."""
        return float(np.isfinite(self._days(choice, CANNOT_RUN)).mean())

    def slowed(
        self, choice: wire.DesignChoice, probability: float, reach: float, unfit: wire.DesignChoice | None
    ) -> tuple[wire.Request, float]:
        """The plant where all goes as badly as at the slow end of a design, and the model's error there.

        The mean in ln of the draws whose days lie about ``probability``. ``reach``: so far from the centre;
        ``unfit``: and besides, as in the draws in which this design cannot run.
        """
        of = self.drawn.of
        days = self._days(choice, CANNOT_RUN)
        order = np.argsort(days, kind="stable")[: int(np.isfinite(days).sum())]
        ends = [
            min(max(round(at * len(order)), 0), len(order))
            for at in (probability - WINDOW, probability + WINDOW)
        ]
        moved = reach * self._moved(order[ends[0] : ends[1]])
        if unfit is not None:
            moved += self._moved(np.flatnonzero(~np.isfinite(self._days(unfit, CANNOT_RUN))))
        centre = np.array([leaf.centre for leaf in of.leaves.leaves])
        row = np.where(centre > 0.0, centre * np.exp(moved[:-1]), centre)
        body = of.request.model_dump(by_alias=True)
        request = wire.Request.model_validate(patched(body, of.leaves.pointers, row))
        return request, float(np.exp(moved[-1]))

    def _moved(self, draws: Places) -> Floats:
        """Mean over some draws of ln(number / centre), 0 where either is not positive, and of ln(error)."""
        centre = np.array([leaf.centre for leaf in self.drawn.of.leaves.leaves])
        rows = self.drawn.matrix[draws]
        positive = (rows > 0.0).all(axis=0) & (centre > 0.0)
        ratio = np.where(positive, rows, 1.0) / np.where(positive, centre, 1.0)
        own = np.log(self.drawn.factors[draws, :1])
        both = np.concatenate([np.log(ratio), own], axis=1)
        out: Floats = both.mean(axis=0) if len(both) else np.zeros(len(centre) + 1)
        return out

    def met(self, choice: wire.DesignChoice, days: float) -> float:
        """Share of the draws in which a design takes so many calendar days at most, inside all limits."""
        return float((self._days(choice, FATAL) <= days).mean())

    def bands(
        self, choice: wire.DesignChoice, design: Wire, others: Bands, target_days: float | None
    ) -> Bands:
        """The bands of a design: what ``others`` (one figure at a time) say of it, mended by the draws."""
        speed, days = design["performance"], self._days(choice, CANNOT_RUN)
        # Where it cannot run there is no step to tell of: `runs` says how often that is.
        running = np.isfinite(days)
        columns = self.columns(choice)[running]
        work = speed["tokens_per_second"] * speed["step_seconds"]
        drawn = {
            "days": days[running],
            "step_seconds": columns[:, STEP],
            "mfu": columns[:, MFU],
            "tokens_per_second": work / columns[:, STEP],
            "facility_megawatts": columns[:, MEGAWATTS],
            "capex_usd": columns[:, CAPEX],
        }
        found: dict[str, Any] = {name: band_of(values) for name, values in drawn.items()}
        met = None if target_days is None else self.met(choice, target_days)
        return others.model_copy(update=found | {"runs": self.runs(choice), "met": met})


def band_of(values: Floats) -> Band | None:
    """P10, P50 and P90; None where one of them is not known or beyond all bounds."""
    found = percentiles(values)
    return None if found is None else Band(p10=found[0], p50=found[1], p90=found[2])


def spread_of(  # noqa: PLR0917
    problem: Problem,
    plant: wire.Request,
    figures: Sequence[Figure],
    errors: Sequence[ModelError],
    rebuild: Callable[[Mapping[Any, float]], wire.Request],
    seed: int,
) -> Spread:
    """Draw the plant of a design.

    Args:
        problem: the question.
        plant: its request with nothing but the plant to choose.
        figures: those that it rests on.
        errors: the model's own, on it.
        rebuild: the request with some figures (by key) at other values.
        seed: of the draws.
    """
    used = {figure.key: figure for figure in figures}
    moving = tuple((item, range_of(item, used[item.place].quantity)) for item in uncertain(figures))
    inputs = Inputs(moving, (tuple(error for error in errors if error.moves),))
    cards = {"cards_min": 1, "cards_max": problem.request.limits.cards_max}

    def roomy(request: wire.Request) -> wire.Request:
        limits = request.limits.model_copy(update=cards)
        space = problem.request.space
        return untargeted(request.model_copy(update={"limits": limits, "space": space}))

    centres = [(item, span.value) for item, span in moving]
    room = roomy(plant)
    leaves = leaves_of(room, centres, lambda values: roomy(rebuild(values)))
    of = Prepared(problem, inputs, room, leaves)
    return Spread(of.draws(DRAWS, seed, plain_normals(inputs.keys, DRAWS, seed)))
