"""The evidence grade of an answer: which runs and which estimates it rests on, in one sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from planner.plan.account import Measured
from planner.specs.library import SpecLibrary

CASES = Path(__file__).resolve().parents[1] / "data" / "cases" / "training.json"
SCORED = ("full", "near_full")
"""Completeness of the rows that are predicted and scored; the others are too thin to learn from."""

_RATE = "tokens_per_s_per_card"
FEW_GROUPS = 3
TIGHT_MEMORY = 0.92
"""Share of the memory above which allocators start to thrash and steps slow down (published runs at the limit
are 22-29 % slower than their trend)."""
FULL_SLOWER = 1.25
"""Time over its trend at the limit of the memory, of those runs."""
Grade = Literal["A", "B", "C", "D"]


def tight_memory(needed: float, capacity: float) -> str | None:
    """The risk of a device whose memory is nearly full, in words; None where there is room, or where nothing
    fits anyway."""
    share = needed / capacity
    if not TIGHT_MEMORY < share <= 1.0:
        return None
    full, tight = 100 * share, 100 * TIGHT_MEMORY
    return f"memory is {full:.0f} % full: above {tight:.0f} % allocators thrash and steps slow down"


def slower_when_tight(needed: float, capacity: float) -> float:
    """ln of what a nearly full memory may add to the time: none up to 92 %, evenly to ln 1.25 at the limit.

    No centre moves: what an allocator loses depends on its settings, and some runs keep their trend.
    """
    share = min(needed / capacity, 1.0)
    return math.log(FULL_SLOWER) * max(0.0, share - TIGHT_MEMORY) / (1.0 - TIGHT_MEMORY)


@dataclass(frozen=True)
class Calibration:
    """What the efficiency file of the chip's family rests on."""

    calibrated: str
    """``runs``, ``operators`` or ``none``."""
    runs: int
    groups: int
    own_runs: int = 0
    """Of the user, beside the published ones."""


def grade(
    calibration: Calibration, runs_on_chip: int, groups_on_chip: int, timing_estimates: int
) -> tuple[Grade, str]:
    """The grade and its reason.

    Args:
        calibration: of the chip's family.
        runs_on_chip: published runs on this very chip, complete enough to be scored.
        groups_on_chip: independent groups that these runs come from: one group's runs share its mistakes.
        timing_estimates: estimates that the step time rests on.
    """
    fitted = calibration.calibrated == "runs"
    runs = _runs(calibration.runs, calibration.own_runs)
    if fitted and min(groups_on_chip, calibration.groups) >= FEW_GROUPS:
        based = f"calibrated on {runs} of its family, {runs_on_chip} on this chip by {groups_on_chip} groups"
        if not timing_estimates:
            return "A", f"{based}; nothing that timing needs is estimated"
        return "B", f"{based}, but {_estimates(timing_estimates)} in what timing needs"
    if runs_on_chip:
        thin = (
            f"of only {_groups(min(groups_on_chip, calibration.groups))}"
            if fitted
            else "efficiency from operator measurements, not fitted on runs"
            if calibration.calibrated == "operators"
            else "efficiency not calibrated"
        )
        return "C", f"{_runs(runs_on_chip)} on this chip, but {thin}"
    if calibration.own_runs and not calibration.runs:
        return "C", f"no published run on this chip; calibrated on {runs}"
    if calibration.runs and calibration.calibrated != "none":
        return (
            "C",
            f"no run on this chip; calibrated on {runs} of its kin",
        )
    measured = "; operators measured" if calibration.calibrated == "operators" else ""
    return "D", f"no run on this chip{measured}"


def _runs(count: int, own: int = 0) -> str:
    """ "3 published runs", "3 published and 1 own runs", "1 own run"."""
    if not own:
        return f"{count} published run{'' if count == 1 else 's'}"
    return f"{count} published and {own} own runs" if count else f"{own} own run{'' if own == 1 else 's'}"


def _groups(count: int) -> str:
    return f"{count} independent group{'' if count == 1 else 's'}"


def _estimates(count: int) -> str:
    return f"{count} estimate{'' if count == 1 else 's'}"


@cache
def published_runs(path: Path = CASES) -> list[dict[str, Any]]:
    """Rows of the shipped training cases that are complete enough to be scored."""
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))["training"]
    return [row for row in rows if row.get("kind") == "train" and row.get("completeness") in SCORED]


def names_of(library: SpecLibrary, cards: Collection[str]) -> list[str]:
    """Names that published runs may give to these accelerators: their own, and those of their systems.

    Read off the heads of files: none is validated for it. The full name of a card is no word of its head.
    """
    found = []
    for card in cards:
        found += [card, *library.head("accelerators", card).get("aliases", [])]
    for system in library.ids("systems"):
        head = library.head("systems", system)
        if head.get("accelerator") in cards:
            found += [system, *head.get("aliases", [])]
    return found


def kin_of(library: SpecLibrary, efficiency: str) -> list[str]:
    """Names that runs may give to the accelerators of one chip family."""
    cards = library.ids("accelerators")
    kin = [card for card in cards if library.head("accelerators", card).get("efficiency") == efficiency]
    return names_of(library, kin)


def runs_on(names: Collection[str], rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows measured on hardware that goes by one of ``names``."""
    known = {name.casefold() for name in names}
    return [row for row in rows if str(row.get("hardware", "")).casefold() in known]


def groups_of(rows: Iterable[Mapping[str, Any]]) -> int:
    """Independent groups that rows come from; a row that names none is one of its own."""
    return len({str(row.get("group") or row.get("id")) for row in rows})


def nearest_run(
    names: Collection[str],
    kin: Callable[[], Collection[str]],
    models: Collection[str],
    cards: int | None,
    rows: Iterable[Mapping[str, Any]],
    *,
    precision: str | None = None,
) -> Measured | None:
    """The published run nearest to a plan: this chip before its kin, the same model, precision, near counts.

    ``names`` are those of the chip, ``kin`` gives those of its family, ``models`` are those of the model.
    """
    rows = list(rows)
    own = runs_on(names, rows)
    candidates = own or runs_on(kin(), rows)
    if not candidates:
        return None

    wanted = {name.casefold() for name in models}

    def distance(row: Mapping[str, Any]) -> tuple[bool, bool, float, str]:
        other = str(row.get("model", "")).casefold() not in wanted
        away = abs(math.log(row["cards"] / cards)) if cards and row.get("cards") else math.inf
        return other, row.get("precision") != precision, away, str(row.get("id"))

    row = min(candidates, key=distance)
    measured = row.get("measured") or {}
    return Measured(
        id=str(row.get("id")),
        hardware=str(row.get("hardware")),
        model=row.get("model"),
        cards=row.get("cards"),
        same_chip=bool(own),
        same_model=str(row.get("model", "")).casefold() in wanted,
        framework=row.get("framework"),
        precision=row.get("precision"),
        sequence=row.get("seq_len"),
        tokens_per_second_per_card=measured.get(_RATE, (row.get("derived") or {}).get(_RATE)),
        source_url=row.get("source_url"),
    )
