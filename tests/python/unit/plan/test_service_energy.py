"""What a service draws at its load, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from planner.plan.service_energy import energy_of

CAUSES = """
    products prompt_attention cache_attention experts elementwise launches tensor_parallel expert_exchange
    head draft pipeline host
"""
STEP = dict.fromkeys(CAUSES.split(), 0.0)


def _phase(name: str, low: float, value: float, high: float) -> dict[str, Any]:
    return {"phase": name, "card_watts": value, "card_watts_low": low, "card_watts_high": high}


def _design(pools: list[dict[str, Any]], cards: int) -> dict[str, Any]:
    phases = [
        _phase("compute", 350.0, 400.0, 400.0),
        _phase("memory", 100.0, 200.0, 300.0),
        _phase("communication", 100.0, 150.0, 200.0),
        _phase("idle", 100.0, 100.0, 100.0),
    ]
    # 300 W a card as in training, and 10 kW beside the cards.
    it = (cards * 300.0 + 10_000.0) / 1e6
    return {
        "facility": {
            "phases": phases, "it_megawatts": it, "card_watts": 300.0, "pue": 1.25,
            "energy_mwh_per_year": it * 1.25 * 8760.0, "carbon_tonnes_per_year": 1000.0,
        },
        "requests_per_second": 10.0, "verdict": "stable", "pools": pools, "cards": {"total": cards},
        "cost": {"energy_usd_per_year": 50_000.0, "tco_usd_per_year": 200_000.0},
    }  # fmt: skip


def _pool(role: str, cards: float, load: float, batch: float, mixed: float, **step: float) -> dict[str, Any]:
    return {
        "role": role, "active_cards": cards, "load": load, "batch": batch, "mixed_share": mixed,
        "step": {**STEP, **step}, "instance": {"dp": 2, "pp": 1},
    }  # fmt: skip


def test_prompts_draw_as_products_answers_as_memory_and_spares_idle() -> None:
    design = _design(
        [
            _pool("prefill", 20.0, 0.5, 4.0, 1.0, products=0.8, elementwise=0.2),
            _pool("decode", 40.0, 0.9, 30.0, 0.0, products=0.6, expert_exchange=0.4),
        ],
        64,
    )
    found = energy_of(design, None, generic=False)
    assert found is not None
    prefill, decode = found.pools
    # Half of the time 0.8 x 400 + 0.2 x 200 = 360 W, else 100 W.
    assert prefill.card_watts == pytest.approx(230.0)
    # All of the time 0.6 x 200 + 0.4 x 150.
    assert decode.card_watts == pytest.approx(180.0)
    assert found.idle_cards == 4.0
    # 20 x 230 + 40 x 180 + 4 x 100 + 10,000 W.
    assert found.it_megawatts == pytest.approx(0.0222)
    assert found.energy_mwh_per_year == pytest.approx(0.0222 * 1.25 * 8760.0)
    share = 0.0222 / ((64 * 300.0 + 10_000.0) / 1e6)
    assert found.energy_usd_per_year == pytest.approx(50_000.0 * share)
    assert found.tco_usd_per_year == pytest.approx(200_000.0 - 50_000.0 * (1.0 - share))
    assert found.carbon_tonnes_per_year == pytest.approx(1000.0 * share)
    # Every phase at its end: 0.5 (0.8 x 350 + 0.2 x 100) + 50, and 100 W of decode.
    assert prefill.card_watts_low == pytest.approx(200.0)
    assert found.it_megawatts_low == pytest.approx((20 * 200 + 40 * 100 + 4 * 100 + 10_000) / 1e6)


def test_a_quiet_hour_idles_prompts_and_leaves_answers_stepping() -> None:
    pools = [
        _pool("prefill", 20.0, 0.5, 4.0, 1.0, products=1.0),
        _pool("decode", 40.0, 0.9, 30.0, 0.0, products=1.0),
    ]
    found = energy_of(_design(pools, 60), 5.0, generic=False)
    assert found is not None
    assert found.requests_per_second == 5.0
    assert found.pools[0].card_watts == pytest.approx(0.25 * 400.0 + 0.75 * 100.0)
    assert found.pools[1].card_watts == pytest.approx(200.0)
    # A thirtieth of the load: one sequence for two ranks, half of the time.
    rare = energy_of(_design(pools, 60), 10.0 / 30.0, generic=False)
    assert rare is not None
    assert rare.pools[1].card_watts == pytest.approx(150.0)


def test_together_steps_with_prompts_draw_as_products() -> None:
    design = _design([_pool("serve", 8.0, 0.5, 30.0, 0.25, products=0.8, tensor_parallel=0.2)], 8)
    found = energy_of(design, None, generic=False)
    assert found is not None
    assert found.pools[0].card_watts == pytest.approx(0.2 * 400.0 + 0.6 * 200.0 + 0.2 * 150.0)


def test_unknown_phases_are_no_number() -> None:
    design = _design([_pool("serve", 8.0, 0.5, 30.0, 0.25, products=1.0)], 8)
    design["facility"]["phases"] = []
    assert energy_of(design, None, generic=False) is None
