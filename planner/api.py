"""The planner from Python: the same nouns as the command line.

>>> plan = planner.size("examples/kunlun-30k.toml", set=["target.days=120"])
>>> plan.cards.total, plan.performance.days, plan.bands.days.p90
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from planner.errors import ScenarioError
from planner.lazy import Deferred
from planner.plan import assemble
from planner.plan.case import Case, open_case
from planner.plan.dated import held_to_date
from planner.plan.judge import judge
from planner.plan.model import Plan, read_plan
from planner.plan.named import parse
from planner.plan.solve import solve
from planner.plan.supply_figures import parse_given
from planner.problem.common_limit import common_limit
from planner.scenario import Scenario, ServiceScenario, from_table, load
from planner.specs import SpecLibrary

if TYPE_CHECKING:
    from planner.difference import Difference, Side
    from planner.engine import Interrupt, Progress
    from planner.plan import bill as bills
    from planner.plan import compare as comparisons
    from planner.plan import explain as accounts
    from planner.plan import (
        service_case,
        service_explain,
        service_judge,
        service_solve,
        service_told,
    )
    from planner.plan import supply as supplies
    from planner.plan.account import Space
    from planner.plan.explained import Explanation, ServiceExplanation
    from planner.problem import bill as fabrics
    from planner.sweeps import Rows, SweepFile
else:
    # One question needs few of them, and each takes its share of the half second that an answer may take.
    bills = Deferred("planner.plan.bill")
    comparisons = Deferred("planner.plan.compare")
    accounts = Deferred("planner.plan.explain")
    service_case = Deferred("planner.plan.service_case")
    service_explain = Deferred("planner.plan.service_explain")
    service_judge = Deferred("planner.plan.service_judge")
    service_solve = Deferred("planner.plan.service_solve")
    service_told = Deferred("planner.plan.service_told")
    supplies = Deferred("planner.plan.supply")
    fabrics = Deferred("planner.problem.bill")

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
        command: recorded in the plan's provenance; default: the call, of a file or a table.
        samples: draws of everything uncertain together (a power of two; needs scipy): ``Plan.risk``.
        confidence: plan for the cards that meet the target with this probability (samples: 1,024 by default).

    Raises:
        PlannerError: the scenario, a spec file or a figure cannot be used. That nothing fits is an answer,
            no error.
    """
    return _answered(
        read(scenario, set), solve,
        lambda case: service_solve.solve_service(case),  # noqa: PLW0108 (imported for a service alone)
        library=_library(library), no_estimates=no_estimates, progress=progress,
        command=command or _call(
            "size", scenario, set=set, library=library, samples=samples, confidence=confidence
        ),
        interrupt=interrupt, samples=samples, plan_for=confidence,
    )  # fmt: skip


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
    question = read(scenario, set)
    named = None
    if layout is not None and not isinstance(question, ServiceScenario):
        named = parse(layout)
        question = with_host(question, named)
    return _answered(
        question, lambda case: judge(case, named, cards),
        lambda case: service_judge.judge_service(case, layout, cards),
        library=_library(library), no_estimates=no_estimates, progress=progress,
        command=command or _call(
            "evaluate", scenario, layout=layout, cards=cards, set=set, library=library, samples=samples
        ),
        interrupt=interrupt, samples=samples,
    )  # fmt: skip


def _call(verb: str, scenario: Question, **given: Any) -> str | None:
    """The Python call that gives the same plan again; None for a scenario that was read before."""
    if isinstance(scenario, Scenario):
        return None
    question = dict(scenario) if isinstance(scenario, Mapping) else str(scenario)
    shown = [f"{key}={_shown(value)}" for key, value in given.items() if value]
    return f"planner.{verb}({', '.join([repr(question), *shown])})"


def _shown(value: Any) -> str:
    # Specs of one's own stand in the caller's program.
    return "library" if isinstance(value, SpecLibrary) else repr(value)


def _answered(
    question: Scenario,
    trained: Callable[[Case], Plan],
    served: Callable[[service_case.ServiceCase], Plan],
    **how: Any,
) -> Plan:
    """The answer to a question of training or of a service."""
    if isinstance(question, ServiceScenario):
        service = service_case.open_service(question, **how)
        return held_to_date(served(service), question, service.library)
    case = open_case(question, **how)
    return held_to_date(trained(case), question, case.library)


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
) -> Explanation | ServiceExplanation:
    """Where the time and the memory of a plan go, and what more of each resource is worth.

    Args:
        scenario: the question.
        layout, cards: as for `evaluate`; without them the plan that `size` finds is explained.
        set, library: as for `size`.

    Returns:
        Of training the seconds of a step and the bytes of a device by cause; of a service every figure with
        its formula and terms. ``value``: what 10 % more of each resource changes, relative.

    Raises:
        PlannerError: as for `size`; a layout that cannot even be built.
    """
    question, found = read(scenario, set), _library(library)
    if isinstance(question, ServiceScenario):
        return service_explain.explain_service(service_case.open_service(question, found), layout, cards)
    named = None if layout is None else parse(layout)
    if named is not None:
        question = with_host(question, named)
    case = open_case(question, found)
    plan = solve(case) if named is None and cards is None else judge(case, named, cards)
    return accounts.explain(case, held_to_date(plan, question, found))


def diff(
    a: Plan | Path | str | Mapping[str, Any],
    b: Plan | Path | str | Mapping[str, Any],
    *,
    set: Sets | None = None,
    names: tuple[str, str] = ("A", "B"),
    library: SpecLibrary | None = None,
) -> Difference:
    """What changed from one answer to another, and why.

    Args:
        a, b: plans, scenario files (.toml), plan files (.json), or tables of scenarios. Scenarios are sized.
        set: keys to change in the scenarios of both sides.
        names: of sides that are no files.
        library: as for `size`.

    Raises:
        PlannerError: as for `size`; one side is about training, the other about a service.
    """
    from planner.difference import difference  # noqa: PLC0415 (most callers ask one question)

    found = _library(library)
    first, second = (_side(name, one, set, found) for name, one in zip(names, (a, b), strict=True))
    return difference(first, second)


def _side(
    name: str, one: Plan | Path | str | Mapping[str, Any], set: Sets | None, library: SpecLibrary
) -> Side:
    from planner.difference import side_of_plan, side_of_scenario, side_of_table  # noqa: PLC0415

    if isinstance(one, Plan):
        return side_of_plan(name, one, library)
    if isinstance(one, Mapping):
        return side_of_table(name, one, library, _changes(set))
    path = Path(one)
    if path.suffix == ".toml":
        return side_of_scenario(path, library, _changes(set))
    return side_of_plan(path.stem, read_plan(path), library)


def write_report(
    plans: Plan | Sequence[Plan],
    path: Path | str,
    *,
    language: Literal["en", "zh"] = "en",
    names: Sequence[str] | None = None,
    library: SpecLibrary | None = None,
) -> Path:
    """Write one self-contained file on a plan, or on several side by side; see docs/report.md.

    Args:
        plans: at least one.
        path: report.html, or bill.xlsx for the bill of materials.
        language: of labels, numbers and money.
        names: of the plans; default: system and number of cards.
        library: has the exchange rate.

    Returns:
        The path.

    Raises:
        PlannerError: the extra ``report`` is not installed, the suffix is neither, or it cannot be written.
    """
    from planner.report.write import write  # noqa: PLC0415 (an extra)

    listed = [plans] if isinstance(plans, Plan) else list(plans)
    write(listed, Path(path), language=language, names=names, library=_library(library))
    return Path(path)


def space(scenario: Question, *, set: Sets | None = None, library: SpecLibrary | None = None) -> Space:
    """The space that `size` would search."""
    question = read(scenario, set)
    if isinstance(question, ServiceScenario):
        return service_told.service_space(service_case.open_service(question, _library(library)))
    case = open_case(question, _library(library))
    return assemble.space(case.request.model_dump(by_alias=True))


def read(scenario: Question, set: Sets | None = None) -> Scenario:
    """A scenario from a file or a table, with single keys changed.

    Raises:
        ScenarioError: it cannot be used; or ``set`` with a scenario that was read already.
    """
    changes = _changes(set)
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


def _changes(set: Sets | None) -> list[str]:
    """Changes of single keys as ``--set`` takes them."""
    if isinstance(set, Mapping):
        return [f"{key}={_toml(value)}" for key, value in set.items()]
    return list(set or ())


def _toml(value: Any) -> str:
    """A Python value on one line of TOML; tables as ``{ key = value }``."""
    import tomli_w  # noqa: PLC0415 (only for values given as Python objects)

    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml(str(key))} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    try:
        return tomli_w.dumps({"value": value}).partition("=")[2].strip()
    except TypeError as fault:
        raise ScenarioError(
            f"{value!r} cannot stand in a scenario",
            file="set",
            hint="values are texts, numbers, truths, lists and tables; leave out keys that are not to change",
        ) from fault


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
) -> comparisons.Comparison:
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
    return comparisons.compare(
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
) -> bills.FabricBill:
    """Every part of the networks that connect so many cards: see `planner.problem.bill.FabricQuestion`.

    Raises:
        PlannerError: unknown names, figures that are missing, or a fabric that does not reach so far.
    """
    question = fabrics.FabricQuestion(
        system, cards, fabric, kind, oversubscription, leaf_oversubscription, planes, reserved_ports
    )
    return bills.bill(fabrics.fabric_request(question, _library(library)))


def _library(library: SpecLibrary | None) -> SpecLibrary:
    return SpecLibrary.from_environment() if library is None else library


def supply(
    system: str,
    *,
    cards: int,
    by_months: float | None = None,
    second: str | Sequence[str] | None = None,
    confidence: float = 0.5,
    one_job: bool = False,
    scenario: Question | None = None,
    set: Sequence[str] | Mapping[str, float] | None = None,
    library: SpecLibrary | None = None,
) -> supplies.SupplyPlan:
    """When so many cards of a system can be there, and what bounds it.

    Args:
        system: id or name of a system or a card.
        cards: how many.
        by_months: the date to meet, in months from the order.
        second: other suppliers' systems, for a mix that meets the date.
        confidence: probability with which the cards have to be there by then.
        one_job: one job spans the mix; else each kind of card is a cluster of its own.
        scenario: its workload is trained on what has arrived, and weighs the cards of a mix.
        set: figures of the supply (`planner.plan.supply_figures.KEYS`) known better:
            ``{"wafer_starts": 30000}``.
        library: the spec files.

    Raises:
        PlannerError: unknown names or keys, numbers that make no sense.
    """
    specs = _library(library)
    found = specs.system(specs.resolve_hardware(system))
    names = [second] if isinstance(second, str) else list(second or ())
    others = tuple(specs.system(specs.resolve_hardware(name)) for name in names)
    given = parse_given(set)
    dated = supplies.Dated(by_months, others, confidence, one_job)
    if scenario is None:
        return supplies.supply(specs, found, cards, given=given, dated=dated)
    return supplies.supply_for(read(scenario, None), specs, found, cards, given, dated)
