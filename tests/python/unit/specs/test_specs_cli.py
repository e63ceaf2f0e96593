"""``planner specs``: answers on stdout, talk on stderr, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spec_files import CARD, LIBRARY, MakeLibrary
from typer.testing import CliRunner, Result

from planner.cli import specs
from planner.specs import KINDS, SpecLibrary
from planner.specs.export import text


@pytest.fixture(autouse=True)
def _small_library(make_library: MakeLibrary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_library()
    monkeypatch.setattr(SpecLibrary, "from_environment", lambda: SpecLibrary([tmp_path]))


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(specs.app, list(arguments))


def test_list_shows_every_file_with_its_main_figures() -> None:
    result = _run("list")
    assert result.exit_code == 0
    for name in LIBRARY:
        assert Path(name).stem in result.stdout
    for figure in ("300 TFLOP/s", "1.6 TB/s", "400 W", "0.4 CNY/kWh", "64 GB"):
        assert figure in result.stdout


def test_list_of_one_kind_as_json_has_numbers_in_base_units() -> None:
    (card,) = json.loads(_run("list", "accelerator", "--json").stdout)
    assert card["id"] == "card-a"
    assert card["memory_bytes_per_second"] == 1.6e12
    assert card["calibrated"] == "none"
    assert card["estimates"] == 0
    assert card["figures"] == 6


def test_list_of_an_unknown_kind_is_bad_input() -> None:
    result = _run("list", "chips")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kinds: accelerators" in result.stderr


def test_list_of_an_empty_kind(tmp_path: Path) -> None:
    (tmp_path / "sites" / "place-a.toml").unlink()
    result = _run("list", "sites")
    assert result.exit_code == 0
    assert "sites (0)" in result.stdout


def test_show_prints_every_figure_with_its_source() -> None:
    result = _run("show", "卡甲")
    assert result.exit_code == 0
    for words in (
        "memory.bandwidth",
        "1.6 TB/s",
        "vendor",
        "A document",
        "https://example.org/document",
        "2024-08",
    ):
        assert words in result.stdout


def test_show_as_json_has_value_range_kind_and_sources(tmp_path: Path) -> None:
    estimate = (
        'tdp = { value = "400 W", low = "350 W", high = "450 W", kind = "estimate", method = "guess [x]" }'
    )
    path = tmp_path / "accelerators" / "card-a.toml"
    path.write_text(
        CARD.replace('tdp = { value = "400 W", kind = "vendor", source = "s" }', estimate), "utf-8"
    )
    (record,) = json.loads(_run("show", "card-a", "--json").stdout)
    figures = {figure["key"]: figure for figure in record["figures"]}
    tdp = figures["power.tdp"]
    assert (tdp["value"], tdp["low"], tdp["high"], tdp["unit"]) == (400, 350, 450, "W")
    assert tdp["shown_range"] == "350 W - 450 W"
    assert figures["peak.bf16"]["sources"][0]["url"] == "https://example.org/document"
    assert record["properties"]["vendor"] == "Acme"
    assert "guess [x]" in _run("show", "card-a").stdout


def test_show_of_a_name_of_two_kinds_shows_both(tmp_path: Path) -> None:
    path = tmp_path / "systems" / "server-a.toml"
    path.write_text(path.read_text("utf-8").replace("甲服务器", "卡甲"), "utf-8")
    assert [r["kind"] for r in json.loads(_run("show", "卡甲", "--json").stdout)] == [
        "accelerators",
        "systems",
    ]
    both = json.loads(_run("show", "卡甲", "--kind", "system", "--json").stdout)
    assert [r["id"] for r in both] == ["server-a"]


def test_show_of_an_unknown_name_tells_the_nearest() -> None:
    result = _run("show", "crad-a")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean card-a" in result.stderr


def test_a_broken_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "accelerators" / "card-a.toml").write_bytes(b"id = \xff")
    result = _run("show", "card-a")
    assert result.exit_code == 2
    assert "is not UTF-8" in result.stderr
    assert "Traceback" not in result.output


def test_check_of_a_sound_library() -> None:
    result = _run("check")
    assert result.exit_code == 0
    assert "0 errors, 0 warnings" in result.stdout


def test_check_tells_file_line_key_rule_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "accelerators" / "card-a.toml"
    path.write_text(CARD.replace('"400 W"', '"400 kW"'), "utf-8")
    result = _run("check")
    assert result.exit_code == 1
    line = CARD[: CARD.index("tdp = ")].count("\n") + 1
    assert f"card-a.toml:{line}: power.tdp: error:" in result.stdout
    assert "[magnitude]" in result.stdout
    assert "remedy: " in result.stdout
    findings = json.loads(_run("check", "--json").stdout)
    assert findings[0]["rule"] == "magnitude"


def test_warnings_fail_a_strict_check_only(tmp_path: Path) -> None:
    path = tmp_path / "accelerators" / "card-a.toml"
    path.write_text(CARD.replace('url = "https://example.org/document"\n', ""), "utf-8")
    assert _run("check").exit_code == 0
    assert _run("check", "--strict").exit_code == 1


class TestCheckOfADirectory:
    def _own(self, directory: Path, files: dict[str, str]) -> str:
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
        return str(directory)

    def test_references_may_point_into_the_shipped_library(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        child = 'id = "card-b"\nname = "B"\nextends = "card-a"\n'
        own = self._own(tmp_path_factory.mktemp("own"), {"accelerators/card-b.toml": child})
        assert _run("check", own).exit_code == 0

    def test_only_its_own_findings_are_told(
        self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        (tmp_path / "parts" / "nic-a.toml").write_text("", "utf-8")
        own = self._own(tmp_path_factory.mktemp("own"), {"accelerators/card-a.toml": CARD})
        result = _run("check", own)
        assert result.exit_code == 1
        assert "defined twice" in result.stdout
        assert "nic-a" not in result.stdout

    def test_a_whole_library_by_itself(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        own = self._own(tmp_path_factory.mktemp("own"), LIBRARY)
        assert _run("check", own).exit_code == 1
        assert _run("check", own, "--alone").exit_code == 0

    def test_no_such_directory(self, tmp_path: Path) -> None:
        assert _run("check", str(tmp_path / "none")).exit_code == 2


def test_schema_prints_one_kind_and_writes_all(tmp_path: Path) -> None:
    assert _run("schema", "sites").stdout == text("sites")
    result = _run("schema", "-o", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == len(KINDS)
    assert _run("schema").exit_code == 2
