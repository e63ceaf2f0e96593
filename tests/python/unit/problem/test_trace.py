"""Traces of arrivals."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import ScenarioError
from planner.problem.trace import read_trace

HEAD = "arrival_seconds,input_tokens,output_tokens\n"


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_means_spread_and_peak_are_those_of_the_rows(tmp_path: Path) -> None:
    """Five requests in 40 s, three of them within the last ten."""
    rows = "0,100,10\n10,300,10\n31,100,30\n35,300,30\n40,200,20\n"
    trace = read_trace(_file(tmp_path, HEAD + rows), 10.0)
    assert trace.count == 5
    assert trace.mean_rate == pytest.approx(4 / 40)
    assert trace.peak_rate == pytest.approx(3 / 10)
    assert trace.input_mean == pytest.approx(200)
    assert trace.input_spread == pytest.approx((4 * 100**2 / 5) ** 0.5 / 200)
    assert trace.output_mean == pytest.approx(20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the columns"),
        (HEAD, "is empty"),
        ("arrival_seconds,input_tokens\n0,1\n", "lacks the column output_tokens"),
        (HEAD + "0,10,10\n5,10,10\n3,10,10\n", "line 4: arrives at 3 s"),
        (HEAD + "0,10,10\n1,ten,10\n", "line 3: is not three numbers"),
        (HEAD + "0,10,10\n1,0,10\n", "line 3: lengths are at least one token"),
        (HEAD + "0,10,10\n0,10,10\n", "all requests arrive at once"),
    ],
)
def test_a_bad_trace_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The line is named."""
    with pytest.raises(ScenarioError, match=message):
        read_trace(_file(tmp_path, text), 10.0)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """No traceback."""
    with pytest.raises(ScenarioError, match="no such file"):
        read_trace(tmp_path / "none.csv", 10.0)
