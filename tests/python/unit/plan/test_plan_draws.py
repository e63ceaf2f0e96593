"""Draws, bands and Sobol indices against exact values and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from planner.errors import PlannerError
from planner.plan.draws import (
    Range,
    best_shares,
    check_samples,
    difference,
    normals,
    percentiles,
    sobol,
)


def test_low_and_high_are_the_tenth_and_ninetieth_percentile() -> None:
    span = Range(100.0, 80.0, 150.0)
    drawn = span.at(normals(["a"], 4096, 1)["a"])
    assert np.percentile(drawn, [10, 50, 90]) == pytest.approx([80.0, 100.0, 150.0], rel=2e-3)
    share = Range(0.9, 0.7, 0.97, 0.0, 1.0)
    assert share.at(np.array([9.0]))[0] == 1.0
    zero = Range(0.0, 0.0, 0.1)
    assert zero.at(np.array([-1.0, 0.0, 1.2816])) == pytest.approx([0.0, 0.0, 0.1])


def test_the_same_seed_gives_the_same_draws() -> None:
    one, same, other = normals(["a", "b"], 256, 7), normals(["b", "a"], 256, 7), normals(["a", "b"], 256, 8)
    assert one["a"].tobytes() == same["a"].tobytes()
    assert one["a"].tobytes() != other["a"].tobytes()
    assert abs(np.corrcoef(one["a"], one["b"])[0, 1]) < 0.02


def test_a_range_the_wrong_way_round_and_odd_numbers_of_draws_are_refused() -> None:
    with pytest.raises(PlannerError, match="does not hold"):
        Range(1.0, 2.0, 3.0)
    with pytest.raises(PlannerError, match="powers of two"):
        check_samples(1000)
    with pytest.raises(PlannerError, match="powers of two"):
        check_samples(32)
    with pytest.raises(PlannerError, match="negative"):
        check_samples(64, -1)


def test_sobol_indices_of_ishigami_are_within_002_of_the_exact_ones() -> None:
    # f = sin x1 + 7 sin² x2 + 0.1 x3^4 sin x1 on (-π, π)³ (Ishigami and Homma 1990).
    a, b, pi = 7.0, 0.1, np.pi
    v1 = 0.5 * (1 + b * pi**4 / 5) ** 2
    v2, v13 = a**2 / 8, b**2 * pi**8 * 8 / 225
    whole = v1 + v2 + v13

    def ishigami(x: np.ndarray) -> np.ndarray:
        return np.sin(x[0]) + a * np.sin(x[1]) ** 2 + b * x[2] ** 4 * np.sin(x[0])

    first, total = sobol(ishigami, [stats.uniform(-pi, 2 * pi)] * 3, 4096, 1)
    assert first == pytest.approx([v1 / whole, v2 / whole, 0.0], abs=0.02)
    assert total == pytest.approx([(v1 + v13) / whole, v2 / whole, v13 / whole], abs=0.02)


def test_sobol_indices_of_a_sum_are_the_shares_of_its_variance() -> None:
    first, total = sobol(lambda x: 3 * x[0] + 2 * x[1] + x[2], [stats.norm()] * 3, 2048, 3)
    exact = np.array([9, 4, 1]) / 14
    assert first == pytest.approx(exact, abs=0.02)
    assert total == pytest.approx(exact, abs=0.02)


def test_bands_of_eighty_percent_cover_simulated_truth() -> None:
    # A cheap model: compute bound and memory bound in a smooth maximum, with failures on top.
    spans = {
        "peak": Range(345.0, 280.0, 370.0),
        "bandwidth": Range(1.8, 1.6, 2.4),
        "share": Range(0.62, 0.5, 0.7, 0.0, 1.0),
        "failures": Range(5.0, 2.3, 12.0),
    }

    def model(values: dict[str, np.ndarray]) -> np.ndarray:
        compute, memory = 1000 / (values["peak"] * values["share"]), 3.0 / values["bandwidth"]
        return (compute**4 + memory**4) ** 0.25 / (1 - 0.01 * values["failures"])

    z = normals([*spans, "error"], 4096, 5)
    band = percentiles(model({k: s.at(z[k]) for k, s in spans.items()}) * np.exp(0.1 * z["error"]))
    assert band is not None
    truth = np.random.default_rng(11)
    drawn = {key: span.at(truth.standard_normal(6000)) for key, span in spans.items()}
    real = model(drawn) * np.exp(0.1 * truth.standard_normal(6000))
    inside = np.mean((real >= band[0]) & (real <= band[2]))
    assert 0.78 <= inside <= 0.82


def test_compared_plans_share_their_draws_so_their_difference_is_narrower() -> None:
    z = normals(["shared", "own"], 1024, 2)
    one = 100 * np.exp(0.3 * z["shared"])
    other = 95 * np.exp(0.3 * z["shared"] + 0.01 * z["own"])
    band = difference(one, other)
    assert band is not None
    assert band[2] - band[0] < 0.05
    shares = best_shares({"one": one, "other": other, "never": np.full(1024, np.nan)})
    assert shares["other"] > 0.99
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["never"] == 0.0


def test_a_band_with_unknown_ends_is_not_known() -> None:
    assert percentiles(np.array([1.0, np.inf, np.inf])) is None
    assert percentiles(np.array([1.0, np.nan])) is None
    assert percentiles(np.array([])) is None
