"""What is drawn of a problem, and the numbers of its request under every draw.

Figures go to values within their ranges, the model's own errors to factors on time; both by the same Sobol
points for the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from planner.lazy import np
from planner.plan import figures
from planner.plan.bands import Z90, ModelError, Uncertain
from planner.plan.confidence import RELAXED
from planner.plan.draws import Floats, Range, normals
from planner.plan.leaves import Leaves, leaves_of
from planner.problem import Problem, build, wire
from planner.specs import Quantity
from planner.units import Dimension

NEVER_BELOW_ONE = (".pue", ".pue_design_day", "straggler_slowdown")


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


def used_keys(inputs: Iterable[Inputs]) -> list[str]:
    """Keys of the inputs of several plans: draws of all of them at once are shared."""
    return sorted({key for item in inputs for key in item.keys})


@dataclass(frozen=True)
class Prepared:
    """A problem with what is drawn of it, and the numbers of its request that this moves."""

    problem: Problem
    inputs: Inputs
    request: wire.Request
    """Without a target, with room for more cards."""
    leaves: Leaves

    def draws(self, samples: int, seed: int, deviates: Mapping[str, Floats] | None = None) -> Drawn:
        """Draws of the numbers.

        Args:
            samples: how many, a power of two.
            seed: of the Sobol points.
            deviates: standard normal deviates by key, where plans are compared (`draws.normals` of all keys).
        """
        z = deviates if deviates is not None else normals(self.inputs.keys, samples, seed)
        values = {item.key: span.at(z[item.key]) for item, span in self.inputs.figures}
        factors = np.ones((samples, len(self.inputs.errors)))
        for cluster, errors in enumerate(self.inputs.errors):
            for error in errors:
                factors[:, cluster] *= np.exp(ln_of(error, z[error_key(error)]))
        return Drawn(self, self.leaves.matrix(values, samples), factors)


@dataclass(frozen=True)
class Drawn:
    """Draws of a problem, before any design is looked at."""

    of: Prepared
    matrix: Floats
    """draws x numbers that move, in the order of ``of.leaves.pointers``."""
    factors: Floats
    """draws x clusters: time over the model's time."""

    def days(self, limit: float) -> Floats:
        """draws x clusters: days that the model may say where ``limit`` days are allowed."""
        out: Floats = limit / self.factors
        return out


def prepared(problem: Problem, inputs: Inputs) -> Prepared:
    """Find out which numbers of the request move with which figures."""
    request = untargeted(problem.request)
    leaves = leaves_of(
        request,
        [(item, span.value) for item, span in inputs.figures],
        lambda values: untargeted(build(problem.scenario, problem.library, values).request),
    )
    return Prepared(problem, inputs, request, leaves)


def untargeted(request: wire.Request) -> wire.Request:
    """Without the target, which draws are held against later, and with room for more cards."""
    limits = request.limits
    room = limits.model_copy(update={"cards_max": min(limits.cards_max * RELAXED, 4_000_000)})
    return request.model_copy(
        update={"target": wire.Target(days=None, tokens_per_second=None), "limits": room}
    )
