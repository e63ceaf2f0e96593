"""A small library in a temporary directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_files import LIBRARY, MakeLibrary

from planner.specs import SpecLibrary


@pytest.fixture
def make_library(tmp_path: Path) -> MakeLibrary:
    """``make_library({"accelerators/card-a.toml": text})``: the small library with these files put in."""

    def do(changes: dict[str, str] | None = None, base: dict[str, str] | None = None) -> SpecLibrary:
        for name, text in ((LIBRARY if base is None else base) | (changes or {})).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return SpecLibrary([tmp_path])

    return do
