"""How many of 8,192 simulated truths lie inside the 80 % bands of a plan, of 512 draws and of 4,096.

python benches/coverage.py examples/kunlun-30k.toml
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from planner import engine
from planner.plan import case as cases
from planner.plan.confidence import on_plant
from planner.plan.draws import normals, percentiles
from planner.plan.risk import CANNOT_RUN, CAPEX, DAYS, MEGAWATTS, MFU, REASONS
from planner.plan.studied import DesignStudy, study_design
from planner.scenario import load
from planner.specs import SpecLibrary

NAMES = {"days": DAYS, "mfu": MFU, "facility_megawatts": MEGAWATTS, "capex_usd": CAPEX}
TRUTHS, TRUTH_SEED, SAMPLES = 8192, 7, 4096


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("scenario", type=Path)
    words = asked.parse_args()
    case = cases.open_case(load(words.scenario), SpecLibrary.from_environment())
    design = dict(case.search(case.request)["best"])
    names = (design["cluster"], design["fabric"]["id"], design["facility"]["cooling"])
    study = study_design(case, design, [item for item in case.problem.figures if item.used_by(*names)])
    truths = drawn(study, design, TRUTHS, TRUTH_SEED)
    sampled = drawn(study, design, SAMPLES, 0)
    print(f"{words.scenario}: {TRUTHS:,} truths, {len(study.spread.drawn.matrix)} and {SAMPLES:,} draws")
    for name in NAMES:
        band = getattr(study.bands, name)
        more = percentiles(sampled[name])
        assert more is not None
        print(
            f"  {name:20} {share(truths[name], band.p10, band.p90):.1%} inside the plan's band, "
            f"{share(truths[name], more[0], more[2]):.1%} inside that of {SAMPLES:,} points"
        )


def drawn(study: DesignStudy, design: Any, many: int, seed: int) -> dict[str, Any]:
    """Outputs of the design in so many Sobol draws of the plan's ranges, where it runs."""
    of = study.spread.drawn.of
    draws = of.draws(many, seed, normals(of.inputs.keys, many, seed))
    columns = engine.sample(of.request, [on_plant(design)], of.leaves.pointers, draws.matrix)[:, 0]
    factors = draws.factors[:, 0]
    columns[:, DAYS] *= factors
    columns[:, MFU] = np.minimum(columns[:, MFU] / factors, 1.0)
    runs = (columns[:, REASONS].astype(int) & CANNOT_RUN) == 0
    return {name: columns[runs, place] for name, place in NAMES.items()}


def share(values: Any, low: float, high: float) -> float:
    """Of the values, those from ``low`` to ``high``."""
    return float(((values >= low) & (values <= high)).mean())


if __name__ == "__main__":
    main()
