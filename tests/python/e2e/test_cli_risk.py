"""Bad input of goodput, uncertainty and supply from the command line: what, why, what would do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LLAMA = str(ROOT / "examples/llama3-405b-h100.toml")
KUNLUN = str(ROOT / "examples/kunlun-30k.toml")


def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "planner", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("size", KUNLUN, "--confidence", "1.5"), "between 0 and 1"),
        (("size", KUNLUN, "--samples", "100"), "try 64 or 128"),
        (("size", LLAMA, "--set", "reliability.failures=0"), "reliability.failures"),
        (("size", LLAMA, "--set", "reliability.failures=-3"), "reliability.failures"),
        (("size", LLAMA, "--set", "reliability.spare_confidence=1.2"), "reliability.spare_confidence"),
        (("size", KUNLUN, "--set", "supply.by_months=0"), "supply.by_months"),
        (("supply", "ascend-910c", "--cards", "10", "--by", "-1"), "above 0"),
        (("supply", "ascend-910c", "--cards", "10", "--set", "wafer_starts=0"), "wafer_starts"),
        (("supply", "ascend-910c", "--cards", "10", "--set", "die_yield=1.2"), "die_yield"),
        (("supply", "ascend-910c", "--cards", "10", "--by", "3", "--confidence", "2"), "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(words: tuple[str, ...], told: str) -> None:
    found = run(*words)
    assert found.returncode == 2, found.stdout
    assert told in found.stderr
    assert "Traceback" not in found.stderr


def test_a_range_with_its_ends_swapped_is_refused_with_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "slow-storage.toml").write_text(
        'id = "slow-storage"\nname = "x"\nkind = "reliability"\n'
        'checkpoint_bandwidth = { value = "100 GB/s", kind = "estimate", low = "200 GB/s", '
        'high = "50 GB/s", method = "m" }\n',
        encoding="utf-8",
    )
    found = run("specs", "check", str(tmp_path))
    assert found.returncode != 0
    assert "checkpoint_bandwidth" in found.stdout + found.stderr
    assert "Traceback" not in found.stderr


def test_storage_too_slow_is_a_no_with_the_storage_that_would_do() -> None:
    slow = ("--set", "target.days=120", "--set", "reliability.checkpoint_bandwidth=0.05 GB/s")
    for words in (("size", LLAMA, *slow), ("evaluate", LLAMA, "--cards", "16384", *slow)):
        found = run(*words)
        assert found.returncode == 1, found.stderr
        assert found.stdout.startswith("No: storage of 50 MB/s is too slow to checkpoint (a write takes")
        assert "cards would do in" in found.stdout
    fair = ("--set", "target.days=120", "--set", "reliability.checkpoint_bandwidth=1 GB/s")
    found = run("evaluate", LLAMA, "--cards", "16384", *fair)
    assert found.returncode == 1
    assert "No: storage of 1 GB/s is too slow to checkpoint" in found.stdout


def test_a_date_before_the_first_delivery_is_a_no_that_says_when() -> None:
    found = run(
        "supply", "ascend-910c", "--cards", "5000", "--by", "3", "--set", "stock=0", "--set", "lead_time=6"
    )
    assert found.returncode == 1
    assert found.stdout.startswith("No: month 3 is before the first delivery (month 6)")
    plan = run("size", KUNLUN, "--set", "supply.by_months=1", "--set", "supply.figures={stock=0}")
    assert plan.returncode == 1, plan.stderr
    assert plan.stdout.startswith("No: month 1 is before the first delivery")
    assert "the plan: " in plan.stdout.splitlines()[0]
