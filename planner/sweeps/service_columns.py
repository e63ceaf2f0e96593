"""The columns of a service, and its evaluated design with them at their places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.plan.service_parts import InstanceLayout, precision_name
from planner.sweeps.column import PLANT, Column, column_at

_MAIN = "pool that decodes (aggregated: serves all)"

SERVICE_DESIGN = (
    column_at("system", "", "id of the system in the spec library", "text"),
    column_at("accelerator", "", "id of the card in the spec library", "text"),
    column_at("cards.total", "cards", "cards bought", "whole", "cards_total"),
    column_at("cards.active", "cards", "cards of instances at work", "whole", "cards_active"),
    column_at("cards.spare", "cards", "of spare instances and servers not filled", "whole", "cards_spare"),
    column_at("power_cap", "", "enforced board power over nameplate"),
    column_at("precision", "", "formats of weights, products and cache; quality is not judged", "text"),
    column_at("mode", "", "aggregated, or prefill and decode apart", "text"),
    column_at("binding_pool", "", "pool that runs full first", "text"),
    column_at("verdict", "", "stable, backlogged, overloaded, unfit: at the load asked for", "text"),
    column_at("requests_per_second", "requests/s", "load that the row was evaluated at (generic: items/s)"),
    column_at("most_requests_per_second", "requests/s", "most within the latencies (generic: items/s)"),
    column_at("ttft.mean", "s", "time to the first token, mean (generic: latency)", name="ttft_mean_seconds"),
    column_at("ttft.quantile", "s", "the same at the target's percentile", name="ttft_seconds"),
    column_at("ttft_service_seconds", "s", "the part of its mean that is service; the rest is queue"),
    column_at("tpot.mean", "s", "time per output token, mean", name="tpot_mean_seconds"),
    column_at("tpot.quantile", "s", "the same at the target's percentile", name="tpot_seconds"),
    column_at("request_seconds", "s", "from arrival to the last token, mean"),
    column_at("output_tokens_per_second", "tokens/s", "at the load (generic: items)"),
    column_at("output_tokens_per_second_per_card", "tokens/s", "at the load, over all cards bought"),
    column_at("most_tokens_per_second_per_card", "tokens/s", "at the most, over the cards at work"),
    column_at("prefill_per_decode", "", "prefill instances per decode instance; null: one pool"),
    column_at("main.layout", "", f"layout of an instance of the {_MAIN}", "text", "layout"),
    column_at("main.instances", "instances", f"instances at work of the {_MAIN}", "whole", "instances"),
    column_at("main.batch", "sequences", f"in decode per instance of the {_MAIN}", name="batch"),
    column_at("main.step_seconds", "s", f"mean step of the {_MAIN}"),
    column_at("prefill.layout", "", "layout of a prefill instance; null: one pool", "text", "prefill_layout"),
    column_at("prefill.instances", "instances", "prefill; null: one pool", "whole", "prefill_instances"),
    *PLANT,
    *(
        column_at(f"per_million.{share}", "USD", f"a million output tokens at {share} % load",
                  name=f"usd_per_million_at_{share}")
        for share in (100, 50, 30)
    ),
)  # fmt: skip
"""Taken from the design of a service (`spread_out`); null where there is none."""

SERVICE_BANDED = {
    "requests_per_second": "requests/s", "ttft_seconds": "s", "tpot_seconds": "s", "facility_megawatts": "MW",
    "capex_usd": "USD",
}  # fmt: skip
"""Bands of a service: the most requests per second, mean latencies, power and capital."""


def spread_out(design: Mapping[str, Any]) -> dict[str, Any]:
    """A design with pools, precision and costs where the columns look for them."""
    pools = design["pools"]
    found = dict(design)
    found["precision"] = precision_name(design["precisions"])
    found["main"] = _pool(pools[-1])
    found["prefill"] = _pool(pools[0]) if len(pools) > 1 else None
    found["per_million"] = {
        f"{row['load']:.0%}".rstrip("%"): row["usd"] for row in design["cost_per_million"]
    }
    return found


def _pool(pool: Mapping[str, Any]) -> dict[str, Any]:
    return {**pool, "layout": InstanceLayout(**pool["instance"]).short()}


def service_columns(bands: bool) -> tuple[Column, ...]:
    """P10 and P90 columns of a service, where asked for."""
    if not bands:
        return ()
    return (
        *(
            Column(f"{name}_p{share}", unit, f"P{share} of {_BAND_WORDS.get(name, name)}", "number")
            for name, unit in SERVICE_BANDED.items()
            for share in (10, 90)
        ),
        Column("evidence_grade", "", "A to D: how sure the answer is (docs/plan.md)", "text"),
    )


_BAND_WORDS = {
    "requests_per_second": "most_requests_per_second",
    "ttft_seconds": "ttft_mean_seconds",
    "tpot_seconds": "tpot_mean_seconds",
}
