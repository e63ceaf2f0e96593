"""Own serving runs: one anchors, ten correct, none is refused, and the file moves predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.cli.calibrate import calibrate
from planner.errors import PlannerError
from planner.specs import SpecLibrary
from planner.validation.run import validate

RUN: dict[str, Any] = {
    "hardware": "nvidia-h100-sxm",
    "cards": 2,
    "model": "llama3.1-70b",
    "precision": "fp8",
    "framework": "vLLM",
    "isl": 1024,
    "osl": 512,
    "tp": 2,
    "group": "own",
    "completeness": "full",
}


def _cases(path: Path, tpots: list[float], **other: object) -> Path:
    rows = [
        {**RUN, **other, "id": f"own-{place}", "concurrency": 8 * (place + 1), "measured": {"tpot_ms": tpot}}
        for place, tpot in enumerate(tpots)
    ]
    path.write_text(json.dumps({"inference": rows}))
    return path


def _slow(path: Path, count: int, times: float) -> Path:
    """Runs that take ``times`` as long as predicted."""
    library = SpecLibrary.from_environment()
    predicted = [case["predicted"] for case in validate(library, _cases(path, [20.0] * count))["cases"]]
    return _cases(path, [1e3 * times * seconds for seconds in predicted])


@pytest.mark.parametrize(("count", "left"), [(1, 0.10), (10, 0.025)])
def test_own_runs_move_the_predictions_towards_them(
    count: int,
    left: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before, every run is predicted too fast by 1 - 1/1.2 = 17 %."""
    file = _slow(tmp_path / "own.json", count, 1.2)
    calibrate(cases=file, output=tmp_path / "specs")
    assert f"{count} runs of 1 groups" in capsys.readouterr().out
    monkeypatch.setenv("PLANNER_SPEC_PATH", str(tmp_path / "specs"))
    errors = [case["error"] for case in validate(SpecLibrary.from_environment(), file)["cases"]]
    assert max(abs(error) for error in errors) < left


def test_a_file_without_a_run_that_can_be_predicted_is_refused(tmp_path: Path) -> None:
    file = _cases(tmp_path / "own.json", [20.0], hardware="no-such-chip")
    with pytest.raises(PlannerError, match="no run to calibrate on") as refused:
        calibrate(cases=file)
    assert "at least 1 run" in str(refused.value.hint)
    assert "no-such-chip" in str(refused.value.hint)
