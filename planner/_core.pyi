"""The compiled core: physics and search. JSON in, JSON out (``planner.problem.wire``, docs/plan.md)."""

from collections.abc import Callable, Sequence

__all__ = [
    "CoreError",
    "deliveries",
    "evaluate",
    "evaluate_many",
    "evaluate_service",
    "evaluate_services",
    "evaluate_serving",
    "evaluation_rate",
    "fabric",
    "fewest",
    "sample",
    "size",
    "size_many",
    "size_service",
    "size_services",
    "supply",
    "version",
]

class CoreError(ValueError):
    """The core refused a request; the message names the key."""

def size(
    request: bytes, progress: Callable[[int, int, int, bool, float | None], bool] | None = None
) -> bytes:
    """Search: a ``problem/1`` request to a ``result/1`` answer.

    ``progress(done, total, candidates, found, gap)`` is called now and then: whether a plan is known, and how
    much better than it the answer can be at most. When it returns False the best so far is
    returned, with ``complete`` false. The interpreter lock is released meanwhile.
    """

def evaluate(request: bytes) -> bytes:
    """Evaluate one design: ``{"problem": problem/1, "design": {...}}`` to a design."""

def size_service(
    request: bytes, progress: Callable[[int, int, int, bool, float | None], bool] | None = None
) -> bytes:
    """Search a service: a ``service/1`` request to a ``service-result/1``."""

def evaluate_service(request: bytes) -> bytes:
    """Evaluate one service: ``{"problem": service/1, "design": {...}}`` to a design."""

def evaluate_serving(request: bytes) -> bytes:
    """Answer the questions of a ``serving/1`` request: a JSON list of answers, or errors, in order."""

def sample(request: bytes, values: bytes, threads: int) -> bytes:
    """Evaluate designs under draws: ``{"problem", "designs", "pointers"}``, and floats, draws x pointers.

    The answer holds 64-bit floats, draws x designs x six outputs (``rust/core/src/sampling.rs``).
    """

def fewest(request: bytes, values: bytes, days: bytes, threads: int) -> bytes:
    """The fewest cards of families under draws: ``{"problem", "families", "pointers"}``, floats, and days.

    Days are allowed per draw and cluster. The answer holds 64-bit floats, draws x three: cards, family, data
    ranks (``rust/core/src/sampling/fewest.rs``).
    """

def size_many(requests: Sequence[bytes], threads: int) -> list[bytes | CoreError | RuntimeError]:
    """Search many problems, each on one of ``threads`` threads (0: all cores), without the interpreter lock.

    Answers stand in the order of the requests: a ``result/1``, or the exception that ``size`` would
    have raised.
    """

def evaluate_many(requests: Sequence[bytes], threads: int) -> list[bytes | CoreError | RuntimeError]:
    """Evaluate many designs; as for ``size_many``, with the requests of ``evaluate``."""

def size_services(requests: Sequence[bytes], threads: int) -> list[bytes | CoreError | RuntimeError]:
    """Search many services; as for ``size_many``, with the requests of ``size_service``."""

def evaluate_services(requests: Sequence[bytes], threads: int) -> list[bytes | CoreError | RuntimeError]:
    """Evaluate many services; as for ``size_many``, with the requests of ``evaluate_service``."""

def evaluation_rate(request: bytes, seconds: float) -> bytes:
    """Evaluate layouts of a ``problem/1`` on one core, bounds off, for about ``seconds``."""

def deliveries(draws: bytes, points: bytes, until: bool) -> bytes:
    """Cards delivered by months, or months until cards (``until``): points x draws 64-bit floats.

    ``draws`` holds rows of stock, packages a month, lead time and ramp.
    """

def supply(request: bytes) -> bytes:
    """Good packages a month: a list of inputs to a list of answers (``rust/core/src/supply.rs``)."""

def fabric(request: bytes) -> bytes:
    """Count the parts of a fabric."""

def version() -> str:
    """Version of the core."""
