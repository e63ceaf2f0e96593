"""How many instructions the search takes: a guard against regressions that does not depend on the clock.

``python benches/instructions.py`` builds the plain program ``rust/core/examples/search_problem.rs``,
counts its instructions under callgrind on each problem of ``benches/problems`` with one thread, and compares
them with ``benches/instructions.json``. ``--renew`` writes problems and counts anew (benchmark cases of the
package).

Exit code 1: a count is more than ``TOLERANCE`` above the stored one. Where valgrind is missing, or the
compiler is another than that of the stored counts, it says so and exits 0: such counts cannot be compared.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
STORED = HERE / "instructions.json"
PROBLEMS = HERE / "problems"
CASES = ("gpt3-175b-1024-a100",)
TOLERANCE = 0.25
"""Far above what inlining decisions move, far below what a lost bound costs."""


def main() -> int:
    """Compare, or renew with ``--renew``."""
    if shutil.which("valgrind") is None:
        print("instruction counts: valgrind is not installed, nothing is compared")
        return 0
    compiler = said_by("rustc", "--version").strip()
    renew = "--renew" in sys.argv[1:]
    if renew:
        write_problems()
    stored = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    if not renew and stored.get("compiler") != compiler:
        print(
            f"instruction counts: stored are those of {stored.get('compiler')}, this is {compiler}: skipped"
        )
        return 0
    program = built()
    counts = {file.stem: counted(program, file) for file in sorted(PROBLEMS.glob("*.json"))}
    if renew:
        found = {"compiler": compiler, "instructions": counts}
        STORED.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    worse = False
    for name, count in counts.items():
        before = count if renew else stored["instructions"][name]
        change = count / before - 1.0
        worse = worse or change > TOLERANCE
        print(f"{name:32s} {count:15,d} instructions, {100 * change:+.1f} %")
    return 1 if worse else 0


def write_problems() -> None:
    """The benchmark cases as the core reads them."""
    from planner.bench.cases import FOLDER  # noqa: PLC0415 (only here the package is needed)
    from planner.problem import build  # noqa: PLC0415
    from planner.scenario import load  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415

    PROBLEMS.mkdir(exist_ok=True)
    for case in CASES:
        request = build(load(FOLDER / f"{case}.toml"), SpecLibrary()).request
        (PROBLEMS / f"{case}.json").write_bytes(request.encoded() + b"\n")


def built() -> Path:
    """The program, built for release."""
    words = [
        "cargo",
        "build",
        "-q",
        "--release",
        "--locked",
        "-p",
        "planner-core",
        "--example",
        "search_problem",
    ]
    subprocess.run(words, check=True, cwd=HERE.parent)
    folder = json.loads(said_by("cargo", "metadata", "--no-deps", "--format-version", "1"))[
        "target_directory"
    ]
    return Path(folder) / "release" / "examples" / "search_problem"


def counted(program: Path, problem: Path) -> int:
    """Instructions of one search on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/out",
            str(program),
            str(problem),
        ]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stderr
    found = re.search(r"Collected : (\d+)", told)
    assert found is not None, told
    return int(found[1])


def said_by(*words: str) -> str:
    """Standard output of a command, run at the root."""
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd=HERE.parent).stdout


if __name__ == "__main__":
    sys.exit(main())
