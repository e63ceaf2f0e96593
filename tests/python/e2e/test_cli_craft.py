"""The command line as a good citizen: pipes, colours, quiet, settings, completion, a doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "examples" / "cloudmatrix-384.toml"


def planner(
    *words: str, text: str | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLANNER_")}
    home = {"XDG_CONFIG_HOME": "/no/such/home"} if "XDG_CONFIG_HOME" not in environment else {}
    return subprocess.run(
        [sys.executable, "-P", "-m", "planner", *words],
        env={**kept, **home, **environment}, input=text, capture_output=True, text=True, check=False, cwd=cwd,
        timeout=120,
    )  # fmt: skip


def test_a_scenario_from_standard_input_gives_the_same_answer() -> None:
    words = ("--json", "--quiet")
    piped = json.loads(planner("size", "-", *words, text=SCENARIO.read_text()).stdout)
    named = json.loads(planner("size", str(SCENARIO), *words).stdout)
    for plan in (piped, named):
        plan.pop("run")
        plan["provenance"].pop("command")
    assert piped == named


def test_a_dash_as_output_is_standard_output(tmp_path: Path) -> None:
    dashed = planner("size", str(SCENARIO), "-q", "-o", "-", cwd=tmp_path)
    assert json.loads(dashed.stdout)["schema"] == "plan/1"
    bill = planner("fabric", "dgx-h100", "--cards", "64", "-o", "-", cwd=tmp_path)
    assert json.loads(bill.stdout)["schema"] == "fabric/1"
    assert not (tmp_path / "-").exists()


def test_a_fault_on_standard_input_is_told_with_its_line() -> None:
    done = planner("size", "-", text="[workload]\nmodle = 3\n")
    assert done.returncode == 2
    assert "stdin:2: workload.modle: unknown key" in done.stderr


def test_a_plan_pipes_into_a_report(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("vl_convert")
    plan = planner("size", str(SCENARIO), "--json", "--quiet").stdout
    done = planner("report", "-", "-o", "r.html", text=plan, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (("report", "no-such.json", "-o", "r.html"), None, "no such file"),
        (("report", "-", "-o", "r.html"), "{}", "is not a plan/1"),
        (("report", "-", "-o", "r.docx"), "{}", ".html or .xlsx"),
        (("report", "-", "-o", "no/such/r.html"), "{}", "folder does not exist"),
        (("diff", "a.json", "b.json"), None, "no such file"),
        (("siz",), None, "Did you mean 'size'?"),
        (("size", "x.toml", "--thread", "2"), None, "--threads"),
    ],
)
def test_bad_input_is_told_with_exit_code_2(
    tmp_path: Path, words: tuple[str, ...], text: str, said: str
) -> None:
    done = planner(*words, text=text, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("size", str(SCENARIO)), ("specs", "list")])
def test_an_answer_that_cannot_be_written_is_no_bug_of_ours(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "planner", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: the answer cannot be written: No space left on device\n"


def test_no_color_and_pipes_get_plain_text() -> None:
    for environment in ({"NO_COLOR": "1", "FORCE_COLOR": ""}, {}):
        done = planner("size", str(SCENARIO), **environment)
        assert "\x1b[" not in done.stdout + done.stderr


def test_settings_count_in_their_stated_order(tmp_path: Path) -> None:
    home = tmp_path / "planner"
    home.mkdir()
    (home / "config.toml").write_text("[sweep]\nlimit = 3\nquiet = true\n")
    sweep = tmp_path / "s.toml"
    sweep.write_text(
        'base = "base.toml"\n[[axes]]\nkey = "limits.cards.exactly"\nvalues = [384, 384, 384, 384, 384]\n'
    )
    (tmp_path / "base.toml").write_text(
        SCENARIO.read_text() + "\n[layout]\ntp = 8\npp = 2\ncp = 1\nvpp = 1\nmicro_batch = 1\nsharding = 1\n"
    )
    home_of = {"XDG_CONFIG_HOME": str(tmp_path)}
    from_file = planner("sweep", "s.toml", cwd=tmp_path, **home_of)
    assert (from_file.stdout.count("\n"), from_file.stderr) == (3, "")
    from_environment = planner("sweep", "s.toml", cwd=tmp_path, PLANNER_SWEEP_LIMIT="2", **home_of)
    assert from_environment.stdout.count("\n") == 2
    from_words = planner("sweep", "s.toml", "--limit", "1", cwd=tmp_path, PLANNER_SWEEP_LIMIT="2", **home_of)
    assert from_words.stdout.count("\n") == 1


def test_a_configuration_that_is_wrong_is_told_and_help_still_works(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[size]\nthread = 2\n")
    done = planner("size", str(SCENARIO), PLANNER_CONFIG=str(config))
    assert done.returncode == 2
    assert "did you mean 'threads'?" in done.stderr
    assert planner("--help", PLANNER_CONFIG=str(config)).returncode == 0
    gone = planner("size", str(SCENARIO), PLANNER_CONFIG=str(tmp_path / "none.toml"))
    assert "no such file" in gone.stderr


def test_spec_directories_may_stand_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "specs" / "sites").mkdir(parents=True)
    text = 'id = "home"\nextends = "guizhou"\nname = "Home"\n'
    (tmp_path / "specs" / "sites" / "home.toml").write_text(text)
    (tmp_path / "config.toml").write_text(f'spec_path = ["{tmp_path / "specs"}"]\n')
    done = planner("specs", "list", "sites", PLANNER_CONFIG=str(tmp_path / "config.toml"))
    assert " home " in done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("planner specs show kunlun-p8", "kunlun-p800"),
        ("planner size x.toml --set hardware.systems=kun", "hardware.systems=kunlun-p800-8"),
        ("planner size x.toml --set target.d", "target.days="),
        ("planner swe", "sweep"),
        ("planner fabric dgx-h1", "dgx-h100"),
        ("planner supply kunlun-p800-8 --second kunlun-p", "kunlun-p800"),
        ("planner compare x.toml --systems dgx-h100,dgx-h2", "dgx-h100,dgx-h200"),
    ],
)
def test_completion_offers_verbs_ids_and_keys(typed: str, offered: str) -> None:
    done = planner(
        _PLANNER_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split()) - 1)
    )
    assert offered in done.stdout.split()


def test_the_doctor_finds_this_installation_sound_and_a_broken_library_not(tmp_path: Path) -> None:
    well = planner("doctor", "--json")
    assert well.returncode == 0
    found = {item["what"]: item["state"] for item in json.loads(well.stdout)}
    assert found["core"] == "ok"
    assert found["spec files"] == "ok"
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "odd.toml").write_text("name = 3\n")
    ill = planner("doctor", PLANNER_SPEC_PATH=str(tmp_path))
    assert ill.returncode == 1
    assert "has no id" in ill.stdout
    nowhere = planner("doctor", PLANNER_SPEC_PATH=str(tmp_path / "none"))
    assert nowhere.returncode == 1


def test_help_does_not_load_what_it_does_not_need() -> None:
    heavy = "{'pydantic', 'numpy', 'rich', 'scipy'}"
    code = f"import sys, planner.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_service_has_its_report_and_its_sweep(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("vl_convert")
    scenario = ROOT / "examples" / "deepseek-r1-cloudmatrix.toml"
    plan = planner("size", str(scenario), "--json", "--quiet").stdout
    done = planner("report", "-", "-o", "r.html", text=plan, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "requests/s" in (tmp_path / "r.html").read_text()
    axes = '[[axes]]\nkey = "limits.cards.max"\nvalues = [384]\n'
    sweep = planner("sweep", "-", text=f'base = "{scenario}"\n{axes}')
    assert sweep.returncode == 0, sweep.stderr
    row = json.loads(sweep.stdout)
    assert row["status"] == "ok"
    assert row["mode"] == "disaggregated"
