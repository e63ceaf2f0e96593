"""A comparison for people: a table, why the others lose, and where the advertised compute goes."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.compare import Comparison, Contender
from planner.plan.shown import duration, number, percent, scaled, signed_percent, usd
from planner.report.memo import PHYSICS, Section
from planner.report.prices import gains
from planner.report.sheet import columns, sheet

QUALITY = (
    "each plan takes the precision it does best with out of workload.precisions; whether answers at "
    "different precision (or of different kernels) are of the same quality is not judged"
)
OVER = " +"
OVER_WORDS = (
    "simulated latency over its target by less than the 5 % that a short run is sure of: ask for a lower "
    "target to keep it"
)
SERVICE_HEADINGS = (
    "",
    "cards",
    "MW",
    "capital",
    "$/M tok",
    "TTFT",
    "TPOT",
    "tok/s/card",
    "prec",
    "ev",
    "of best",
)
HEADINGS = (
    "",
    "M tok/s",
    "P10-P90",
    "cards",
    "MW",
    "racks",
    "capital",
    "tok/J",
    "$/M tok",
    "prec",
    "ev",
    "of best",
)


def render(comparison: Comparison) -> str:
    """The comparison as text."""
    ranked = [item for item in comparison.contenders if item.feasible]
    table = _table(ranked)
    made = [
        Section("Why not the others", "", [(item.system, item.why) for item in ranked if item.why]),
        Section(
            "Not a rank",
            f"{PHYSICS}#uncertainty",
            [
                (item.system, f"cannot be told from {', '.join(item.level_with)}: the 80 % ranges overlap")
                for item in ranked
                if item.level_with
            ],
        ),
        Section(
            "Left out",
            "",
            [row for item in comparison.contenders if item.refused for row in _left_out(item)],
        ),
        Section(
            "What a card gives",
            f"{PHYSICS}#serving",
            [
                (item.system, _yield(item, "tokens" if comparison.kind == "serving" else "items"))
                for item in ranked
                if item.service is not None
            ],
        ),
        Section(
            "A million output tokens" if comparison.kind == "serving" else "A million items",
            f"{PHYSICS}#cost",
            [(item.system, _per_million(item)) for item in ranked if item.service is not None],
        ),
        Section(
            "What a step of a limit is worth",
            f"{PHYSICS}#search",
            [
                (item.system, f"{step} of {gain}")
                for item in ranked
                for step, gain in list(gains(item.prices))[:1]
            ],
        ),
        Section("How it is built", "", [(item.system, _built(item)) for item in ranked]),
        Section(
            "Chance of being best",
            f"{PHYSICS}#uncertainty",
            [(item.system, _chance(item)) for item in ranked if item.best_probability is not None],
        ),
        Section("Software and export control", "", [(item.system, _terms(item)) for item in ranked]),
        Section("Notes", "", _notes(comparison)),
    ]
    body = sheet("", [section for section in made if section.rows], "").lstrip("\n")
    parts = [comparison.headline, f"{comparison.workload}; all within {comparison.limit}", table]
    return "\n\n".join(part.rstrip("\n") for part in [*parts, _waterfall(ranked), body] if part) + "\n"


def _left_out(item: Contender) -> Iterator[tuple[str, str]]:
    yield item.system, item.refused or ""
    if item.remedy is not None:
        yield "  remedy", item.remedy


def _notes(comparison: Comparison) -> list[tuple[str, str]]:
    quality = [("precision", QUALITY)] if comparison.kind == "serving" else []
    terms = [item.service for item in comparison.contenders if item.service is not None]
    over = [("+", OVER_WORDS)] if any(item.over_ttft or item.over_tpot for item in terms) else []
    return quality + over + [("note", note) for note in comparison.notes]


def _table(ranked: list[Contender]) -> str:
    if not ranked:
        return ""
    if any(item.service is not None for item in ranked):
        generic = all(item.service is None or item.service.tpot_seconds is None for item in ranked)
        words = {"TTFT": "latency", "tok/s/card": "items/s/card", "$/M tok": "$/M items"} if generic else {}
        head = [words.get(heading, heading) for heading in SERVICE_HEADINGS]
        lines = [_service_line(item) for item in ranked]
        # Items have no tokens, so no time between two of them.
        kept = [place for place, heading in enumerate(head) if not (generic and heading == "TPOT")]
        return columns([head[place] for place in kept], [[line[place] for place in kept] for line in lines])
    unit, name = rate_unit(ranked)
    head = [name if heading == "M tok/s" else heading for heading in HEADINGS]
    return columns(head, [_line(item, unit) for item in ranked])


def _per_million(item: Contender) -> str:
    rows = item.service.usd_per_million if item.service is not None else []
    return ", ".join(
        f"{'not known' if row.usd is None else usd(row.usd)} at {percent(row.load, 0)} load" for row in rows
    )


def _service_line(item: Contender) -> tuple[str, ...]:
    found = item.service
    assert found is not None
    costs = [row.usd for row in found.usd_per_million]
    return (
        f"{item.rank}. {item.system}",
        f"{item.cards:,}",
        number(item.facility_megawatts or 0.0),
        "?" if item.capex_usd is None else usd(item.capex_usd),
        "?" if not costs or costs[0] is None else f"{costs[0]:.3g}",
        _latency(found.ttft_seconds, found.over_ttft),
        _latency(found.tpot_seconds, found.over_tpot),
        number(found.tokens_per_second_per_card),
        item.precision or "",
        item.evidence or "",
        f"x{item.relative:.2f}",
    )


def _latency(seconds: float | None, over: bool) -> str:
    """A latency, marked where it is over its target within what a simulation is taken to be sure of."""
    return "" if seconds is None else duration(seconds) + (OVER if over else "")


def _yield(item: Contender, things: str) -> str:
    """What one card gives, over all cards bought, with its range."""
    found, band, cards = item.service, item.tokens_per_second_band, item.cards or 1
    assert found is not None
    spread = "" if band is None else f" (P10-P90 {number(band.p10 / cards)}-{number(band.p90 / cards)})"
    return (
        f"{number(found.tokens_per_second_per_card)} {things}/s{spread}; the {found.active_cards:,} at work "
        f"at most {number(found.requests_per_second)} {'requests' if things == 'tokens' else things}/s, in "
        f"{item.racks:,} racks"
    )


def rate_unit(ranked: list[Contender]) -> tuple[float, str]:
    """Tokens per second by which the rates of all are read best, and its name."""
    most = max((item.tokens_per_second or 0.0 for item in ranked), default=0.0)
    return (1e6, "M tok/s") if most >= 1e6 else (1e3, "k tok/s")


def _line(item: Contender, unit: float) -> tuple[str, ...]:
    band = item.tokens_per_second_band
    spread = "" if band is None else f"{number(band.p10 / unit)}-{number(band.p90 / unit)}"
    return (
        f"{item.rank}. {item.system}",
        number((item.tokens_per_second or 0.0) / unit),
        spread,
        f"{item.cards:,}",
        number(item.facility_megawatts or 0.0),
        f"{item.racks:,}",
        "?" if item.capex_usd is None else usd(item.capex_usd),
        number(item.tokens_per_joule or 0.0),
        "?" if item.usd_per_million_tokens is None else f"{item.usd_per_million_tokens:.3g}",
        item.precision or "",
        item.evidence or "",
        f"x{item.relative:.2f}",
    )


def _chance(item: Contender) -> str:
    band = item.difference_band
    spread = ""
    if band is not None:
        spread = f"; {signed_percent(band.p10)} to {signed_percent(band.p90)} against the first (P10-P90)"
    return f"{percent(item.best_probability or 0.0, 0)} in draws that all share{spread}"


def _terms(item: Contender) -> str:
    port = ""
    if item.porting_months is not None and item.porting_engineer_months is not None:
        cost = "" if item.porting_usd is None else f", {usd(item.porting_usd.p50)}"
        end = ""
        if item.days_with_port is not None:
            end = f", done {number(item.days_with_port.p50)} days after its start"
        port = (
            f", a port about {number(item.porting_months)} months and "
            f"{number(item.porting_engineer_months)} engineer-months{cost}{end} (estimates, in no rank)"
        )
    return (
        f"software {item.maturity or 'not known'}{port}; ECCN 3A090 (2023): "
        f"{item.export_control or 'not known'} (arithmetic, not legal advice)"
    )


def _built(item: Contender) -> str:
    cap = "" if item.power_cap in (None, 1.0) else f", power cap {item.power_cap:.0%}"
    mode = f" {item.service.mode}" if item.service is not None else ""
    return f"{item.cooling}{cap}, {item.software},{mode} [{item.layout}]"


def _waterfall(ranked: list[Contender]) -> str:
    rows = []
    for item in ranked:
        fall = item.waterfall
        if fall is None:
            continue
        steps = (fall.advertised, fall.matrix_engine, fall.kernel, fall.step, fall.goodput)
        teraflops = fall.advertised * 1e3
        rated = item.nameplate_megawatts
        rows.append(
            (
                item.system,
                *(scaled(value * 1e15, "") for value in steps),
                f"{fall.goodput / fall.advertised:.1%}",
                f"{(item.it_megawatts or 0.0) * 1e6 / teraflops:.3g}",
                "?" if rated is None else f"{rated * 1e6 / teraflops:.3g}",
            )
        )
    if not rows:
        return ""
    head = (
        "dense FLOP/s, all cards",
        "advertised",
        "matrix",
        "kernel",
        "step",
        "goodput",
        "effective",
        "IT W/TFLOP",
        "rated",
    )
    return columns(head, rows)
