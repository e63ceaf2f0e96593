"""A service under many draws of everything uncertain: what it carries, takes, and how many cards surely do.

The service of the answer is evaluated again under every draw. How many cards a draw needs is found among
several services (`service_fewest`). A design for a probability is found among the same kinds of pools
(`service_sure`) and drawn itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.lazy import np
from planner.plan import worth
from planner.plan.account import Band
from planner.plan.bands import Study
from planner.plan.draws import Floats, percentiles
from planner.plan.indices import indices
from planner.plan.risk import CAPEX, DESIGN_MEGAWATTS, MEGAWATTS, TCO
from planner.plan.risk_parts import Check, Index, Risk
from planner.plan.service_draws import RATE, Draws
from planner.plan.service_fewest import ServiceFewest
from planner.problem import serving_wire

Wire = Mapping[str, Any]
INDEX_SAMPLES = 256
"""Fewer than for training: a service takes a hundred times as long to evaluate."""


def risk_of(  # noqa: PLR0917
    draws: Draws,
    columns: Floats,
    design: Wire,
    choice: serving_wire.ServiceChoice,
    study: Study,
    probability: float,
    sure: int | None,
    planned_for: bool,
    fewest: tuple[ServiceFewest, Check] | None = None,
    most: int | None = None,
) -> Risk:
    """What the draws say of the service whose ``columns`` they are.

    ``sure``: cards that carry the load with ``probability``, of up to ``most`` (None: of those of the
    design); ``fewest``: the cards that draws need; None: a service that is there already.
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
    if fewest is not None:
        bands["cards"] = _band(fewest[0].cards)
    cluster = problem.request.clusters[choice.cluster]
    formats = design["precisions"] or {}
    return Risk(
        samples=draws.samples,
        seed=draws.seed,
        candidates=fewest[0].kinds if fewest else 1,
        inputs=len(draws.keys),
        approximate=list(draws.leaves.approximate),
        bands=bands,
        met=None if asked is None else float((rates >= asked).mean()),
        works=float((rates > 0.0).mean()),
        probability=probability,
        cards=sure,
        cards_tried=most or design["cards"]["total"],
        planned_for=planned_for,
        indices={"requests_per_second": indices_of(draws, choice, design["requests_per_second"], study)},
        check=fewest[1] if fewest else None,
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


def indices_of(draws: Draws, choice: serving_wire.ServiceChoice, load: float, study: Study) -> list[Index]:
    """Sobol indices of the highest load."""

    def slowness(values: Mapping[str, Floats], many: int) -> Floats:
        rates = draws.rates(choice, load, draws.leaves.matrix(values, many))[:, RATE]
        with np.errstate(divide="ignore"):
            out: Floats = 1.0 / rates
        return out

    return indices(draws.figures, draws.errors, study, slowness, draws.seed, INDEX_SAMPLES)


def _band(values: Floats) -> Band | None:
    found = percentiles(values)
    return None if found is None else Band(p10=found[0], p50=found[1], p90=found[2])
