"""Spec files from a fit: figures of kind ``fitted`` with their evidence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.calibrate.own import MOST, Anchor, believed
from planner.calibrate.parameters import FAMILIES, Parameter, tilt
from planner.calibrate.priors import Unseen, inherited, measured_share, reached, touches, unseen
from planner.calibrate.residuals import Z90
from planner.calibrate.run import Shipped
from planner.software import path_of, profile, profiles
from planner.specs import Efficiency, SpecLibrary
from planner.validation.run import family_of

FIT_SOURCE = """[sources.fit]
title = "Fit of the planner on published training runs (planner/data/cases), planner calibrate"
date = "{date}"
note = "values trade off against each other: use as a set; docs/accuracy.md has the errors on runs left out"
"""
PRECISIONS = ("bf16", "fp8", "fp4")
EXPLORED = "exploratory fit on the same runs; hardly visible there, so kept and not fitted again"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _figure(value: float, low: float, high: float, kind: str, method: str, unit: str = "") -> str:  # noqa: PLR0917
    def put(number: float) -> str:
        return f'"{_number(number)} {unit}"' if unit else _number(number)

    source = ', source = "fit"' if kind == "fitted" else ""
    numbers = f"value = {put(value)}, low = {put(low)}, high = {put(high)}"
    return f'{{ {numbers}, kind = "{kind}"{source}, method = "{method}" }}'


def quantity_text(value: float, low: float, high: float, method: str) -> str:
    """A measured share as TOML; its source is ``acceptance``."""
    numbers = f"value = {_number(value)}, low = {_number(low)}, high = {_number(high)}"
    return f'{{ {numbers}, kind = "measured", source = "acceptance", method = "{method}" }}'


def _method(found: Shipped, parameter: Parameter) -> str:
    runs, groups = found.runs[parameter.name], found.groups[parameter.name]
    return f"fitted on {runs} runs of {groups} groups, {found.date}"


def efficiency_files(found: Shipped, library: SpecLibrary) -> dict[str, str]:
    """File name -> text of every efficiency file: fitted families, and priors for the others."""
    out = {}
    rest = unseen(found)
    names = library.ids("efficiency")
    fitted = [name for name in names if family_of(name) in FAMILIES]
    shares = {
        (name, precision): value[0]
        for name in fitted
        for precision in PRECISIONS
        if (value := _value(found, name, ("matmul", precision))) is not None
    }
    law = reached(library, shares)
    for name in names:
        text = (
            _fitted_file(found, library, name)
            if name in fitted
            else _prior_file(found, library, name, rest, law)
        )
        out[f"{name}.toml"] = text
    return out


def _value(found: Shipped, name: str, key: tuple[str, ...]) -> tuple[float, float, float, str] | None:
    """(value, low, high, method) of a figure of an efficiency file."""
    ridge = found.model.ridge(name)
    value, own = 1.0, None
    slope = np.zeros(len(found.model.parameters))
    for place, (parameter, u) in enumerate(zip(found.model.parameters, found.fit.u, strict=True)):
        if parameter.kind != "efficiency" or name not in parameter.ids or not touches(parameter, key):
            continue
        own = own if parameter.scales else parameter
        value *= (
            parameter.factor(float(u), ridge) if parameter.scales else min(parameter.value(float(u)), 0.97)
        )
        slope[place] = -tilt(ridge) if parameter.form == "tilt" else 1.0
    if own is None:
        return None
    value = min(value, 0.97)
    wide = Z90 * math.sqrt(float(slope @ found.fit.covariance @ slope))
    return value, value * math.exp(-wide), min(value * math.exp(wide), 1.0), _method(found, own)


@dataclass(frozen=True)
class _Sheet:
    """The lines of an efficiency file: figures by their dotted keys."""

    calibrated: str
    runs: int
    groups: int
    lines: Mapping[str, str]
    sources: str

    def text(self, old: Efficiency) -> str:
        """The file, with name, aliases and note of the one it replaces."""
        head = [f'id = "{old.id}"', f'name = "{old.name}"']
        if old.aliases:
            head.append(f"aliases = {json.dumps(old.aliases, ensure_ascii=False)}")
        if old.note:
            head.append(f"note = {json.dumps(old.note, ensure_ascii=False)}")
        head += [f'calibrated = "{self.calibrated}"', f"runs = {self.runs}", f"groups = {self.groups}"]
        tables: dict[str, list[str]] = {"": head, "matmul": [], "attention": []}
        for key, figure in self.lines.items():
            table, _, name = key.rpartition(".")
            tables[table].append(f"{name} = {figure}")
        blocks = ["\n".join([f"[{name}]", *lines] if name else lines) for name, lines in tables.items()]
        return "\n\n".join(blocks) + "\n" + (f"\n{self.sources}" if self.sources else "")


def _kept(value: float) -> str:
    """A figure that is not fitted again."""
    high = 1.15 * value
    return _figure(value, 0.85 * value, min(high, 1.0) if value <= 1.0 else high, "fitted", EXPLORED)


def _fitted_file(found: Shipped, library: SpecLibrary, name: str) -> str:
    old = library.efficiency(name)
    engines = found.model.engines
    mine = [family_of(engine.ready.efficiency.id) == family_of(name) for engine in engines]
    exact = np.array([engine.ready.efficiency.id == name for engine in engines])
    within = found.residual(family_of(name))
    said = (
        f"with the software's spread, P10 to P90 holds 80 % of {sum(mine)} runs of the family, each group "
        "predicted without itself"
    )
    lines = {
        "residual": _figure(within, 0.8 * within, 1.3 * within, "fitted", f"{said}, {found.date}"),
        "memory": _kept(old.memory.value),
    }
    for key in ("scale_up", "scale_out", "matmul.bf16", "matmul.fp8", "matmul.fp4", "attention.forward"):
        value = _value(found, name, tuple(key.split(".")))
        if value is not None:
            lines[key] = _figure(value[0], value[1], value[2], "fitted", value[3])
    lines["matmul.half_depth"] = _kept(old.matmul.half_depth.value)
    lines["attention.backward_ratio"] = _kept(old.attention.backward_ratio.value)
    lines["attention.half_length"] = _kept(old.attention.half_length.value)
    groups = len(set(found.model.groups[exact].tolist()))
    return _Sheet("runs", int(exact.sum()), groups, lines, FIT_SOURCE.format(date=found.date)).text(old)


def _guess(value: float, reach: float, method: str) -> str:
    high = value * math.exp(reach)
    return _figure(
        value, value * math.exp(-reach), min(high, 0.95) if value < 1 else high, "estimate", method
    )


def _prior_file(found: Shipped, library: SpecLibrary, name: str, rest: Unseen, law: tuple[float, int]) -> str:
    old = library.efficiency(name)
    wide = Z90 * rest.spread

    def centre(key: str) -> float:
        return inherited(found, key, found.model.ridge(name)) / rest.slower

    # Measured products show what a chip cannot do. Where they promise more than other families show, no
    # credit is given for that before a run. The other shares of its matrix engine are lowered alike.
    lower = {
        precision: min(law[0] * share / centre(f"matmul.{precision}"), 1.0)
        for precision in PRECISIONS
        if (share := measured_share(library, name, precision)) is not None
    }
    worst = min(lower.values(), default=1.0)

    def product(key: str) -> float:
        return centre(key) * lower.get(key.rpartition(".")[2], worst)

    said = (
        f"no run: what the families with runs share at this ridge point, over {rest.slower:.3f}; range: what "
        f"{len(rest.errors)} families that the fit had not seen are off by"
    )
    engine = said
    if worst < 1.0:
        engine = (
            f"no run: {law[0]:.2f} of the products measured on it (of the chip's file), as {law[1]} fitted "
            f"figures are of theirs; range: what {len(rest.errors)} families that the fit had not seen are "
            "off by"
        )
    kept = "as chip families with runs, in an exploratory fit"
    same = "as the families with runs; what the chip itself adds stands in the ranges below"
    within = found.dense.within
    lines = {
        "residual": _figure(within, 0.8 * within, 2.0 * within, "estimate", same),
        "memory": _guess(0.75, 0.12, kept),
        "scale_up": _guess(centre("scale_up"), 0.2, said),
        "scale_out": _guess(centre("scale_out"), 0.2, said),
        **{key: _guess(product(key), wide, engine) for key in ("matmul.bf16", "matmul.fp8", "matmul.fp4")},
        "matmul.half_depth": _guess(250.0, 0.4, kept),
        "attention.forward": _guess(
            centre("attention.forward") * lower.get("bf16", worst), 1.5 * wide, engine
        ),
        "attention.backward_ratio": _guess(0.74, 0.15, kept),
        "attention.half_length": _guess(600.0, 0.4, kept),
    }
    return _Sheet("none", 0, 0, lines, "").text(old)


def software_files(found: Shipped) -> dict[str, str]:
    """File name -> text of every software profile with its fitted figures put in."""
    out = {}
    for item in profiles():
        text = path_of(item.id).read_text(encoding="utf-8")
        mine = [e.ready.software.id == item.id for e in found.model.engines]
        for parameter, u, sigma in zip(found.model.parameters, found.fit.u, found.fit.spread, strict=True):
            if parameter.kind == "software" and item.id in parameter.ids and parameter.sigma > 0.01:
                text = _put(text, parameter, float(u), float(sigma), _method(found, parameter))
        if any(mine):
            text = _put_spread(text, found, mine)
        text = re.sub(
            r"\n\[sources\.fit\]\n(?:(?!\[).*\n?)*", "\n" + FIT_SOURCE.format(date=found.date), text
        )
        out[f"{item.id}.toml"] = text
    return out


def _put(text: str, parameter: Parameter, u: float, sigma: float, method: str) -> str:
    key = parameter.key[0]
    value, low, high = (parameter.value(u + step * Z90 * sigma) for step in (0.0, -1.0, 1.0))
    unit, scale = ("ms", 1e3) if key == "fixed_step" else ("us", 1e6) if key == "expert_host" else ("", 1.0)
    line = _figure(value * scale, low * scale, high * scale, "fitted", method, unit)
    return re.sub(rf"^{key} = .*$", lambda _: f"{key} = {line}", text, count=1, flags=re.M)


def _put_spread(text: str, found: Shipped, mine: list[bool]) -> str:
    software = next(e.ready.software.id for m, e in zip(mine, found.model.engines, strict=True) if m)
    one, other = found.between(software, False), found.between(software, True)
    groups = len(set(found.model.groups[np.array(mine)].tolist()))
    later = sum(run.software == software for run in found.later)
    read_later = f", {later} runs read later" if later else ""
    method = (
        f"sources that the fit had not seen ({sum(mine)} runs of {groups} groups here{read_later}, drawn "
        f"towards all), {found.date}"
    )
    lines = f"spread = {_figure(one, 0.7 * one, 1.5 * one, 'fitted', method)}\n"
    lines += f"spread_experts = {_figure(other, 0.7 * other, min(1.5 * other, 0.9), 'fitted', method)}"
    text = re.sub(r"^spread_experts = .*\n", "", text, flags=re.M)
    return re.sub(r"^spread = .*$", lambda _: lines, text, count=1, flags=re.M)


def folds_file(
    found: Shipped,
    doubts: Mapping[str, float],
    lags: Mapping[str, float],
    domestic: NDArray[np.float64],
) -> str:
    """cv.json: step seconds predicted by fits that had not seen the row's group.

    Args:
        found: the fit.
        doubts, lags: of open fields (`planner.calibrate.open_fields`).
        domestic: ln errors of the runs on Chinese chips (`planner.calibrate.priors.as_domestic_plans`).
    """
    rows = {}
    in_fit = {}
    for engine, fold, error in zip(found.model.engines, found.folds, found.errors, strict=True):
        ready = engine.ready
        seconds = ready.measure.seconds
        if seconds is None:
            # A utilisation: its time follows from the counting of the prediction.
            from planner.validation.predict import predict  # noqa: PLC0415 (rare)

            seconds = predict(engine).measured
        rows[ready.row.id] = float(f"{seconds * math.exp(fold):.6g}")
        in_fit[ready.row.id] = float(f"{seconds * math.exp(error):.6g}")
    body = {
        "about": "step seconds of each shipped run predicted without its group (planner calibrate --cv)",
        "date": found.date,
        "effective_parameters": round(found.fit.effective, 1),
        "left_out": {
            "nothing (in the fit)": _score(found.errors),
            "the group": _score(found.folds),
            "the software profile": _score(found.new_software),
            "the framework, whatever its age": _score(found.new_framework),
            "the chip family": _score(found.new_chip),
            f"chip family and software of {len(domestic)} runs on Chinese chips": _score(domestic),
            "the group, but one run of it with the same software anchors": _score_of_rows(anchored(found)),
        },
        "open_fields": dict(doubts),
        "open_lags": dict(lags),
        "elsewhere": {
            "dense": round(found.elsewhere(False), 3),
            "experts": round(found.elsewhere(True), 3),
        },
        "parameters": {
            p.name: round(float(u), 6) for p, u in zip(found.model.parameters, found.fit.u, strict=True)
        },
        "predicted": dict(sorted(rows.items())),
        "in_fit": dict(sorted(in_fit.items())),
    }
    return json.dumps(body, indent=0, allow_nan=False) + "\n"


def _score(errors: NDArray[np.float64]) -> dict[str, float]:
    off = np.expm1(errors)
    return {"mape": round(float(np.abs(off).mean()), 4), "bias": round(float(off.mean()), 4)}


def _score_of_rows(errors: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    """Rows count alike, whatever the number of their anchors."""
    off = [np.expm1(row) for row in errors]
    mape = np.mean([np.abs(row).mean() for row in off])
    bias = np.mean([row.mean() for row in off])
    return {"mape": round(float(mape), 4), "bias": round(float(bias), 4)}


def anchored(found: Shipped) -> list[NDArray[np.float64]]:
    """ln errors of rows left out with their group, one array a row: anchored in turn by each other row of
    the group that ran on the same version of the software."""
    left: list[NDArray[np.float64]] = []
    engines = [engine.ready for engine in found.model.engines]
    keys = [(e.row.source, e.software.id, e.row.software_date or "") for e in engines]
    shifts = np.array(
        [
            believed(float(fold), 1, e.experts, e.efficiency.calibrated != "none")
            for fold, e in zip(found.folds, engines, strict=True)
        ]
    )
    for key in sorted(set(keys)):
        mine = np.array([other == key for other in keys])
        members, moved = found.folds[mine], shifts[mine]
        for place in range(len(members)):
            others = np.delete(moved, place)
            if len(others):
                left.append(members[place] - others)
    return left


def write(directory: Path, files: Iterable[tuple[str, str]]) -> list[Path]:
    """Write files (relative name, text) below ``directory``."""
    done = []
    for name, text in files:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        done.append(path)
    return done


def anchored_file(anchor: Anchor, library: SpecLibrary, source: Path, date: str) -> str:
    """An efficiency file of the same id that extends the library's, scaled to the user's runs."""
    old = library.efficiency(anchor.efficiency)
    own = (
        f"measured over predicted time was {anchor.factor:.3f} on {anchor.runs} own "
        f"runs of {anchor.groups} groups with {profile(anchor.software).id}, {date}"
    )

    def scaled(value: float, rate: str) -> str:
        new = min(value * anchor.rates[rate], max(MOST, value))
        wide = Z90 * 0.04
        method = f"times {anchor.rates[rate]:.3f}: {own}"
        return _figure(new, new * (1 - wide), min(new * (1 + wide), 1.0), "fitted", method)

    lines = [
        f'id = "{old.id}"',
        f'name = "{old.name}, own runs"',
        f'extends = "{old.id}"',
        f'note = "Fits the machine with {anchor.software}, which its runs used: a plan with other software '
        'takes the chip to be as much off with that."',
        'calibrated = "runs"',
        f"own_runs = {anchor.runs}",
        f"residual = {_figure(anchor.sigma, 0.8 * anchor.sigma, 1.5 * anchor.sigma, 'fitted', own)}",
    ]
    lines += [
        f"{key} = {scaled(getattr(old, key).value, key)}" for key in ("memory", "scale_up", "scale_out")
    ]
    lines += ["", "[matmul]"]
    lines += [
        f"{key} = {scaled(figure.value, 'matmul')}"
        for key in ("bf16", "fp8", "fp4", "int8")
        if (figure := getattr(old.matmul, key, None))
    ]
    forward = scaled(old.attention.forward.value, "attention_forward")
    lines += ["", "[attention]", f"forward = {forward}", "", "[sources.fit]"]
    lines += [f'title = "Own runs: {source.name}, planner calibrate"', f'date = "{date}"']
    lines.append('note = "runs of the user, not published"')
    return "\n".join(lines) + "\n"
