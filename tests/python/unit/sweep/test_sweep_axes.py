"""Axes: what points they span, computed from the index alone."""

from __future__ import annotations

from typing import Any

import pytest

from planner.errors import PlannerError
from planner.sweeps.axes import points
from planner.sweeps.schema import from_table


def spanned(*axes: dict[str, Any], **more: Any) -> Any:
    return points(from_table({"base": {}, "axes": list(axes), **more}))


def test_a_grid_is_the_product_and_its_last_axis_varies_fastest() -> None:
    found = spanned({"key": "a", "values": [1, 2]}, {"key": "b", "values": ["x", "y", "z"]})
    assert [tuple(values.values()) for values in found] == [
        (1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z"),
    ]  # fmt: skip


def test_paired_keys_vary_together() -> None:
    found = spanned({"keys": ["a", "b"], "names": ["p", "q"], "values": [[1, 10], [2, 20]]})
    assert list(found) == [{"p": 1, "q": 10}, {"p": 2, "q": 20}]
    assert found.keys == {"p": "a", "q": "b"}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"from": 1, "to": 2, "step": 0.25}, [1, 1.25, 1.5, 1.75, 2]),
        ({"from": 0.1, "to": 0.3, "step": 0.1}, [0.1, 0.2, 0.3]),
        ({"from": "10 MW", "to": "30 MW", "step": 10}, ["10 MW", "20 MW", "30 MW"]),
        ({"from": 1, "to": 1000, "count": 4, "spacing": "log"}, [1, 10, 100, 1000]),
        ({"from": "1T", "to": "3T", "count": 3}, ["1 T", "2 T", "3 T"]),
        ({"from": 1020, "to": 2000, "count": 3, "multiple_of": 64}, [1024, 1536, 1984]),
    ],
)
def test_ranges_keep_their_ends_and_their_unit(spec: dict[str, Any], wanted: list[Any]) -> None:
    assert [values["a"] for values in spanned({"key": "a", "range": spec})] == wanted


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_samples_are_the_same_every_time_and_fill_the_axes(method: str) -> None:
    if method == "sobol":
        pytest.importorskip("scipy")
    axes = ({"key": "a", "range": {"from": 10, "to": 20}}, {"key": "b", "values": ["x", "y"]})
    first = spanned(*axes, sample={"method": method, "points": 2048, "seed": 3})
    again = spanned(*axes, sample={"method": method, "points": 2048, "seed": 3})
    other = spanned(*axes, sample={"method": method, "points": 2048, "seed": 4})
    assert first.at(1500) == again.at(1500) != other.at(1500)
    drawn = [first.at(index) for index in range(2048)]
    assert all(10 <= values["a"] < 20 for values in drawn)
    # The mean of 2,048 uniform numbers between 10 and 20 is 15 within 5 standard errors (0.064 each).
    assert sum(values["a"] for values in drawn) / 2048 == pytest.approx(15, abs=0.32)
    assert sum(values["b"] == "x" for values in drawn) == pytest.approx(1024, abs=114)


def test_a_huge_grid_costs_nothing_until_it_is_walked() -> None:
    found = spanned(*({"key": f"k{n}", "range": {"from": 1, "to": 10**6, "step": 1}} for n in range(5)))
    assert found.count == 10**30
    assert found.at(10**30 - 1)["k4"] == 10**6


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ({"key": "a", "values": []}, "empty list"),
        ({"key": "a", "range": {"from": 5, "to": 1, "step": 1}}, "is empty"),
        ({"key": "a", "range": {"from": "1 MW", "to": "5 kW", "step": 1}}, "to in kW"),
        ({"key": "a", "range": {"from": 1, "to": 5}}, "needs step or count"),
        ({"key": "a", "range": {"from": "wide", "to": "far", "step": 1}}, "not a number"),
        ({"key": "a"}, "give values or range"),
        ({"keys": ["a", "b"], "values": [[1]]}, "a list of 2"),
        ({"key": "a", "values": [1], "steps": 3}, "unknown key 'steps'"),
    ],
)
def test_axes_that_span_nothing_are_refused(axis: dict[str, Any], said: str) -> None:
    with pytest.raises(PlannerError, match=said):
        spanned(axis)


def test_two_axes_over_one_key_are_refused() -> None:
    with pytest.raises(PlannerError, match="two axes"):
        spanned({"key": "a", "values": [1]}, {"key": "a", "name": "b", "values": [2]})


def test_a_scenario_taken_for_a_sweep_is_told_where_a_sweep_holds_it() -> None:
    with pytest.raises(PlannerError) as caught:
        from_table({"workload": {"model": "llama3.1-8b"}, "site": "texas"})
    assert "[base]" in (caught.value.hint or "")
