"""The output that documents show is what the planner prints."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from documents import ROOT, name, read


def _regenerate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", ROOT / "docs" / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


regenerate = _regenerate()
MARKS = (regenerate.BLOCK, regenerate.COMMANDS, regenerate.PRINTS)
WITH_OUTPUT = [path for path in regenerate.DOCUMENTS if any(mark.search(read(path)) for mark in MARKS)]


@pytest.mark.parametrize("document", WITH_OUTPUT, ids=name)
def test_shown_output_is_current(document: Path) -> None:
    """If this fails: ``python docs/regenerate.py``, and look at the difference."""
    text = read(document)
    assert regenerate.regenerated(text) == text


def test_the_readme_shows_a_screen_of_a_real_answer() -> None:
    first = regenerate.BLOCK.search(read(ROOT / "README.md"))
    assert first is not None
    lines = first["text"].splitlines()
    assert 20 <= len(lines) <= 55
    assert "evidence" in lines[0]


def test_parts_of_a_memo_are_found_by_their_titles() -> None:
    memo = "answer\n\nWhat to buy  docs/x.md#fabric\n  cards  8\n\nWhat is asked\n  days  3\n\nplanner 1\n"
    assert regenerate.parts_of(memo, ["headline", "What is asked"]) == "answer\n\nWhat is asked\n  days  3\n"
    assert regenerate.parts_of(memo, ["What to buy"]).startswith("What to buy  docs")
    with pytest.raises(RuntimeError, match="no part Nothing"):
        regenerate.parts_of(memo, ["Nothing"])
