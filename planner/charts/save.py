"""Write a chart as SVG, PNG or a page of HTML that needs no network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import PlannerError

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.TopLevelMixin
else:
    Chart = Any

FORMATS = (".svg", ".png", ".html")
EXTRA = "pip install 'planner[charts]'"


def check_path(path: Path) -> None:
    """Refuse a file that cannot become a chart, before any work is done.

    Raises:
        PlannerError: its suffix is none of ``FORMATS``, its folder is missing, or the drawing libraries are.
    """
    if path.suffix.lower() not in FORMATS:
        raise PlannerError(
            f"a chart is written as {', '.join(FORMATS)}, not as {path.suffix or 'a file without suffix'}",
            file=str(path),
            hint=f"for example {path.with_suffix('.svg')}",
        )
    if not path.parent.is_dir():
        raise PlannerError("its folder does not exist", file=str(path), hint=f"mkdir -p {path.parent}")
    for name in ("altair", "vl_convert"):
        if importlib.util.find_spec(name) is None:
            raise PlannerError(f"charts need {name}, which is not installed", hint=EXTRA)


def save(chart: Chart, path: Path | str) -> None:
    """Write ``chart`` in the format of the suffix of ``path``.

    Raises:
        PlannerError: as `check_path`; the file cannot be written.
    """
    target = Path(path)
    check_path(target)
    kind = target.suffix.lower()
    try:
        if kind == ".png":
            import vl_convert  # noqa: PLC0415 (an extra)

            target.write_bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=2))
        else:
            target.write_text(to_svg(chart) if kind == ".svg" else to_html(chart), encoding="utf-8")
    except OSError as fault:
        raise PlannerError(f"cannot be written: {fault.strerror}", file=str(target)) from fault


def to_svg(chart: Chart) -> str:
    """The chart as SVG."""
    import vl_convert  # noqa: PLC0415 (an extra)

    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def to_html(chart: Chart) -> str:
    """The chart as a page of its own, the drawing library included."""
    import vl_convert  # noqa: PLC0415 (an extra)

    return str(vl_convert.vegalite_to_html(chart.to_json(), bundle=True))
