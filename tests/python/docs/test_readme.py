"""What the README and CONTRIBUTING tell people to type works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT, blocks, commands, files, read

SET_UP = "python3 -m venv .venv"
README = read(ROOT / "README.md")
CONTRIBUTING = read(ROOT / "CONTRIBUTING.md")
ANSWERS = (0, 1)
"""Exit codes of a question that was answered, yes or no."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the examples, and with the files that CONTRIBUTING spells out."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for path, content in files(CONTRIBUTING).items():
        file = tmp_path / "my-specs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return tmp_path


def run(command: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a shell would, with this interpreter's ``planner`` on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {key: value for key, value in os.environ.items() if key != "PLANNER_SPEC_PATH"}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=place,
        env={**inherited, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def typed(text: str) -> list[str]:
    return [line for line in commands(text) if not line.startswith((SET_UP, "export "))]


@pytest.mark.parametrize("command", typed(README))
def test_every_command_of_the_readme_answers(command: str, place: Path) -> None:
    done = run(command, place)
    asks = command.startswith(("planner size", "planner evaluate"))
    assert done.returncode in (ANSWERS if asks else (0,)), done.stderr
    assert done.stdout or "--no-estimates" in command


def test_the_python_of_the_readme_runs(place: Path) -> None:
    for script in blocks(README, "python"):
        (place / "script.py").write_text(script, encoding="utf-8")
        done = run(f"'{sys.executable}' -P script.py", place)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_two_commands_are_those_of_the_makefile_and_of_the_checks() -> None:
    setups = [line for line in commands(README) if line.startswith(SET_UP)]
    assert len(setups) == 2
    size, test = setups
    assert "planner size examples/kunlun-30k.toml" in size
    assert all(f"\t{command}\n" in read(ROOT / "Makefile") for command in setups)
    # The checks end with the test command, and that with pytest's summary.
    assert test.endswith("python -m pytest")
    assert read(ROOT / ".ci" / "run").rstrip().endswith(f'sh -c "{test}"')


@pytest.mark.parametrize("command", typed(CONTRIBUTING))
def test_the_card_of_contributing_can_be_checked_shown_and_sized(command: str, place: Path) -> None:
    done = run(command, place, PLANNER_SPEC_PATH="my-specs")
    assert done.returncode == 0, done.stdout + done.stderr
    if command.startswith("planner specs check"):
        assert done.stdout == "0 errors, 0 warnings\n"
    if command.startswith("planner size"):
        assert "Acme A1" in done.stdout.splitlines()[0]
        assert "no price for servers" in " ".join(done.stdout.split())
