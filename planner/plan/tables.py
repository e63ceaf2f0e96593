"""The tables of a plan: what is bought, the front, the figures and estimates it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from planner.plan.result import of_parts
from planner.plan.service_parts import ServicePool, ServiceSummary, TradePoint
from planner.table import Field, Table, of_records

if TYPE_CHECKING:
    from planner.plan.account import Summary
    from planner.plan.compare import Comparison
    from planner.plan.model import Plan
    from planner.plan.plant_parts import PowerChain, SideNetwork

_SUMMARY = (
    Field("system", "", "id of the system in the spec library"),
    Field("fabric", "", "scale-out fabric"),
    Field("cooling", "", "cooling kind"),
    Field("power_cap", "", "enforced board power over nameplate"),
    Field("cards", "cards", "cards bought"),
    Field("layout", "", "parallel layout, as evaluate --layout reads it"),
    Field("step_seconds", "s", "one optimizer step"),
    Field("days", "days", "calendar days, failures included"),
    Field("tokens_per_second", "tokens/s", "while training"),
    Field("facility_megawatts", "MW", "grid intake on the design day"),
    Field("capex_usd", "USD", "capital; empty: a price is missing"),
    Field("tco_usd_per_year", "USD", "cost of a year"),
)
_SERVICE_SUMMARY = (
    *_SUMMARY[:4],
    Field("precision", "", "formats of weights, products and cache"),
    Field("mode", "", "aggregated, or prefill and decode apart"),
    Field("cards", "cards", "cards bought"),
    Field("layout", "", "instances of each pool and how one lies on devices"),
    Field("requests_per_second", "requests/s", "most within the latencies (generic: items)"),
    *_SUMMARY[-3:],
)
_POOLS = (
    Field("role", "", "train, serve, prefill or decode"),
    Field("cards", "cards", "cards bought"),
    Field("replicas", "", "copies of the model (instances) at work"),
    Field("layout", "", "how one lies on devices"),
    Field("load", "", "share of its most in use; training: empty"),
    Field("batch", "sequences", "in work per instance (training: of a step)"),
    Field("step_seconds", "s", "of one step"),
    Field("tokens_per_second_per_card", "tokens/s", "of a card at work"),
)
_RANKING = (
    Field("rank", "", "the best is 1; empty: no plan"),
    Field("system", "", "id of the system in the spec library"),
    Field("cards", "cards", "cards bought"),
    Field("tokens_per_second", "tokens/s", "with failures; of a service, output tokens at its most"),
    Field("relative", "", "of the best on the measure of the comparison"),
    Field("days", "days", "calendar days; empty for a service"),
    Field("ttft_seconds", "s", "at the target's percentile; empty for training"),
    Field("tpot_seconds", "s", "at the target's percentile; empty for training"),
    Field("facility_megawatts", "MW", "grid intake on the design day"),
    Field("capex_usd", "USD", "capital; empty: a price is missing"),
    Field("evidence", "", "grade of what stands behind the numbers"),
    Field("why", "", "what separates it from the best, or why there is no plan of it"),
)
_FIGURES = (
    Field("label", "", "what it is"),
    Field("key", "", "where it stands in the spec library"),
    Field("role", "", "what it decides"),
    Field("value", "", "in base units"),
    Field("low", "", "lower end of the 80 % range"),
    Field("high", "", "upper end of the 80 % range"),
    Field("unit", "", "base unit of value, low and high"),
    Field("kind", "", "how it is known"),
    Field("source", "", "where it was read"),
)
_PARTS = (
    Field("part", "", "what is bought"),
    Field("group", "", "servers, network or building"),
    Field("count", "", "pieces"),
    Field("unit", "", "of count"),
    Field("watts", "W", "of all in typical draw; empty: in another line"),
    Field("usd", "USD", "of all; empty: not known, or in another line"),
)


def summaries(rows: list[Summary]) -> Table:
    """Designs in one row each."""
    records = [{**row.model_dump(), "layout": row.layout.short()} for row in rows]
    return of_records(records, _SUMMARY)


def service_summaries(rows: Sequence[ServiceSummary]) -> Table:
    """Services in one row each."""
    records = [{**row.model_dump(exclude={"pools"}), "layout": _pools_in_short(row)} for row in rows]
    return of_records(records, _SERVICE_SUMMARY)


def _pools_in_short(row: ServiceSummary) -> str:
    return " + ".join(f"{count} x {layout.short()}" for count, layout in row.pools)


def front(plan: Plan) -> Table:
    """The Pareto front."""
    return summaries(plan.front) if plan.serving is None else service_summaries(plan.serving.front)


def runners_up(plan: Plan) -> Table:
    """The best of other kinds: system, fabric, cooling, power cap; of services also mode and precision."""
    if plan.serving is None:
        return summaries(plan.runners_up)
    return service_summaries(plan.serving.runners_up)


def pools(plan: Plan) -> Table:
    """What works together: one pool in training; of a service those that prefill, decode or do both."""
    records = []
    for pool in plan.pools:
        speed: Any = pool.performance
        served = isinstance(pool, ServicePool)
        records.append(
            {
                "role": pool.role,
                "cards": pool.cards,
                "replicas": pool.replicas,
                "layout": pool.layout.short(),
                "load": speed.load if served else None,
                "batch": speed.batch if served else pool.layout.global_batch_sequences,
                "step_seconds": speed.step_seconds,
                "tokens_per_second_per_card": speed.tokens_per_second_per_card,
            }
        )
    return of_records(records, _POOLS)


def bill_of_materials(plan: Plan) -> Table:
    """Everything that is bought: servers, cards, networks, storage, racks. Empty without a design.

    Watts sum to the IT power and prices to the capital, as far as they are known.
    """
    lines: list[_Line] = []
    hall, money = plan.facility, plan.cost.parts if plan.cost else {}
    if plan.cards is not None and hall is not None:
        drawn = {name: watts or 0.0 for name, watts in hall.power.items()}
        host = sum(drawn.get(f"{name}_watts", 0.0) for name in ("hosts", "fans", "conversion_loss", "nics"))
        lines += [
            (f"server, {plan.system}", "servers", hall.servers, "pieces", host, money.get("servers_usd")),
            (
                f"card, {plan.accelerator} (in the servers)", "servers", plan.cards.total, "pieces",
                drawn.get("cards_watts"), None,
            ),
        ]  # fmt: skip
        if drawn.get("domains_watts"):
            joined = "scale-up interconnect (in the servers)"
            lines.append((joined, "network", 1, "pieces", drawn["domains_watts"], None))
    if plan.fabric is not None:
        lines += [
            (part.name, "network", part.count, "pieces", part.watts, part.usd) for part in plan.fabric.parts
        ]
        for side in plan.fabric.side_networks:
            lines += _beside(side)
    if hall is not None:
        if hall.storage_servers:
            stored = hall.power.get("storage_watts"), money.get("storage_usd")
            lines.append(("storage server", "servers", hall.storage_servers, "pieces", *stored))
        lines += _chain(hall.chain)
        lines += [
            (f"rack, {name}", "building", count, "racks", None, None)
            for name, count in hall.racks.model_dump().items()
            if name != "total" and count
        ]
        lines += [
            (name, "building", 1, "pieces", None, money[f"{name}_usd"])
            for name in ("installation", "building")
            if f"{name}_usd" in money
        ]
    names = [field.name for field in _PARTS]
    return of_records([dict(zip(names, line, strict=True)) for line in lines], _PARTS)


_Line = tuple[str, str, float, str, float | None, float | None]


def _beside(side: SideNetwork) -> list[_Line]:
    """The lines of a network beside: switches, and cables with the modules at their ends."""
    if not side.switches:
        return []
    watts, usd = side.switch_watts, side.switch_usd
    rest = None if watts is None else side.watts - watts
    rest_usd = None if usd is None or side.usd is None else side.usd - usd
    return [
        (f"side switch, {side.name} network", "network", side.switches, "pieces", watts, usd),
        (f"side cable, {side.name} network", "network", side.links, "pieces", rest, rest_usd),
    ]


def _chain(chain: PowerChain | None) -> list[_Line]:
    """What brings power in and heat out, as counted for the redundancy asked for."""
    if chain is None:
        return []
    counted = [
        ("transformer", f"{chain.transformer_kva:,.0f} kVA", chain.transformers),
        ("power supply module", f"{chain.ups_module_kilowatts:,.0f} kW", chain.ups_modules),
        ("generator", f"{chain.generator_megawatts:g} MW", chain.generators),
    ]
    lines: list[_Line] = [
        (f"{name}, {rating}", "building", count, "pieces", None, None)
        for name, rating, count in counted
        if count
    ]
    if chain.cdus:
        lines.append(("coolant distribution unit", "building", chain.cdus, "pieces", None, None))
    return lines


def figures(plan: Plan) -> Table:
    """Every figure the plan rests on, with its sources."""
    records: list[dict[str, Any]] = []
    for item in plan.figures:
        source = "; ".join(f"{one.title} ({one.date})" for one in item.sources)
        records.append({**item.model_dump(), "source": source or item.method})
    return of_records(records, _FIGURES)


def estimates(plan: Plan) -> Table:
    """Figures that nobody published, the weightiest first."""
    records = [
        {**item.model_dump(), "kind": "estimate", "source": item.method} for item in plan.evidence.estimates
    ]
    return of_records(records, _FIGURES)


def breakdown(plan: Plan) -> Table:
    """Where the time of a step goes; of a service pool by pool."""
    fields = (
        Field("cause", "", "of the time"),
        Field("seconds", "s", "of a step"),
        Field("share", "", "of a step"),
    )
    if plan.serving is None:
        leaves = plan.performance.breakdown if plan.performance else {}
        return of_records(list(_causes(leaves)), fields)
    records = [
        {"pool": pool.role, **cause} for pool in plan.pools for cause in _causes(pool.performance.breakdown)
    ]
    return of_records(records, (Field("pool", "", "role of the pool"), *fields))


def _causes(leaves: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Causes that take time, the longest first."""
    total = sum(leaves.values()) or 1.0
    for name, value in sorted(leaves.items(), key=lambda item: -item[1]):
        if value > 0:
            yield {"cause": name.removesuffix("_seconds"), "seconds": value, "share": value / total}


def trade(plan: Plan) -> Table:
    """Of a service: speed of a user against yield of a card, point by point; empty for training."""
    return of_parts(TradePoint, plan.serving.trade if plan.serving else [])


def ranking(found: Comparison) -> Table:
    """Contenders in one row each, with the figures they are ranked by."""
    records = [
        {
            **item.model_dump(),
            "ttft_seconds": item.service.ttft_seconds if item.service else None,
            "tpot_seconds": item.service.tpot_seconds if item.service else None,
            "why": item.why or item.refused,
        }
        for item in found.contenders
    ]
    return of_records(records, _RANKING)


TABLES: dict[str, Callable[[Any], Table]] = {
    "parts": bill_of_materials,
    "pools": pools,
    "front": front,
    "runners_up": runners_up,
    "trade": trade,
    "figures": figures,
    "estimates": estimates,
    "breakdown": breakdown,
}
