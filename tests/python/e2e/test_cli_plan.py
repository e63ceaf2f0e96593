"""The command line from end to end: answers on stdout, talk on stderr, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

import planner
from planner.cli import main
from planner.plan.model import json_schema

SCENARIO = """
site = "virginia"
[workload]
model = "llama3.1-8b"
tokens = "1T"
sequence = 8192
batch_tokens = "4M"
[target]
days = 30
[limits]
cards = 1024
[hardware]
systems = ["dgx-h100"]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "planner", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )


def test_size_answers_with_a_memo(scenario: Path) -> None:
    done = run("size", scenario)
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout.splitlines()[0]
    assert "meet 30 days" in first
    assert "evidence" in first
    assert "90 % sure" in first


def test_size_as_json_is_a_lawful_plan(scenario: Path) -> None:
    done = run("size", scenario, "--json")
    plan = json.loads(done.stdout)
    jsonschema.validate(plan, json_schema())
    assert plan["feasible"]
    assert plan["performance"]["days"] <= 30
    assert sum(plan["performance"]["breakdown"].values()) == pytest.approx(
        plan["performance"]["step_seconds"]
    )
    layout = plan["layout"]
    assert layout["tp"] * layout["pp"] * layout["dp"] * layout["cp"] == plan["cards"]["active"]
    assert all(figure["sources"] or figure["kind"] == "estimate" for figure in plan["figures"])


def test_the_answer_does_not_depend_on_threads_but_for_run(scenario: Path) -> None:
    plans = [json.loads(run("size", scenario, "--json", "--threads", n).stdout) for n in (1, 2)]
    assert [plan.pop("run")["threads"] for plan in plans] == [1, 2]
    assert json.dumps(plans[0]) == json.dumps(plans[1])


def test_a_changed_key_changes_the_answer_and_is_recorded(scenario: Path) -> None:
    plan = json.loads(run("size", scenario, "--json", "--set", "target.days=20").stdout)
    assert plan["target"]["days"] == 20
    assert plan["provenance"]["command"].endswith("--set target.days=20")


def test_no_is_an_answer_with_exit_code_1(scenario: Path) -> None:
    done = run("size", scenario, "--set", "target.days=1")
    assert done.returncode == 1
    assert done.stdout.startswith("No: ")
    assert "nearest" in done.stdout.splitlines()[0]


def test_the_plan_is_also_written_to_a_file(scenario: Path, tmp_path: Path) -> None:
    done = run("size", scenario, "-o", tmp_path / "plan.json")
    plan = planner.Plan.from_json((tmp_path / "plan.json").read_bytes())
    assert done.stdout.splitlines()[0] == plan.headline


def test_a_missing_folder_is_told_before_the_search(scenario: Path, tmp_path: Path) -> None:
    done = run("size", scenario, "-o", tmp_path / "nowhere" / "plan.json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "its folder does not exist" in done.stderr
    assert "mkdir -p" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "target.dayz=3"], "target.days"),
        (["--set", "hardware.systems=dgx-h1000"], "dgx-h100"),
        (["--no-estimates"], "estimates"),
        (["--set", "site=atlantis"], "site"),
    ],
)
def test_bad_input_is_told_on_stderr_with_exit_code_2(
    scenario: Path, arguments: list[str], said: str
) -> None:
    done = run("size", scenario, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_space_is_printed_without_a_search(scenario: Path) -> None:
    space = json.loads(run("size", scenario, "--space").stdout)
    assert space["cards_max"] == 1024
    assert 8 in space["layout"]["tp"]


def test_evaluate_takes_the_best_layout_of_so_many_cards(scenario: Path) -> None:
    plan = json.loads(run("evaluate", scenario, "--cards", 512, "--json").stdout)
    assert plan["cards"]["total"] == 512
    assert plan["comparison"]["named"] is False


def test_evaluate_says_how_far_a_named_layout_is_behind(scenario: Path) -> None:
    text = "tp=8,pp=4,dp=16,micro_batch=1,recompute=full"
    done = run("evaluate", scenario, "--layout", text, "--json")
    plan = json.loads(done.stdout)
    assert plan["cards"]["total"] == 512
    assert plan["layout"]["tp"] == 8
    assert plan["layout"]["recompute"] == "full"
    assert plan["comparison"]["behind_best"] > 0
    assert "behind the best" in plan["headline"]
    best = run("evaluate", scenario, "--cards", 512, "--json")
    rates = [
        speed["tokens_per_second"] * speed["goodput"]
        for speed in (json.loads(best.stdout)["performance"], plan["performance"])
    ]
    behind = rates[0] / rates[1] - 1
    assert plan["comparison"]["behind_best"] == pytest.approx(behind)


def test_a_layout_that_cannot_be_built_at_all_is_no_bug_of_ours(scenario: Path) -> None:
    result = run("evaluate", scenario, "--layout", "tp=8,pp=500")
    assert result.returncode == 2
    assert "more stages than the model has layers" in result.stderr
    assert "change it" in result.stderr
    assert "bug" not in result.stderr


def test_evaluate_says_which_rule_a_layout_breaks(scenario: Path) -> None:
    done = run("evaluate", scenario, "--layout", "tp=3,pp=1", "--cards", 24)
    assert done.returncode == 1
    assert done.stdout.startswith("No: the layout breaks heads_over_tensor")
    assert "tp must divide the query heads" in done.stdout


def test_evaluate_refuses_parts_of_servers(scenario: Path) -> None:
    done = run("evaluate", scenario, "--cards", 100)
    assert done.returncode == 2
    assert "try 96 or 104" in done.stderr


def test_help_and_version_are_quick(scenario: Path) -> None:
    assert run("--version").stdout == f"planner {planner.version()}\n"
    text = run("--help").stdout
    assert all(verb in text for verb in ("size", "evaluate", "specs"))
    for verb in ("size", "evaluate"):
        assert "--set" in run(verb, "--help").stdout
    assert scenario.exists()


def test_bad_usage_exits_with_2() -> None:
    assert run("size").returncode == 2
    assert run("size", "x.toml", "--bogus").returncode == 2
    assert run("nonsense").returncode == 2


def test_a_bug_of_ours_exits_with_70_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_settings: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(main, "app", broken)
    monkeypatch.delenv(main.DEBUG_VARIABLE, raising=False)
    with pytest.raises(SystemExit) as left:
        main.run()
    assert left.value.code == 70
    said = capsys.readouterr().err
    assert "boom" in said
    assert "report" in said
    assert "Traceback" not in said


def test_a_reader_that_goes_away_does_not_hurt(scenario: Path) -> None:
    command = f"{sys.executable} -m planner size {scenario} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
    assert "meet 30 days" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_a_search_with_the_best_so_far(scenario: Path) -> None:
    # The signal is sent from inside the search, so that it cannot come too late on a fast machine.
    program = (
        "import os, signal, sys, planner, planner.engine as engine\n"
        "sent = []\n"
        "def press(counts):\n"
        "    if not sent:\n"
        "        sent.append(os.kill(os.getpid(), signal.SIGINT))\n"
        "asked = engine.Interrupt()\n"
        "changes = ['limits.cards=60000', 'workload.model=deepseek-v3', 'search.threads=1']\n"
        "plan = planner.api.size(sys.argv[1], set=changes, progress=press, interrupt=asked)\n"
        "print(asked.pressed, plan.run.interrupted, plan.complete)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import planner.api\n{program}", str(scenario)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["True", "True", "False"], done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_leaves_no_traceback(scenario: Path) -> None:
    command = [sys.executable, "-m", "planner", "size", str(scenario), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert process.returncode in (0, 1, 130)  # whether the search was over is the machine's affair


def test_python_asks_the_same_questions(scenario: Path) -> None:
    plan = planner.size(scenario, set={"target.days": 20})
    table = json.loads(run("size", scenario, "--json", "--set", "target.days=20").stdout)
    assert plan.days == table["performance"]["days"]
    assert plan.provenance.problem_hash == table["provenance"]["problem_hash"]
    named = planner.evaluate(scenario, layout={"tp": 8}, cards=512)
    assert named.layout is not None
    assert named.layout.tp == 8
    with pytest.raises(planner.PlannerError):
        planner.size(scenario, set=["target.dayz=1"])


def test_the_bill_of_a_fabric_is_printed_as_text_and_as_json(tmp_path: Path) -> None:
    shown = run("fabric", "dgx-h100", "--cards", 1016)
    assert shown.returncode == 0
    assert "48 switches, 2,040 cables" in shown.stdout
    assert "1,536" in shown.stdout
    target = tmp_path / "bill.json"
    written = run("fabric", "dgx-h100", "--cards", 1016, "--json", "-o", target)
    assert json.loads(written.stdout) == json.loads(target.read_text())
    assert json.loads(written.stdout)["schema"] == "fabric/1"


def test_a_comparison_is_printed_with_its_limit() -> None:
    scenario = Path(__file__).parents[3] / "examples/power-20mw.toml"
    names = ("--systems", "cloudmatrix-384,gb200-nvl72", "--limit", "cards=768", "--set", "layout.vpp=1")
    shown = run("compare", scenario, *names, "--json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["schema"] == "compare/1"
    assert [item["rank"] for item in found["contenders"]] == [1, 2]
    refused = run("compare", scenario, "--limit", "heat=3")
    assert refused.returncode == 2
    assert "no common limit 'heat'" in refused.stderr
