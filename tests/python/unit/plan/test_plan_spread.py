"""Every answer draws its design: bands and "90 % sure" are those of a simulation from the same ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner import engine
from planner.plan import case as cases
from planner.plan.account import Bands
from planner.plan.bands import OUTPUTS
from planner.plan.confidence import confidence, days_allowed, on_plant
from planner.plan.draws import normals, plain_normals
from planner.plan.risk import CANNOT_RUN, DAYS, FATAL, MFU, REASONS
from planner.plan.spread import DRAWS, Spread
from planner.plan.studied import DesignStudy, study_design
from planner.scenario import from_table
from planner.specs import SpecLibrary

TABLE: dict[str, Any] = {
    "workload": {"model": "llama2-70b", "tokens": "200B", "sequence": 4096, "batch_sequences": 512},
    "target": {"days": 30},
    "limits": {"cards": 2048},
    "hardware": {"systems": "kunlun-p800-8", "fabrics": "roce-400", "cooling": "cold-plate"},
    "site": "guizhou",
    "layout": {"tp": 8, "pp": [2, 4, 8], "vpp": 1, "micro_batch": 1, "recompute": "full"},
}
Found = tuple[cases.Case, dict[str, Any], DesignStudy]


@pytest.fixture(scope="module")
def found() -> Found:
    case = cases.open_case(from_table(TABLE), SpecLibrary.from_environment())
    design = dict(case.search(case.request)["best"])
    names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
    used = [figure for figure in case.problem.figures if figure.used_by(*names)]
    return case, design, study_design(case, design, used)


def truth(study: DesignStudy, design: Any) -> np.ndarray[Any, Any]:
    """Days of a design in 8,192 Sobol draws of the same ranges, other draws than the plan's."""
    of = study.spread.drawn.of
    other = of.draws(8192, 7, normals(of.inputs.keys, 8192, 7))
    columns = engine.sample(of.request, [on_plant(design)], of.leaves.pointers, other.matrix)[:, 0]
    days = columns[:, DAYS] * other.factors[:, 0]
    return np.where((columns[:, REASONS].astype(int) & FATAL) != 0, np.inf, days)


def test_every_key_goes_through_its_quantiles_whatever_the_other_keys_are() -> None:
    both, one = plain_normals(["a", "b"], 64, 3), plain_normals(["b"], 64, 3)
    assert (both["b"] == one["b"]).all()
    assert (both["a"] != both["b"]).any()
    assert (np.sort(both["a"]) == np.sort(both["b"])).all()
    assert np.median(both["a"]) == pytest.approx(0.0, abs=0.02)
    assert (plain_normals(["a"], 64, 4)["a"] != both["a"]).any()


def test_four_of_five_simulated_runs_lie_inside_the_band(found: Found) -> None:
    _, design, study = found
    days, band = truth(study, design), study.bands.days
    assert band is not None
    assert study.bands.runs == pytest.approx(np.isfinite(days).mean(), abs=0.03)
    runs = days[np.isfinite(days)]
    inside = float(((runs >= band.p10) & (runs <= band.p90)).mean())
    assert 0.77 < inside < 0.83
    assert float((runs <= band.p50).mean()) == pytest.approx(0.5, abs=0.04)
    assert study.spread.drawn.matrix.shape[0] == DRAWS


def test_utilisation_is_drawn_like_the_days(found: Found) -> None:
    _, design, study = found
    band = study.bands.mfu
    assert band is not None
    assert band.p90 <= 1.0
    of = study.spread.drawn.of
    other = of.draws(8192, 7, normals(of.inputs.keys, 8192, 7))
    columns = engine.sample(of.request, [on_plant(design)], of.leaves.pointers, other.matrix)[:, 0]
    truths = columns[:, MFU] / other.factors[:, 0]
    assert 0.77 < float(((truths >= band.p10) & (truths <= band.p90)).mean()) < 0.83


def test_a_plan_that_is_ninety_percent_sure_meets_the_target_in_nine_simulated_runs_of_ten(
    found: Found,
) -> None:
    case, design, study = found
    allowed = days_allowed(case.request)
    assert allowed is not None
    designs: list[Any] = []

    def size(request: Any) -> Any:
        answer = engine.size(request)
        designs.append(answer["best"])
        return answer

    assert (truth(study, design) <= allowed).mean() < 0.6
    sure = confidence(case.request, design, study.spread, 0.9, size)
    assert sure is not None
    assert sure.cards is not None
    assert sure.cards > design["cards"]["total"]
    bought = next(one for one in designs if one["cards"]["total"] == sure.cards)
    # Whole units and lawful layouts: the size that does it may do a little more, never much less.
    assert 0.885 < (truth(study, bought) <= allowed).mean() < 0.95
    # A probability that the plan has anyway costs nothing.
    assert confidence(case.request, design, study.spread, 0.05, size).cards == design["cards"]["total"]  # type: ignore[union-attr]


def test_draws_that_cannot_run_take_no_band_away() -> None:
    # Steps of 1 to 96 s; in four more draws the layout does not fit into memory and nothing is known.
    columns = np.full((100, 16), np.nan)
    columns[:96] = np.arange(1.0, 97.0)[:, None]
    columns[:, REASONS] = [0.0] * 96 + [float(CANNOT_RUN)] * 4
    spread = Spread(drawn=None, _known={"design": columns})  # type: ignore[arg-type, dict-item]
    nothing = Bands(**dict.fromkeys(OUTPUTS), requests_per_second=None)
    design = {"performance": {"tokens_per_second": 10.0, "step_seconds": 2.0}}
    bands = spread.bands("design", design, nothing, None)  # type: ignore[arg-type]
    assert bands.runs == pytest.approx(0.96)
    assert bands.step_seconds is not None
    assert bands.step_seconds.p50 == pytest.approx(48.5, abs=0.6)
    assert bands.tokens_per_second is not None
    assert bands.facility_megawatts is not None
