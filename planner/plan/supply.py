"""``supply``: when so many cards of a system can be there, what bounds that, and what a package costs.

Nearly all figures behind it (`supply_figures`) are estimates; nothing here ranks a chip or enters a plan that
does not ask for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import Field

from planner import engine
from planner.errors import PlannerError
from planner.lazy import np
from planner.plan.account import Band
from planner.plan.deliveries import Phase, arrived_by, median, months_until, phase_ends, phases_of
from planner.plan.draws import Floats, percentiles
from planner.plan.mix import CommonCause, Mix, Supplier, independent, mix_of
from planner.plan.parts import Part
from planner.plan.result import Fact, Result
from planner.plan.shown import number
from planner.plan.supply_figures import (
    LIMITS,
    UNITS,
    Figure,
    causes_of,
    central,
    drawn_supply,
    supply_inputs,
)
from planner.problem import build, wire
from planner.problem.hardware import unit_cards
from planner.scenario import Scenario, ServiceScenario
from planner.specs import Accelerator, SpecLibrary, System

NOTE = (
    "most of these figures are estimates that nobody published: replace them with --set or in a directory of "
    "PLANNER_SPEC_PATH; they enter no plan that does not ask for a date, and no ranking"
)


class SupplyFigure(Part):
    """One figure of the answer, in the unit given."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    kind: str = Field(description="how it is known; `given`: by --set")
    method: str | None
    file: str


class SupplyPlan(Result):
    """Deliveries of so many cards. Tables: phases (cards by month), figures (what they rest on)."""

    MAIN: ClassVar[str] = "phases"

    format: Literal["supply/1"] = "supply/1"
    system: str
    accelerator: str
    cards: int
    headline: str
    feasible: bool
    packages_per_month: Band
    limited_by: dict[str, float] = Field(description="share of the draws in which it is the scarcest")
    months: Band | None = Field(description="until all cards are there; null: never in some draws that count")
    die_yield: Band
    package_usd: Band | None = Field(description="cost of a good package to its maker, not its price")
    package_parts_usd: dict[str, float | None]
    by_months: float | None
    by_probability: float | None = Field(description="that all cards are there by then")
    probability: float = Field(default=0.5, description="asked for: the date counts as met from it on")
    by_cards: Band | None
    phases: list[Phase]
    finished_month: float | None = Field(
        default=None, description="when the scenario's tokens are done, training on what has arrived"
    )
    waiting_month: float | None = Field(
        default=None, description="the same when training waits for all cards"
    )
    mix: Mix | None = Field(default=None, description="with other suppliers; null: none was named")
    figures: list[SupplyFigure]
    note: str = NOTE

    def _facts(self) -> tuple[str, list[Fact]]:
        from planner.plan.notebook import supply_facts  # noqa: PLC0415 (notebooks alone)

        return self.headline, supply_facts(self)


@dataclass(frozen=True)
class Dated:
    """The date to meet, and who else may deliver."""

    by_months: float | None = None
    """In months from the order."""
    second: Sequence[System] = ()
    probability: float = 0.5
    """With which the cards have to be there."""
    one_job: bool = False
    """One job spans the mix."""
    worth: Callable[[System], float] | None = None
    """Compute of a card of a system, in any unit; None: its matrix rate."""
    worth_by: str = "matrix rate that software reaches"

    def check(self) -> None:
        """Refuse what is no date.

        Raises:
            PlannerError: it names the option.
        """
        if self.by_months is not None and not self.by_months > 0:
            raise PlannerError(f"must be above 0, not {self.by_months}", file="--by")
        if not 0.0 < self.probability < 1.0:
            raise PlannerError(
                f"a probability lies between 0 and 1, not {self.probability}",
                file="--confidence",
                hint="0.5: as likely as not; 0.9: surely",
            )
        if self.second and self.by_months is None:
            raise PlannerError(
                "other suppliers are for a date", file="--second", hint="give the date: --by MONTHS"
            )


def supply(
    library: SpecLibrary,
    system: System,
    cards: int,
    *,
    given: Mapping[str, float] | None = None,
    dated: Dated | None = None,
    rates: Mapping[int, float] | None = None,
    tokens: float | None = None,
    seed: int = 0,
) -> SupplyPlan:
    """Deliveries of ``cards`` cards of ``system``.

    Args:
        library: the spec library.
        system: what is bought.
        cards: how many.
        given: figures (`supply_figures.KEYS`) that are known better than the files say, in `UNITS`.
        dated: the date to meet, and who else may deliver what lacks by then.
        rates: tokens per second with failures by cards, to train on what has arrived (see `phase_cards`).
        tokens: of the run.
        seed: of the draws.

    Raises:
        PlannerError: figures that make no sense; a card without a supply file.
    """
    wanted = dated or Dated()
    wanted.check()
    card = library.accelerator(system.accelerator)
    inputs = supply_inputs(library, card, given)
    drawn = drawn_supply(inputs, seed, causes_of(library, card))
    months = months_until(drawn, cards)
    at = central(inputs)
    by = wanted.by_months
    arrived = None if by is None else arrived_by(drawn, by)
    sure = None if by is None else float((months <= by).mean())
    alone = sure is None or sure >= wanted.probability
    mix = None
    if by is not None and wanted.second:
        known = {key: value for key, value in (given or {}).items() if key == "shared"}
        suppliers = _suppliers(library, (system, drawn), wanted, seed, known)
        apart = _suppliers(library, (system, drawn), wanted, seed, None)
        mix = mix_of(suppliers, cards, by, wanted.probability, wanted.worth_by, one_job=wanted.one_job)
        mix = mix.model_copy(
            update={
                "common": _in_common(library, [system, *wanted.second]),
                "independent": independent(mix, apart, cards, by, one_job=wanted.one_job),
            }
        )
    phases, finished, waiting = phases_of(drawn, months, cards, rates, tokens)
    return SupplyPlan(
        system=system.id,
        accelerator=card.id,
        cards=cards,
        headline=_headline(card, cards, months, by, sure, arrived, drawn, mix, alone),
        feasible=alone or (mix is not None and mix.meets),
        packages_per_month=_band(drawn["packages_per_month"]),
        limited_by={name: float((drawn["limit"] == place).mean()) for place, name in enumerate(LIMITS)},
        months=_maybe(months),
        die_yield=_band(drawn["die_yield"]),
        package_usd=_maybe(drawn["package_usd"]),
        package_parts_usd={name: at[name] for name in ("dies_usd", "memory_usd", "packaging_usd")},
        by_months=by,
        by_probability=sure,
        probability=wanted.probability,
        by_cards=None if arrived is None else _band(np.minimum(arrived, cards)),
        phases=phases,
        finished_month=finished,
        waiting_month=waiting,
        mix=mix,
        figures=[_told(item) for item in inputs],
    )


def _told(item: Figure) -> SupplyFigure:
    return SupplyFigure(
        key=item.key,
        value=item.span.value,
        low=item.span.low,
        high=item.span.high,
        unit=UNITS[item.key],
        kind=item.kind,
        method=item.method,
        file=item.file,
    )


def _suppliers(
    library: SpecLibrary,
    first: tuple[System, Mapping[str, Floats]],
    dated: Dated,
    seed: int,
    shared: Mapping[str, float] | None,
) -> list[Supplier]:
    """The first system and the others, each with draws of its own.

    ``shared``: how much suppliers of one fab have in common where it is given; None: nothing is in common.
    """
    worth = dated.worth or (lambda system: matrix_rate(library, library.accelerator(system.accelerator)))
    own = worth(first[0])
    out = [Supplier(first[0].id, first[0].accelerator, unit_cards(first[0]), 1.0, first[1])]
    for place, system in enumerate(dated.second, start=1):
        card = library.accelerator(system.accelerator)
        causes = None if shared is None else causes_of(library, card)
        drawn = drawn_supply(supply_inputs(library, card, shared), seed, causes, place)
        out.append(Supplier(system.id, card.id, unit_cards(system), worth(system) / own, drawn))
    return out


def _in_common(library: SpecLibrary, systems: Sequence[System]) -> list[CommonCause]:
    """What two systems or more name alike."""
    named: dict[tuple[str, str], list[str]] = {}
    for system in systems:
        for cause, name in causes_of(library, library.accelerator(system.accelerator)).items():
            named.setdefault((cause, name), []).append(system.id)
    return [
        CommonCause(cause=cause, name=name, systems=ids)
        for (cause, name), ids in sorted(named.items())
        if len(ids) > 1
    ]


def _band(values: Floats) -> Band:
    found = percentiles(values)
    assert found is not None
    return Band(p10=found[0], p50=found[1], p90=found[2])


def _maybe(values: Floats) -> Band | None:
    return None if percentiles(values) is None else _band(values)


def supply_for(  # noqa: PLR0917
    scenario: Scenario,
    library: SpecLibrary,
    system: System,
    cards: int,
    given: Mapping[str, float] | None,
    dated: Dated,
) -> SupplyPlan:
    """Deliveries for the training of a scenario: it runs on what has arrived, and weighs cards of a mix.

    Raises:
        PlannerError: as for `supply`; a system of the mix on which the model cannot be trained.
    """
    counts = phase_cards(library, system, cards, given)
    rates, tokens = rates_of(scenario, library, system, counts)
    dated = worth_in(dated, scenario, library, cards)
    return supply(library, system, cards, given=given, dated=dated, rates=rates, tokens=tokens)


def worth_in(dated: Dated, scenario: Scenario, library: SpecLibrary, cards: int) -> Dated:
    """Cards weighed by the rate at which about ``cards`` of them train the workload of a scenario."""

    def worth(other: System) -> float:
        whole = max(1, cards // unit_cards(other)) * unit_cards(other)
        found, _ = rates_of(scenario, library, other, [whole])
        if whole not in found:
            raise PlannerError(
                f"no layout of {scenario.workload.model} fits {whole:,} cards of {other.id}",
                file="--second",
                hint="name another system",
            )
        return found[whole] / whole

    return replace(dated, worth=worth, worth_by="tokens/s of the scenario's training, failures included")


def rates_of(
    scenario: Scenario, library: SpecLibrary, system: System, counts: Sequence[int]
) -> tuple[dict[int, float], float]:
    """Tokens per second, failures included, on each number of cards, and the tokens of the run.

    Raises:
        PlannerError: the scenario is of a service, which is not trained.
    """
    if isinstance(scenario, ServiceScenario):
        raise PlannerError(
            "the scenario is of a service: only training runs on what has arrived",
            file="--scenario",
            hint="give a training scenario, or none",
        )
    hardware = scenario.hardware.model_copy(update={"systems": (system.id,)})
    request = build(scenario.model_copy(update={"hardware": hardware}), library).request
    search = request.search.model_copy(update={"objective": "throughput", "front": (), "front_points": 1})
    rates = {}
    for count in counts:
        limits = request.limits.model_copy(
            update={"cards_min": 1, "cards_max": min(count, request.limits.cards_max)}
        )
        asked = request.model_copy(
            update={
                "limits": limits,
                "search": search,
                "target": wire.Target(days=None, tokens_per_second=None),
            }
        )
        best = engine.size(asked)["best"]
        if best is not None:
            speed = best["performance"]
            rates[count] = speed["tokens_per_second"] * speed["goodput"]
    return rates, request.training.tokens


def phase_cards(
    library: SpecLibrary, system: System, cards: int, given: Mapping[str, float] | None
) -> list[int]:
    """P50 cards at the end of each phase, in whole units: what `rates` has to be worked out for."""
    card = library.accelerator(system.accelerator)
    drawn = drawn_supply(supply_inputs(library, card, given), 0, causes_of(library, card))
    unit = unit_cards(system)
    ends = phase_ends(months_until(drawn, cards))
    counts = {int(min(median(arrived_by(drawn, month)), cards)) // unit * unit for month in ends}
    return sorted(count for count in counts | {cards // unit * unit} if count > 0)


def matrix_rate(library: SpecLibrary, card: Accelerator) -> float:
    """16-bit matrix peak times the share that software reaches."""
    peak = card.peak.bf16 or card.peak.fp16
    if peak is None:
        raise PlannerError(f"{card.id} lists no 16-bit peak, so its cards cannot be weighed against others")
    return peak.value * library.efficiency(card.efficiency).matmul.bf16.value


def _headline(  # noqa: PLR0917
    card: Accelerator,
    cards: int,
    months: Floats,
    by_months: float | None,
    sure: float | None,
    arrived: Floats | None,
    drawn: Mapping[str, Floats],
    mix: Mix | None,
    alone: bool,
) -> str:
    name = card.name.split("(")[0].strip()
    found = percentiles(months)
    when = "not all of them in sight"
    if found is not None:
        when = f"{number(found[1])} months (P10-P90 {number(found[0])}-{number(found[2])})"
    elif math.isfinite(half := median(months)):
        when = f"{number(half)} months in half of the draws, never in more than a tenth"
    told = f"{cards:,} {name}: {when} · estimates, not published figures"
    if by_months is None or sure is None or arrived is None:
        return told
    first = median(drawn["lead_time"])
    there = f"{min(median(arrived), cards):,.0f} of them"
    if alone:
        return f"Yes ({sure:.0%} sure) by month {by_months:g} · {told}"
    if mix is not None:
        ordered = " and ".join(f"{source.cards:,} {source.system}" for source in mix.sources)
        if mix.meets:
            return f"{ordered} by month {by_months:g} ({mix.probability:.0%} sure; alone {there}) · {told}"
        later = "" if mix.month is None else f"; they would be there in month {mix.month:g}"
        return (
            f"No: {there} by month {by_months:g}, and no mix is sure enough: {ordered} are there with "
            f"{mix.probability:.0%}{later} · {told}"
        )
    if by_months <= first and median(drawn["stock"]) < cards:
        return (
            f"No: month {by_months:g} is before the first delivery (month {first:.3g}); then {there} · {told}"
        )
    return f"No: {there} by month {by_months:g} · {told}"
