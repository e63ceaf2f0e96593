"""The page of published tables names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "oracles.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/.]+)::(\w+)`", PAGE)


def test_every_test_that_the_page_names_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED
        if not re.search(rf"^\s*(?:fn|def) {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not missing


def test_all_33_tables_have_a_row_and_all_but_one_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| table")]
    assert len(rows) == 33
    assert sum("::" not in row for row in rows) == 1
