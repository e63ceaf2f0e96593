"""A plan under thousands of draws of spec ranges, prices, failure rates and the model's own error together.

The designs that may matter (`candidates`) are chosen once, and every draw evaluates all of them again. How
many cards a draw needs is found anew in every draw (`fewest`); some draws are also answered by a full search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner import engine
from planner.lazy import np
from planner.plan import worth
from planner.plan.account import Band, Sureness
from planner.plan.bands import Study
from planner.plan.confidence import days_allowed
from planner.plan.drawn import Drawn
from planner.plan.draws import Floats, percentiles
from planner.plan.fewest import Fewest, checked
from planner.plan.indices import indices
from planner.plan.risk_parts import Index, Risk
from planner.problem import wire

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
else:
    Flags = object
DAYS, MEGAWATTS, DESIGN_MEGAWATTS, CAPEX, TCO, STEP, MFU, REASONS = range(8)
FATAL = 1 | 2 | 4 | 16
"""Memory, limits, another rule, cannot be built: such a design does not do. Few spares only cost days."""
CANNOT_RUN = FATAL & ~2
"""Such a draw never ends, while over a limit a design still runs."""


@dataclass(frozen=True)
class Sampled:
    """Draws of one problem: outputs of every candidate, the model's own error included."""

    candidates: tuple[wire.DesignChoice, ...]
    columns: Floats
    """draws x candidates x outputs."""
    drawn: Drawn

    def column(self, output: int) -> Floats:
        """draws x candidates."""
        out: Floats = self.columns[:, :, output]
        return out

    @property
    def works(self) -> Flags:
        """draws x candidates: fits, is lawful and inside the limits."""
        out: Flags = (self.column(REASONS).astype(int) & FATAL) == 0
        return out

    def meets(self, request: wire.Request) -> Flags:
        """draws x candidates: works and meets the target."""
        limit = days_allowed(request)
        return self.works & (self.column(DAYS) <= limit) if limit is not None else self.works


def draw(drawn: Drawn, candidates: Sequence[wire.DesignChoice]) -> Sampled:
    """Evaluate the candidates, designs of the problem, under every draw."""
    of = drawn.of
    columns = engine.sample(of.request, candidates, of.leaves.pointers, drawn.matrix)
    columns[:, :, DAYS] *= drawn.factors[:, [choice.cluster for choice in candidates]]
    return Sampled(tuple(candidates), columns, drawn)


def surest(sampled: Sampled, request: wire.Request, probability: float) -> int | None:
    """The candidate with the fewest cards that meets the target with ``probability``; None: none does."""
    if days_allowed(request) is None:
        return None
    share = sampled.meets(request).mean(axis=0)
    good = [place for place in range(len(share)) if share[place] >= probability]
    return min(
        good, key=lambda place: (sampled.candidates[place].cards or 0, -share[place], place), default=None
    )


def nearest(sampled: Sampled, request: wire.Request, probability: float) -> Sureness | None:
    """The candidate most often in time, of equal ones that with the fewest cards; None without a target."""
    limit = days_allowed(request)
    if limit is None:
        return None
    share = sampled.meets(request).mean(axis=0)
    place = min(range(len(share)), key=lambda place: (-share[place], sampled.candidates[place].cards or 0))
    days = np.sort(np.where(sampled.works[:, place], sampled.column(DAYS)[:, place], np.inf))
    taken = float(days[min(math.ceil(probability * len(days)), len(days)) - 1])
    return Sureness(
        cards=sampled.candidates[place].cards or 0,
        met=float(share[place]),
        days=taken if math.isfinite(taken) else None,
    )


def indices_of(sampled: Sampled, place: int, study: Study, seed: int) -> list[Index]:
    """Sobol indices of ln(days) of one candidate."""
    of, choice = sampled.drawn.of, sampled.candidates[place]

    def days(values: Mapping[str, Floats], many: int) -> Floats:
        matrix = of.leaves.matrix(values, many)
        out: Floats = engine.sample(of.request, [choice], of.leaves.pointers, matrix)[:, 0, DAYS]
        return out

    return indices(of.inputs.figures, of.inputs.errors[choice.cluster], study, days, seed)


def risk(  # noqa: PLR0917
    sampled: Sampled,
    place: int,
    study: Study,
    probability: float,
    seed: int,
    planned_for: bool,
    tokens_per_second_per_card: float,
    found: Fewest | None = None,
) -> Risk:
    """What the draws say of the candidate at ``place``; ``found``: the fewest cards of every draw."""
    problem, inputs = sampled.drawn.of.problem, sampled.drawn.of.inputs
    request = problem.request
    limit = days_allowed(request)
    works = sampled.works[:, place]
    sure = surest(sampled, request, probability)
    return Risk(
        samples=len(sampled.columns),
        seed=seed,
        candidates=len(sampled.candidates),
        inputs=len(inputs.keys),
        approximate=list(sampled.drawn.of.leaves.approximate),
        bands=_bands(sampled, place, found.cards if found else None),
        met=None if limit is None else float(sampled.meets(request)[:, place].mean()),
        works=float(works.mean()),
        probability=probability,
        cards=None if sure is None else sampled.candidates[sure].cards,
        cards_tried=max(choice.cards or 0 for choice in sampled.candidates),
        nearest=nearest(sampled, request, probability) if sure is None else None,
        planned_for=planned_for,
        indices={"days": indices_of(sampled, place, study, seed)},
        check=checked(sampled.drawn, found, limit) if found and limit is not None else None,
        measure_first=worth.measure_first(problem, study),
        sheet_precision=request.training.precision,
        acceptance=worth.acceptance(problem, sampled.candidates[place], tokens_per_second_per_card),
    )


def _bands(sampled: Sampled, place: int, needed: Floats | None) -> dict[str, Band | None]:
    def band(values: Floats) -> Band | None:
        found = percentiles(values)
        return None if found is None else Band(p10=found[0], p50=found[1], p90=found[2])

    stopped = (sampled.column(REASONS)[:, place].astype(int) & CANNOT_RUN) != 0
    out = {
        "days": band(sampled.column(DAYS)[~stopped, place]),
        "facility_megawatts": band(sampled.column(MEGAWATTS)[:, place]),
        "facility_design_megawatts": band(sampled.column(DESIGN_MEGAWATTS)[:, place]),
        "capex_usd": band(sampled.column(CAPEX)[:, place]),
        "tco_usd_per_year": band(sampled.column(TCO)[:, place]),
    }
    if needed is not None:
        out["cards"] = band(needed)
    return out
