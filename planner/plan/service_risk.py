"""A service under many draws of everything uncertain: what it carries, takes, and how many cards surely do.

The service of the answer is evaluated again under every draw. A draw's cards are those of the smallest copy
of it (the same instances, more or fewer of them) that carries the load; how a copy's highest load goes with
its instances is read off at the central figures. A design for a probability is searched for at a raised load
and drawn itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from planner import engine
from planner.errors import EngineError
from planner.plan import worth
from planner.plan.account import Band
from planner.plan.bands import ModelError, Study, Uncertain
from planner.plan.drawn import error_key, ln_of
from planner.plan.draws import Floats, Range, normals, percentiles
from planner.plan.leaves import leaves_of
from planner.plan.risk import CAPEX, DAYS, DESIGN_MEGAWATTS, FATAL, MEGAWATTS, REASONS, TCO
from planner.plan.risk_parts import Risk
from planner.problem import serving_wire
from planner.problem.service import ServiceProblem, build_service

Wire = Mapping[str, Any]
RATE = DAYS
"""Of services the first output of a draw is the highest load."""
COPIES = np.geomspace(0.1, 8.0, 45)
"""Instances of a copy over those of the answer."""
TRIES = 5
STEP = 1.04
"""The load that is searched for is raised by that much where its design falls short of the probability."""

Drawn = tuple[tuple[Uncertain, Range], ...]


class Draws:
    """Draws of the figures of a service's plant and of the model's own errors."""

    def __init__(
        self, problem: ServiceProblem, figures: Drawn, errors: Sequence[ModelError], samples: int, seed: int
    ) -> None:
        """``figures`` and ``errors``: what is drawn; ``samples``: a power of two."""
        self.problem, self.seed, self.samples = problem, seed, samples
        keys = [*(item.key for item, _ in figures), *(error_key(error) for error in errors)]
        self.inputs = len(set(keys))
        z = normals(keys, samples, seed)
        request = _roomy(problem.request)
        leaves = leaves_of(
            request,
            [(item, span.value) for item, span in figures],
            lambda values: _roomy(build_service(problem.scenario, problem.library, values).request),
        )
        self.approximate = list(leaves.approximate)
        self._pointers = leaves.pointers
        self.values = [(item, span.at(z[item.key])) for item, span in figures]
        """Figures with their values by draw."""
        self._matrix = leaves.matrix({item.key: column for item, column in self.values}, samples)
        slower = np.zeros(samples)
        for error in errors:
            slower += ln_of(error, z[error_key(error)])
        self.factor: Floats = np.exp(slower)
        """Time over the model's time, by draw."""

    def of(self, choice: serving_wire.ServiceChoice, load: float) -> Floats:
        """draws x outputs of one service at a load; the first is its highest load, else 0."""
        request = _roomy(self.problem.request)
        target = request.target.model_copy(update={"requests_per_second": load})
        request = request.model_copy(update={"target": target})
        columns = engine.sample(request, [choice], self._pointers, self._matrix)[:, 0, :]
        # A slower model carries less: the inverse of its time.
        columns[:, RATE] /= self.factor
        broken = (columns[:, REASONS].astype(int) & FATAL) != 0
        columns[:, RATE] = np.where(broken | ~np.isfinite(columns[:, RATE]), 0.0, columns[:, RATE])
        return columns


def _roomy(request: serving_wire.ServiceRequest) -> serving_wire.ServiceRequest:
    """With room for more cards, which a draw may need, and without a simulation of each."""
    limits = request.limits
    most = min(limits.cards_max * 4, 4_000_000)
    search = request.search.unsimulated()
    return request.model_copy(
        update={"limits": limits.model_copy(update={"cards_max": most}), "search": search}
    )


def copies(
    request: serving_wire.ServiceRequest, choice: serving_wire.ServiceChoice, most: float
) -> list[tuple[int, float]]:
    """(cards, highest load over that of the design) of copies with fewer and more instances, by cards."""
    found: dict[int, float] = {}
    roomy = _roomy(request)
    for scale in COPIES:
        pools = {
            name: pool.model_copy(update={"instances": max(1, math.ceil(pool.instances * scale - 1e-9))})
            for name, pool in (("prefill", choice.prefill), ("main", choice.main))
            if pool is not None
        }
        copy = choice.model_copy(update={**pools, "cards": None})
        try:
            answer = engine.evaluate_service(serving_wire.EvaluateServiceRequest(problem=roomy, design=copy))
        except EngineError:
            # A fabric that does not reach so far: no such copy.
            continue
        cards = answer["cards"]["total"]
        found[cards] = max(found.get(cards, 0.0), answer["most_requests_per_second"] / most)
    return sorted(found.items())


def cards_needed(ladder: Sequence[tuple[int, float]], rates: Floats, asked: float) -> Floats:
    """Per draw, the cards of the smallest copy that carries ``asked``; infinite where none does."""
    needed = np.full(rates.shape, np.inf)
    for cards, share in sorted(ladder, reverse=True):
        needed = np.where(rates * share >= asked, float(cards), needed)
    return needed


def surest(
    draws: Draws,
    shares: Floats,
    probability: float,
    search: Callable[[float], Wire | None],
    choose: Callable[[Wire], serving_wire.ServiceChoice],
) -> tuple[Wire, float] | None:
    """The service that carries the load with ``probability``, and the share of draws in which it does.

    Args:
        draws: of everything uncertain.
        shares: highest load of the central answer by draw, over its highest load at the centre.
        probability: wanted.
        search: the best service for a load, or None.
        choose: a design as a choice.
    """
    asked = draws.problem.request.target.requests_per_second
    assert asked is not None
    share = float(np.quantile(shares, 1.0 - probability, method="inverted_cdf"))
    if share <= 0.0:
        return None
    load = asked / share
    for _ in range(TRIES):
        design = search(load)
        if design is None:
            return None
        met = float((draws.of(choose(design), asked)[:, RATE] >= asked).mean())
        if met >= probability:
            return design, met
        load *= STEP
    return None


def risk_of(  # noqa: PLR0917
    draws: Draws,
    columns: Floats,
    design: Wire,
    choice: serving_wire.ServiceChoice,
    study: Study,
    probability: float,
    sure: int | None,
    planned_for: bool,
    alone: bool = False,
) -> Risk:
    """What the draws say of the service whose ``columns`` they are.

    ``sure``: cards that carry the load with ``probability``; ``alone``: a service that is there already.
    """
    problem = draws.problem
    asked = problem.request.target.requests_per_second
    rates = columns[:, RATE]
    bands = {
        "requests_per_second": _band(rates),
        "facility_megawatts": _band(columns[:, MEGAWATTS]),
        "facility_design_megawatts": _band(columns[:, DESIGN_MEGAWATTS]),
        "capex_usd": _band(columns[:, CAPEX]),
        "tco_usd_per_year": _band(columns[:, TCO]),
    }
    tried = design["cards"]["total"]
    if asked is not None and not alone:
        ladder = copies(problem.request, choice, design["most_requests_per_second"])
        bands["cards"] = _band(cards_needed(ladder, rates, asked))
        tried = max([tried, *(cards for cards, _ in ladder)])
    cluster = problem.request.clusters[choice.cluster]
    formats = design["precisions"] or {}
    return Risk(
        samples=draws.samples,
        seed=draws.seed,
        candidates=1,
        inputs=draws.inputs,
        approximate=draws.approximate,
        bands=bands,
        met=None if asked is None else float((rates >= asked).mean()),
        works=float((rates > 0.0).mean()),
        probability=probability,
        cards=sure,
        cards_tried=tried,
        planned_for=planned_for,
        indices={},
        check=None,
        measure_first=worth.measure_first(problem, study, "requests_per_second"),
        sheet_precision=formats.get("dense_products", "int8"),
        acceptance=worth.acceptance_of(
            cluster,
            choice.fabric,
            problem.calibrations[choice.cluster].efficiency,
            formats.get("dense_products", "int8"),
            worth.served_line(design["most_requests_per_second"] / design["cards"]["total"]),
        ),
    )


def _band(values: Floats) -> Band | None:
    found = percentiles(values)
    return None if found is None else Band(p10=found[0], p50=found[1], p90=found[2])
