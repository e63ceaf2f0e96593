"""Failures against the published runs: Llama 3 on 16,384 H100 and the clusters of Meta."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner import engine
from planner.plan.parts import Reliability
from planner.problem import build, wire
from planner.scenario import load
from planner.specs import SpecLibrary

LLAMA = Path(__file__).parents[3] / "examples/llama3-405b-h100.toml"


def design(sets: list[str]) -> dict[str, object]:
    """Llama 3 on 16,384 H100 (2,048 servers), all of them at work."""
    request = build(load(LLAMA, sets), SpecLibrary.from_environment()).request
    layout = wire.LayoutOfDesign(
        pp=16, vpp=7, tp=8, cp=1, ep=1, etp=1, dp=128, micro_batch=1,
        recompute="none", sharding=1, sequence_parallel=True,
    )  # fmt: skip
    choice = wire.DesignChoice(cluster=0, fabric=0, cooling=0, power_cap=1.0, cards=16384, layout=layout)
    answer = engine.evaluate(wire.EvaluateRequest(problem=request, design=choice))
    reliability = answer["reliability"]
    assert isinstance(reliability, dict)
    return reliability


def test_llama_3_is_interrupted_419_times_in_54_days_and_works_over_90_percent() -> None:
    # arXiv 2407.21783: 419 unexpected interruptions, 268 of them by cards, 63 by software.
    found = design(["hardware.systems=dgx-h100", "reliability.spares=ignored"])
    assert found["failures_per_day"] * 54 == pytest.approx(419, rel=0.05)
    assert found["causes"]["card"] * 54 == pytest.approx(268, rel=0.05)
    assert found["causes"]["software"] * 54 == pytest.approx(63, rel=0.05)
    network = found["causes"]["optics"] + found["causes"]["switch"]
    assert network * 54 == pytest.approx(35, rel=0.5)
    # Its restarts were automated; those of the spec file are the usual ones and give a little less.
    tuned = design(
        ["hardware.systems=dgx-h100", "reliability.spares=ignored", "reliability.operations=tuned"]
    )
    assert 0.90 < tuned["goodput"] < 0.97
    assert 0.85 < found["goodput"] < tuned["goodput"]


def test_a_checkpoint_holds_14_bytes_a_parameter_at_a_published_rate() -> None:
    # BF16 weights 2, FP32 master 4, Adam 8; BLOOM-176B wrote 2.3 TB (13.1), MaxText counts 12.
    found = design(["hardware.systems=dgx-h100"])
    parameters = 405.85e9
    assert found["checkpoint_bytes"] == pytest.approx(14 * parameters, rel=1e-3)
    assert 12.0 <= 2.3e12 / 176e9 <= 14.0
    # 18 clusters wrote at 50 to 200 GB/s for the whole job; BLOOM at 57.5.
    library = SpecLibrary.from_environment()
    figures = {figure.key: figure.quantity for figure in build(load(LLAMA), library).figures}
    rate = next(item for key, item in figures.items() if "checkpoint_bandwidth" in str(key))
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low <= 57.5e9 <= rate.high
    assert (rate.low, rate.high) == (50e9, 200e9)


def test_without_a_spare_a_job_goes_on_smaller() -> None:
    found = design(["hardware.systems=dgx-h100", "reliability.spares=as-given"])
    spares = found["spares"]
    assert (spares["servers_had"], spares["servers_short"]) == (0, spares["servers_needed"])
    # 2,048 servers x 0.00379 x 0.766 x 2 days in repair; replicas of 16 servers are given up whole.
    assert spares["servers_in_repair"] == pytest.approx(2048 * 0.00379 * 0.7661 * 2, rel=1e-3)
    assert spares["kept"] == pytest.approx(1.0 - found["waiting"])
    assert found["waiting"] == pytest.approx((spares["servers_in_repair"] + 15) / 2048, rel=0.02)


def test_faster_repair_needs_fewer_spares() -> None:
    sure = "reliability.spare_confidence=0.99"
    slow = design(["reliability.spares=required", "reliability.repair=3 days", sure])["spares"]
    fast = design(["reliability.spares=required", "reliability.repair=6 h", sure])["spares"]
    assert slow["servers_needed"] > 2 * fast["servers_needed"] > 0
    # All servers are at work: every spare that the confidence asks for is missing.
    assert slow["servers_short"] == slow["servers_needed"]
    surer = design(["reliability.spares=required", "reliability.spare_confidence=0.99999"])["spares"]
    plain = design(["reliability.spares=required"])["spares"]
    assert surer["servers_needed"] > 0 == plain["servers_needed"]


def test_a_plan_of_json_keeps_its_spares(tmp_path: Path) -> None:
    found = design(["reliability.spares=required"])
    (tmp_path / "x.json").write_text(json.dumps(found), encoding="utf-8")
    again = Reliability.model_validate_json((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert again.spares is not None
    assert again.spares.servers_needed == found["spares"]["servers_needed"]
