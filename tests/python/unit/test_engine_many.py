"""Batches of requests: the same answers as one at a time, for any number of threads."""

from __future__ import annotations

from typing import Any

import pytest

from planner import api, engine
from planner.errors import EngineError
from planner.problem import build, wire
from planner.specs import SpecLibrary

SMALL = {
    "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "limits": {"cards": {"exactly": 512}},
    "hardware": {"systems": ["dgx-h100"]},
    "site": "texas",
    "layout": {"tp": 8, "cp": 1, "micro_batch": 1, "sharding": 1},
}


@pytest.fixture(scope="module")
def requests() -> list[wire.Request]:
    library = SpecLibrary()
    asked = [
        build(api.read(SMALL, {"limits.cards.exactly": cards}), library).request for cards in (256, 512, 1024)
    ]
    broken = asked[0].model_copy(update={"clusters": ()})
    return [*asked[:2], broken, asked[2]]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_batch_answers_as_single_searches_do(requests: list[wire.Request], threads: int) -> None:
    answers = engine.size_many(requests, threads)
    for place in (0, 1, 3):
        assert answers[place] == engine.size(requests[place])
    refused = answers[2]
    assert isinstance(refused, EngineError)
    assert "clusters" in refused.message


def test_a_batch_of_evaluations_answers_as_single_ones_do(requests: list[wire.Request]) -> None:
    best = engine.size(requests[0])["best"]
    design = wire.DesignChoice(
        cluster=0,
        fabric=best["fabric_index"],
        cooling=best["cooling_index"],
        power_cap=best["power_cap"],
        cards=best["cards"]["total"],
        layout=wire.LayoutOfDesign.model_validate(best["layout"]),
    )
    asked = [
        wire.EvaluateRequest(problem=requests[0], design=design.model_copy(update={"cards": cards}))
        for cards in (256, 512, 1)
    ]
    answers = engine.evaluate_many(asked, 2)
    assert answers[0] == best
    assert answers[1] == engine.evaluate(asked[1])
    assert isinstance(answers[2], EngineError)  # the layout needs more than one card


def test_an_empty_batch_has_no_answers() -> None:
    assert engine.size_many([]) == []
    assert engine.evaluate_many([]) == []


def test_a_core_of_another_build_is_told_and_not_a_bug() -> None:
    from planner import _core  # noqa: PLC0415 (the compiled one)

    core: Any = _core
    with pytest.raises(EngineError, match="different builds") as missing, engine._translated():
        core.of_a_later_build(b"{}")
    assert missing.value.exit_code == 2
    with pytest.raises(EngineError, match="different builds") as other, engine._translated():
        core.sample(b'{"problem": {}, "designs": [], "pointers": [], "of_a_later_build": 1}', b"", 1)
    assert "pip install" in (other.value.hint or "")
