"""Bills of fabrics, from the spec files and the number of cards alone, against published ones."""

from __future__ import annotations

import pytest

import planner
from planner import api
from planner.errors import EngineError, SpecError
from planner.plan.bill import FabricBill
from planner.specs import SpecLibrary


def _parts(bill: FabricBill) -> dict[str, int]:
    return {part.name: part.count for part in bill.parts}


def test_the_superpod_of_127_dgx_h100_comes_out_to_the_unit() -> None:
    # NVIDIA RA-11333-001 V11, tables 6-8: 2,040 cables, 1,536 twins in switches, 508 in servers, 48 switches.
    # Their page counts 4 cables of fabric managers too, which that bill leaves out: 1,020 + 1,024.
    bill = api.fabric("dgx-h100", cards=127 * 8)
    assert bill.cables == 2040
    assert (bill.transceivers_switch_side, bill.transceivers_host_side) == (1536, 508)
    assert (bill.switches, [tier.switches for tier in bill.tiers]) == (48, [32, 16])
    managed = api.fabric("dgx-h100", cards=127 * 8, reserved_ports=4)
    assert [link.count for link in managed.links] == [1020, 1024]


def test_the_storage_network_of_that_superpod_is_counted_to_the_unit() -> None:
    # Table 7: 16 switches, 494 cables; those to the storage servers (66) are not in that table.
    bill = api.fabric("dgx-h100", cards=127 * 8)
    storage, front, management = bill.side_networks
    assert (storage.switches, storage.links - 66) == (16, 494)
    assert front.ports == 254
    # 127 servers, 48 switches, three strips in each of 64 + 3 racks (two servers a rack in contained air).
    assert management.ports == 127 + 48 + 3 * 67
    for side in bill.side_networks:
        assert side.usd is not None
        assert side.watts > 0


def test_each_link_takes_the_cheapest_medium_that_reaches() -> None:
    bill = api.fabric("dgx-h100", cards=1024)
    assert sum(total.links for total in bill.media) == bill.cables
    assert {total.medium for total in bill.media} <= {"dac", "aoc", "singlemode"}
    for line in bill.cable_lines:
        assert line.medium == ("dac" if line.metres <= 2 else "aoc" if line.metres <= 30 else "singlemode")
    # An 8-watt end saved is two of a 17 W twin's ports and 17/2 W at the host, less the 16 W of the cable.
    assert bill.by_reach is not None
    assert bill.by_reach.module_ends == 2 * bill.by_reach.links
    by_hand = bill.by_reach.links * (17 / 2 + 17 / 2 - 16)
    assert bill.by_reach.watts == pytest.approx(by_hand, rel=0.02)


def test_a_cloudmatrix_is_wired_as_published() -> None:
    # arXiv 2506.12708 and the optics forum: 336 + 112 UB chips, 6,912 modules of 400G, 12 + 4 racks.
    bill = api.fabric("cloudmatrix-384", cards=384)
    assert bill.scale_up is not None
    assert (bill.scale_up.server_chips, bill.scale_up.upper_chips) == (336, 112)
    assert bill.scale_up.links == 5376
    assert bill.modules == 6912
    assert bill.modules - bill.scale_up.modules == 1536
    assert (bill.compute_racks, bill.interconnect_racks) == (12, 4)


def test_an_atlas_950_has_128_compute_and_32_interconnect_cabinets() -> None:
    # Announced counts; the make-up of its UB planes is not published, so no chips are counted and optics only
    # estimated, around the 12 modules a card that Huawei compares a later design with.
    bill = api.fabric("atlas-950-superpod", cards=8192)
    assert (bill.compute_racks, bill.interconnect_racks) == (128, 32)
    assert bill.scale_up is None
    guess = bill.scale_up_estimate
    assert guess is not None
    assert guess.modules == pytest.approx(2 * 8192 * 420 / 100, rel=1e-3)
    assert guess.modules_low < 12 * 8192 < guess.modules_high


@pytest.mark.parametrize(
    ("system", "cards", "cabinets", "exaflops", "petabytes"),
    [
        # Announced: super-pods of 8,192 and 15,488 cards, and 64 of the first; FP8, and bandwidth both ways.
        ("atlas-950-superpod", 8192, (128, 32), 8, 16.3),
        ("atlas-950-superpod", 524_288, (8192, 2048), 524, 1043),
        ("atlas-960-superpod", 15_488, (176, 44), 30, 34),
    ],
)
def test_announced_super_pods_of_huawei_come_out_of_their_cards(
    system: str, cards: int, cabinets: tuple[int, int], exaflops: float, petabytes: float
) -> None:
    library = SpecLibrary()
    bill = api.fabric(system, cards=cards)
    assert (bill.cards, bill.compute_racks, bill.interconnect_racks) == (cards, *cabinets)
    card = library.accelerator(library.system(system).accelerator)
    peak, links = card.peak_advertised.fp8, card.links.scale_up_bandwidth_two_way_advertised
    assert peak is not None
    assert links is not None
    assert cards * peak.value / 1e18 == pytest.approx(exaflops, rel=0.04)
    assert cards * links.value / 1e15 == pytest.approx(petabytes, rel=0.01)


def test_an_nvl72_has_18_switch_chips_on_copper() -> None:
    bill = api.fabric("gb200-nvl72", cards=72)
    assert bill.scale_up is not None
    assert (bill.scale_up.upper_chips, bill.scale_up.links, bill.scale_up.modules) == (18, 1296, 0)
    assert {line.medium for line in bill.scale_up.cables} == {"copper"}


def test_lengths_add_up_to_the_links_of_every_tier() -> None:
    for cards, kind in ((1016, "rail-optimised"), (4096, "leaf-spine"), (8192, "multi-plane")):
        bill = api.fabric("dgx-h100", cards=cards, kind=kind)
        for link in bill.links:
            counted = sum(line.count for line in bill.cable_lines if line.link == link.name)
            assert counted == link.count, (cards, kind, link.name)


def test_an_oversubscribed_fabric_is_cheaper_and_slower_above_its_taper() -> None:
    even = api.fabric("dgx-h100", cards=8192)
    over = api.fabric("dgx-h100", cards=8192, oversubscription=2)
    assert over.switches < even.switches
    assert over.bisection_bytes_per_second == pytest.approx((even.bisection_bytes_per_second or 0) / 2)
    assert over.network[-1].bytes_per_second == pytest.approx(even.network[-1].bytes_per_second / 2)


def test_planes_save_a_tier_against_one_fabric_of_the_same_switches() -> None:
    planes = api.fabric("dgx-h100", cards=16_384, kind="multi-plane")
    one = api.fabric("dgx-h100", cards=16_384)
    assert (len(planes.tiers), planes.switches) == (2, 768)
    assert (len(one.tiers), one.switches) == (3, 1280)


def test_a_fabric_that_cannot_reach_names_its_limit() -> None:
    with pytest.raises(EngineError, match="more than the 2097152 that four tiers of 64-port") as caught:
        api.fabric("dgx-h100", cards=2_500_000)
    assert caught.value.hint == "--kind multi-plane joins them, in 8 planes"
    assert api.fabric("dgx-h100", cards=2_500_000, kind="multi-plane").planes == 8
    with pytest.raises(SpecError, match="no fabric kind 'hypercube'"):
        api.fabric("dgx-h100", cards=64, kind="hypercube")


def test_a_million_cards_are_joined_by_four_tiers_or_by_planes_of_three() -> None:
    # 7N/k and 5N/k switches of full builds; partial ones have a little more.
    four = api.fabric("dgx-h100", cards=1_000_000)
    assert [tier.name for tier in four.tiers] == ["leaf", "spine", "core", "super-core"]
    assert 1 <= four.switches / (7 * 1_000_000 / 64) < 1.03
    planes = api.fabric("kunlun-p800-8", cards=1_000_000)
    assert 1 <= planes.switches / (5 * 500_000 / 128) < 1.03


@pytest.mark.parametrize("kind", ["dragonfly", "slim-fly", "full-mesh", "torus"])
def test_a_fabric_without_tiers_is_timed_and_a_run_on_it_is_slower(kind: str) -> None:
    question = {
        "workload": {"model": "llama3.1-70b", "tokens": "1T", "sequence": 8192, "batch_sequences": 2048},
        "limits": {"cards": {"exactly": 4096}},
        "hardware": {"systems": "dgx-h100", "power_caps": [1.0], "cooling": "contained-air"},
        "site": "texas",
        "layout": {"tp": 8, "pp": 1, "cp": 1, "micro_batch": 1, "recompute": "full", "sharding": 3},
    }
    hardware = question["hardware"]
    assert isinstance(hardware, dict)
    tree = planner.size(question)
    own = planner.size({**question, "hardware": {**hardware, "kinds": [kind]}})
    assert tree.performance is not None
    assert own.performance is not None
    assert own.fabric is not None
    assert own.fabric.kind == kind
    assert own.performance.tokens_per_second < tree.performance.tokens_per_second
    # What the plan counts is what the bill alone counts.
    bill = api.fabric("dgx-h100", cards=own.cards.total if own.cards else 0, kind=kind)
    assert (own.fabric.switches, own.fabric.cables) == (bill.switches, bill.cables)
    # A torus of eight switches a side still carries the even pattern whole, over more hops.
    even = api.fabric("dgx-h100", cards=4096).network[-1].bytes_per_second
    share = 1.0 if kind == "torus" else 0.5
    assert bill.network[-1].bytes_per_second == pytest.approx(share * even)


def test_supernodes_are_counted_whole() -> None:
    # 1,000 cards are 2.6 of 384: three are bought, with 3 x 384 ports and 3 x 5,376 modules of the UB planes.
    bill = api.fabric("cloudmatrix-384", cards=1000)
    assert (bill.cards, bill.cards_asked, bill.cards_sold_in) == (1152, 1000, 384)
    assert bill.headline.startswith("1,152 cards (1,000 asked for, sold by 384) of cloudmatrix-384")
    assert bill.scale_up is not None
    assert (bill.nic_ports, bill.scale_up.domains) == (1152, 3)
    assert api.fabric("dgx-h100", cards=1001).cards == 1008


def test_spines_stand_with_their_pod_and_only_cores_in_the_middle_of_the_hall() -> None:
    # 16,384 cards are eight pods of 64 leaves, 64 racks of four servers each: within a pod no leaf is farther
    # from its spines than two rows of twenty racks, (4 + 6 + 11.4) m and a tenth; cores are beyond many rows.
    bill = api.fabric("dgx-h100", cards=16_384)
    longest = {line.link: line.metres for line in bill.cable_lines}
    assert longest["leaf-spine"] <= 30
    assert longest["spine-core"] > longest["leaf-spine"]


def test_links_beyond_the_usual_modules_take_those_of_500_metres_and_2_kilometres() -> None:
    bill = api.fabric("kunlun-p800-64", cards=1_000_000)
    by_cable = {line.cable: line.metres for line in bill.cable_lines}
    assert by_cable["fibre-smf"] == 100
    assert by_cable["osfp-800g-twin-dr4-500m"] == 500
    assert by_cable["osfp-800g-twin-fr4"] == 2000
    media = {total.cable: total for total in bill.media}
    near, far = media["fibre-smf"], media["osfp-800g-twin-dr4-500m"]
    assert near.usd is not None
    assert far.usd is not None
    # Two halves of a twin module at 17 W each draw the same; each end costs 50 USD more.
    assert far.watts / far.links == pytest.approx(near.watts / near.links)
    assert far.usd / far.links == pytest.approx(2 * 500 + 130)
    assert sum(total.links for total in bill.media) == bill.cables
