"""What a first port does to a plan: slower and less steady for a start, months before, people to pay.

A chip whose family no published run has calibrated is timed as others' software is (docs/physics.md,
evidence). Where nobody has shown that the vendor's stack carries the workload, how far a first port may stay
behind joins the slow side of the bands; where somebody has, the spread of the software profile holds it
already. Time and money of the port stand beside the run. The centre of an answer does not move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import NormalDist
from typing import Any

from planner.plan.account import Band
from planner.plan.bands import ModelError
from planner.plan.draws import Range
from planner.plan.maturity import Estimated, PlanMaturity, PlanPort
from planner.problem import wire
from planner.specs import Quantity, SpecLibrary

DRAWS = 2048
RECURRENCE = 1.1673039782614187
"""The positive root of x^5 = x + 1: its powers step through four dimensions evenly."""
DAYS_PER_MONTH = 365 / 12
FACILITY = "facility-base"

Evaluate = Callable[[wire.Request], Mapping[str, Any] | None]


def less_stable(request: wire.Request, cluster: int, factor: float) -> wire.Request:
    """The problem with software that fails ``factor`` times as often on a cluster, all else as before."""
    model = request.reliability.failures
    if model is None:
        return request
    shares = model.shares
    grown = 1.0 + shares.software * (factor - 1.0)
    moved = {name: getattr(shares, name) / grown for name in ("card", "host", "nic")}
    moved["software"] = shares.software * factor / grown
    clusters = list(request.clusters)
    clusters[cluster] = clusters[cluster].model_copy(
        update={"failures_per_server_day": clusters[cluster].failures_per_server_day * grown}
    )
    failures = model.model_copy(update={"shares": shares.model_copy(update=moved)})
    reliability = request.reliability.model_copy(update={"failures": failures})
    return request.model_copy(update={"clusters": tuple(clusters), "reliability": reliability})


def port_errors(
    mature: PlanMaturity, calibrated: str, goodput: float, unsteady: float | None
) -> list[ModelError]:
    """What a first port adds to the slow side of time, where no run shows what it comes to.

    Args:
        mature: software of the chip for the class of workload.
        calibrated: what calibrated the family: ``runs``, ``operators`` or ``none``.
        goodput: of the design.
        unsteady: goodput where the software fails as often as the high end of ``stability`` says;
            None: not known.
    """
    if calibrated == "runs" or mature.level not in ("partial", "unproven"):
        return []
    found = []
    speed = mature.efficiency
    if speed is not None and speed.low < 1.0:
        found.append(ModelError(f"first port ({mature.level}): speed", slow_ln=-math.log(speed.low)))
    if unsteady is not None and 0.0 < unsteady < goodput:
        label = f"first port ({mature.level}): failures by software"
        found.append(ModelError(label, slow_ln=math.log(goodput / unsteady)))
    return found


def port_of(
    mature: PlanMaturity, library: SpecLibrary, country: str, days: Band | None, capex: float | None
) -> PlanPort | None:
    """Months, people and money of a first port, and what they make of the date and the capital.

    Args:
        mature: software of the chip for the class of workload.
        library: where the pay of an engineer stands (parts/facility-COUNTRY).
        country: of the site.
        days: of the run; None for a service, which starts when the port is done.
        capex: of the plan.
    """
    months, staff = mature.porting_months, mature.porting_staff
    if months is None or staff is None:
        return None
    pay = _pay(library, country)
    drawn = [_range(months), _range(staff), pay]
    if days is not None:
        drawn.append(Range(days.p50, days.p10, days.p90))
    values = [[span.at_one(z) for z in column] for span, column in zip(drawn, _deviates(), strict=False)]
    months_drawn, staff_drawn, pay_drawn = values[:3]
    work = [month * people for month, people in zip(months_drawn, staff_drawn, strict=True)]
    usd = [done * yearly / 12.0 for done, yearly in zip(work, pay_drawn, strict=True)]
    until = [month * DAYS_PER_MONTH for month in months_drawn]
    finish = [sum(both) for both in zip(until, values[3], strict=True)] if days is not None else None
    return PlanPort(
        engineer_months=_band(work),
        engineer_usd_per_year=Estimated(
            value=pay.value, low=pay.low, high=pay.high, method=_method(library, country)
        ),
        usd=_band(usd),
        capex_with_port_usd=None if capex is None else _band([capex + each for each in usd]),
        days_before_start=_band(until),
        days_to_finish=None if finish is None else _band(finish),
    )


@cache
def _deviates() -> tuple[tuple[float, ...], ...]:
    """Standard normal deviates for four figures, evenly spread: the same answer for the same figures.

    Points of an additive recurrence in four dimensions, each with its mirror image, so that the median of
    each figure is its central value. Plain Python: importing numpy takes as long as half an evaluation.
    """
    normal = NormalDist()
    columns = []
    for place in range(1, 5):
        step = RECURRENCE**-place
        half = [normal.inv_cdf((0.5 + step * draw) % 1.0) for draw in range(1, DRAWS // 2 + 1)]
        columns.append((*half, *(-z for z in half)))
    return tuple(columns)


def _pay(library: SpecLibrary, country: str) -> Range:
    figure = _engineer(library, country)
    rate = 1.0
    if figure.currency not in (None, "USD"):
        rate = library.part("exchange-rates").usd_per_unit[str(figure.currency)].value
    low = figure.value if figure.low is None else figure.low
    high = figure.value if figure.high is None else figure.high
    return Range(figure.value * rate, low * rate, high * rate)


def _method(library: SpecLibrary, country: str) -> str | None:
    return _engineer(library, country).method


def _engineer(library: SpecLibrary, country: str) -> Quantity:
    own = f"facility-{country.lower()}"
    name = own if own in library.ids("parts") else FACILITY
    figure = library.part(name).engineer
    if figure is None:
        figure = library.part(FACILITY).engineer
    assert figure is not None, "facility-base has the pay of an engineer"
    return figure


def _range(figure: Estimated) -> Range:
    return Range(figure.value, figure.low, figure.high)


def _band(values: Sequence[float]) -> Band:
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1]

    return Band(p10=at(0.1), p50=at(0.5), p90=at(0.9))
