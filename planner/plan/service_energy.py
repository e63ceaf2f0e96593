"""What a service draws at its mean load, by what the cards of each pool are doing.

The plant is sized for cards that draw as in dense training: any of them may be given to any pool, and a limit
on power must hold at the worst of times. Energy over a year is another matter: prompts draw as products do,
answers as memory-bound work does, and a card without work idles.

    P(pool) = busy (c P_compute + m P_memory + w P_communication) + (1 - busy) P_idle

c, m and w are shares of the pool's mean step: products, experts, head and prompt attention count as
compute where prompts are computed, as memory where tokens are decoded (an aggregated pool: by its share of
steps with prompts); the cache and element-wise work are memory; collectives, launches and the host are
waiting. A prefill pool is busy for its load; a pool that decodes steps as long as a lane has a sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.plant import HOURS_PER_YEAR
from planner.plan.service_parts import PhaseShare, PoolDraw, ServiceEnergy

Wire = Mapping[str, Any]
PRODUCTS = ("products", "experts", "head", "prompt_attention")
MEMORY = ("cache_attention", "elementwise", "draft")
PHASES = ("compute", "memory", "communication", "idle")
ENDS = ("card_watts", "card_watts_low", "card_watts_high")


def energy_of(design: Wire, mean: float | None, generic: bool) -> ServiceEnergy | None:
    """The draw of ``design`` at ``mean`` requests a second (None: at those it is evaluated at).

    None where the draw of its cards by phase is not known, or it does not carry the load.
    """
    facility, load = design["facility"], design["requests_per_second"]
    if not facility["phases"] or design["verdict"] == "overloaded" or load <= 0.0:
        return None
    watts = {row["phase"]: tuple(row[end] for end in ENDS) for row in facility["phases"]}
    rate = load if mean is None else min(mean, load)
    pools = [_pool(item, rate / load, watts, generic) for item in design["pools"]]
    cards = design["cards"]["total"]
    working = sum(item.cards for item in pools)
    ends = [
        sum(item.cards * drawn for item, drawn in zip(pools, of, strict=True)) + (cards - working) * idle
        for idle, of in zip(
            watts["idle"],
            (
                [item.card_watts for item in pools],
                [item.card_watts_low for item in pools],
                [item.card_watts_high for item in pools],
            ),
            strict=True,
        )
    ]
    beside = facility["it_megawatts"] * 1e6 - cards * facility["card_watts"]
    it, low, high = ((beside + value) / 1e6 for value in ends)
    pue = facility["pue"]
    year = it * pue * HOURS_PER_YEAR
    share = year / facility["energy_mwh_per_year"]
    usd, whole = design["cost"]["energy_usd_per_year"], design["cost"]["tco_usd_per_year"]
    return ServiceEnergy(
        requests_per_second=rate,
        pools=pools,
        idle_cards=cards - working,
        it_megawatts=it,
        it_megawatts_low=low,
        it_megawatts_high=high,
        energy_mwh_per_year=year,
        energy_mwh_per_year_low=low * pue * HOURS_PER_YEAR,
        energy_mwh_per_year_high=high * pue * HOURS_PER_YEAR,
        carbon_tonnes_per_year=facility["carbon_tonnes_per_year"] * share,
        energy_usd_per_year=None if usd is None else usd * share,
        tco_usd_per_year=None if whole is None or usd is None else whole - usd * (1.0 - share),
    )


def _pool(item: Wire, part: float, watts: Mapping[str, tuple[float, ...]], generic: bool) -> PoolDraw:
    """``part``: mean load over that of the design."""
    shares = _time(item, generic)
    if item["role"] == "prefill" or generic:
        busy = min(1.0, item["load"] * part)
    else:
        lanes = item["instance"]["dp"] * item["instance"]["pp"]
        busy = min(1.0, item["batch"] * part / lanes)
    shares = {name: busy * share for name, share in shares.items()}
    shares["idle"] = 1.0 - busy
    mean, low, high = (sum(shares[name] * watts[name][end] for name in PHASES) for end in range(3))
    return PoolDraw(
        role=item["role"],
        cards=item["active_cards"],
        shares=[PhaseShare(phase=name, share=shares[name]) for name in PHASES],
        card_watts=mean,
        card_watts_low=low,
        card_watts_high=high,
    )


def _time(item: Wire, generic: bool) -> dict[str, float]:
    """Shares of the mean step in compute, memory and communication."""
    step = item["step"]
    total = sum(step.values())
    prompts = 1.0 if generic or item["role"] == "prefill" else item["mixed_share"]
    products = sum(step[name] for name in PRODUCTS) / total
    memory = sum(step[name] for name in MEMORY) / total
    return {
        "compute": products * prompts,
        "memory": products * (1.0 - prompts) + memory,
        "communication": max(0.0, 1.0 - products - memory),
    }
