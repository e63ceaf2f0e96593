"""The benchmark measures real work: counts, not times, are checked."""

import pytest

from planner.bench import CASES, measure
from planner.errors import PlannerError


def test_a_case_searches_its_space_and_evaluates_distinct_feasible_layouts() -> None:
    found = measure("gpt3-175b-1024-a100", 0.1)
    assert found.candidates > 1_000_000
    assert 0 < found.evaluated <= found.candidates
    assert found.evaluations_per_second > 0
    assert 0 < found.first_plan_seconds <= found.search_seconds
    assert found.peak_bytes is None or found.peak_bytes > 1_000_000


@pytest.mark.parametrize(
    ("case", "candidates"),
    [
        ("calculon-gpt3-175b-1024-a100", 11_698_528),
        ("calculon-mg-1t-3072-a100", 7_002_336),
        ("calculon-mtnlg-530b-5120-a100", 1_746_176),
    ],
)
def test_the_published_spaces_have_their_published_size_and_an_answer(case: str, candidates: int) -> None:
    assert measure(case, 0.01).candidates == candidates


def test_every_case_is_named_by_its_model_and_size() -> None:
    assert len(CASES) >= 4
    assert all(name.rsplit("-", 2)[1].isdigit() for name in CASES)


def test_an_unknown_case_lists_those_there_are() -> None:
    with pytest.raises(PlannerError, match="no benchmark case") as caught:
        measure("gpt5", 0.1)
    assert "gpt3-175b-1024-a100" in str(caught.value)
