"""``planner calibrate --serving``: the fit behind the shipped figures of the serving model."""

from __future__ import annotations

from pathlib import Path

import typer

from planner.specs import SpecLibrary


def serving_calibration(output: Path | None, cv: bool, library: SpecLibrary) -> None:
    """Fit on the shipped runs, print what moved, and write the files below ``output``.

    Args:
        output: the folder, laid out as planner/data; None: only print.
        cv: also write the predictions with groups left out.
        library: spec files.

    Raises:
        ImportError: numpy is not there.
    """
    from planner.calibrate.serving_later import later  # noqa: PLC0415
    from planner.calibrate.serving_run import shipped  # noqa: PLC0415 (numpy)
    from planner.calibrate.serving_write import CV_FILE, parameter_line, serving_files  # noqa: PLC0415
    from planner.calibrate.write import write  # noqa: PLC0415

    found = shipped(library, typer.echo)
    typer.echo(f"{'parameter':72} {'prior':>10} {'fitted':>10}  runs groups")
    second = later(library, found.model.tables(found.fit.u), found.date, typer.echo)
    for model, fit in ((found.model, found.fit), (second.model, second.fit)):
        for place in range(len(model.parameters)):
            typer.echo(parameter_line(model, fit, place))
    fast, slow = second.elsewhere()
    typer.echo(f"an unknown source adds {fast:.3f} (fast side) and {slow:.3f} (slow side) to ln(time)")
    files = serving_files(found, second)
    if output is None:
        typer.echo("nothing written: give -o DIR")
        return
    if not cv:
        files.pop(CV_FILE)
    written = write(output, list(files.items()))
    typer.echo(f"wrote {len(written)} files below {output}")
