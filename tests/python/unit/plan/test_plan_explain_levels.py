"""Exposed traffic is told by the level of the network that it waits for."""

from __future__ import annotations

import pytest

import planner

QUESTION = {
    "workload": {"model": "llama2-70b", "tokens": "100B", "sequence": 4096, "batch_sequences": 512},
    "limits": {"cards": 128},
    "hardware": {"systems": ["dgx-h100"]},
    "site": {"id": "virginia"},
    "layout": {"tp": 8, "pp": 4, "vpp": 1, "micro_batch": 1, "cp": 1},
}


def test_tensor_traffic_waits_for_the_server_and_the_rest_for_what_is_outside() -> None:
    found = planner.explain(QUESTION)
    # Eight tensor ranks fill the NVLink domain of eight; stages and data ranks lie outside of it.
    (inside,) = found.exposed["tensor_parallel"]
    assert inside.startswith("NVLink")
    assert list(found.exposed["pipeline_sends"]) == ["scale-out"]
    assert list(found.exposed["data_parallel"]) == ["scale-out"]
    # Nothing else delays it, so that a level without limit saves all of it.
    assert found.exposed["tensor_parallel"][inside] == pytest.approx(found.time["tensor_parallel"], rel=0.01)
    assert "context_parallel" not in found.exposed
