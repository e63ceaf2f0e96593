"""The way into the Rust core and back: a request of ``planner.problem`` in, the answer as a dictionary out.

The compiled core is imported when it is first asked, so specs and scenarios can be checked without it.
"""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from planner.errors import EXIT_BUG, EngineError
from planner.problem.wire import canonical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from planner.problem.serving_wire import (
        Constants,
        EvaluateServiceRequest,
        ServiceChoice,
        ServiceRequest,
        ServingCase,
        ServingRequest,
    )
    from planner.problem.wire import DesignChoice, DetailRequest, EvaluateRequest, Request

Progress = Callable[[dict[str, Any]], None]


class Interrupt:
    """Whether Ctrl-C was pressed while a search ran; the search then ended with the best so far."""

    def __init__(self) -> None:
        """Not pressed yet."""
        self.pressed = False


def size(
    request: Request, progress: Progress | None = None, interrupt: Interrupt | None = None
) -> dict[str, Any]:
    """Search the problem's space.

    Args:
        request: the problem.
        progress: called now and then with the counts so far.
        interrupt: where given, Ctrl-C ends the search with the best so far (``complete`` false) and is noted
            there; a second Ctrl-C, and any without ``interrupt``, raises KeyboardInterrupt.

    Raises:
        EngineError: the core refused the problem, or failed.
        KeyboardInterrupt: as said.
    """

    with _translated(), _catching(interrupt):
        from planner import _core  # noqa: PLC0415 (see above)

        return _decoded(_core.size(request.encoded(), _reporter(progress, interrupt)))


def _reporter(
    progress: Progress | None, interrupt: Interrupt | None
) -> Callable[[int, int, int, bool, float | None], bool]:
    """What the core calls now and then: tells the counts on, and says whether the search goes on."""

    def report(done: int, total: int, candidates: int, found: bool, gap: float | None) -> bool:
        if progress is not None:
            told = {"done": done, "total": total, "candidates": candidates, "found": found, "gap": gap}
            progress(told)
        return interrupt is None or not interrupt.pressed

    return report


def evaluate(request: EvaluateRequest) -> dict[str, Any]:
    """Time, memory, power and cost of one design; its ``broken_rules`` and ``over_limits`` may be filled.

    Raises:
        EngineError: the core refused the request, or failed.
    """
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        return _decoded(_core.evaluate(request.encoded()))


def fabric(request: DetailRequest) -> dict[str, Any]:
    """The bill of a fabric: ``fabric/1``.

    Raises:
        EngineError: the fabric cannot be built; the message says why.
    """
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        return _decoded(_core.fabric(request.encoded()))


def size_many(requests: Sequence[Request], threads: int = 1) -> list[dict[str, Any] | EngineError]:
    """Search many problems, each by itself on one of ``threads`` threads (0: all cores).

    The interpreter lock is released meanwhile; signals wait until the batch is done, so keep batches short.

    Returns:
        In the order of the requests: the answer as of `size`, or why there is none.
    """
    return _many("size_many", [request.encoded() for request in requests], threads)


def evaluate_many(
    requests: Sequence[EvaluateRequest], threads: int = 1
) -> list[dict[str, Any] | EngineError]:
    """Evaluate many designs; as for `size_many`."""
    return _many("evaluate_many", [request.encoded() for request in requests], threads)


def size_services(requests: Sequence[ServiceRequest], threads: int = 1) -> list[dict[str, Any] | EngineError]:
    """Search many services; as for `size_many`, with the answers of `size_service`."""
    return _many("size_services", [request.encoded() for request in requests], threads)


def evaluate_services(
    requests: Sequence[EvaluateServiceRequest], threads: int = 1
) -> list[dict[str, Any] | EngineError]:
    """Evaluate many services; as for `size_many`, with the answers of `evaluate_service`."""
    return _many("evaluate_services", [request.encoded() for request in requests], threads)


def supply(inputs: Sequence[Mapping[str, float | None]]) -> list[dict[str, Any]]:
    """Good packages a month, what limits them and what one costs, for each of many inputs.

    Raises:
        EngineError: a number makes no sense; the message names it.
    """
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        answers: list[dict[str, Any]] = json.loads(_core.supply(canonical([dict(item) for item in inputs])))
        return answers


def deliveries(
    draws: NDArray[np.float64], points: Sequence[float], *, until: bool = False
) -> NDArray[np.float64]:
    """Cards that have arrived by months; with ``until`` the months until so many cards have.

    Args:
        draws: rows of stock, packages a month, lead time and ramp (months).
        points: months, or cards.
        until: points are cards.

    Returns:
        points x draws.
    """
    import numpy as np  # noqa: PLC0415 (0.1 s that most answers can spare)

    rows = np.ascontiguousarray(draws, dtype=np.float64)
    asked = np.asarray(points, dtype=np.float64)
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        answer = _core.deliveries(rows.tobytes(), asked.tobytes(), until)
    return _floats(answer).reshape(len(asked), len(rows)).copy()


OUTPUTS = 8
"""Of `sample`: days (of a service the most requests/s), facility MW, that of the design day, capital, cost of
a year, step, MFU, reasons."""


def sample(
    problem: Request | ServiceRequest,
    designs: Sequence[DesignChoice] | Sequence[ServiceChoice],
    pointers: Sequence[str],
    values: NDArray[np.float64],
    threads: int = 0,
) -> NDArray[np.float64]:
    """Evaluate designs under draws of some numbers of a problem.

    Args:
        problem: the problem at its centre.
        designs: of the problem.
        pointers: JSON pointers of the numbers that are drawn.
        values: draws x pointers.
        threads: 0: all cores; the answer does not depend on it.

    Returns:
        draws x designs x `OUTPUTS`; NaN where something is not known or cannot be built; ``reasons`` is a sum
        of 1 memory, 2 limits, 4 another rule, 8 too few spares, 16 cannot be built.

    Raises:
        EngineError: the core refused the request, or failed.
    """
    request = {
        "problem": problem.model_dump(by_alias=True),
        "designs": [design.model_dump() for design in designs],
        "pointers": list(pointers),
    }
    rows = _rows(pointers, values)
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        answer = _core.sample(canonical(request), rows.tobytes(), threads)
    return _floats(answer).reshape(len(rows), len(designs), OUTPUTS).copy()


def fewest(
    problem: Request,
    families: Sequence[DesignChoice],
    pointers: Sequence[str],
    values: NDArray[np.float64],
    days: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The fewest cards under every draw with which one of ``families`` is done in time.

    Args:
        problem: the problem at its centre, without a target.
        families: designs whose data ranks and cards are left open.
        pointers: JSON pointers of the numbers that are drawn.
        values: draws x pointers.
        days: draws x clusters, allowed.

    Returns:
        draws x 3: cards (infinite: none does), index of the family, its data ranks.

    Raises:
        EngineError: as for `sample`.
    """
    import numpy as np  # noqa: PLC0415 (0.1 s that most answers can spare)

    request = {
        "problem": problem.model_dump(by_alias=True),
        "families": [family.model_dump() for family in families],
        "pointers": list(pointers),
    }
    rows = _rows(pointers, values)
    allowed = np.ascontiguousarray(days, dtype=np.float64)
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        answer = _core.fewest(canonical(request), rows.tobytes(), allowed.tobytes(), 0)
    return _floats(answer).reshape(len(rows), 3).copy()


def _rows(pointers: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 (as above)

    if not pointers:
        # A row without numbers has no length in bytes: one draw stands for all.
        raise EngineError("nothing is drawn", exit_code=EXIT_BUG)
    return np.ascontiguousarray(values, dtype=np.float64)


def _floats(answer: bytes) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 (as above)

    return np.frombuffer(answer, dtype=np.float64)


def _many(name: str, requests: Sequence[bytes], threads: int) -> list[dict[str, Any] | EngineError]:
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        answers = getattr(_core, name)(requests, threads)
    return [_decoded(item) if isinstance(item, bytes) else _as_error(item) for item in answers]


def _as_error(fault: Exception) -> EngineError:
    try:
        with _translated():
            raise fault
    except EngineError as error:
        return error


def evaluation_rate(request: Request, seconds: float) -> dict[str, Any]:
    """How many layouts of the problem one core evaluates per second with every bound off.

    Args:
        request: the problem; its target is ignored.
        seconds: stop after about that long, or when the space is worked through.

    Raises:
        EngineError: the core refused the request, or failed.
    """
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        return _decoded(_core.evaluation_rate(request.encoded(), seconds))


def size_service(
    request: ServiceRequest, progress: Progress | None = None, interrupt: Interrupt | None = None
) -> dict[str, Any]:
    """Search a service: its pools, layouts and plant; arguments and errors as of `size`.

    Raises:
        EngineError: the core refused the problem, or failed.
        KeyboardInterrupt: as of `size`.
    """
    with _translated(), _catching(interrupt):
        from planner import _core  # noqa: PLC0415 (see above)

        return _decoded(_core.size_service(request.encoded(), _reporter(progress, interrupt)))


def evaluate_service(request: EvaluateServiceRequest) -> dict[str, Any]:
    """One service, within its latencies or not; its ``broken_rules`` and ``over_limits`` may be filled.

    Raises:
        EngineError: the core refused the request, or failed.
    """
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        return _decoded(_core.evaluate_service(request.encoded()))


def evaluate_serving(
    case: ServingCase, constants: Constants, tables: ServingRequest | None = None
) -> dict[str, Any]:
    """Answer one question of the serving model (``ServingAnswer`` in the core).

    Args:
        case: hardware, model, software and question.
        constants: of the serving model.
        tables: where the case names what it shares.

    Raises:
        EngineError: the question makes no sense, or the core failed.
    """
    named = tables or ServingRequest(constants=constants, cases=())
    answer = evaluate_serving_many(named.model_copy(update={"constants": constants, "cases": (case,)}))[0]
    if "error" in answer:
        raise EngineError(str(answer["error"]))
    return answer


def evaluate_serving_many(request: ServingRequest | bytes) -> list[dict[str, Any]]:
    """Answer many questions of the serving model on all cores, in order.

    A question that makes no sense is answered by ``{"error": ...}``; the others are not harmed.

    Args:
        request: ``serving/1``, or its JSON where the caller keeps the encoded cases and changes the tables.

    Raises:
        EngineError: the request cannot be read, or the core failed.
    """
    encoded = request if isinstance(request, bytes) else request.encoded()
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        answers: list[dict[str, Any]] = json.loads(_core.evaluate_serving(encoded))
    return answers


def version() -> str:
    """Version of the compiled core.

    Raises:
        EngineError: it is not there.
    """
    with _translated():
        from planner import _core  # noqa: PLC0415 (see above)

        return _core.version()


REBUILD = "install the package again: pip install . (in a checkout: maturin develop --release)"
_OTHER_FIELDS = re.compile("unknown (field|variant)|missing field")
"""What the core says of a request whose shape it does not know."""


def _decoded(answer: bytes) -> dict[str, Any]:
    decoded = json.loads(answer)
    if not isinstance(decoded, dict):
        raise EngineError("the core's answer is not an object", exit_code=EXIT_BUG)
    return decoded


@contextmanager
def _translated() -> Iterator[None]:
    # Known by name: the classes live in the module whose import may be what fails.
    try:
        yield
    except ImportError as fault:
        raise EngineError(
            f"the compiled core cannot be loaded: {fault}",
            hint="install the package (pip install .), or rebuild it after a change of Python",
        ) from fault
    except AttributeError as fault:
        if getattr(fault.obj, "__name__", None) != "planner._core":
            raise
        raise EngineError(
            f"the compiled core and the Python around it are of different builds: {fault}", hint=REBUILD
        ) from fault
    except ValueError as fault:
        if type(fault).__name__ != "CoreError":
            raise
        if _OTHER_FIELDS.search(str(fault)):
            raise EngineError(
                f"the compiled core and the Python around it are of different builds: {fault}", hint=REBUILD
            ) from fault
        raise EngineError(
            str(fault), hint="the request was refused; if the spec files are in order, report this as a bug"
        ) from fault
    except RuntimeError as fault:
        # A panic of the core.
        raise EngineError(str(fault), exit_code=EXIT_BUG, hint="this is a bug: report it") from fault


@contextmanager
def _catching(interrupt: Interrupt | None) -> Iterator[None]:
    """Take Ctrl-C over while the search runs; signals can be handled on the main thread only."""
    if interrupt is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def press(number: int, frame: FrameType | None) -> None:
        if interrupt.pressed:
            signal.default_int_handler(number, frame)
        interrupt.pressed = True

    before = signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
