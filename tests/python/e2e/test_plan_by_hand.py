"""Whole plans against pencil and paper: what is bought, wired, powered and paid must multiply out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import planner
from planner import Plan
from planner.architectures import architecture
from planner.architectures.counts import parameter_counts, training_flops_per_token
from planner.specs import SpecLibrary

EXAMPLES = Path(__file__).parents[3] / "examples"

CASES = {
    "h100": ("llama3-405b-h100", {}),
    "two devices a card": ("cloudmatrix-384", {"limits.cards.exactly": 768}),
    "few cards, little power": (
        "cloudmatrix-384",
        {"hardware.systems": "mlu370-x8-server", "limits.cards": 100, "limits.power": "50 kW"},
    ),
    "experts": (
        "cloudmatrix-384",
        {"hardware.systems": "metax-c550-server", "limits.cards": 256, "workload.model": "mixtral-8x7b"},
    ),
}


@pytest.fixture(scope="module")
def library() -> SpecLibrary:
    return SpecLibrary()


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def plan(request: pytest.FixtureRequest) -> Plan:
    example, changes = CASES[request.param]
    return planner.size(EXAMPLES / f"{example}.toml", set=changes)


def test_flops_over_rate_are_the_days(plan: Plan, library: SpecLibrary) -> None:
    layout, performance, cards = plan.layout, plan.performance, plan.cards
    assert layout and performance and cards  # noqa: PT018 (all or none)
    peak = library.accelerator(plan.accelerator or "").peak.bf16
    assert peak
    assert layout.tp * layout.pp * layout.dp * layout.cp == cards.active * cards.devices_per_card
    assert layout.dp * layout.micro_batch * layout.micro_batches == layout.global_batch_sequences
    model = architecture(plan.workload.model)
    flops = training_flops_per_token(model, plan.workload.sequence_tokens, "causal")
    rate = performance.mfu * peak.value * cards.active / flops
    assert performance.tokens_per_second == pytest.approx(rate, rel=2e-3)
    calendar = plan.workload.tokens / rate / performance.goodput / 86400
    assert performance.days == pytest.approx(calendar, rel=2e-3)
    # 6 N D, the rule of thumb, leaves attention out: a little less work, never more.
    assert 0.75 < 6 * parameter_counts(model).active / flops < 1.02
    assert plan.workload.parameters == parameter_counts(model).total


def test_every_link_has_two_ends_and_every_end_a_port(plan: Plan, library: SpecLibrary) -> None:
    fabric, hall = plan.fabric, plan.facility
    assert fabric and hall and plan.cards  # noqa: PT018
    system = library.system(plan.system or "")
    assert fabric.nics == hall.servers * (system.scale_out.ports_per_server or 0)
    assert fabric.links[0].count == fabric.nics
    assert fabric.cables == sum(link.count for link in fabric.links)
    ends = fabric.nics + 2 * (fabric.cables - fabric.nics)
    ports = sum(tier.switches * (tier.down_ports + tier.up_ports) for tier in fabric.tiers)
    assert ends <= ports
    spec = library.fabric(fabric.id)
    module = library.part(spec.transceiver_switch or "").ports or 1
    # At most one module of each switch is not full.
    assert math.ceil(ends / module) <= fabric.transceivers.switch_side <= ends / module + fabric.switches


def test_watts_and_dollars_add_up(plan: Plan, library: SpecLibrary) -> None:
    fabric, hall, cost, cards = plan.fabric, plan.facility, plan.cost, plan.cards
    assert fabric and hall and cost and cards  # noqa: PT018
    system, card = library.system(plan.system or ""), library.accelerator(plan.accelerator or "")
    assert card.power.tdp and card.power.training_share and system.host.power  # noqa: PT018
    if plan.power_cap == 1.0:
        assert hall.card_watts == pytest.approx(card.power.tdp.value * card.power.training_share.value)
    host = system.host.power.value
    if hall.cooling == "cold-plate" and system.host.fan_power:
        host -= 0.8 * system.host.fan_power.value
    domains = cards.total // system.domain_cards if system.domain.power else 0
    joined = system.domain.power.value * domains if system.domain.power else 0.0
    it = cards.total * hall.card_watts + hall.servers * host + joined + fabric.watts
    beside = hall.power["side_networks_watts"] + hall.power["storage_watts"]
    assert hall.it_megawatts * 1e6 == pytest.approx(it + beside, rel=1e-6)
    assert hall.facility_megawatts == pytest.approx(hall.it_megawatts * hall.pue)
    assert hall.facility_design_megawatts == pytest.approx(hall.it_megawatts * hall.pue_design_day)
    assert hall.energy_mwh_per_year == pytest.approx(hall.facility_megawatts * 8760)
    known = [value for value in cost.parts.values() if value is not None]
    if cost.missing:
        assert cost.capex_usd is None
    else:
        assert cost.capex_usd == pytest.approx(sum(known))
    assert hall.servers * cards.per_server == cards.total == cards.active + cards.spare
