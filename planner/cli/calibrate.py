"""``planner calibrate``: figures of chips and software from measured runs."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.errors import PlannerError

if TYPE_CHECKING:
    from planner.calibrate.own import Anchor
    from planner.calibrate.run import Shipped

OwnCases = Annotated[
    Path | None,
    typer.Option(
        "--cases", metavar="FILE", help="Your own runs (JSON or CSV); default: the shipped published runs."
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="DIR", help="Write spec files there; default: only print what would move."
    ),
]


def calibrate(
    cases: OwnCases = None,
    output: Directory = None,
    cv: Annotated[
        bool,
        typer.Option("--cv", help="With the shipped runs: also write the out-of-fold predictions (cv.json)."),
    ] = False,
    acceptance: Annotated[
        Path | None,
        typer.Option(
            "--acceptance", metavar="FILE", help="A filled acceptance sheet (`planner size --sheet FILE`)."
        ),
    ] = None,
    serving: Annotated[
        bool,
        typer.Option(
            "--serving", help="With the shipped runs: fit the serving model instead of the training model."
        ),
    ] = False,
) -> None:
    """Fit the figures of chip families and software profiles to measured runs.

    With --cases FILE: one factor per chip and software, from one run upwards, and from ten on one for each of
    its shares of peak where that predicts runs left out better (one anchors, ten correct). -o DIR then holds
    efficiency files that extend the library's: put DIR into PLANNER_SPEC_PATH. Without: the fit behind the
    shipped figures is done again. Exit code 0: done; 2: the file cannot be used, or has no run to fit.

    Example: planner calibrate --cases runs.json
    """
    from planner.cli.calibrate_serving import serving_calibration  # noqa: PLC0415 (keeps --help fast)

    try:
        from planner.specs import SpecLibrary  # noqa: PLC0415 (keeps --help fast)

        library = SpecLibrary.from_environment()
        if acceptance is not None:
            if cases is not None or serving or cv:
                raise PlannerError("--acceptance stands alone", hint="ask one thing at a time")
            _accepted(acceptance, output, library)
            return
        if cases is not None and cv:
            raise PlannerError(
                "--cv writes the predictions of the shipped runs, each without its group",
                hint="leave out one of the two: of own runs, errors without themselves are printed anyway",
            )
        if cases is not None and serving:
            raise PlannerError("--serving goes with the shipped runs", hint="leave out --cases, or --serving")
        if cases is not None:
            _own(cases, output, library)
        elif serving:
            serving_calibration(output, cv, library)
        else:
            _shipped(output, cv, library)
    except ImportError as fault:
        raise PlannerError(
            f"calibration needs {fault.name}", hint="pip install 'planner[calibrate]'"
        ) from fault


def _accepted(path: Path, output: Path | None, library: object) -> None:
    from planner.calibrate import acceptance, write  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415

    assert isinstance(library, SpecLibrary)
    found = acceptance.accepted(acceptance.read_sheet(path), library, path.name)
    for line in found.told:
        typer.echo(line)
    if output is None:
        typer.echo("nothing written: give -o DIR")
        return
    for written in write.write(output, found.files):
        typer.echo(f"wrote {written}")
    typer.echo(f"use them with PLANNER_SPEC_PATH={output}")


def _own(cases: Path, output: Path | None, library: object) -> None:
    from planner.calibrate import own, serving_own, write  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415
    from planner.validation.files import read  # noqa: PLC0415

    assert isinstance(library, SpecLibrary)
    table = read(cases)
    serving, reasons = serving_own.serving_anchors(library, table) if table.inference else ([], {})
    found = own.anchors(library, cases) if table.training or not table.inference else []
    if not found and not serving:
        listed = "; ".join(f"{name}: {why}" for name, why in list(reasons.items())[:3])
        raise PlannerError(
            "has no run to calibrate on",
            file=str(cases),
            hint=f"at least 1 run that can be predicted is needed, 10 correct well ({listed})",
        )
    for item in found:
        _tell_anchor(item, "time")
    for one in serving:
        _tell_anchor(one.anchor, "serving time on the device")
    for name, why in reasons.items():
        typer.echo(f"left out {name}: {why}")
    if output is None:
        typer.echo("nothing written: give -o DIR")
        return
    today = dt.date.today().isoformat()
    trained = {item.efficiency: item for item in sorted(found, key=lambda item: item.runs)}
    served = {one.anchor.efficiency: one for one in sorted(serving, key=lambda one: one.anchor.runs)}
    for item in found:
        if trained[item.efficiency] is not item:
            typer.echo(
                f"{item.efficiency} with {item.software} is not written: more runs used "
                f"{trained[item.efficiency].software}; calibrate on its runs alone for a file of their own"
            )
    files = []
    for name in sorted({*trained, *served}):
        if name not in trained:
            text = serving_own.serving_file(served[name], library, cases, today)
        else:
            text = write.anchored_file(trained[name], library, cases, today)
            if name in served:
                line = serving_own.serving_line(served[name], library, today)
                text = text.replace("\n[matmul]", f"{line}\n\n[matmul]", 1)
        files.append((f"efficiency/{name}.toml", text))
    for path in write.write(output, files):
        typer.echo(f"wrote {path}")
    typer.echo(f"use them with PLANNER_SPEC_PATH={output}")


def _tell_anchor(item: Anchor, what: str) -> None:
    typer.echo(
        f"{item.efficiency} with {item.software}: {item.runs} runs of {item.groups} groups; "
        f"measured {what} is {item.factor:.3f} of predicted; mean error {100 * item.before:.1f} % before, "
        f"{100 * item.after:.1f} % after"
        + (" (each run predicted without itself)" if item.runs > 1 else " (on that run)")
    )
    if item.bounded:
        typer.echo(
            "  farther off than so few runs vouch for, so only a part of it is believed: look for what is "
            "odd (layout, batch, date of the software), or add a run of another layout that shows the same"
        )
    if item.rates:
        told = ", ".join(f"{name.replace('_', ' ')} x {rate:.3f}" for name, rate in item.rates.items())
        typer.echo(f"  shares of peak: {told}")


def _shipped(output: Path | None, cv: bool, library: object) -> None:
    from planner.calibrate import open_fields, priors, run, write  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415

    assert isinstance(library, SpecLibrary)
    found = run.shipped(library, typer.echo)
    _tell(found)
    if output is None:
        typer.echo("nothing written: give -o DIR")
        return
    files = [(f"efficiency/{name}", text) for name, text in write.efficiency_files(found, library).items()]
    files += [(f"software/{name}", text) for name, text in write.software_files(found).items()]
    if cv:
        doubts, lags = open_fields.measured_doubts(library, found)
        typer.echo("a field left open adds: " + ", ".join(f"{name} {d:.3f}" for name, d in doubts.items()))
        files.append(
            ("cases/cv.json", write.folds_file(found, doubts, lags, priors.as_domestic_plans(found, library)))
        )
    written = write.write(output, files)
    typer.echo(f"wrote {len(written)} files below {output}")


def _tell(found: Shipped) -> None:
    import numpy as np  # noqa: PLC0415

    from planner.calibrate import priors  # noqa: PLC0415

    typer.echo(f"{'parameter':42} {'prior':>8} {'fitted':>8}  runs groups")
    for parameter, u in zip(found.model.parameters, found.fit.u, strict=True):
        held = " (held: fewer than 3 groups)" if parameter.sigma < 0.01 else ""
        typer.echo(
            f"{parameter.name:42} {parameter.prior:8.4g} {parameter.value(u):8.4g} "
            f"{found.runs[parameter.name]:5} {found.groups[parameter.name]:6}{held}"
        )
    rest = priors.unseen(found)
    told = ", ".join(f"{name} {100 * math.expm1(error):+.1f} %" for name, error in rest.errors.items())
    typer.echo(f"chip families that the fit had not seen: {told}")
    typer.echo(f"chips without runs: shares over {rest.slower:.3f}, spread of ln(time) {rest.spread:.3f}")
    typer.echo(f"effective parameters: {found.fit.effective:.1f} of {len(found.model.parameters)}")
    typer.echo(
        f"an unknown source adds: dense {found.elsewhere(False):.3f}, experts {found.elsewhere(True):.3f}"
    )
    for name, errors in (
        ("in the fit", found.errors),
        ("group left out", found.folds),
        ("chip family left out", found.new_chip),
        ("software profile left out", found.new_software),
        ("framework left out", found.new_framework),
    ):
        off = np.expm1(errors)
        typer.echo(f"{name:26} mean error {100 * np.abs(off).mean():5.1f} %, bias {100 * off.mean():+5.1f} %")
