"""A plan under thousands of draws of spec ranges, prices, failure rates and the model's own error together.

The designs that may matter (the best of every size, the front, runners-up) are chosen once; every draw
evaluates all of them again, and the best of a draw is chosen among them. A few draws are also answered by a
full search, which says what that shortcut costs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner import engine
from planner.errors import EngineError
from planner.lazy import np
from planner.plan import figures, worth
from planner.plan.account import Band
from planner.plan.bands import Z90, ModelError, Study, Uncertain
from planner.plan.confidence import MOST_TIMES, RELAXED, only_plant
from planner.plan.draws import Floats, Range, normal, normals, percentiles, sobol
from planner.plan.leaves import Leaves, leaves_of
from planner.plan.risk_parts import Check, Index, Risk
from planner.problem import Problem, build, wire
from planner.specs import Quantity
from planner.units import Dimension

Wire = Mapping[str, Any]
if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
else:
    Flags = object
CANDIDATES = 320
"""Designs evaluated under every draw, at most."""
RUNNERS_UP = 200
"""Designs besides the chosen one that every draw evaluates at least, where the space has so many."""
CHECKED = 64
INDEXED = 12
"""Inputs with the largest swings that Sobol indices are worked out for."""
INDEX_SAMPLES = 1024
SECONDS_PER_DAY = 86400.0
DAYS, MEGAWATTS, DESIGN_MEGAWATTS, CAPEX, TCO, REASONS = range(6)
NEVER_BELOW_ONE = (".pue", ".pue_design_day", "straggler_slowdown")
FATAL = 1 | 2 | 4 | 16
"""Memory, limits, another rule, cannot be built: such a design does not do. Few spares only cost days."""


@dataclass(frozen=True)
class Inputs:
    """What is drawn: figures, and the model's own errors per cluster."""

    figures: tuple[tuple[Uncertain, Range], ...]
    errors: tuple[tuple[ModelError, ...], ...]

    @property
    def keys(self) -> list[str]:
        """Of all inputs; the same input of another plan has the same key."""
        own = [figure.key for figure, _ in self.figures]
        return [*own, *{error_key(error) for errors in self.errors for error in errors}]


def error_key(error: ModelError) -> str:
    """Key of a model error: plans that share a chip family or a software share its error."""
    return f"error: {error.label}"


def ln_of(error: ModelError, z: Floats) -> Floats:
    """ln(time over the model's time) at standard normal deviates."""
    out: Floats = error.sigma_ln * z + error.slow_ln * np.maximum(z, 0.0) / Z90
    return out


def inputs_of(problem: Problem, errors: Sequence[Sequence[ModelError]]) -> Inputs:
    """Every figure of the problem with a range, and the errors of each cluster."""
    used = {figure.key: figure for figure in problem.figures}
    found = []
    for item in figures.uncertain(problem.figures):
        found.append((item, range_of(item, used[item.place].quantity)))
    kept = tuple(tuple(error for error in own if error.moves) for own in errors)
    return Inputs(tuple(found), kept)


def range_of(item: Uncertain, quantity: Quantity) -> Range:
    """What a figure can be: shares end at 1, and some ratios begin there."""
    share = quantity.dimension is Dimension.FRACTION and item.high <= 1.0
    least = 1.0 if item.low >= 1.0 and item.key.endswith(NEVER_BELOW_ONE) else 0.0
    return Range(quantity.value, item.low, item.high, least, 1.0 if share else np.inf)


@dataclass(frozen=True)
class Sampled:
    """Draws of one problem: outputs of every candidate, the model's own error included."""

    candidates: tuple[wire.DesignChoice, ...]
    columns: Floats
    """draws x candidates x outputs."""
    factors: Floats
    """draws x clusters: time over the model's time."""
    leaves: Leaves
    matrix: Floats

    def column(self, output: int) -> Floats:
        """draws x candidates."""
        out: Floats = self.columns[:, :, output]
        return out

    @property
    def works(self) -> Flags:
        """draws x candidates: fits, is lawful and inside the limits."""
        out: Flags = (self.column(REASONS).astype(int) & FATAL) == 0
        return out

    def meets(self, request: wire.Request) -> Flags:
        """draws x candidates: works and meets the target."""
        limit = days_allowed(request)
        return self.works & (self.column(DAYS) <= limit) if limit is not None else self.works


def days_allowed(request: wire.Request) -> float | None:
    """The target as calendar days for all tokens; None without one."""
    target, tokens = request.target, request.training.tokens
    by_rate = None
    if target.tokens_per_second is not None:
        by_rate = tokens / target.tokens_per_second / SECONDS_PER_DAY
    known = [limit for limit in (target.days, by_rate) if limit is not None]
    return min(known) if known else None


def draw(  # noqa: PLR0917
    problem: Problem,
    inputs: Inputs,
    candidates: Sequence[wire.DesignChoice],
    samples: int,
    seed: int,
    deviates: Mapping[str, Floats] | None = None,
) -> Sampled:
    """Evaluate the candidates under every draw.

    Args:
        problem: the question; all candidates are designs of its request.
        inputs: what is drawn.
        candidates: designs.
        samples: draws, a power of two.
        seed: of the Sobol points.
        deviates: standard normal deviates by key, where plans are compared (`draws.normals` of all keys).
    """
    z = deviates if deviates is not None else normals(inputs.keys, samples, seed)
    request = untargeted(problem.request)
    leaves = leaves_of(
        request,
        [(item, span.value) for item, span in inputs.figures],
        lambda values: untargeted(build(problem.scenario, problem.library, values).request),
    )
    values = {item.key: span.at(z[item.key]) for item, span in inputs.figures}
    matrix = leaves.matrix(values, samples)
    columns = engine.sample(request, candidates, leaves.pointers, matrix)
    factors = np.ones((samples, len(inputs.errors)))
    for cluster, errors in enumerate(inputs.errors):
        for error in errors:
            factors[:, cluster] *= np.exp(ln_of(error, z[error_key(error)]))
    columns[:, :, DAYS] *= factors[:, [choice.cluster for choice in candidates]]
    return Sampled(tuple(candidates), columns, factors, leaves, matrix)


def untargeted(request: wire.Request) -> wire.Request:
    """Without the target, which draws are held against later, and with room for more cards."""
    limits = request.limits
    room = limits.model_copy(update={"cards_max": min(limits.cards_max * RELAXED, 4_000_000)})
    return request.model_copy(
        update={"target": wire.Target(days=None, tokens_per_second=None), "limits": room}
    )


def candidates_of(problem: Problem, result: Wire, design: Wire) -> list[wire.DesignChoice]:
    """The chosen design first; then the front, the best layout of every size around it, and runners-up.

    At most `CANDIDATES`, and at least `RUNNERS_UP` besides the chosen one where the space has so many: what
    sizes leave of them are plants of other networks and coolings, and other layouts on the chosen plant.
    """
    request = problem.request
    base = design["cards"]["total"]
    found = _Choices(request, design)
    found.add([*result["front"], *result["runners_up"]])
    sizes = _around(request, base, ("cards", "days"), 5)["front"]
    # Half of the room at first, so that sizes alone do not crowd out what is cheaper or draws less.
    found.add(_thinned(sizes, base, (CANDIDATES - len(found.choices)) // 2))
    if len(found.choices) <= RUNNERS_UP:
        found.add(_around(request, base, ("cards", "facility_megawatts", "days"), 5)["front"])
    if len(found.choices) <= RUNNERS_UP:
        same = request.limits.model_copy(update={"cards_min": base, "cards_max": base})
        only = only_plant(request, design).model_copy(update={"limits": same})
        found.add(_fastest(only, ("cards", "days"), RUNNERS_UP)["runners_up"], design)
    found.add(sizes)
    return found.choices


class _Choices:
    """Different designs, up to `CANDIDATES`."""

    def __init__(self, request: wire.Request, design: Wire) -> None:
        self.request = request
        self.choices = [chosen(design)]

    def add(self, rows: Iterable[Wire], plant: Wire | None = None) -> None:
        for row in rows:
            if len(self.choices) >= CANDIDATES:
                return
            choice = _choice(self.request, row, plant)
            if choice not in self.choices:
                self.choices.append(choice)


def chosen(design: Wire) -> wire.DesignChoice:
    """A design of the engine as a choice of the request that it answers."""
    return wire.DesignChoice(
        cluster=design["cluster"],
        fabric=design["fabric_index"],
        cooling=design["cooling_index"],
        power_cap=design["power_cap"],
        cards=design["cards"]["total"],
        layout=wire.LayoutOfDesign.model_validate(dict(design["layout"])),
    )


def _around(request: wire.Request, base: int, axes: tuple[str, ...], runners_up: int) -> Wire:
    """The fastest layouts of all sizes from a third of ``base`` cards on."""
    limits = request.limits
    wide = limits.model_copy(
        update={
            "cards_min": max(1, min(base // 3, limits.cards_max)),
            "cards_max": min(limits.cards_max * RELAXED, base * MOST_TIMES),
        }
    )
    return _fastest(untargeted(request).model_copy(update={"limits": wide}), axes, runners_up)


def _fastest(request: wire.Request, axes: tuple[str, ...], runners_up: int) -> Wire:
    search = request.search.model_copy(
        update={
            "objective": "throughput",
            "weights": (),
            "front": axes,
            "front_points": 4096,
            "runners_up": runners_up,
        }
    )
    target = wire.Target(days=None, tokens_per_second=None)
    return engine.size(request.model_copy(update={"search": search, "target": target}))


def _thinned(rows: Sequence[Wire], base: int, room: int) -> list[Wire]:
    """At most ``room`` sizes, near ones in preference to far ones."""
    if len(rows) <= room:
        return list(rows)
    # Evenly in ln(cards): the step between sizes is a share of them.
    ordered = sorted(rows, key=lambda row: row["cards"])
    ends = math.log(ordered[0]["cards"] / base), math.log(ordered[-1]["cards"] / base)
    wanted = np.linspace(*ends, room)
    places = np.searchsorted([math.log(row["cards"] / base) for row in ordered], wanted)
    return [ordered[place] for place in sorted({min(int(p), len(ordered) - 1) for p in places})]


def _choice(request: wire.Request, row: Wire, plant: Wire | None = None) -> wire.DesignChoice:
    """A row of a search as a design; ``plant``: the design on whose plant alone was searched."""
    layout = wire.LayoutOfDesign.model_validate(dict(row["layout"]))
    if plant is not None:
        return chosen(plant).model_copy(update={"layout": layout, "cards": row["cards"]})
    cluster = next(i for i, item in enumerate(request.clusters) if item.system == row["system"])
    offered = request.clusters[cluster]
    wanted = (row["fabric"], row["fabric_kind"], row["oversubscription"])
    return wire.DesignChoice(
        cluster=cluster,
        fabric=next(
            i
            for i, item in enumerate(offered.fabrics)
            if (item.id, item.kind, item.oversubscription) == wanted
        ),
        cooling=next(i for i, item in enumerate(offered.coolings) if item.kind == row["cooling"]),
        power_cap=row["power_cap"],
        cards=row["cards"],
        layout=layout,
    )


def surest(sampled: Sampled, request: wire.Request, probability: float) -> int | None:
    """The candidate with the fewest cards that meets the target with ``probability``; None: none does."""
    if days_allowed(request) is None:
        return None
    share = sampled.meets(request).mean(axis=0)
    good = [place for place in range(len(share)) if share[place] >= probability]
    return min(
        good, key=lambda place: (sampled.candidates[place].cards or 0, -share[place], place), default=None
    )


def cards_needed(sampled: Sampled, request: wire.Request) -> Floats:
    """Per draw, the fewest cards of a candidate that meets the target; infinite where none does."""
    cards = np.array([float(choice.cards or 0) for choice in sampled.candidates])
    out: Floats = np.where(sampled.meets(request), cards, np.inf).min(axis=1)
    return out


def checked(problem: Problem, sampled: Sampled, needed: Floats) -> Check | None:
    """The first draws again, by full searches of what the candidates say and below."""
    limit = days_allowed(problem.request)
    if limit is None:
        return None
    base = untargeted(problem.request)
    body = base.model_dump(by_alias=True)
    most = base.limits.cards_max
    requests, said = [], []
    for place in range(min(CHECKED, len(needed))):
        moved = json.loads(json.dumps(body))
        for pointer, value in zip(sampled.leaves.pointers, sampled.matrix[place], strict=True):
            _put(moved, pointer, float(value))
        request = wire.Request.model_validate(moved)
        # The model's own error slows all layouts of a cluster alike; of several clusters the first counts.
        target = wire.Target(days=limit / float(sampled.factors[place, 0]), tokens_per_second=None)
        top = most if not math.isfinite(needed[place]) else int(needed[place])
        requests.append(
            request.model_copy(
                update={
                    "target": target,
                    "limits": request.limits.model_copy(
                        update={"cards_min": min(request.limits.cards_min, top), "cards_max": top}
                    ),
                    "search": request.search.model_copy(
                        update={"objective": "cards", "front": (), "front_points": 1}
                    ),
                }
            )
        )
        said.append(needed[place])
    answers = engine.size_many(requests, threads=0)
    over, same = [], 0
    unit = max(cluster.unit_cards for cluster in problem.request.clusters)
    answered = 0
    for answer, cards in zip(answers, said, strict=True):
        if isinstance(answer, EngineError):
            # Numbers at the edge of what can be: no draw of the candidates counts there either.
            continue
        answered += 1
        best = answer["best"]["cards"]["total"] if answer["best"] else None
        if best is None or (math.isfinite(cards) and cards - best <= unit):
            same += 1
        if best is not None and math.isfinite(cards):
            over.append(cards / best - 1.0)
    return Check(
        samples=answered,
        agreeing=same,
        worst=max(over, default=None),
        mean=float(np.mean(over)) if over else None,
    )


def _put(body: Any, pointer: str, value: float) -> None:
    *path, last = pointer.strip("/").split("/")
    for step in path:
        body = body[int(step)] if isinstance(body, list) else body[step]
    body[int(last) if isinstance(body, list) else last] = value


def indices(  # noqa: PLR0917
    problem: Problem, inputs: Inputs, sampled: Sampled, place: int, study: Study, seed: int
) -> list[Index]:
    """Sobol indices of ln(days) of one candidate over the inputs with the largest swings."""
    spans = {item.key: (item, span) for item, span in inputs.figures}
    errors = {error_key(error): error for error in inputs.errors[sampled.candidates[place].cluster]}
    labels = {key: item.label for key, (item, _) in spans.items()}
    weights = {key: weight for key, weight in study.weight.items() if key in spans}
    ranked = sorted(weights, key=lambda key: (-weights[key], key))[:INDEXED]
    keys = [*ranked, *errors]
    if not keys:
        return []
    request = untargeted(problem.request)
    choice = sampled.candidates[place]

    def ln_days(points: Floats) -> Floats:
        z = dict(zip(keys, points, strict=True))
        many = points.shape[1]
        middle = np.zeros(many)
        values = {key: span.at(z.get(key, middle)) for key, (_, span) in spans.items()}
        columns = engine.sample(
            request, [choice], sampled.leaves.pointers, sampled.leaves.matrix(values, many)
        )
        # A draw that cannot be built counts as the centre: it has no days.
        days = columns[:, 0, DAYS]
        usable = np.isfinite(days) & (days > 0)
        logs = np.log(np.where(usable, days, np.median(days[usable]) if usable.any() else 1.0))
        for key, error in errors.items():
            logs = logs + ln_of(error, z[key])
        return logs

    first, total = sobol(ln_days, [normal()] * len(keys), INDEX_SAMPLES, seed)
    found = [
        Index(
            label=labels.get(key, errors[key].label if key in errors else key),
            key=key if key in labels else None,
            first=float(one),
            total=float(all_),
        )
        for key, one, all_ in zip(keys, first, total, strict=True)
    ]
    return sorted(found, key=lambda item: (-item.total, item.label))


def risk(  # noqa: PLR0917
    problem: Problem,
    inputs: Inputs,
    sampled: Sampled,
    place: int,
    study: Study,
    probability: float,
    seed: int,
    planned_for: bool,
    tokens_per_second_per_card: float,
    check: bool = True,
) -> Risk:
    """What the draws say of the candidate at ``place``."""
    request = problem.request
    limit = days_allowed(request)
    works = sampled.works[:, place]
    # One design alone does not say how many cards are needed.
    asked = limit is not None and len(sampled.candidates) > 1
    needed = cards_needed(sampled, request) if asked else None
    sure = surest(sampled, request, probability)
    return Risk(
        samples=len(sampled.columns),
        seed=seed,
        candidates=len(sampled.candidates),
        inputs=len(inputs.keys),
        approximate=list(sampled.leaves.approximate),
        bands=_bands(sampled, place, needed),
        met=None if limit is None else float(sampled.meets(request)[:, place].mean()),
        works=float(works.mean()),
        probability=probability,
        cards=None if sure is None else sampled.candidates[sure].cards,
        cards_tried=max(choice.cards or 0 for choice in sampled.candidates),
        planned_for=planned_for,
        indices={"days": indices(problem, inputs, sampled, place, study, seed)},
        check=checked(problem, sampled, needed) if check and needed is not None else None,
        measure_first=worth.measure_first(problem, study),
        sheet_precision=request.training.precision,
        acceptance=worth.acceptance(problem, sampled.candidates[place], tokens_per_second_per_card),
    )


def _bands(sampled: Sampled, place: int, needed: Floats | None) -> dict[str, Band | None]:
    def band(values: Floats) -> Band | None:
        found = percentiles(values)
        return None if found is None else Band(p10=found[0], p50=found[1], p90=found[2])

    tokens_days = sampled.column(DAYS)[:, place]
    out = {
        "days": band(tokens_days),
        "facility_megawatts": band(sampled.column(MEGAWATTS)[:, place]),
        "facility_design_megawatts": band(sampled.column(DESIGN_MEGAWATTS)[:, place]),
        "capex_usd": band(sampled.column(CAPEX)[:, place]),
        "tco_usd_per_year": band(sampled.column(TCO)[:, place]),
    }
    if needed is not None:
        out["cards"] = band(needed)
    return out


def used_keys(inputs: Iterable[Inputs]) -> list[str]:
    """Keys of the inputs of several plans: draws of all of them at once are shared."""
    return sorted({key for item in inputs for key in item.keys})
