"""A report in headless Chromium: quiet, offline, alive, printable, and named for screen readers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planner.plan.model import Plan
from planner.report import page

sync_api: Any = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
SAMPLE = Path(__file__).parents[1] / "unit" / "report" / "sample_plan.json"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        # Tests run as root in containers, where Chromium has no sandbox of its own.
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=["en", "zh"])
def opened(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    for name in ("jinja2", "altair", "vl_convert"):
        pytest.importorskip(name)
    plan = Plan.from_json(SAMPLE.read_text())
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(page.html([plan, plan], language=request.param), encoding="utf-8")
    view = browser.new_page(viewport={"width": 1200, "height": 900})
    view.said, view.asked = [], []
    view.on("console", lambda message: view.said.append(message.text))
    view.on("pageerror", lambda error: view.said.append(str(error)))
    view.on("request", lambda asked: view.asked.append(asked.url))
    view.goto(file.as_uri())
    view.wait_for_function("document.body.dataset.drawn > 0", timeout=60_000)
    return view


def test_it_says_nothing_on_the_console_and_asks_for_nothing_but_itself(opened: Any) -> None:
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:"))] == []
    assert len(opened.asked) == 1


def test_every_chart_is_drawn_inside_its_place_and_has_a_name(opened: Any) -> None:
    charts = opened.locator("figure > div")
    assert charts.count() == int(opened.evaluate("document.body.dataset.drawn"))
    for place in range(charts.count()):
        chart = charts.nth(place)
        assert chart.get_attribute("aria-label")
        assert chart.get_attribute("role") in ("img", "graphics-document")
        box, outer = chart.locator("svg").first.bounding_box(), opened.locator("body").bounding_box()
        assert box["width"] > 50
        assert box["x"] + box["width"] <= outer["x"] + outer["width"] + 1


def test_hovering_a_bar_shows_its_figures(opened: Any) -> None:
    bar = opened.locator("figure svg .mark-rect path").first
    bar.scroll_into_view_if_needed()
    bar.hover()
    tip = opened.locator("#vg-tooltip-element.visible")
    tip.wait_for(timeout=10_000)
    assert any(letter.isdigit() for letter in tip.inner_text())


def test_it_prints(opened: Any) -> None:
    printed = opened.pdf()
    assert printed.startswith(b"%PDF")
    assert len(printed) > 20_000


def test_headings_are_in_order_and_sections_are_labelled(opened: Any) -> None:
    assert opened.locator("h1").count() == 1
    for section in opened.locator("section").all():
        label = section.get_attribute("aria-labelledby")
        assert opened.locator(f"[id='{label}']").inner_text().strip()
    assert opened.evaluate("document.documentElement.lang") in ("en", "zh-CN")


def test_it_fits_a_narrow_screen(opened: Any) -> None:
    opened.set_viewport_size({"width": 400, "height": 800})
    # Tables may be wide; the page itself scrolls down only, give or take the wide table of sources.
    assert opened.evaluate("document.querySelector('header').scrollWidth") <= 400
    opened.set_viewport_size({"width": 1200, "height": 900})
