"""How long reports take to open in headless Chromium: from the address to the last chart drawn.

    planner size examples/kunlun-30k.toml -q -o plan.json
    python benches/report_opens.py plan.json ...

Needs the extra `report`, playwright and Debian's chromium. Each report is opened several times in a page of
its own; the fastest and the slowest are printed with its size. Several plans also have one report together.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.plan.model import Plan, read_plan
from planner.report import page


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("plans", nargs="+", type=Path)
    asked.add_argument("--times", type=int, default=5, help="to open each report")
    words = asked.parse_args()
    plans = [read_plan(path) for path in words.plans]
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (a tool of the tests)

    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox"],
        )
        for name, text in reports(plans, [path.stem for path in words.plans]):
            file = Path(folder) / "report.html"
            file.write_text(text, encoding="utf-8")
            taken = [opened(browser, file) for _ in range(words.times)]
            print(f"{name:32s} {len(text.encode()) / 1e6:.2f} MB  {min(taken):.2f} to {max(taken):.2f} s")
        browser.close()


def reports(plans: list[Plan], names: list[str]) -> Iterator[tuple[str, str]]:
    """Reports on each plan and on all together, in both languages: what it is and its HTML."""
    groups = [([plan], [name]) for plan, name in zip(plans, names, strict=True)]
    if len(plans) > 1:
        groups.append((plans, names))
    for some, told in groups:
        yield f"{' + '.join(told)}, English", page.html(some, names=told)
        yield f"{' + '.join(told)}, Chinese", page.html(some, names=told, language="zh")


def opened(browser: Any, file: Path) -> float:
    """Seconds from the address to the last chart."""
    view = browser.new_page(viewport={"width": 1200, "height": 900})
    begun = time.perf_counter()
    view.goto(file.as_uri())
    view.wait_for_function("document.body.dataset.drawn > 0", timeout=60_000)
    taken = time.perf_counter() - begun
    view.close()
    return taken


if __name__ == "__main__":
    main()
