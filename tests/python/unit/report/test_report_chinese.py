"""Chinese reports hold no English but names: labels of every figure, notes, and whole pages of many plans."""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import planner as pl
from planner.plan.model import Plan
from planner.plan.names import _LIMITS
from planner.problem.evidence import PROFILES, short_name
from planner.problem.service import build_service
from planner.report import chinese, facts, page
from planner.report.words import Words
from planner.scenario import ServiceScenario, from_table
from planner.specs import KINDS, SpecLibrary

LIBRARY = SpecLibrary()
PROBLEM = Path(pl.__file__).parent / "problem"
WORDS = re.compile(r"\b[a-z]{2,}(?:[ ,']+[a-z]{2,})+\b")
"""Two lower-case words in a row: a phrase. One alone, or joined by hyphens, may be a unit or an id."""
TRAINING: dict[str, Any] = {
    "site": "guizhou",
    "workload": {"model": "llama3.1-70b", "tokens": "2T", "sequence": 8192, "batch_sequences": 512},
    "target": {"days": 60},
    "limits": {"cards": 4096},
    "hardware": {"systems": ["dgx-h100"]},
    "layout": {"tp": 8, "cp": 1, "vpp": 1, "pp": [1, 2, 4], "micro_batch": 1, "sharding": 1},
}
SERVING: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 40, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["hgx-h20"]},
    "layout": {"pp": 1, "tp": [1, 2], "mode": "aggregated"},
}
ITEMS: dict[str, Any] = {
    "site": "shanghai",
    "workload": {
        "kind": "generic", "name": "vision", "flops": "8 GFLOP", "bytes": "60 MB", "memory": "1 MB",
        "weights": "50 MB", "precision": "int8",
    },
    "target": {"requests_per_second": 40000, "latency": "20 ms"},
    "hardware": {"systems": ["hgx-h20"]},
}  # fmt: skip
QUESTIONS: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = (
    (TRAINING, {"target.days": 1}),
    (TRAINING, {"limits.capex": "1 MUSD"}),
    (TRAINING, {"layout.tp": [3]}),
    (TRAINING, {"limits.origin": "CN", "hardware.systems": ["dgx-h100", "kunlun-p800-8"]}),
    (TRAINING, {"limits.available_in": "CN", "hardware.systems": ["dgx-h100", "kunlun-p800-8"]}),
    (TRAINING, {"supply": {"by_months": 9, "second": ["kunlun-p800-8"]}}),
    (TRAINING, {"hardware.systems": ["kuae2-s5000-8"], "site": "shanghai"}),
    (SERVING, {}),
    (SERVING, {"target.tpot": "1 ms"}),
    (ITEMS, {}),
    (ITEMS, {"target.latency": "1 us"}),
)


def phrases(text: str) -> list[str]:
    """English phrases in a text, the names of things left out."""
    if WORDS.search(text) is None:
        return []
    for name in NAMES:
        text = text.replace(name, "")
    return WORDS.findall(text)


def _names() -> list[str]:
    found = set()
    for kind in KINDS:
        for spec_id in LIBRARY.ids(kind):
            spec = getattr(LIBRARY, kind.removesuffix("s") if kind != "efficiency" else kind)(spec_id)
            found |= {spec.name, short_name(spec), spec_id}
    return sorted(found, key=len, reverse=True)


NAMES = _names()


def what(label: str, kind: str, spec_id: str) -> str:
    """The label of a figure without the name of its file."""
    if kind in PROFILES:
        return label.removeprefix(spec_id).strip()
    spec = getattr(LIBRARY, kind.removesuffix("s") if kind != "efficiency" else kind)(spec_id)
    return label.removeprefix(short_name(spec)).strip()


def literals() -> Iterator[str]:
    """What the problem calls its figures, where the source has it as a plain text."""
    place = {"need": 2, "want": 2, "price": 1}
    for path in PROBLEM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                at = place.get(node.func.attr)
                if at is not None and len(node.args) > at:
                    said = node.args[at]
                    if isinstance(said, ast.Constant) and isinstance(said.value, str):
                        yield said.value


def test_every_figure_that_a_problem_names_has_chinese() -> None:
    found = sorted(set(literals()))
    assert len(found) > 60
    assert [
        text for text in found if re.search("[a-z]{3,}", chinese.label(f"Q {text}").replace("bf16", ""))
    ] == []


@pytest.mark.parametrize("system", ["hgx-h20", "cloudmatrix-384", "kunlun-p800-64", "dgx-b200"])
def test_every_figure_of_a_service_has_chinese(system: str) -> None:
    scenario = from_table({**SERVING, "hardware": {"systems": [system]}})
    assert isinstance(scenario, ServiceScenario)
    for figure in build_service(scenario, LIBRARY).figures:
        said = chinese.label(f"Q {what(figure.label, figure.key.kind, figure.key.id)}")
        assert re.search("[\u4e00-\u9fff]", said), figure.label
        assert not phrases(said), said


def test_every_limit_has_chinese() -> None:
    assert [key for key in _LIMITS if chinese.name(key) == key] == []


@pytest.mark.parametrize("place", range(len(QUESTIONS)))
def test_no_fact_note_or_reason_is_told_in_english(place: int) -> None:
    base, changes = QUESTIONS[place]
    plan = pl.size(base, set=changes)
    untold = [text for text in (*plan.notes, *plan.evidence.risks) if chinese.sentence(text) is None]
    assert untold == []
    if plan.nearest is not None:
        assert [part for part in plan.nearest.why.split("; ") if chinese.sentence(part) is None] == []
    words = Words("zh", page.rate_of(LIBRARY))
    texts = [facts.headline(plan, words)]
    for section in facts.sections([plan], words):
        texts += [section.title, *(text for label, (value,) in section.rows for text in (label, value))]
    assert [found for text in texts if "micro_batch=" not in text for found in phrases(text)] == []


@pytest.mark.parametrize(("base", "changes"), [(TRAINING, {"supply": {"by_months": 3}}), (SERVING, {})])
def test_a_page_holds_no_english_phrase(base: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    for name in ("jinja2", "altair", "vl_convert"):
        pytest.importorskip(name)
    plan = pl.size(base, set=changes)
    made = page.html([plan], language="zh")
    assert [found for text in shown(made, plan) for found in phrases(text)] == []


def shown(made: str, plan: Plan) -> Iterator[str]:
    """What people read of a page: no layouts, no keys of figures, no sources, no command."""
    specs = re.search(r'<script type="application/json" id="charts">(.*?)</script>', made, re.S)
    assert specs is not None
    yield from charted(json.loads(specs[1].replace("<\\/", "</")))
    for element in ("script", "style", "a", "cite", "code"):
        made = re.sub(rf"<{element}[ >].*?</{element}>", "", made, flags=re.S)
    keys = {item.key for item in plan.figures}
    for text in re.sub(r"<[^>]+>", "\n", made).splitlines():
        read = html.unescape(text).strip()
        if read and read not in keys and "micro_batch=" not in read:
            yield read


def charted(item: Any) -> Iterator[str]:
    """The texts of a chart that people read."""
    if isinstance(item, dict):
        for key, value in item.items():
            if key not in ("field", "type", "$schema", "aggregate", "format", "font", "name", "layout"):
                yield from charted(value)
    elif isinstance(item, list):
        for value in item:
            yield from charted(value)
    elif isinstance(item, str):
        yield item
