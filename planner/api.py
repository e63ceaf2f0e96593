"""The planner from Python: the same nouns as the command line.

>>> plan = planner.size("examples/kunlun-30k.toml", set=["target.days=120"])
>>> plan.cards.total, plan.performance.days, plan.bands.days.p90
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.engine import Interrupt, Progress
from planner.errors import ScenarioError
from planner.plan import assemble
from planner.plan import explain as accounts
from planner.plan import supply as supplies
from planner.plan.account import Space
from planner.plan.bill import FabricBill, bill
from planner.plan.case import open_case
from planner.plan.compare import Comparison
from planner.plan.compare import compare as compare_systems
from planner.plan.interval import curve
from planner.plan.judge import judge
from planner.plan.model import Plan
from planner.plan.named import parse
from planner.plan.service_case import open_service
from planner.plan.service_explain import explain_service
from planner.plan.service_judge import judge_service
from planner.plan.service_solve import solve_service
from planner.plan.service_told import service_space
from planner.plan.solve import solve
from planner.plan.supply import SupplyPlan
from planner.problem.bill import FabricQuestion, fabric_request
from planner.problem.common_limit import common_limit
from planner.scenario import Scenario, ServiceScenario, from_table, load
from planner.specs import SpecLibrary

if TYPE_CHECKING:
    from planner.sweeps import Rows, SweepFile

Question = Scenario | Path | str | Mapping[str, Any]
"""A scenario: read already, a file, or the table that would stand in the file."""

Sets = Sequence[str] | Mapping[str, Any]
"""Changes of single keys: ``["target.days=120"]`` or ``{"target.days": 120}``."""


def size(
    scenario: Question,
    *,
    set: Sets | None = None,
    no_estimates: bool = False,
    library: SpecLibrary | None = None,
    progress: Progress | None = None,
    interrupt: Interrupt | None = None,
    command: str | None = None,
    samples: int = 0,
    confidence: float | None = None,
) -> Plan:
    """The cluster that meets the target, or the most that the limits allow.

    Args:
        scenario: the question.
        set: keys of the scenario to change.
        no_estimates: refuse to answer on estimated figures.
        library: the spec files; default: the shipped ones and those of ``PLANNER_SPEC_PATH``.
        progress: called now and then with the counts of the search.
        interrupt: where given, Ctrl-C ends the search with the best so far and is noted there.
        command: recorded in the plan's provenance.
        samples: draws of everything uncertain together (a power of two; needs scipy): ``Plan.risk``.
        confidence: plan for the cards that meet the target with this probability (samples: 1,024 by default).

    Raises:
        PlannerError: the scenario, a spec file or a figure cannot be used. That nothing fits is an answer,
            no error.
    """
    question = read(scenario, set)
    if isinstance(question, ServiceScenario):
        served = open_service(
            question,
            _library(library),
            command=command,
            no_estimates=no_estimates,
            progress=progress,
            interrupt=interrupt,
            samples=samples,
            plan_for=confidence,
        )
        return solve_service(served)
    case = open_case(
        question,
        _library(library),
        command=command,
        no_estimates=no_estimates,
        progress=progress,
        interrupt=interrupt,
        samples=samples,
        plan_for=confidence,
    )
    return solve(case)


def evaluate(
    scenario: Question,
    *,
    layout: str | Mapping[str, Any] | None = None,
    cards: int | None = None,
    set: Sets | None = None,
    no_estimates: bool = False,
    library: SpecLibrary | None = None,
    progress: Progress | None = None,
    interrupt: Interrupt | None = None,
    command: str | None = None,
    samples: int = 0,
) -> Plan:
    """The plan of so many cards, in a named layout or the best one; ``Plan.comparison`` judges it.

    Args:
        scenario: the question.
        layout: ``"tp=8,pp=16"`` or ``{"tp": 8, "pp": 16}``; what is left out is chosen as the best, except
            that with dp given tp, pp and cp are 1 where left out.
        cards: cards bought; default: those of the layout if it names dp, else what the scenario allows at
            most.
        set, no_estimates, library, progress, interrupt, command: as for `size`.
        samples: draws of everything uncertain together, for this design alone: ``Plan.risk``.

    Raises:
        PlannerError: as for `size`; a layout that cannot even be built.
    """
    asked = read(scenario, set)
    if isinstance(asked, ServiceScenario):
        served = open_service(
            asked,
            _library(library),
            command=command,
            no_estimates=no_estimates,
            progress=progress,
            interrupt=interrupt,
            samples=samples,
        )
        return judge_service(served, layout, cards)
    named = None if layout is None else parse(layout)
    question = with_host(asked, named)
    case = open_case(
        question,
        _library(library),
        command=command,
        no_estimates=no_estimates,
        progress=progress,
        interrupt=interrupt,
        samples=samples,
    )
    return judge(case, named, cards)


def sweep(
    question: SweepFile | Path | str | Mapping[str, Any],
    *,
    limit: int | None = None,
    threads: int | None = None,
    scheduler: str | None = None,
    library: SpecLibrary | None = None,
) -> Rows:
    """Thousands of what-ifs, row by row; see docs/sweep.md.

    Args:
        question: a sweep file, its path, or the tables that would stand in it.
        limit: only so many points from the start.
        threads: searches at a time; default: all cores.
        scheduler: address of a Dask cluster that does the work instead.
        library: as for `size`; a cluster must have the same spec files.

    Returns:
        An iterator of rows (dictionaries); ``.to_polars()`` and ``.to_pandas()`` take them all.

    Raises:
        PlannerError: the sweep cannot be used. A point that fails is a row with its reason.
    """
    from planner.sweeps import Rows, Sweep, SweepFile, load  # noqa: PLC0415 (most callers ask one question)
    from planner.sweeps.schema import from_table as sweep_from_table  # noqa: PLC0415

    folder = None
    if isinstance(question, str | Path):
        folder, question = Path(question).parent, load(Path(question))
    file = question if isinstance(question, SweepFile) else sweep_from_table(question)
    return Rows(Sweep(file, _library(library), folder, limit), threads, scheduler)


def with_host(scenario: Scenario, named: Mapping[str, Any] | None) -> Scenario:
    """The scenario with the choice of offloading what a named layout offloads.

    Its host is looked up then, and the best layout that it is held against may offload the same.
    """
    asked = [name for name, value in (named or {}).items() if name.startswith("offload_") and value is True]
    widened = {name: (False, True) for name in asked if getattr(scenario.layout, name) is None}
    if not widened:
        return scenario
    return scenario.model_copy(update={"layout": scenario.layout.model_copy(update=widened)})


def explain(
    scenario: Question,
    *,
    layout: str | None = None,
    cards: int | None = None,
    set: Sets | None = None,
    library: SpecLibrary | None = None,
) -> dict[str, Any]:
    """Where the time and the memory of a plan go, and what more of each resource is worth.

    Of training: `planner.plan.explain.explain`; of a service, with the formula of each figure:
    `planner.plan.service_explain.explain_service`.
    """
    question = read(scenario, set)
    if isinstance(question, ServiceScenario):
        return explain_service(open_service(question, _library(library)), layout, cards)
    return accounts.explain(open_case(question, _library(library)), layout, cards)


def goodput_curve(
    scenario: Question, plan: Plan, *, set: Sets | None = None, library: SpecLibrary | None = None
) -> list[tuple[float, float]]:
    """(seconds between checkpoints, goodput) of a training plan that answers ``scenario``; else empty."""
    question = read(scenario, set)
    if isinstance(question, ServiceScenario) or plan.layout is None:
        return []
    return curve(open_case(question, _library(library)).request, plan)


def space(scenario: Question, *, set: Sets | None = None, library: SpecLibrary | None = None) -> Space:
    """The space that `size` would search."""
    question = read(scenario, set)
    if isinstance(question, ServiceScenario):
        return service_space(open_service(question, _library(library)))
    case = open_case(question, _library(library))
    return assemble.space(case.request.model_dump(by_alias=True))


def read(scenario: Question, set: Sets | None = None) -> Scenario:
    """A scenario from a file or a table, with single keys changed.

    Raises:
        ScenarioError: it cannot be used; or ``set`` with a scenario that was read already.
    """
    changes = (
        [f"{key}={_toml(value)}" for key, value in set.items()]
        if isinstance(set, Mapping)
        else list(set or ())
    )
    if isinstance(scenario, Scenario):
        if changes:
            raise ScenarioError(
                "a Scenario that was read already is not changed",
                hint="give the file or the table with set=...",
            )
        return scenario
    if isinstance(scenario, Mapping):
        return from_table(scenario, changes)
    return load(scenario, changes)


def _toml(value: Any) -> str:
    import tomli_w  # noqa: PLC0415 (only for values given as Python objects)

    return tomli_w.dumps({"value": value}).partition("=")[2].strip()


def compare(
    scenario: Question,
    *,
    limit: Sequence[str] | Mapping[str, Any] = (),
    systems: Sequence[str] | None = None,
    set: Sets | None = None,
    no_estimates: bool = False,
    library: SpecLibrary | None = None,
    seen: Callable[[str], None] | None = None,
    samples: int = 0,
) -> Comparison:
    """Many systems, one workload, one limit: each is answered alone, and the answers are ranked.

    Args:
        scenario: the question; its systems are the contenders.
        limit: ``["power=20MW"]`` or ``{"power": "20 MW"}`` (power at the grid, money, racks, cards, date); it
            stands in place of the scenario's target and limits. None: those of the scenario.
        systems: contenders in place of the scenario's.
        set, no_estimates, library: as for `size`.
        seen: told the name of each system before it is worked out.
        samples: draws of everything uncertain that all contenders share (needs scipy); 0: none.

    Raises:
        PlannerError: the scenario or the limit cannot be used. A system without a plan is part of the answer.
    """
    question = read(scenario, set)
    if systems is not None:
        hardware = question.hardware.model_copy(update={"systems": tuple(systems)})
        question = question.model_copy(update={"hardware": hardware})
    question, words = common_limit(question, limit)
    found = _library(library)
    return compare_systems(
        question,
        found,
        lambda alone: size(alone, no_estimates=no_estimates, library=found),
        limit=words,
        seen=seen,
        samples=samples,
    )


def fabric(
    system: str,
    *,
    cards: int,
    fabric: str | None = None,
    kind: str | None = None,
    oversubscription: float = 1.0,
    leaf_oversubscription: float = 1.0,
    planes: int | None = None,
    reserved_ports: int = 0,
    library: SpecLibrary | None = None,
) -> FabricBill:
    """Every part of the networks that connect so many cards: see `planner.problem.bill.FabricQuestion`.

    Raises:
        PlannerError: unknown names, figures that are missing, or a fabric that does not reach so far.
    """
    question = FabricQuestion(
        system, cards, fabric, kind, oversubscription, leaf_oversubscription, planes, reserved_ports
    )
    return bill(fabric_request(question, _library(library)))


def _library(library: SpecLibrary | None) -> SpecLibrary:
    return SpecLibrary.from_environment() if library is None else library


def supply(
    system: str,
    *,
    cards: int,
    by_months: float | None = None,
    second: str | None = None,
    scenario: Question | None = None,
    set: Sequence[str] | Mapping[str, float] | None = None,
    library: SpecLibrary | None = None,
) -> SupplyPlan:
    """When so many cards of a system can be there, and what bounds it.

    Args:
        system: id or name of a system or a card.
        cards: how many.
        by_months: the date to meet, in months from the order.
        second: a second source for what the first cannot deliver by then.
        scenario: its workload is trained on what has arrived.
        set: figures of the supply (`planner.plan.supply.KEYS`) known better: ``{"wafer_starts": 30000}``.
        library: the spec files.

    Raises:
        PlannerError: unknown names or keys, numbers that make no sense.
    """
    specs = _library(library)
    found = specs.system(specs.resolve_hardware(system))
    other = None if second is None else specs.system(specs.resolve_hardware(second))
    given = supplies.parse_given(set)
    rates, tokens = None, None
    if scenario is not None:
        counts = supplies.phase_cards(specs, found, cards, given)
        rates, tokens = supplies.rates_of(read(scenario, None), specs, found, counts)
    return supplies.supply(
        specs,
        found,
        cards,
        given=given,
        by_months=by_months,
        second=other,
        rates=rates,
        tokens=tokens,
    )
