"""What the tests of the documents share: where they stand, their fenced blocks and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "hardware_specs" / "README.md"])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"<!-- file: (\S+) -->\n```toml\n(.*?)```", re.DOTALL)


def name(path: Path) -> str:
    """The path below the root, as tests are called."""
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> str:
    """The text of a document."""
    return path.read_text(encoding="utf-8")


def blocks(text: str, language: str) -> Iterator[str]:
    """Fenced blocks of one language, in order."""
    for found in _FENCE.finditer(text):
        if found[1] == language:
            yield found[2]


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def files(text: str) -> dict[str, str]:
    """Files that a document spells out: relative path -> content."""
    return {found[1]: found[2] for found in _FILE.finditer(text)}


def commands(text: str) -> list[str]:
    """Lines of the shell blocks, without comments."""
    lines = [line.split("  #")[0].strip() for block in blocks(text, "sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as code hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading.lower())).replace(" ", "-")
        for heading in headings
    }
