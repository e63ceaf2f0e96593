"""Links, anchors and paths in the documents lead somewhere, on any machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, ROOT, anchors, name, prose, read

from planner.report import memo

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:planner|rust|hardware_specs|examples|docs|tests)/[\w./-]+?\.(?:py|rs|toml|md|json)|\.ci/run)`"
)
OF_A_MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|tmp|Users|opt)/\w+|[A-Z]:\\\\")
OF_A_REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|crates\.io)\b")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    broken = []
    for target in LINK.findall(prose(read(document))):
        if target.startswith(("http:", "https:")):
            continue
        file, _, anchor = target.partition("#")
        path = (document.parent / file).resolve() if file else document
        if not path.exists() or (anchor and anchor not in anchors(read(path))):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_file_that_is_named_exists(document: Path) -> None:
    missing = [path for path in PATH.findall(read(document)) if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_document_names_a_path_of_a_machine_or_a_registry(document: Path) -> None:
    text = read(document)
    assert not OF_A_MACHINE.findall(text)
    assert not OF_A_REGISTRY.findall(text)


def test_every_section_of_a_memo_finds_its_formulas() -> None:
    named = re.findall(r'^ +\("[^"]+", "([\w-]+)", _\w+\),?$', read(Path(memo.__file__)), re.MULTILINE)
    assert {"training-step", "fabric", "uncertainty", "search"} <= set(named)
    assert set(named) <= anchors(read(ROOT / memo.PHYSICS))


def test_the_index_lists_every_page() -> None:
    index = read(ROOT / "docs" / "README.md")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert not {page for page in pages if f"({page})" not in index}
