"""Draw by phase, and hosts told apart: what stands beside the mean draw of a plan."""

from __future__ import annotations

import pytest

import planner

QUESTION = {
    "workload": {"model": "llama3-8b", "tokens": "1T", "sequence": 8192, "batch_sequences": 512},
    "limits": {"cards": 64},
    "hardware": {"systems": "dgx-h100", "cooling": "contained-air", "power_caps": [1.0]},
    "site": "texas",
}


def test_all_cards_in_one_phase_draw_what_the_mean_draw_does_not_say() -> None:
    hall = planner.size(QUESTION).facility
    assert hall is not None
    phases = {phase.phase: phase for phase in hall.phases}
    assert list(phases) == ["compute", "memory", "communication", "idle"]
    # 700 W boards: 1.0, 0.45 and 0.45 of them in facility-base.
    assert phases["compute"].card_watts == pytest.approx(700)
    assert (phases["memory"].card_watts_low, phases["memory"].card_watts_high) == pytest.approx((140, 455))
    swing = (phases["compute"].it_megawatts - phases["memory"].it_megawatts) * 1e6
    assert swing == pytest.approx(hall.servers * 8 * 0.55 * 700)
    assert sum(phase.share_of_step or 0 for phase in hall.phases) == pytest.approx(1)
    # The two ways to the mean agree within the ranges: a step's phases, and the file's share in training.
    mean = sum(phase.card_watts * (phase.share_of_step or 0) for phase in hall.phases)
    assert mean == pytest.approx(hall.card_watts, rel=0.15)


def test_a_cap_holds_only_the_phases_above_it() -> None:
    capped = {**QUESTION, "hardware": {**QUESTION["hardware"], "power_caps": [0.7]}}
    hall = planner.size(capped).facility
    assert hall is not None
    assert [phase.card_watts for phase in hall.phases][:2] == pytest.approx([490, 315])


def test_hosts_fans_interfaces_and_losses_are_listed_apart() -> None:
    hall = planner.size(QUESTION).facility
    assert hall is not None
    apart = ("hosts_watts", "fans_watts", "nics_watts", "conversion_loss_watts")
    assert all(hall.power[name] > 0 for name in apart)
    # Eight interfaces of 25 W in each server; 7 % of a server's input is lost.
    assert hall.power["nics_watts"] == pytest.approx(hall.servers * 8 * 25)
    server = (hall.power["cards_watts"] + sum(hall.power[name] for name in apart)) / hall.servers
    assert hall.power["conversion_loss_watts"] == pytest.approx(hall.servers * 0.07 * server)
