"""Every command is documented with an example that runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT
from test_generated import regenerate

COMMANDS = regenerate.commands()
NEEDS = {"report": "jinja2"}
"""Commands whose example needs an extra."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with examples, a plan, and one measured run."""
    made = tmp_path_factory.mktemp("typed")
    shutil.copytree(ROOT / "examples", made / "examples")
    done = run("planner size examples/cloudmatrix-384.toml --quiet -o plan.json", made)
    assert done.returncode == 0, done.stderr
    cases = json.loads((ROOT / "planner" / "data" / "cases" / "training.json").read_text())
    row = next(row for row in cases["training"] if row["completeness"] == "full")
    (made / "runs.json").write_text(json.dumps({"meta": cases.get("meta", {}), "training": [row]}))
    return made


def run(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLANNER_")}
    return subprocess.run(
        ["sh", "-c", command], cwd=place, env={**kept, "PATH": path}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_every_command_runs(command: str, place: Path) -> None:
    if command in NEEDS:
        pytest.importorskip(NEEDS[command])
    done = run(COMMANDS[command], place)
    assert done.returncode in (0, 1), done.stderr
    assert "error" not in done.stderr


def test_examples_begin_with_their_command() -> None:
    for command, example in COMMANDS.items():
        assert f"planner {command}" in example
