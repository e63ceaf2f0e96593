"""PUE by month, against closed forms and the annual figures of the site files."""

from __future__ import annotations

import math

import pytest

from planner.problem.climate import chiller_share, pue_by_month
from planner.specs import SpecLibrary


def test_no_chiller_runs_in_the_cold_and_all_in_the_heat() -> None:
    assert chiller_share(-10.0, 13.0, 22.0) == pytest.approx(0.0, abs=1e-6)
    assert chiller_share(40.0, 13.0, 22.0) == pytest.approx(1.0, abs=1e-6)
    # In the middle of the ramp it is symmetric.
    assert chiller_share(17.5, 13.0, 22.0) == pytest.approx(0.5)


def test_the_mean_over_hours_is_that_of_a_sum_over_a_fine_grid() -> None:
    mean, spread = 15.0, 3.5
    steps = [mean + spread * (k / 1000) for k in range(-6000, 6001)]
    weights = [math.exp(-(((t - mean) / spread) ** 2) / 2) for t in steps]
    ramp = [min(1.0, max(0.0, (t - 13) / 9)) for t in steps]
    summed = math.fsum(w * r for w, r in zip(weights, ramp, strict=True)) / math.fsum(weights)
    assert chiller_share(mean, 13.0, 22.0, spread) == pytest.approx(summed, rel=1e-4)


def test_months_keep_the_annual_mean() -> None:
    found = pue_by_month(1.2, 0.24, [0.0] * 6 + [0.5] * 6)
    assert sum(found) / 12 == pytest.approx(1.2)
    assert max(found) - min(found) == pytest.approx(0.12)


def test_the_yearly_chiller_hours_of_the_site_files_are_met() -> None:
    # The files say 25 % of the yearly heat with contained air in Virginia, 5 % in Ulanqab.
    library = SpecLibrary.from_environment()
    for name, share in (("virginia", 0.25), ("ulanqab", 0.05)):
        wet = library.site(name).climate.wet_bulb_monthly
        assert wet is not None
        yearly = sum(chiller_share(degrees, 13.0, 22.0) for degrees in wet) / 12
        assert yearly == pytest.approx(share, abs=0.02)
