"""How sure an explained plan is, for people: evidence, bands, software, deliveries, export control."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.account import Band
from planner.plan.explained_doubt import ExplainedDoubt, ExplainedExport
from planner.plan.maturity import Estimated, PlanMaturity
from planner.plan.shown import number, percent, signed_percent, usd
from planner.report import supply

SHOWN = 6
_BANDS = {
    "days": "days",
    "mfu": "MFU",
    "requests_per_second": "requests/s at most",
    "facility_megawatts": "MW, annual mean",
    "capex_usd": "capital",
}


def lines(found: ExplainedDoubt) -> Iterator[str]:
    """Headed blocks, one after the other."""
    yield f"How sure it is: evidence {found.grade}, {found.why}"
    for name, label in _BANDS.items():
        band = None if found.bands is None else getattr(found.bands, name)
        if band is not None:
            yield f"  {label:20s} {_band(band, money=name.endswith('usd'))}"
    sure = found.confidence
    if sure is not None:
        cards = "no cluster within the limits" if sure.cards is None else f"{sure.cards:,} cards"
        yield f"  {f'{percent(sure.probability, 0)} sure':20s} {cards}"
    for name, swings in found.swings.items():
        moved = [f"{s.label} {signed_percent(s.at_low)} / {signed_percent(s.at_high)}" for s in swings[:3]]
        if moved and name in _BANDS:
            yield f"  {f'moves {_BANDS[name]}':20s} {'; '.join(moved)}"
    if found.estimates:
        named = ", ".join(item.label for item in found.estimates[:SHOWN])
        more = len(found.estimates) - SHOWN
        yield f"  {'estimates':20s} {named}" + (f" and {more} more in --json" if more > 0 else "")
    if found.maturity is not None:
        yield ""
        yield from _software(found.maturity)
    if found.supply is not None:
        yield ""
        yield from _deliveries(found)
    if found.export_control is not None:
        yield ""
        yield from _export(found.export_control)


def _software(found: PlanMaturity) -> Iterator[str]:
    work = found.workload_class.replace("llm", "LLM").replace("-", " ")
    yield f"Software for {work} on this chip: {found.level or 'not known'}"
    yield f"  {'evidence':20s} {found.evidence}"
    for label, figure in (
        ("speed of a port", found.efficiency),
        ("months of a port", found.porting_months),
        ("engineers", found.porting_staff),
        ("software failures", found.stability),
    ):
        if figure is not None:
            yield f"  {label:20s} {_estimated(figure)}"


def _estimated(figure: Estimated) -> str:
    return f"{number(figure.value)} ({number(figure.low)} - {number(figure.high)}, estimate)"


def _deliveries(found: ExplainedDoubt) -> Iterator[str]:
    plan = found.supply
    assert plan is not None
    yield f"Deliveries: {plan.headline}"
    for label, text in supply.told(plan):
        yield f"  {label:20s} {text}"
    for item in plan.figures:
        yield (
            f"  {item.key:20s} {number(item.value)} {item.unit} ({number(item.low)} - {number(item.high)}, "
            f"{item.kind}, {item.file})"
        )


def _export(found: ExplainedExport) -> Iterator[str]:
    density = "not known (no die area)" if found.density is None else number(found.density)
    yield f"Export control: {found.classified}"
    yield f"  {'TPP':20s} {found.tpp:,.0f} ({found.precision})"
    yield f"  {'performance density':20s} {density}"
    yield f"  {found.rule}; {found.note}"


def _band(band: Band, *, money: bool) -> str:
    show = usd if money else number
    return f"P10 {show(band.p10)} · P50 {show(band.p50)} · P90 {show(band.p90)}"
