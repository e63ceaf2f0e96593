"""Reports on services, and Chinese reports: no English sentence stands among the Chinese."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import planner
from planner.plan.model import Plan
from planner.report import chinese, facts, graphs, page, sure_facts
from planner.report.words import Rate, Words

SAMPLE = Path(__file__).with_name("sample_plan.json")
RATE = Rate(0.14, 0.136, 0.145, "2025-12", "estimate")
CHAT: dict[str, Any] = {
    "site": "shanghai",
    "workload": {"kind": "serving", "model": "llama3.1-8b", "input_tokens": 1000, "output_tokens": 200},
    "target": {"requests_per_second": 40, "ttft": "2 s", "tpot": "50 ms"},
    "hardware": {"systems": ["kunlun-p800-8"]},
    "layout": {"pp": 1, "tp": [1, 2], "mode": "disaggregated"},
}
SENTENCE = re.compile(r"(?:\b[A-Za-z]?[a-z]+[ ,:;]+){4,}")
"""Five words of Latin letters in a row; names of links and models are shorter."""


@pytest.fixture(scope="module")
def service() -> Plan:
    return planner.size(CHAT)


def test_a_service_shows_latencies_pools_and_the_cost_of_tokens(service: Plan) -> None:
    (found,) = [part for part in facts.sections([service], Words("en", RATE)) if part.key == "serve"]
    rows = {label: values[0] for label, values in found.rows}
    assert rows["verdict at the load"] == "stable"
    assert "P10-P90" in rows["most requests a second within the latencies"]
    assert "mean" in rows["TPOT"]
    assert "prefill" in " ".join(rows)
    assert "a million output tokens (items) at 30 % load" in rows
    asked = next(part for part in facts.sections([service], Words("en", RATE)) if part.key == "asked")
    assert "1,000,000" not in str(asked.rows)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_service_has_its_charts(service: Plan, language: Any) -> None:
    pytest.importorskip("altair")
    made = graphs.charts(service, Words(language, RATE))
    assert {"trade", "pools", "load", "bands", "swings", "fabric", "racks", "power", "cost"} <= set(made)
    assert all(spec["description"] for spec in made.values())
    drawn = json.dumps(made["trade"])
    assert str(service.serving.trade[0].batch) in drawn  # type: ignore[union-attr]


def test_services_side_by_side_are_compared_by_load_and_latencies(service: Plan) -> None:
    pytest.importorskip("altair")
    for language, money in (("en", "capital (M USD)"), ("zh", "投资 (亿元)")):
        spec = graphs.comparison([service, service], ["b", "a"], Words(language, RATE))  # type: ignore[arg-type]
        assert spec is not None
        rows = next(iter(spec["datasets"].values())) if "datasets" in spec else spec["data"]["values"]
        assert {"TTFT (ms)", "TPOT (ms)", money} <= {row["what"] for row in rows}
        assert '"domain": ["b", "a"]' in json.dumps(spec)
        ttft = next(row for row in rows if row["what"] == "TTFT (ms)")
        assert service.bands is not None
        assert service.bands.ttft_seconds is not None
        assert ttft["p50"] == pytest.approx(1e3 * service.bands.ttft_seconds.p50)


def test_what_a_limit_is_worth_is_told_in_both_languages() -> None:
    question = {
        "workload": {"model": "llama3.1-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
        "limits": {"cards": 64},
        "hardware": {"systems": ["dgx-h100"]},
        "site": {"id": "texas"},
        "layout": {"tp": [1, 2], "pp": 1, "cp": 1, "micro_batch": 1, "sharding": 1},
    }
    plan = planner.size(question)
    price = next(item for item in plan.prices if item.constraint == "limits.cards_max")
    assert price.plan is not None
    for language, label, unit in (
        ("en", "what a step of it is worth", "per card"),
        ("zh", "放宽一步", "每张卡"),
    ):
        told = dict(sure_facts.prices(plan, Words(language, RATE)))  # type: ignore[arg-type]
        row = next(text for name, text in told.items() if label in name)
        assert unit in row
        assert f"{price.change:+.0%}"[:3] in row


def test_a_simulation_and_a_port_are_told(service: Plan) -> None:
    assert service.serving is not None
    assert service.serving.simulated is not None
    told = dict(sure_facts.simulated(service, Words("en", RATE)))
    assert f"{service.serving.simulated.requests:,} requests" in told["simulated, request by request"]
    assert "首次移植" in dict(sure_facts.ported(service, Words("zh", RATE)))


def test_the_page_of_a_service_is_small(service: Plan) -> None:
    for name in ("jinja2", "altair", "vl_convert"):
        pytest.importorskip(name)
    assert len(page.html([service]).encode()) <= 2e6


@pytest.mark.parametrize("kind", ["training", "service"])
def test_a_chinese_report_has_no_english_sentence(service: Plan, kind: str) -> None:
    for name in ("jinja2", "altair", "vl_convert"):
        pytest.importorskip(name)
    plan = service if kind == "service" else Plan.from_json(SAMPLE.read_text())
    words = Words("zh", RATE)
    for section in facts.sections([plan], words):
        for label, values in section.rows:
            assert not SENTENCE.search(f"{label} {values[0]}"), (label, values)
    text = page.html([plan], language="zh")
    body = text.partition("<body>")[2].partition("<script")[0]
    # Titles of sources are names, and commands are commands.
    body = re.sub(r"<a .*?</a>|<cite>.*?</cite>|<code>.*?</code>", "", body, flags=re.DOTALL)
    for cell in re.findall(r">([^<]+)<", body):
        assert not SENTENCE.search(cell), cell
    specs = json.loads(text.partition('type="application/json" id="charts">')[2].partition("</script>")[0])
    for name, spec in specs.items():
        for said in _told(spec):
            assert not SENTENCE.search(said), (name, said)


def _told(item: Any) -> list[str]:
    """Texts of a specification that people read."""
    if isinstance(item, dict):
        own = [value for key, value in item.items() if key in ("title", "text", "label", "part", "what")]
        return [text for text in own if isinstance(text, str)] + [
            text for value in item.values() for text in _told(value)
        ]
    return [text for value in item for text in _told(value)] if isinstance(item, list) else []


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("P800 memory bandwidth", "P800 显存带宽"),
        ("P800 server bandwidth of XPU-Link group of four", "P800 服务器 带宽（XPU-Link 四卡组）"),
        ("Shanghai PUE on the design day with cold-plate", "Shanghai 设计日 PUE（冷板液冷）"),
        ("first port (partial): speed", "首次移植（部分可用）：速度"),
    ],
)
def test_labels_of_figures_keep_names_and_turn_the_rest(english: str, said: str) -> None:
    assert chinese.label(english) == said


def test_what_has_no_chinese_is_counted_and_not_shown() -> None:
    notes = ["ascend-910 lists no bf16 peak: its fp16 peak is used", "something that nobody translated yet"]
    first, rest = chinese.sentences(notes)
    assert first == "ascend-910 未列 bf16 峰值，按 fp16 峰值计"
    assert "1 条仅有英文" in rest
    assert Words("en", RATE).sentences(notes) == notes


@pytest.mark.parametrize(
    ("english", "said"),
    [
        (
            "without the limits 2,048 cards do it; over: limits.racks, limits.capex_usd",
            "若无约束，2,048 张卡可以做到；超出：机柜、投资",
        ),
        ("tpot binds: at best 12 ms, 5 ms are asked for", "tpot 受限：最好 12 ms，要求 5 ms"),
        (
            "no layout meets all latencies at once at 50 a second with at most 1,000 cards",
            "至多 1,000 张卡时没有切分同时满足全部时延（每秒负载：50）",
        ),
        ("latency binds: at best 2 ms, 1 us are asked for", "时延 受限：最好 2 ms，要求 1 us"),
        ("a reason that nobody translated", ""),
    ],
)
def test_why_not_is_told_in_chinese_part_by_part(english: str, said: str) -> None:
    assert chinese.reasons(english) == said
    assert Words("en", RATE).reasons(english) == english


@pytest.mark.parametrize(
    ("english", "said"),
    [
        (
            "with GB200 NVL72 host power at its high the design is over: limits.facility_watts",
            "若 GB200 NVL72 主机功耗 取上限，超出约束：电网侧功率",
        ),
        ("memory is 97 % full: above 92 % allocators thrash and steps slow down", "显存已用 97%"),
        ("the halls of guizhou (2) bound the plan", "现有机房（2 个）"),
        ("dgx-h100 is left out: its cards come from US, not from CN (limits.origin)", "产自 US"),
        (
            "no cluster tried, up to 30,000 cards, meets the target with 90 % certainty; at best 77 % with "
            "29,000, 90 % in 321 days",
            "至 30,000 张卡",
        ),
        ("90 % sure needs 35,000 cards, over the limit of 30,000", "需 35,000 张卡，超过上限 30,000"),
        (
            "trace: 5 requests, 1/s on the mean, 1/s in the busiest window, gaps with spread 0.35 "
            "(Poisson: 1); input 164 (spread 0.47), output 68 (spread 0.34) tokens; the service is sized for",
            "输入 164 词元（离散 0.47）",
        ),
        (
            "50 % of prompt tokens are taken to be found in a cache; the host memory or drives",
            "50% 的提示词元",
        ),
        ("an instance decodes 0.404 sequences at once: each pays", "每实例同时解码 0.404 条序列"),
    ],
)
def test_notes_and_risks_are_told_in_chinese(english: str, said: str) -> None:
    assert said in (chinese.sentence(english) or "")
