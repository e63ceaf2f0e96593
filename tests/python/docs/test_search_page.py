"""docs/search.md says what the code does: the rules in their order, the default space."""

from __future__ import annotations

import re

from documents import ROOT, read

from planner.problem import space, wire

PAGE = read(ROOT / "docs" / "search.md")
LAYOUT = read(ROOT / "rust" / "core" / "src" / "training" / "layout.rs")
SEARCH = read(ROOT / "rust" / "core" / "src" / "search" / "mod.rs")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def defaults() -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section("The space"), re.MULTILINE))


def test_the_rules_stand_in_the_order_of_the_search() -> None:
    listed = re.search(r"pub const RULES.*?= \[(.*?)\];", LAYOUT, re.DOTALL)
    assert listed is not None
    variants = re.findall(r"Rule::(\w+)", listed[1])
    names = dict(re.findall(r'Self::(\w+) => "(\w+)"', LAYOUT))
    in_code = [names[variant] for variant in variants]
    assert re.findall(r"^\| `(\w+)` \|", section("Rules"), re.MULTILINE) == in_code


def test_the_default_space_is_that_of_the_code() -> None:
    said = defaults()
    assert set(said) == set(wire.Space.model_fields)
    assert said["vpp"] == ", ".join(map(str, space.CHUNKS_PER_STAGE))
    assert said["micro_batch"] == ", ".join(map(str, space.MICRO_BATCHES))
    assert f"1 to {space.MOST_STAGES}" in said["pp"]
    assert f"up to {space.MOST_CONTEXT_RANKS} " in said["cp"]
    assert f"{space.SHORTEST_LOCAL_SEQUENCE:,} tokens" in said["cp"]
    assert f"up to {space.MOST_EXPERT_RANKS}," in said["ep"]


def test_a_layout_sorts_as_the_page_says() -> None:
    fields = re.search(r"pub struct Layout \{(.*?)\n\}", LAYOUT, re.DOTALL)
    assert fields is not None
    order = re.findall(r"pub (\w+):", fields[1])
    words = {
        "micro_batch": "micro-batch",
        "recompute": "recomputation",
        "sequence_parallel": "sequence parallelism",
        "recompute_layers": "recomputed layers",
        "cp_kind": "kind of context parallelism",
        "stage_layers": "layers by hand",
    }
    sentence = ", ".join(words.get(name, name) for name in order)
    assert f"Layouts sort by {sentence}" in " ".join(section("Ties").split())
