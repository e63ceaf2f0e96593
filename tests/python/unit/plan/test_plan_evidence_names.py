"""Runs are found on a chip by whichever name they give it: of the card, or of a system that holds it."""

from __future__ import annotations

import pytest

from planner.plan import evidence
from planner.plan.service_evidence import measured_points, published_serving_runs
from planner.specs import SpecLibrary


@pytest.mark.parametrize("hardware", ["nvidia-b200-hgx", "nvidia-gb200-nvl72", "nvidia-h100-sxm"])
def test_every_chip_that_was_measured_knows_its_runs(hardware: str) -> None:
    library = SpecLibrary()
    card = library.accelerator_of(library.system(library.resolve_hardware(hardware))).id
    names = evidence.names_of(library, [card])
    for rows in (evidence.published_runs(), published_serving_runs()):
        wanted = [row for row in rows if row["hardware"] == hardware]
        assert wanted
        found = evidence.runs_on(names, rows)
        assert all(row in found for row in wanted)


def test_every_hardware_of_the_shipped_runs_is_some_chip_of_the_library() -> None:
    library = SpecLibrary()
    every = evidence.names_of(library, library.ids("accelerators"))
    for rows in (evidence.published_runs(), published_serving_runs(), measured_points()):
        assert len(evidence.runs_on(every, rows)) == len(rows)


def test_the_kin_of_a_chip_hold_its_own_runs() -> None:
    library = SpecLibrary()
    card = library.accelerator("nvidia-b200-sxm")
    own = evidence.runs_on(evidence.names_of(library, [card.id]), evidence.published_runs())
    kin = evidence.runs_on(evidence.kin_of(library, card.efficiency), evidence.published_runs())
    assert own
    assert all(row in kin for row in own)
