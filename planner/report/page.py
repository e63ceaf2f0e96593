"""A report: one HTML file that needs no network, prints, and explains a plan to somebody else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from planner.errors import PlannerError
from planner.plan.model import Plan
from planner.plan.shown import number, number_in
from planner.plan.tables import bill_of_materials
from planner.report import facts
from planner.report.words import Language, Rate, Words
from planner.specs import SpecLibrary

EXTRA = "pip install 'planner[report]'"
_DRAW = """
const specs = JSON.parse(document.getElementById("charts").textContent);
Promise.all(Object.entries(specs).map(([id, spec]) =>
  vegaEmbed(document.getElementById(id), spec, {actions: false, renderer: "svg", tooltip: {theme: "light"}})
)).then(() => document.body.dataset.drawn = Object.keys(specs).length);
"""
"""Runs inside the bundle, which has vegaEmbed; the number of charts drawn is for the tests."""


@dataclass(frozen=True)
class Drawn:
    """A chart on the page: where it stands, and the name that a screen reader says."""

    id: str
    name: str


def rate_of(library: SpecLibrary) -> Rate:
    """The yuan in US dollars, from the library's exchange rates."""
    found = library.part("exchange-rates").figure_table["usd_per_unit.CNY"]
    return Rate(found.value, found.low, found.high, found.date or "", found.kind)


def html(
    plans: Sequence[Plan],
    *,
    language: Language = "en",
    names: Sequence[str] | None = None,
    library: SpecLibrary | None = None,
) -> str:
    """The report on one plan, or on several side by side.

    Args:
        plans: at least one.
        language: of labels, numbers and money; names and sources stay as they are.
        names: of the plans; default: system and number of cards.
        library: has the exchange rate.

    Raises:
        PlannerError: the extra ``report`` is not installed.
    """
    _need("jinja2", "altair", "vl_convert")
    import jinja2  # noqa: PLC0415 (an extra)

    from planner.report import graphs  # noqa: PLC0415 (altair)

    words = Words(language, rate_of(library or SpecLibrary()))
    titles = list(names or _names(plans))
    specs: dict[str, Any] = {}
    compared = graphs.comparison(plans, titles, words) if len(plans) > 1 else None
    if compared is not None:
        specs["compare"] = compared
    groups = []
    for place, plan in enumerate(plans):
        drawn = {f"chart-{place}-{name}": spec for name, spec in graphs.charts(plan, words).items()}
        if len(plans) > 1:
            for spec in drawn.values():
                spec["description"] += f": {titles[place]}"
        specs |= drawn
        groups.append((titles[place], [Drawn(key, spec["description"]) for key, spec in drawn.items()]))
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(
        (files("planner") / "data/report/page.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        words=words,
        plans=list(zip(titles, plans, strict=True)),
        headlines=[facts.headline(plan, words) for plan in plans],
        sections=facts.sections(list(plans), words),
        groups=groups,
        compared=Drawn("compare", words("chart_compare")) if compared is not None else None,
        specs=_safe(json.dumps(specs, ensure_ascii=False)),
        script=_safe(_bundle()),
        bills=[bill(plan, words) for plan in plans],
        figures=_figures(plans),
        number=number,
        number_in=number_in,
    )


def bill(plan: Plan, words: Words) -> list[tuple[str, str, float, str, float | None, float | None]]:
    """Lines of the bill of materials: part, group, count, unit, watts, US dollars."""
    unit = {"pieces": "pieces", "racks": "racks_unit"}
    return [
        (
            _part(row["part"], words),
            words(row["group"]),
            row["count"],
            words(unit[row["unit"]]),
            row["watts"],
            row["usd"],
        )
        for row in bill_of_materials(plan)
    ]


def _part(name: str, words: Words) -> str:
    """``switch, leaf`` in the language of the report, piece by piece."""
    name = name if words.language == "en" else name.replace(" (in the servers)", "（在服务器内）")
    return words.listed(words.translated(piece) for piece in name.split(", "))


def _names(plans: Sequence[Plan]) -> list[str]:
    names = [
        f"{plan.system}, {plan.cards.total:,}" if plan.cards is not None else f"{plan.workload.model}"
        for plan in plans
    ]
    return [f"{name} ({place + 1})" if names.count(name) > 1 else name for place, name in enumerate(names)]


def _figures(plans: Sequence[Plan]) -> list[Mapping[str, Any]]:
    """Every figure of all plans once, with its sources."""
    found = {(item.key, item.value): item for plan in plans for item in plan.figures}
    return [found[key].model_dump() for key in sorted(found)]


@cache
def _bundle() -> str:
    import vl_convert  # noqa: PLC0415 (an extra)

    return str(vl_convert.javascript_bundle(_DRAW))


def _safe(text: str) -> Any:
    """A script that may stand in a page: nothing in it can end its element."""
    from markupsafe import Markup  # noqa: PLC0415 (comes with jinja2)

    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def _need(*modules: str) -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    lacking = [name for name in modules if find_spec(name) is None]
    if lacking:
        raise PlannerError(f"reports need {', '.join(lacking)}, which is not installed", hint=EXTRA)
