"""Acceptance sheets: written with a plan, filled in on the machine, turned into spec files of one's own."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.calibrate.write import quantity_text
from planner.errors import PlannerError
from planner.plan.model import Plan
from planner.plan.risk_parts import SheetKey
from planner.specs import SpecLibrary
from planner.specs.reading import dotted

TOLERANCE = 0.03
"""Half of the 80 % range of a measurement that is not repeated."""
FARTHEST = 5.0
"""A measurement further than that from what is expected, either way, is a slip of units."""


class Line(BaseModel):
    """One test of the sheet."""

    model_config = ConfigDict(extra="forbid")

    key: SheetKey
    test: str
    expected: float = Field(gt=0)
    unit: str
    measured: float | None = Field(default=None, gt=0)


class Sheet(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    system: str
    accelerator: str
    precision: str
    date: str = Field(min_length=4)
    line: list[Line]


_WRONG = {
    "date": 'must be the day or month of the measurement, e.g. "2026-11"',
    "measured": "must be a number above zero, in the unit of the line",
}
"""What is most often amiss in a sheet, in words."""


@dataclass(frozen=True)
class Accepted:
    """What a filled sheet says, and the files that say it to the planner."""

    told: list[str]
    files: list[tuple[str, str]]


def sheet_text(plan: Plan) -> str:
    """The sheet of a drawn plan as TOML, to be filled in.

    Raises:
        PlannerError: the plan was not drawn, or has no design.
    """
    if plan.risk is None or plan.accelerator is None:
        raise PlannerError(
            "an acceptance sheet needs a plan with draws", file="--sheet", hint="give --samples 1024 too"
        )
    out = [
        "# Fill in `measured` (same unit as `expected`) where you measured, and the date; then",
        "# planner calibrate --acceptance THIS_FILE -o my-specs",
        f'system = "{plan.system}"',
        f'accelerator = "{plan.accelerator}"',
        f'precision = "{plan.risk.sheet_precision}"',
        'date = ""',
    ]
    for item in plan.risk.acceptance:
        out += [
            "",
            "[[line]]",
            f'key = "{item.key}"',
            f'test = "{item.test}"',
            f"expected = {item.expected:.6g}",
            f'unit = "{item.unit}"',
            "# measured =",
        ]
    return "\n".join(out) + "\n"


def read_sheet(path: Path) -> Sheet:
    """A filled sheet.

    Raises:
        PlannerError: it cannot be read, or a line makes no sense.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise PlannerError(f"cannot be read: {fault.strerror}", file=str(path)) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise PlannerError(f"is no TOML: {fault}", file=str(path)) from fault
    try:
        sheet = Sheet.model_validate(table)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = dotted(first["loc"])
        told = "is missing" if first["type"] == "missing" else first["msg"][:1].lower() + first["msg"][1:]
        said = _WRONG.get(str(first["loc"][-1]), told)
        raise PlannerError(
            said, file=str(path), key=where, hint="the sheet comes from `planner size --sheet FILE`"
        ) from fault
    for place, line in enumerate(sheet.line):
        if line.measured is not None and not 1 / FARTHEST < line.measured / line.expected < FARTHEST:
            raise PlannerError(
                f"measured {line.measured:g} {line.unit} where {line.expected:.3g} is expected",
                file=str(path),
                key=f"line.{place}.measured",
                hint=f"both in {line.unit}, per what the test says",
            )
    return sheet


def accepted(sheet: Sheet, library: SpecLibrary, source: str) -> Accepted:
    """Spec files that extend the library's with what was measured.

    Shares of peaks of a family of its own for the chip, and the chip's draw in training.

    Raises:
        PlannerError: nothing was measured that feeds a figure; a share would be above 1.
    """
    card = library.accelerator(sheet.accelerator)
    ratios: dict[str, list[float]] = {}
    for line in sheet.line:
        if line.measured is not None:
            ratios.setdefault(line.key, []).append(line.measured / line.expected)
    shares, told = _shares(sheet, ratios, library, source)
    draw = _training_share(sheet, library)
    if not shares and draw is None:
        raise PlannerError(
            "nothing is filled in that feeds a figure", file=source, hint="fill in `measured` of a line"
        )
    method = f"acceptance test of {sheet.date}, {source}"
    head = f'extends = "{card.id}"'
    chip = [f'id = "{card.id}"', f'name = "{card.name}"', head]
    files = []
    if shares:
        family = f"{card.id}-accepted"
        old = library.efficiency(card.efficiency)
        chip.append(f'efficiency = "{family}"')
        text = [f'id = "{family}"', f'name = "{old.name}, acceptance"', f'extends = "{old.id}"']
        if old.calibrated == "none":
            text.append('calibrated = "operators"')
        own = {key: value for key, value in shares.items() if key != "matmul"}
        text += [f"{key} = {_measured(value, spread, method)}" for key, (value, spread) in own.items()]
        if "matmul" in shares:
            value, spread = shares["matmul"]
            text += ["", "[matmul]", f"{_product(sheet.precision)} = {_measured(value, spread, method)}"]
        files.append((f"efficiency/{family}.toml", _with_source(text, sheet, source)))
    if draw is not None:
        told.append(f"power: draw in training {draw:.3f} of the board power")
        chip += ["", "[power]", f"training_share = {_measured(draw, TOLERANCE, method)}"]
    files.append((f"accelerators/{card.id}.toml", _with_source(chip, sheet, source)))
    if "workload" in ratios:
        told.append("workload: goes into a case file, `planner calibrate --cases`")
    return Accepted(told, files)


def _shares(
    sheet: Sheet, ratios: dict[str, list[float]], library: SpecLibrary, source: str
) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Key of the efficiency file -> (share, half range)."""
    old = library.efficiency(library.accelerator(sheet.accelerator).efficiency)
    product = getattr(old.matmul, _product(sheet.precision)) or old.matmul.bf16
    before = {
        "gemm": ("matmul", product.value),
        "memory": ("memory", old.memory.value),
        "scale_up": ("scale_up", old.scale_up.value),
        "scale_out": ("scale_out", old.scale_out.value),
    }
    found, told = {}, []
    for key, (name, share) in before.items():
        measured = ratios.get(key)
        if not measured:
            continue
        logs = [math.log(ratio) for ratio in measured]
        new = share * math.exp(sum(logs) / len(logs))
        if new > 1.0:
            raise PlannerError(
                f"{key}: measured more than the nominal peak, {new:.2f} of it", file=source, key=key
            )
        # Levels share one figure: what they differ by is its range.
        spread = max(TOLERANCE, (max(logs) - min(logs)) / 2.0)
        found[name] = (new, spread)
        told.append(f"{key}: {new:.3f} of nominal, {share:.3f} in the plan")
    return found, told


def _product(precision: str) -> str:
    """Key of the products' share that a precision uses."""
    if precision.startswith("fp4"):
        return "fp4"
    return "fp8" if precision in ("fp8", "int8") else "bf16"


def _training_share(sheet: Sheet, library: SpecLibrary) -> float | None:
    """Draw of a card in training over its board power; the rest of the server stays as it is.

    Raises:
        PlannerError: the measured power leaves nothing for the cards, or the card's figures are missing.
    """
    line = next((item for item in sheet.line if item.key == "power" and item.measured is not None), None)
    if line is None or line.measured is None:
        return None
    power = library.accelerator(sheet.accelerator).power
    cards = library.system(sheet.system).cards_per_server
    if power.tdp is None or power.training_share is None:
        raise PlannerError(f"{sheet.accelerator} has no board power to hold the draw against", key="power")
    rest = line.expected - power.tdp.value * power.training_share.value * cards
    share = (line.measured - rest) / (power.tdp.value * cards)
    if not 0.0 < share <= 1.0:
        raise PlannerError(
            f"{line.measured:g} W leaves {share:.2f} of the board power for a card",
            key="power",
            hint="the server's own draw (host.power of its system file) may be what is wrong",
        )
    return share


def _measured(value: float, spread: float, method: str) -> str:
    low, high = value * math.exp(-spread), min(1.0, value * math.exp(spread))
    return quantity_text(value, low, high, method)


def _with_source(lines: list[str], sheet: Sheet, source: str) -> str:
    tail = ["", "[sources.acceptance]", f'title = "Acceptance test: {source}"', f'date = "{sheet.date}"']
    return "\n".join([*lines, *tail]) + "\n"
