"""The default space of layouts follows the rules printed in docs/scenario.md."""

from __future__ import annotations

import pytest

from planner.problem import build
from planner.problem.space import context_degrees, expert_degrees, pipeline_stages
from planner.scenario import from_table
from planner.specs import SpecLibrary


def test_stages_divide_the_layers_with_embedding_and_head_or_are_powers_of_two() -> None:
    # 126 = 2 x 3 x 3 x 7; 127 is prime; 128 = 2^7
    assert pipeline_stages(126) == (1, 2, 3, 4, 6, 7, 8, 9, 14, 16, 18, 21, 32, 42, 63, 64)
    assert pipeline_stages(3) == (1, 2, 3)


def test_context_ranks_keep_4096_tokens() -> None:
    assert context_degrees(2048) == (1,)
    assert context_degrees(8192) == (1, 2)
    assert context_degrees(131_072) == (1, 2, 4, 8, 16)


def test_expert_ranks_divide_the_experts() -> None:
    assert expert_degrees(1) == (1,)
    assert expert_degrees(160) == (1, 2, 4, 5, 8, 10, 16, 20, 32, 40)
    assert expert_degrees(256) == (1, 2, 4, 8, 16, 32, 64, 128, 256)


@pytest.mark.parametrize(
    ("system", "model", "degrees"),
    [
        ("kunlun-p800-8", "llama3.1-405b", (1, 2, 4, 8)),
        ("cloudmatrix-384", "llama3.1-405b", (1, 2, 4, 8, 16, 32)),
        ("dgx-h100", "llama2-13b", (1, 2, 4, 8)),  # 40 heads
        ("dgx-h100", "qwen2.5-7b", (1, 2, 4)),  # 28 heads
    ],
)
def test_tensor_ranks_divide_the_heads_within_the_domain(
    system: str, model: str, degrees: tuple[int, ...]
) -> None:
    table = {
        "workload": {"model": model, "tokens": "1T", "sequence": 4096, "batch_sequences": 1024},
        "target": {"days": 90},
        "hardware": {"systems": system},
        "site": "guizhou",
    }
    assert build(from_table(table), SpecLibrary()).request.space.tp == degrees
