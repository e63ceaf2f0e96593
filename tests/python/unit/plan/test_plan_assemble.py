"""From the engine's answer to the parts of a plan."""

from __future__ import annotations

import pytest

from planner.plan import assemble

LAYOUT = {
    "tp": 8, "pp": 4, "vpp": 2, "dp": 16, "cp": 1, "ep": 1, "etp": 1, "micro_batch": 1, "recompute": "none",
    "sharding": 3, "sequence_parallel": True,
}  # fmt: skip
SOFTWARE = {"tp_overlap": 0.3, "dp_overlap": 0.6, "fsdp_overlap": 0.7, "pp_overlap": 0.5}


def test_the_schedule_follows_from_the_layout() -> None:
    def schedule(**changes: int) -> str:
        design = {
            "layout": LAYOUT | changes,
            "micro_batches": 8,
            "micro_batch_group": None,
            "global_batch": 128,
        }
        return assemble.layout(design, SOFTWARE).schedule

    assert schedule() == "interleaved-1f1b"
    assert schedule(vpp=1) == "1f1b"
    assert schedule(vpp=1, pp=1) == "none"


def test_the_overlap_of_gradients_is_that_of_the_sharding_stage() -> None:
    def overlap(stage: int) -> float | None:
        design = {
            "layout": LAYOUT | {"sharding": stage},
            "micro_batches": 8,
            "micro_batch_group": None,
            "global_batch": 128,
        }
        return assemble.layout(design, SOFTWARE).overlap.data_parallel

    assert (overlap(1), overlap(3)) == (0.6, 0.7)


def test_leaves_get_their_unit_and_other_conventions_of_mfu_are_given() -> None:
    speed = {
        "step_seconds": 10.0, "tokens_per_second": 1e6, "tokens_per_second_per_card": 10.0, "mfu": 0.4,
        "mfu_full_attention": 0.41, "hfu": 0.5, "goodput": 0.9, "productive_days": 9.0, "days": 10.0,
        "breakdown": {"matmul": 6.0, "pipeline_bubble": 4.0},
    }  # fmt: skip
    found = assemble.performance({"performance": speed}, 1.25)
    assert found.breakdown == {"matmul_seconds": 6.0, "pipeline_bubble_seconds": 4.0}
    assert found.mfu_advertised == pytest.approx(0.32)
    assert assemble.performance({"performance": speed}, None).mfu_advertised is None


def test_the_bill_of_materials_lists_every_part_of_the_network() -> None:
    wire = {
        "id": "roce-400", "kind": "leaf-spine", "oversubscription": 1.0, "switches": 6, "cables": 384,
        "nics": 256, "ports_free": 0, "watts": 9000.0,
        "transceivers": {"switch_side": 320, "host_side": 256, "reserved_side": 0},
        "tiers": [{"name": "leaf", "switches": 4, "down_ports": 64, "up_ports": 32},
                  {"name": "spine", "switches": 2, "down_ports": 64, "up_ports": 0}],
        "links": [{"name": "host-leaf", "count": 256}, {"name": "leaf-spine", "count": 128}],
    }  # fmt: skip
    parts = {part.name: part.count for part in assemble.fabric({"fabric": wire}).parts}
    assert parts == {
        "switch, leaf": 4, "switch, spine": 2, "transceiver, switch side": 320, "transceiver, host side": 256,
        "cable, host-leaf": 256, "cable, leaf-spine": 128, "NIC port": 256,
    }  # fmt: skip


def test_refusals_that_differ_in_numbers_only_are_counted_together() -> None:
    counts = {"enumerated": 9, "rejected": {"memory": 2, "batch": 0}, "bounded": 1, "timed": 6}
    refused = [("66 ports are more than 64", 4), ("72 ports are more than 64", 3), ("too hot", 1)]
    found = assemble.search({"search": {**counts, "refused_sizes": refused}})
    assert [(item.why, item.count) for item in found.refused_sizes] == [
        ("66 ports are more than 64", 7),
        ("too hot", 1),
    ]
    assert found.rejected == {"memory": 2}
