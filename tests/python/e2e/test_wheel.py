"""A wheel, installed outside the checkout, answers from any directory with the library it carries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ("hardware_specs", "planner/data")

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="a wheel needs a Rust toolchain")


def run(*words: object, cwd: Path) -> str:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PLANNER_", "PYTHON"))
    }
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `pip wheel` would, with the build tools at hand."""
    out = tmp_path_factory.mktemp("dist")
    build = ("-m", "maturin", "build", "--release", "--locked", "-q", "--out", out)
    run(sys.executable, *build, cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def planner(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment that holds the wheel; its dependencies are lent by this one."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    (site,) = place.glob("lib/python*/site-packages")
    lent = next(path for path in sys.path if path.endswith("site-packages"))
    # A directory named in a .pth file has its own .pth files ignored, the editable install's among them.
    (site / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    python = place / "bin" / "python"
    install = ("install", "-q", "--no-deps", "--no-index", "--disable-pip-version-check", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=place)
    return place / "bin" / "planner"


def test_the_wheel_carries_the_library_and_the_data(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = {
        path.relative_to(ROOT).as_posix()
        for folder in SHIPPED
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in (".toml", ".json")
    }
    assert len(tracked) > 100
    assert not tracked - packed
    assert {"planner/py.typed", "planner/_core.pyi"} <= packed
    assert not [name for name in packed if name.startswith(("tests/", "docs/", "rust/"))]


def test_an_installed_wheel_answers_from_an_empty_directory(planner: Path, tmp_path: Path) -> None:
    where = run(planner.parent / "python", "-c", "import planner; print(planner.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(planner.parents[1])
    assert run(planner, "specs", "check", cwd=tmp_path).rstrip().splitlines()[-1].startswith("0 errors")
    scenario = ROOT / "examples" / "cloudmatrix-384.toml"
    first = run(planner, "size", scenario, cwd=tmp_path).splitlines()[0]
    assert "384 Ascend 910C" in first
    assert "evidence" in first
    assert not list(tmp_path.iterdir())
