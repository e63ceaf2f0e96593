"""How sure an answer is: software, draws of everything uncertain, what to measure first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from planner.plan.account import Band
from planner.plan.model import Plan
from planner.plan.shown import duration, number, percent, signed_percent, usd

Row = tuple[str, str]


def ported(plan: Plan) -> Iterator[Row]:
    """How far software carries the pair of chip and workload, and what a first port takes."""
    mature = plan.maturity
    if mature is None:
        return
    yield "software", f"{mature.level or 'not known'}: {mature.evidence}"
    months, staff, port = mature.porting_months, mature.porting_staff, mature.port
    if months is None or staff is None:
        return
    words = (
        f"{number(months.low)}-{number(months.high)} months of {number(staff.low)}-{number(staff.high)} "
        "engineers"
    )
    if port is not None:
        words += f", {_range(port.usd, usd)}"
        if port.days_to_finish is not None:
            words += f"; port and run together {_range(port.days_to_finish, number)} days"
    yield "first port", f"{words} (estimates, not in days, capital or ranks)"


def untuned(plan: Plan) -> Iterator[Row]:
    """That the software planned with is tuned, and the step without that."""
    found, speed = plan.evidence.untuned, plan.performance
    if found is None or speed is None:
        return
    if found.step_seconds is None:
        told = "this layout does not run"
    else:
        slower = found.step_seconds / speed.step_seconds - 1.0
        told = f"a step takes {duration(found.step_seconds)} ({signed_percent(slower)})"
    yield "tuned", f"{plan.evidence.software} is tuned for the run; as it comes ({found.software}) {told}"


def _designs(count: int) -> str:
    return "this design" if count == 1 else f"{count:,} designs"


def _range(band: Band, show: Callable[[float], str]) -> str:
    return f"{show(band.p50)} ({show(band.p10)} - {show(band.p90)})"


def draws(plan: Plan) -> Iterator[Row]:
    """What draws of everything uncertain say, where they were made."""
    found = plan.risk
    if found is None:
        return
    target = "" if found.met is None else f"; {percent(found.met)} of them meet the target"
    yield (
        "draws",
        f"{found.samples:,} of {found.inputs} inputs together on {_designs(found.candidates)}, seed "
        f"{found.seed}; "
        f"{percent(found.works)} of them fit memory and limits{target}",
    )
    shown: list[tuple[str, str, Callable[[float], str]]] = [
        ("requests_per_second", "requests/s at most", number),
        ("cards", "cards needed", lambda value: f"{value:,.0f}"),
        ("days", "days", number),
        ("facility_megawatts", "facility MW", number),
        ("capex_usd", "capital", usd),
        ("tco_usd_per_year", "a year", usd),
    ]
    for name, label, show in shown:
        band = found.bands.get(name)
        if band is not None:
            yield f"drawn {label}", f"P10 {show(band.p10)} · P50 {show(band.p50)} · P90 {show(band.p90)}"
        elif name == "cards" and name in found.bands and found.met is not None:
            yield f"drawn {label}", "no range: in more than one draw of ten nothing looked at is in time"
    drivers = found.indices.get("days", [])[:5]
    if drivers:
        words = [f"{item.label} {percent(max(0.0, item.total), 0)}" for item in drivers]
        yield "variance of days", ", ".join(words) + " (Sobol, total)"
    for item in found.measure_first[:3]:
        yield "measure first", f"{item.label} ({percent(item.share, 0)} of the variance): {item.test}"
    check = found.check
    if check is not None and check.mean is not None and check.worst is not None:
        missed = f"; {check.missed} have a plan that the draws miss" if check.missed else ""
        yield (
            "checked",
            f"{check.agreeing} of {check.samples} draws agree with a full search of them ({check.families} "
            f"layouts tried in each); {percent(check.mean)} too many cards on average, "
            f"{percent(check.worst)} at worst{missed}",
        )
