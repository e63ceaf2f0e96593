"""The mix of suppliers that is there by a date: how many cards of each system to order.

Every way to share the wanted compute among the systems in steps is held against the same draws of deliveries;
what suppliers name alike (a fab, a packager, a source of memory) slips together. Of the mixes that are sure
enough that with most of the first system is taken, then the one with the fewest others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from planner.errors import PlannerError
from planner.lazy import np
from planner.plan.account import Band
from planner.plan.deliveries import Phase, arrived_by, phases_of
from planner.plan.draws import Floats, percentiles
from planner.plan.parts import Part

STEPS: Mapping[int, int] = {1: 1, 2: 40, 3: 20, 4: 12}
"""Sources -> parts that the wanted compute is divided into."""
if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
else:
    Flags = object
ORDERED = (1.0, 1.1, 1.25, 1.5, 2.0)
"""Ordered over wanted: where not every card comes in time, more are ordered, as little more as does."""
MOST_MONTHS = 240
SEPARATE = (
    "separate clusters: each trains its own jobs or serves its own requests, and their rates add up; one "
    "training job does not span them"
)
ONE_JOB = "one job over all cards, as declared: every card counts as the slowest kind in it"


class Source(Part):
    """What one supplier contributes."""

    system: str
    accelerator: str
    cards: int = Field(description="ordered, whole purchase units")
    share: float = Field(description="of the wanted compute that is ordered from it")
    worth: float = Field(description="compute of one of its cards over one of the first system's")
    by_cards: Band = Field(description="of those ordered, there by the date")
    probability: float = Field(description="that all of them are")
    phases: list[Phase]


class CommonCause(Part):
    """A fab, a packager or a source of memory that several systems of a mix depend on."""

    cause: str
    name: str
    systems: list[str]


class Mix(Part):
    """Systems from several suppliers that together are there by the date."""

    meaning: str
    one_job: bool
    worth_by: str = Field(description="what cards are weighed by")
    wanted_cards: int = Field(description="in cards of the first system")
    sources: list[Source]
    ordered: float = Field(description="compute ordered over compute wanted")
    probability: float = Field(description="that the wanted compute is there by the date")
    meets: bool
    month: float | None = Field(description="first month in which it is sure enough; null: not in sight")
    tried: int = Field(description="mixes looked at")
    common: list[CommonCause] = Field(
        default=[], description="what slips together; `shared` of the figures says how much of it"
    )
    independent: float | None = Field(
        default=None, description="the probability, did the suppliers slip independently of each other"
    )


@dataclass(frozen=True)
class Supplier:
    """A system with draws of its deliveries."""

    system: str
    accelerator: str
    unit: int
    worth: float
    drawn: Mapping[str, Floats]


def mix_of(
    suppliers: Sequence[Supplier],
    cards: int,
    by_months: float,
    probability: float,
    worth_by: str,
    *,
    one_job: bool = False,
) -> Mix:
    """The best mix, or the surest where none is sure enough.

    Args:
        suppliers: the first one's cards are what ``cards`` counts.
        cards: wanted, in cards of the first.
        by_months: the date.
        probability: with which the compute has to be there.
        worth_by: what the worth of the suppliers rests on.
        one_job: one job spans the mix.

    Raises:
        PlannerError: more suppliers than can be searched, or the same card twice.
    """
    _check(suppliers)
    arrived = [arrived_by(supplier.drawn, by_months) for supplier in suppliers]
    # No more is ordered than comes in one draw of ten.
    most = [float(np.quantile(there, 0.9, method="inverted_cdf")) for there in arrived]
    parts = STEPS[len(suppliers)]
    tried = 0
    surest: tuple[float, float, tuple[int, ...]] | None = None
    for ordered in ORDERED:
        good = []
        for shares in _shares(len(suppliers), parts):
            tried += 1
            units = _capped(
                suppliers, _units(suppliers, shares, parts, cards * ordered, one_job=one_job), most
            )
            sure = float(_there(suppliers, units, arrived, cards, one_job=one_job).mean())
            if surest is None or sure > surest[0] + 1e-12:
                surest = (sure, ordered, shares)
            if sure >= probability:
                others = sum(share > 0 for share in shares[1:])
                good.append((-shares[0], others, tuple(-share for share in shares), sure))
        if good:
            *_, negative, sure = min(good)
            surest = (sure, ordered, tuple(-share for share in negative))
            break
    assert surest is not None
    sure, ordered, shares = surest
    whole = _units(suppliers, shares, parts, cards * ordered, one_job=one_job)
    units = _capped(suppliers, whole, most)
    return Mix(
        meaning=ONE_JOB if one_job else SEPARATE,
        one_job=one_job,
        worth_by=worth_by,
        wanted_cards=cards,
        sources=[
            _source(supplier, count, share / parts, by_months)
            for supplier, count, share in zip(suppliers, units, shares, strict=True)
            if count
        ],
        ordered=ordered,
        probability=sure,
        meets=sure >= probability,
        month=_month(suppliers, whole, cards, probability, one_job=one_job),
        tried=tried,
    )


def independent(
    mix: Mix, suppliers: Sequence[Supplier], cards: int, by_months: float, *, one_job: bool
) -> float:
    """The probability of the same orders under draws of ``suppliers`` that have nothing in common."""
    ordered = {source.system: source.cards for source in mix.sources}
    units = [ordered.get(supplier.system, 0) for supplier in suppliers]
    arrived = [arrived_by(supplier.drawn, by_months) for supplier in suppliers]
    return float(_there(suppliers, units, arrived, cards, one_job=one_job).mean())


def _check(suppliers: Sequence[Supplier]) -> None:
    if len(suppliers) > max(STEPS):
        raise PlannerError(
            f"{len(suppliers)} systems: at most {max(STEPS)} are mixed", file="--second", hint="name fewer"
        )
    seen: dict[str, str] = {}
    for supplier in suppliers:
        if supplier.accelerator in seen:
            raise PlannerError(
                f"{supplier.system} holds the same card as {seen[supplier.accelerator]} "
                f"({supplier.accelerator}): it comes from the same supply",
                file="--second",
                hint="name a system of another card",
            )
        seen[supplier.accelerator] = supplier.system


def _shares(sources: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to deal ``parts`` to ``sources``."""
    if sources == 1:
        yield (parts,)
        return
    for own in range(parts, -1, -1):
        for rest in _shares(sources - 1, parts - own):
            yield (own, *rest)


def _units(
    suppliers: Sequence[Supplier], shares: Sequence[int], parts: int, cards: float, *, one_job: bool
) -> list[int]:
    """Cards of each supplier in whole units."""
    worths = _worths(suppliers, shares, one_job=one_job)
    return [
        math.ceil(cards * share / parts / worth / supplier.unit - 1e-9) * supplier.unit if share else 0
        for supplier, share, worth in zip(suppliers, shares, worths, strict=True)
    ]


def _capped(suppliers: Sequence[Supplier], units: Sequence[int], most: Sequence[float]) -> list[int]:
    """Orders that may come."""
    return [
        min(count, math.floor(there / supplier.unit) * supplier.unit)
        for supplier, count, there in zip(suppliers, units, most, strict=True)
    ]


def _worths(suppliers: Sequence[Supplier], taken: Sequence[float], *, one_job: bool) -> list[float]:
    own = [supplier.worth for supplier in suppliers]
    if not one_job:
        return own
    slowest = min((worth for worth, share in zip(own, taken, strict=True) if share), default=1.0)
    return [slowest] * len(own)


def _there(
    suppliers: Sequence[Supplier],
    units: Sequence[int],
    arrived: Sequence[Floats],
    cards: int,
    *,
    one_job: bool,
) -> Flags:
    """Per draw, whether the wanted compute has arrived."""
    worths = _worths(suppliers, units, one_job=one_job)
    compute = np.zeros_like(arrived[0])
    for count, there, worth in zip(units, arrived, worths, strict=True):
        compute += np.minimum(there, count) * worth
    out: Flags = compute >= cards * (1.0 - 1e-9)
    return out


def _month(
    suppliers: Sequence[Supplier], units: Sequence[int], cards: int, probability: float, *, one_job: bool
) -> float | None:
    """First month in which the mix is sure enough, by halving: deliveries only add up."""

    def sure(month: int) -> bool:
        arrived = [arrived_by(supplier.drawn, float(month)) for supplier in suppliers]
        return float(_there(suppliers, units, arrived, cards, one_job=one_job).mean()) >= probability

    if not sure(MOST_MONTHS):
        return None
    low, high = 0, MOST_MONTHS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sure(middle) else (middle + 1, high)
    return float(low)


def _source(supplier: Supplier, count: int, share: float, by_months: float) -> Source:
    arrived = np.minimum(arrived_by(supplier.drawn, by_months), count)
    band = percentiles(arrived)
    assert band is not None
    phases, _, _ = phases_of(supplier.drawn, arrived, count, None, None)
    return Source(
        system=supplier.system,
        accelerator=supplier.accelerator,
        cards=count,
        share=share,
        worth=supplier.worth,
        by_cards=Band(p10=band[0], p50=band[1], p90=band[2]),
        probability=float((arrived >= count).mean()),
        phases=[phase for phase in phases if phase.month <= by_months + 1e-9],
    )
