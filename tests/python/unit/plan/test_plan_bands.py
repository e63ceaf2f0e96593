"""Bands: one figure at a time, in ln, combined in quadrature."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner.plan.bands import Z90, ModelError, Uncertain, study


def design(
    step: float = 10.0, megawatts: float = 2.0, capex: float | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "performance": {
            "step_seconds": step,
            "days": 3 * step,
            "tokens_per_second": 1e6 / step,
            "mfu": 4 / step,
        },
        "facility": {"facility_megawatts": megawatts},
        "cost": {"capex_usd": capex},
        "memory": {"per_device_bytes": 60e9, "capacity_bytes": 64e9},
        **more,
    }


def test_one_figure_gives_its_own_ends() -> None:
    # A peak of 50 to 200 around 100 halves or doubles the rate.
    peak = Uncertain("peak", "accelerators/x: peak", 50.0, 200.0)
    found = study(design(), [peak], lambda _, value: design(step=10 * 100 / value))
    days = found.bands.days
    assert days is not None
    assert (days.p10, days.p50, days.p90) == pytest.approx((15.0, 30.0, 60.0))


def test_deviations_add_in_quadrature_up_and_down_apart() -> None:
    a, b = Uncertain("a", "a", 0.0, 1.0), Uncertain("b", "b", 0.0, 1.0)
    factors = {
        ("a", 0.0): math.exp(-0.3),
        ("a", 1.0): math.exp(0.6),
        ("b", 0.0): math.exp(0.8),
        ("b", 1.0): 1.0,
    }
    found = study(design(), [a, b], lambda figure, value: design(step=10 * factors[figure.key, value]))
    step = found.bands.step_seconds
    assert step is not None
    # Upwards sqrt(0.6^2 + 0.8^2) = 1; downwards 0.3 alone.
    assert (step.p10, step.p90) == pytest.approx((10 * math.exp(-0.3), 10 * math.exp(1.0)))


def test_the_models_own_error_widens_time_but_not_power() -> None:
    found = study(design(), [], lambda *_: None, [ModelError("model", 0.1), ModelError("software", 0.0)])
    days, power = found.bands.days, found.bands.facility_megawatts
    assert days is not None
    assert power is not None
    assert days.p90 == pytest.approx(30 * math.exp(0.1 * Z90))
    assert (power.p10, power.p90) == (2.0, 2.0)


def test_an_unknown_output_has_no_band() -> None:
    assert study(design(capex=None), [], lambda *_: None).bands.capex_usd is None


def test_utilisation_does_not_pass_one() -> None:
    found = study(design(), [], lambda *_: None, [ModelError("model", 2.0)])
    assert found.bands.mfu is not None
    assert found.bands.mfu.p90 == 1.0


def test_each_end_of_each_figure_is_evaluated_once() -> None:
    asked: list[tuple[str, float]] = []

    def evaluate(figure: Uncertain, value: float) -> dict[str, Any]:
        asked.append((figure.key, value))
        return design()

    found = study(design(), [Uncertain("a", "a", 1.0, 2.0), Uncertain("b", "b", 3.0, 4.0)], evaluate)
    assert asked == [("a", 1.0), ("a", 2.0), ("b", 3.0), ("b", 4.0)]
    assert found.evaluations == 4


def test_swings_are_sorted_and_what_moves_nothing_is_not_listed() -> None:
    figures = [
        Uncertain(name, name, -width, width)
        for name, width in (("dull", 0.0), ("weak", 0.1), ("strong", 0.5))
    ]
    found = study(design(), figures, lambda _, value: design(step=10 * math.exp(value)))
    assert [swing.label for swing in found.swings["days"]] == ["strong", "weak"]
    assert found.swings["days"][0].at_high == pytest.approx(math.expm1(0.5))
    assert set(found.weight) == {"weak", "strong"}


def test_an_end_that_breaks_the_design_is_a_risk() -> None:
    memory = Uncertain("card memory", "m", 40e9, 64e9)
    found = study(
        design(), [memory], lambda _, v: design(broken_rules=["memory", "target"] if v < 50e9 else [])
    )
    assert found.risks == ["with card memory at its low the layout does not fit into memory"]


def test_a_plant_that_cannot_be_built_is_a_risk_not_a_failure() -> None:
    found = study(
        design(), [Uncertain("rack limit", "r", 1.0, 2.0)], lambda _, v: None if v == 1.0 else design()
    )
    assert found.risks == ["with rack limit at its low the design cannot be built"]
