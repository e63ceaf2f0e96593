"""``planner sweep`` as people run it: files, resumption, interruption, bad input."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SWEEP = """
verb = "evaluate"

[base]
site = "texas"
[base.workload]
model = "llama3.1-70b"
tokens = "1T"
sequence = 8192
batch_sequences = 512
[base.hardware]
systems = "dgx-h100"
oversubscription = 1.0
[base.layout]
tp = 8
pp = [1, 2]
vpp = 1
cp = 1
micro_batch = 1
sharding = 1

[[axes]]
name = "cards"
key = "limits.cards.max"
range = { from = 64, to = 512, step = 64 }
[[axes]]
key = "workload.model"
values = ["llama3.1-70b", "no-such-model"]
"""


def planner(*words: str, cwd: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "planner", *words],
        cwd=cwd, input=text, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sweep")
    (made / "s.toml").write_text(SWEEP)
    done = planner("sweep", "s.toml", "-o", "whole.csv", "-o", "whole.parquet", cwd=made)
    assert done.returncode == 0, done.stderr
    assert "16 points (8 x 2)" in done.stderr
    assert "16 rows (8 ok, 8 error)" in done.stderr
    return made


def journal(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_csv_and_journal_hold_the_same_rows_and_say_what_columns_mean(folder: Path) -> None:
    rows = journal(folder / "whole.jsonl")
    assert [row["index"] for row in rows] == list(range(16))
    with (folder / "whole.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["key"] for row in table] == [row["key"] for row in rows]
    assert float(table[0]["days"]) == rows[0]["days"]
    assert table[1]["days"] == ""
    meta = json.loads((folder / "whole.csv.meta.json").read_text())
    assert [column["name"] for column in meta["columns"]] == list(table[0])
    assert all(column["meaning"] for column in meta["columns"])
    assert next(c for c in meta["columns"] if c["name"] == "days")["unit"] == "days"


def test_parquet_carries_unit_and_meaning(folder: Path) -> None:
    arro3 = pytest.importorskip("arro3.io")
    reader = arro3.read_parquet(folder / "whole.parquet")
    field = next(field for field in reader.schema if field.name == "facility_megawatts")
    assert field.metadata_str == {"unit": "MW", "meaning": "grid intake, annual mean"}
    days = [value.as_py() for value in reader.read_all()["days"]]
    assert days == [row["days"] for row in journal(folder / "whole.jsonl")]
    assert not (folder / "whole.parquet.parts").exists()


@pytest.mark.parametrize("cut", [0, 1, 17])
def test_resume_neither_repeats_nor_loses_a_row(folder: Path, tmp_path: Path, cut: int) -> None:
    lines = (folder / "whole.jsonl").read_text().splitlines(keepends=True)
    # Five whole rows and, where cut, a sixth that a crash cut short.
    (tmp_path / "part.jsonl").write_text("".join(lines[:5]) + lines[5][:cut])
    meta = (folder / "whole.jsonl.meta.json").read_text()
    (tmp_path / "part.jsonl.meta.json").write_text(meta)
    (tmp_path / "s.toml").write_text(SWEEP)
    done = planner("sweep", "s.toml", "-o", "part.jsonl", "-o", "part.csv", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "going on at 5" in done.stderr
    assert (tmp_path / "part.jsonl").read_text() == "".join(lines)
    assert (tmp_path / "part.csv").read_text() == (folder / "whole.csv").read_text()


def test_resume_refuses_the_rows_of_another_sweep(folder: Path, tmp_path: Path) -> None:
    for name in ("whole.jsonl", "whole.jsonl.meta.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "s.toml").write_text(SWEEP.replace('"1T"', '"2T"'))
    done = planner("sweep", "s.toml", "-o", "whole.jsonl", "--resume", cwd=tmp_path)
    assert done.returncode == 2
    assert "for another sweep file" in done.stderr
    again = planner("sweep", "s.toml", "-o", "whole.jsonl", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_pipe_from_stdin_to_stdout_works(folder: Path) -> None:
    done = planner("sweep", "-", "--limit", "2", "--quiet", cwd=folder, text=SWEEP)
    assert done.returncode == 0
    assert done.stderr == ""
    lines = (folder / "whole.jsonl").read_text().splitlines(keepends=True)
    assert done.stdout == "".join(lines[:2])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    done = planner("sweep", str(folder / "s.toml"), "-o", "full.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_table_that_cannot_be_written_leaves_its_rows_in_the_journal(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "full.csv").symlink_to("/dev/full")
    (tmp_path / "s.toml").write_text(SWEEP)
    done = planner("sweep", "s.toml", "-o", "full.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "full.csv: cannot be written: No space left" in done.stderr
    assert "rows are safe in full.jsonl" in done.stderr
    (tmp_path / "full.csv").unlink()
    again = planner("sweep", "s.toml", "-o", "full.csv", "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "full.csv").read_text() == (folder / "whole.csv").read_text()


def test_a_disk_that_fills_on_the_way_loses_no_row(folder: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: some rows fit, the next one does not."""
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)); "
        "sys.argv = ['planner', *sys.argv[1:]]; runpy.run_module('planner', run_name='__main__')"
    )
    (tmp_path / "s.toml").write_text(SWEEP)
    done = subprocess.run(
        [sys.executable, "-P", "-c", limited, "sweep", "s.toml", "-o", "rows.jsonl"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "rows.jsonl: cannot be written: File too large" in done.stderr
    assert "--resume" in done.stderr
    assert 0 < (tmp_path / "rows.jsonl").stat().st_size <= 10_000
    again = planner("sweep", "s.toml", "-o", "rows.jsonl", "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "rows.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()


def test_limit_starts_an_exploding_grid_with_its_first_points(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SWEEP.replace("step = 64", "step = 0.0001"))
    done = planner("sweep", "s.toml", "--limit", "1", cwd=tmp_path)
    assert done.returncode == 0
    assert "8,960,002 points (4,480,001 x 2), the first 1" in done.stderr
    assert "1 row (1 ok)" in done.stderr
    (row,) = done.stdout.splitlines()
    assert json.loads(row)["days"] == journal(folder / "whole.jsonl")[0]["days"]


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        (("limits.cards.max", "limits.card.max"), [], "did you mean"),
        (("workload.model", "workload.modle"), [], "s.toml:27: axes[1].key: unknown key 'workload.modle'"),
        (("workload.model", "systems/dgx-h100: host.powr"), [], "did you mean 'host.power'"),
        (("to = 512", "to = 32"), [], "axes[0].range: is empty"),
        (('["llama3.1-70b", "no-such-model"]', "[]"), [], "is an empty list"),
        (("", ""), ["--engine", "dask", "--scheduler", "foo"], "no address of a Dask scheduler"),
        (("step = 64", "step = 0.0001"), [], "points (4,480,001 x 2) are more than 100,000"),
        (("sharding", "shardingg"), [], "base.layout.shardingg: unknown key"),
        (("[[axes]]", "[[axis]]\n[[axes]]"), [], "unknown key 'axis'"),
        (("", ""), ["-o", "no/such/place.csv"], "its folder does not exist"),
        (("", ""), ["-o", "a.jsonl", "-o", "b.jsonl"], "two journals"),
        (("", ""), ["-o", "rows.xls"], "rows are written as .jsonl, .csv or .parquet"),
        (("", ""), ["--resume"], "needs the file"),
        (("", ""), ["--engine", "dask"], "go together"),
    ],
)
def test_bad_input_is_told_before_anything_starts(
    tmp_path: Path, change: tuple[str, str], words: list[str], said: str
) -> None:
    (tmp_path / "s.toml").write_text(SWEEP.replace(*change, 1) if change[0] else SWEEP)
    done = planner("sweep", "s.toml", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_constraints_that_exclude_everything_are_told(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('constraints = "cards > 9000"\n' + SWEEP)
    done = planner("sweep", "s.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "exclude all 16 points" in done.stderr


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_leaves_whole_rows_to_go_on_with(tmp_path: Path, presses: int) -> None:
    # Sizing in the default space takes a while per point, so there is something to interrupt.
    text = SWEEP.replace('"evaluate"', '"size"').replace("step = 64", "step = 0.25")
    text = text.replace("tp = 8\npp = [1, 2]\n", "").replace('"no-such-model"', '"llama3.1-8b"')
    (tmp_path / "s.toml").write_text(text)
    words = [sys.executable, "-P", "-m", "planner", "sweep", "s.toml", "-o", "rows.jsonl"]
    running = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    rows = tmp_path / "rows.jsonl"
    while running.poll() is None and not (rows.exists() and rows.stat().st_size):
        signal.sigtimedwait([], 0.02)
    for _ in range(presses):
        running.send_signal(signal.SIGINT)
        signal.sigtimedwait([], 0.3)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in told
    assert "--resume" in told
    found = journal(rows) if presses == 1 else journal(rows)[:-1]
    assert [row["index"] for row in found] == list(range(len(found)))
