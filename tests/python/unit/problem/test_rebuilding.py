"""A question put again with other figures is the question built anew with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.plan.figures import uncertain
from planner.problem import FigureKey, Rebuilding, build
from planner.scenario import load
from planner.specs import SpecLibrary

EXAMPLES = Path(__file__).parents[4] / "examples"


@pytest.mark.parametrize(
    ("file", "sets"),
    [
        ("kunlun-30k.toml", []),
        ("power-20mw.toml", ["hardware.systems=kunlun-p800-8"]),
        # What is priced in another currency also rests on the rate of exchange.
        ("llama3-405b-h100.toml", ["site.id=guizhou", "limits.capex=2e9 CNY"]),
    ],
)
def test_every_figure_at_both_ends_gives_the_request_that_a_new_build_gives(
    file: str, sets: list[str]
) -> None:
    library = SpecLibrary()
    scenario = load(EXAMPLES / file, sets)
    central = build(scenario, library)
    again = Rebuilding(scenario, library)
    assert again.central == central.request
    moved = 0
    for figure in uncertain(central.figures):
        for value in (figure.low, figure.high):
            values: dict[FigureKey, float] = {figure.place: value}
            anew = build(scenario, library, values).request
            assert again(values) == anew, figure.label
            moved += anew != central.request
    assert moved > 50


def test_several_figures_at_once_reach_all_parts_that_read_one_of_them() -> None:
    library = SpecLibrary()
    scenario = load(EXAMPLES / "kunlun-30k.toml")
    figures = uncertain(build(scenario, library).figures)
    values: dict[FigureKey, float] = {figure.place: figure.high for figure in figures}
    assert Rebuilding(scenario, library)(values) == build(scenario, library, values).request
