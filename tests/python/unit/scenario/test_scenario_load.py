"""A scenario file is read strictly, and every fault names file, key, line and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from planner.errors import EXIT_BAD_INPUT, ScenarioError
from planner.scenario import load

GOOD = """\
[workload]
model = "llama3.1-405b"
tokens = "15.6T"
sequence = 8192
batch_sequences = 2048

[target]
days = 180

[limits]
cards = 30_000

[hardware]
systems = ["kunlun-p800-8"]

[site]
id = "guizhou"
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def do(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return do


def fault_of(write: Write, text: str, *sets: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load(write("scenario.toml", text), sets)
    assert caught.value.exit_code == EXIT_BAD_INPUT
    return caught.value


def test_a_good_file_is_read_with_its_defaults(write: Write) -> None:
    scenario = load(write("scenario.toml", GOOD))
    assert scenario.workload.tokens == 15.6e12
    assert scenario.workload.precision == "bf16"
    assert (scenario.workload.weight_bytes, scenario.workload.optimizer_bytes) == (2.0, 12.0)
    assert scenario.limits.cards is not None
    assert scenario.limits.cards.highest == 30_000
    assert scenario.hardware.power_caps is None
    assert scenario.objective == "cards"
    assert scenario.front == ("cards", "facility_megawatts", "capex_usd")


def test_limits_alone_ask_for_the_most_throughput(write: Write) -> None:
    scenario = load(write("scenario.toml", GOOD.replace("[target]\ndays = 180\n", "")))
    assert scenario.objective == "throughput"
    assert scenario.front[0] == "tokens_per_second"


def test_the_shipped_examples_are_lawful() -> None:
    for path in sorted((Path(__file__).parents[4] / "examples").glob("*.toml")):
        if "[[axes]]" in path.read_text():
            continue  # a sweep, not a scenario
        assert load(path).workload.kind in ("training", "serving", "generic")


@pytest.mark.parametrize("name", ["kunlun-30k", "cloudmatrix-384", "llama3-405b-h100"])
def test_the_three_examples_are_there(name: str) -> None:
    assert (Path(__file__).parents[4] / "examples" / f"{name}.toml").is_file()


def test_a_site_may_be_a_plain_name(write: Write) -> None:
    plain = 'site = "guizhou"\n' + GOOD.replace('[site]\nid = "guizhou"\n', "")
    assert load(write("scenario.toml", plain)).site.id == "guizhou"


def test_an_unknown_key_is_told_with_the_nearest_name_and_its_line(write: Write) -> None:
    fault = fault_of(write, GOOD.replace("sequence =", "sequense ="))
    assert fault.key == "workload.sequense"
    assert fault.line == 4
    assert fault.file is not None
    assert fault.file.endswith("scenario.toml")
    assert "'sequence'" in (fault.hint or "")


@pytest.mark.parametrize(
    ("old", "new", "known"),
    [
        ("days = 180", 'days = 180\nobjective = "days"', "'search.objective'"),
        ("[site]", '[site]\npower = "3 MW"', "'limits.power'"),
    ],
)
def test_a_key_of_another_table_is_told_where_it_stands(write: Write, old: str, new: str, known: str) -> None:
    assert known in (fault_of(write, GOOD.replace(old, new)).hint or "")


def test_an_unknown_table_is_told(write: Write) -> None:
    assert "target" in (fault_of(write, GOOD.replace("[target]", "[targte]")).hint or "")


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("days = 180", "days = -1", "target.days", "above zero"),
        ("days = 180", "days = 0", "target.days", "above zero"),
        ("days = 180", "days = 1e300", "target.days", "between a second and 36,500 days"),
        ("days = 180", 'days = "1 ms"', "target.days", "between a second and 36,500 days"),
        ("days = 180", "tokens_per_second = 1e30", "target.tokens_per_second", "beyond what can be meant"),
        ('tokens = "15.6T"', "tokens = 1e300", "workload.tokens", "beyond what can be meant"),
        ("cards = 30_000", "cards = 10_000_000_000", "limits.cards.max", "less than or equal to 4000000"),
        ("[site]", "[layout]\ntp = 1_000_000\n[site]", "layout.tp[0]", "less than or equal to 4096"),
        ("days = 180", "days = nan", "target.days", "not a finite number"),
        ("days = 180", "days = -inf", "target.days", "not a finite number"),
        ("days = 180", "days = true", "target.days", "must be a number"),
        ("days = 180", 'days = "soon"', "target.days", "not a number"),
        ("cards = 30_000", 'power = "400Gb"', "limits.power.value", "not a unit of W"),
        ("cards = 30_000", "power = 30", "limits.power.value", "has no unit"),
        ("cards = 30_000", 'power = {value = "9 MW", boundary = "roof"}', "limits.power.boundary", "'grid'"),
        ('id = "guizhou"', 'id = "guizhou"\nhall = [{racks=4, transformers=2}]', "site.hall[0]", "go togeth"),
        ("cards = 30_000", "cards = { min = 9, max = 8 }", "limits.cards.min", "more than max"),
        ("cards = 30_000", "cards = { exactly = 8, max = 8 }", "limits.cards.exactly", "excludes"),
        ("cards = 30_000", "cards = 8.5", "limits.cards.max", "whole number"),
        ("cards = 30_000", "capex = 200", "limits.capex", "with its currency"),
        ("cards = 30_000", 'origin = "China"', "limits.origin[0]", 'capital letters, e.g. "CN"'),
        ("cards = 30_000", 'available_in = "cn"', "limits.available_in", 'capital letters, e.g. "CN"'),
        ("cards = 30_000", 'available_by = "next year"', "limits.available_by", 'e.g. "2026", "2026-06"'),
        ("cards = 30_000", 'available_by = "2026-13"', "limits.available_by", "is not a date"),
        ("[site]", "[search]\nfront = []\n[site]", "search.front", "is an empty list"),
        ("[site]", "[search]\nweights = {}\n[site]", "search.weights", "is an empty table"),
        ("days = 180", "ttft = 0.3", "target.ttft", "belongs to services"),
        ("days = 180", "availability = 0.999", "target.availability", "belongs to services"),
        ('tokens = "15.6T"', 'tokens = "400Gb"', "workload.tokens", "no suffix of counts"),
        ('tokens = "15.6T"', 'tokens = "1,5T"', "workload.tokens", "decimal sign"),
        ("batch_sequences = 2048", "", "workload.batch_tokens", "none is assumed"),
        (
            "batch_sequences = 2048",
            'batch_sequences = 2048\nbatch_tokens = "16M"',
            "workload.batch_tokens",
            "exclude each other",
        ),
        ("batch_sequences = 2048", "batch_tokens = 100", "workload.batch_tokens", "less than a sequence"),
        ('model = "llama3.1-405b"', 'model = ""', "workload.model", "empty"),
        ("[workload]", '[workload]\nkind = "inference"', "workload.kind", "must be one of"),
        ("[workload]", '[workload]\nprecision = "int8"', "workload.precision", "must be one of"),
        ('["kunlun-p800-8"]', "[]", "hardware.systems", "empty list"),
        ('["kunlun-p800-8"]', '["kunlun-p800-8"]\npower_caps = [0.0]', "hardware.power_caps", "off"),
        ("[site]", "oversubscription = 0.5\n[site]", "hardware.oversubscription[0]", "at least 1"),
        ("[site]", "[site]\npue = 1.3\npue_design_day = 1.2", "site.pue_design_day", "below pue"),
        ("[site]", "[site]\npue = 12", "site.pue", "less than or equal to 4"),
        ("[site]", "[site]\npeak_hours = 20\nvalley_hours = 10", "site.peak_hours", "a day has 24"),
        ("[site]", '[site]\npeak_hours = 17\ntariff_valley = "1 CNY/kWh"', "site.peak_hours", "25 hours"),
        ("[site]", "[layout]\nsharding = 4\n[site]", "layout.sharding[0]", "less than or equal to 3"),
        ("[site]", '[search]\nfront = ["cards", "cards"]\n[site]', "search.front", "twice"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_at_its_key(write: Write, old: str, new: str, key: str, message: str) -> None:
    assert old in GOOD
    fault = fault_of(write, GOOD.replace(old, new, 1))
    assert fault.key == key
    assert message in fault.message
    assert fault.line is not None


def test_a_file_about_training_asked_as_a_service_says_what_belongs_where(write: Write) -> None:
    fault = fault_of(write, GOOD, 'workload.kind="serving"')
    assert fault.key == "workload.tokens"
    assert "belongs to training" in (fault.hint or "")


def test_a_percentage_that_is_given_as_a_share_is_refused(write: Write) -> None:
    fault = fault_of(write, SERVICE.replace('"3 s"', '{ value = "3 s", percentile = 0.9 }'))
    assert (fault.key, "did you mean 90" in fault.message) == ("target.ttft.percentile", True)


def test_an_unknown_key_of_a_service_lists_the_known_ones(write: Write) -> None:
    fault = fault_of(write, SERVICE.replace("output_tokens", "zzz = 1\noutput_tokens"))
    assert fault.key == "workload.zzz"
    assert "input_tokens" in (fault.hint or "")


def test_a_kind_that_is_none_is_the_only_fault_told(write: Write) -> None:
    fault = fault_of(write, SERVICE.replace('"serving"', '"servin"'))
    assert fault.key == "workload.kind"
    assert "faults" not in fault.message


def test_peak_hours_alone_may_fill_the_day(write: Write) -> None:
    text = GOOD.replace("[site]", '[site]\npeak_hours = 24\ntariff_peak = "1 CNY/kWh"')
    assert load(write("scenario.toml", text)).site.peak_hours == 24.0


SERVICE = """\
[workload]
kind = "serving"
model = "llama3.1-70b"
input_tokens = 1000
output_tokens = 300

[target]
requests_per_second = 5
ttft = "3 s"
tpot = "50 ms"

[hardware]
systems = "hgx-h20"

[site]
id = "shanghai"
"""


@pytest.mark.parametrize("key", ["target.tpot", "target.tpot.value", "target.ttft"])
def test_a_latency_of_a_service_without_a_unit_is_refused_with_one_to_write(write: Write, key: str) -> None:
    fault = fault_of(write, SERVICE, f"{key}=50")
    assert fault.key == f"{key.removesuffix('.value')}.value"
    assert '"50 ms"' in fault.message


def test_a_question_without_target_and_limits_is_refused(write: Write) -> None:
    text = GOOD.replace("[target]\ndays = 180\n", "").replace("[limits]\ncards = 30_000\n", "")
    assert "neither [target] nor [limits]" in fault_of(write, text).message


def test_a_lower_limit_alone_asks_nothing(write: Write) -> None:
    text = GOOD.replace("[target]\ndays = 180\n", "").replace("cards = 30_000", "cards = { min = 8 }")
    assert "neither [target] nor [limits]" in fault_of(write, text).message


def test_a_missing_site_is_told_with_a_remedy(write: Write) -> None:
    fault = fault_of(write, GOOD.replace('[site]\nid = "guizhou"\n', ""))
    assert fault.key == "site"
    assert "specs list sites" in (fault.hint or "")


def test_all_faults_are_counted(write: Write) -> None:
    fault = fault_of(write, GOOD.replace("days = 180", "days = -1").replace("8192", "0"))
    assert "1 of 2 faults" in fault.message


def test_a_refused_entry_of_a_list_is_one_fault(write: Write) -> None:
    fault = fault_of(write, GOOD.replace("[site]", "[layout]\ntp = -1\n[site]"))
    assert (fault.key, fault.message) == ("layout.tp[0]", "must be above zero, but is -1")


def test_an_empty_file_is_refused(write: Write) -> None:
    fault = fault_of(write, "  \n# nothing\n")
    assert fault.message == "is empty"
    assert "examples/" in (fault.hint or "")


def test_invalid_toml_is_told_with_its_line(write: Write) -> None:
    fault = fault_of(write, "[workload]\nmodel = llama\n")
    assert fault.line == 2
    assert "not valid TOML" in fault.message


def test_a_file_over_one_mebibyte_is_refused(write: Write) -> None:
    assert "1 MiB" in fault_of(write, "#" * (1024 * 1024 + 1)).message


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_bytes(GOOD.encode() + "# 贵州\n".encode("gb18030"))
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(path)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ScenarioError, match="not a regular file"):
        load(tmp_path)


def test_batch_tokens_become_the_nearest_whole_number_of_sequences(write: Write) -> None:
    # 16e6 / 8192 = 1953.1
    scenario = load(write("scenario.toml", GOOD), ["workload.batch_tokens=16M"])
    assert scenario.workload.global_batch == 1953
    assert load(write("scenario.toml", GOOD), ["workload.batch_tokens=16Mi"]).workload.global_batch == 2048
