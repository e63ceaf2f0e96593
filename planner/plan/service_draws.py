"""Draws of everything uncertain about a service, and copies of it with more or fewer instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from planner import engine
from planner.lazy import np
from planner.plan.bands import ModelError, Uncertain
from planner.plan.drawn import error_key, ln_of
from planner.plan.draws import Floats, Range, normals
from planner.plan.leaves import Leaves, leaves_of
from planner.plan.risk import DAYS, FATAL, REASONS
from planner.problem import serving_wire
from planner.problem.service import ServiceProblem, build_service

MOST_CARDS = 4_000_000
RATE = DAYS
"""Of services the first output of a draw is the highest load."""

Drawn = tuple[tuple[Uncertain, Range], ...]


class Draws:
    """Draws of the figures of a service's plant and of the model's own errors."""

    def __init__(  # noqa: PLR0917
        self,
        problem: ServiceProblem,
        figures: Drawn,
        errors: Sequence[ModelError],
        samples: int,
        seed: int,
        deviates: Mapping[str, Floats] | None = None,
        leaves: Leaves | None = None,
    ) -> None:
        """Draw.

        Args:
            problem: the question.
            figures: drawn.
            errors: of the model itself, drawn.
            samples: a power of two.
            seed: of the Sobol points.
            deviates: standard normal deviates by key, where services are compared.
            leaves: the numbers that move, where they are known.
        """
        self.problem, self.seed, self.samples = problem, seed, samples
        self.figures, self.errors = figures, tuple(errors)
        z = deviates if deviates is not None else normals(self.keys, samples, seed)
        self.request = roomy(problem.request)
        self.leaves = leaves or leaves_of(
            self.request,
            [(item, span.value) for item, span in figures],
            lambda values: roomy(build_service(problem.scenario, problem.library, values).request),
        )
        self.values = [(item, span.at(z[item.key])) for item, span in figures]
        """Figures with their values by draw."""
        self.matrix = self.leaves.matrix({item.key: column for item, column in self.values}, samples)
        """draws x numbers that move."""
        slower = np.zeros(samples)
        for error in errors:
            slower += ln_of(error, z[error_key(error)])
        self.factor: Floats = np.exp(slower)
        """Time over the model's time, by draw."""

    @property
    def keys(self) -> list[str]:
        """Of all that is drawn."""
        return sorted({*(item.key for item, _ in self.figures), *(error_key(e) for e in self.errors)})

    def again(self, samples: int, seed: int) -> Draws:
        """Other draws of the same."""
        return Draws(self.problem, self.figures, self.errors, samples, seed, leaves=self.leaves)

    def first(self, count: int) -> Draws:
        """The first ``count`` of these draws (a power of two of Sobol points is balanced in itself)."""
        if count >= self.samples:
            return self
        part = copy(self)
        part.samples, part.matrix, part.factor = count, self.matrix[:count], self.factor[:count]
        part.values = [(item, column[:count]) for item, column in self.values]
        return part

    def unbounded(self) -> Draws:
        """The same draws with room for as many cards as may be looked at."""
        free = copy(self)
        limits = self.request.limits.model_copy(update={"cards_max": MOST_CARDS})
        free.request = self.request.model_copy(update={"limits": limits})
        return free

    def of(self, choice: serving_wire.ServiceChoice, load: float) -> Floats:
        """draws x outputs of one service at a load; the first is its highest load, else 0.

        A slower model carries less and has less room in its latencies (`ServiceTarget.slowed`).
        """
        latencies = self.request.target.latencies
        mean = self.request.target.mean_requests_per_second
        loads = {"requests_per_second": load, "mean_requests_per_second": mean}
        busier = {name: rate for name, rate in loads.items() if rate is not None}
        columns = self.rates(
            choice,
            load,
            np.column_stack(
                [
                    self.matrix,
                    *(wanted.seconds / self.factor for wanted in latencies.values()),
                    *(rate * self.factor for rate in busier.values()),
                ]
            ),
            (*(f"/target/{name}/seconds" for name in latencies), *(f"/target/{name}" for name in busier)),
        )
        columns[:, RATE] /= self.factor
        return columns

    def rates(
        self,
        choice: serving_wire.ServiceChoice,
        load: float,
        matrix: Floats,
        further: tuple[str, ...] = (),
    ) -> Floats:
        """As `of` for rows of numbers, without the model's own error; ``further``: their last columns."""
        target = self.request.target.model_copy(update={"requests_per_second": load})
        request = self.request.model_copy(update={"target": target})
        columns = engine.sample(request, [choice], [*self.leaves.pointers, *further], matrix)[:, 0, :]
        broken = (columns[:, REASONS].astype(int) & FATAL) != 0
        columns[:, RATE] = np.where(broken | ~np.isfinite(columns[:, RATE]), 0.0, columns[:, RATE])
        return columns


def roomy(request: serving_wire.ServiceRequest) -> serving_wire.ServiceRequest:
    """With room for more cards, which a draw may need, and without a simulation of each."""
    limits = request.limits
    most = min(limits.cards_max * 4, MOST_CARDS)
    search = request.search.unsimulated()
    return request.model_copy(
        update={"limits": limits.model_copy(update={"cards_max": most}), "search": search}
    )
