"""Reports: what stands in the page and in the workbook."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from planner.plan.model import Plan
from planner.report import facts, page, workbook
from planner.report.phrases import PHRASES
from planner.report.words import Rate, Words

SAMPLE = Path(__file__).with_name("sample_plan.json")
RATE = Rate(0.14, 0.136, 0.145, "2025-12", "estimate")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.from_json(SAMPLE.read_text())


@pytest.fixture(scope="module")
def text(plan: Plan) -> str:
    for name in ("jinja2", "altair", "vl_convert"):
        pytest.importorskip(name)
    return page.html([plan])


def test_the_page_holds_headline_command_bill_and_every_source(text: str, plan: Plan) -> None:
    assert facts.headline(plan, Words("en", RATE)) in text
    assert plan.provenance.command is None or plan.provenance.command in html.unescape(text)
    for item in plan.figures:
        assert item.key in text
    assert plan.fabric is not None
    assert f"{plan.fabric.transceivers.switch_side:,}" in text


def test_the_page_asks_for_nothing_outside_and_is_small(text: str) -> None:
    head, _, script = text.partition('<script type="application/json"')
    assert not re.search(r"(?:src|@import)\s*=?\s*[\"'(]?https?:", head)
    assert "default-src 'none'" in head
    assert len(text.encode()) <= 2e6
    specs = json.loads(script.partition(">")[2].partition("</script>")[0].replace("<\\/", "</"))
    assert specs
    assert all(spec["description"] for spec in specs.values())


def test_text_of_a_plan_cannot_become_markup(plan: Plan) -> None:
    pytest.importorskip("jinja2")
    nasty = plan.model_copy(update={"notes": ["</script><script>alert(1)</script>"]})
    assert "<script>alert" not in page.html([nasty])


def test_several_plans_stand_side_by_side(plan: Plan) -> None:
    made = facts.sections([plan, plan], Words("en", RATE))
    assert all(len(values) == 2 for section in made for _, values in section.rows)
    assert [section.key for section in made] == [
        section.key for section in facts.sections([plan], Words("en", RATE))
    ]


def test_chinese_money_is_in_wan_and_yi_at_a_dated_rate() -> None:
    words = Words("zh", RATE)
    assert words.money(0.14 * 2.83e9) == "28.3 亿元"
    assert words.money(0.14 * 5.05e7) == "5,050 万元"
    assert words.money(None) == "未知"
    assert "2025-12" in words.money_note()
    assert "未另加税费" in words.money_note()
    assert Words("en", RATE).money(396e6) == "$396 M"


def test_every_phrase_has_both_languages_with_the_same_places() -> None:
    for key, (english, chinese) in PHRASES.items():
        assert english, key
        assert chinese, key
        missing = set(re.findall(r"{\w+}", english)) - set(re.findall(r"{\w+}", chinese))
        assert not missing, key


def test_a_chinese_report_has_no_english_heads(plan: Plan) -> None:
    for section in facts.sections([plan], Words("zh", RATE)):
        assert not re.search("[a-z]{4}", section.title)


def test_a_chinese_workbook_tells_parts_and_methods_in_chinese(plan: Plan, tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    path, method = tmp_path / "bill.xlsx", "as cards of its class"
    guessed = plan.figures[0].model_copy(update={"sources": [], "method": method})
    workbook.write([plan.model_copy(update={"figures": [guessed]})], path, language="zh")
    with ZipFile(path) as book:
        texts = set(re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode()))
    assert not any("in the servers" in text for text in texts)
    assert method not in texts
    assert PHRASES["method_in_file"][1] in texts


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_workbook_counts_and_adds_up(plan: Plan, tmp_path: Path, language: str) -> None:
    pytest.importorskip("xlsxwriter")
    path = tmp_path / "bill.xlsx"
    workbook.write([plan], path, language=language)  # type: ignore[arg-type]
    with ZipFile(path) as book:
        sheets = {
            name: book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/")
        }
        bill, costs = sheets["xl/worksheets/sheet1.xml"], sheets["xl/worksheets/sheet2.xml"]
    assert plan.facility is not None
    assert plan.cost is not None
    assert plan.cost.capex_usd is not None
    assert f"<v>{plan.facility.servers}</v>" in bill
    total = re.search(r"<f>SUM\(B2:B(\d+)\)</f><v>([\d.e+]+)</v>", costs)
    assert total is not None
    assert int(total[1]) == len(plan.cost.parts) + 1
    scale = 1.0 if language == "en" else 1 / 1400
    assert float(total[2]) == pytest.approx(plan.cost.capex_usd * scale)
