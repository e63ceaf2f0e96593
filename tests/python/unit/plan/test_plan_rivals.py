"""Compared plans share their draws; software maturity speaks first where it must."""

from __future__ import annotations

from pathlib import Path

import planner
from planner import api
from planner.plan.maturity import maturity_of
from planner.specs import SpecLibrary

SCENARIO = """
[workload]
model = "llama2-70b"
tokens = "200B"
sequence = 4096
batch_sequences = 512
[limits]
cards = 512
[hardware]
systems = ["kunlun-p800-8", "atlas-800t-a2"]
cooling = "cold-plate"
[site]
id = "guizhou"
[layout]
tp = 8
pp = [2, 4]
vpp = 1
micro_batch = 1
recompute = "full"
"""


def scenario(tmp_path: Path, **changes: str) -> Path:
    path = tmp_path / "s.toml"
    text = SCENARIO
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def test_contenders_get_their_chance_of_being_best(tmp_path: Path) -> None:
    found = api.compare(scenario(tmp_path), samples=128)
    first, second = found.contenders
    assert first.best_probability is not None
    assert second.best_probability is not None
    assert abs(first.best_probability + second.best_probability - 1.0) < 1e-9
    assert first.best_probability > 0.5
    assert first.difference_band is None
    assert second.difference_band is not None
    assert second.difference_band.p10 <= second.difference_band.p50 <= second.difference_band.p90
    assert first.maturity is not None
    assert first.export_control is not None
    again = api.compare(scenario(tmp_path), samples=128)
    assert again.model_dump_json() == found.model_dump_json()


def test_an_unproven_pair_is_named_before_anything_else(tmp_path: Path) -> None:
    library = SpecLibrary.from_environment()
    unproven = maturity_of(library, library.accelerator("enflame-l600"), "llm-training")
    assert unproven.level == "unproven"
    assert unproven.warning is not None
    assert unproven.warning.startswith("UNPROVEN: LLM training on this chip")
    proven = maturity_of(library, library.accelerator("nvidia-h100-sxm"), "llm-training")
    assert proven.level == "proven-at-scale"
    assert proven.warning is None
    assert proven.sources
    assert proven.porting_months is not None
    assert unproven.porting_months is not None
    assert unproven.porting_months.value > proven.porting_months.high
    plan = planner.size(scenario(tmp_path), set={"hardware.systems": "kunlun-p800-8"})
    assert plan.maturity is not None
    assert plan.maturity.level == "proven"
    assert not plan.headline.startswith("UNPROVEN")
