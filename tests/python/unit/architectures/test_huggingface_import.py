"""config.json files become the same architectures as the library's, and inferences are listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.architectures import architecture
from planner.architectures.counts import parameter_counts
from planner.architectures.huggingface import from_config
from planner.errors import PlannerError

LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "hidden_act": "silu",
    "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
DEEPSEEK: dict[str, Any] = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128, "vocab_size": 129280,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8,
    "first_k_dense_replace": 3, "n_group": 8, "topk_group": 4, "num_nextn_predict_layers": 1,
    "moe_layer_freq": 1, "hidden_act": "silu", "max_position_embeddings": 163840,
    "tie_word_embeddings": False,
}  # fmt: skip
QWEN2 = LLAMA | {
    "model_type": "qwen2", "hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80,
    "num_attention_heads": 64, "vocab_size": 152064, "use_sliding_window": False, "sliding_window": None,
    "max_window_layers": 80,
}  # fmt: skip
QWEN3_MOE = LLAMA | {
    "model_type": "qwen3_moe", "num_hidden_layers": 94, "num_attention_heads": 64, "num_key_value_heads": 4,
    "head_dim": 128, "intermediate_size": 12288, "moe_intermediate_size": 1536, "num_experts": 128,
    "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [], "vocab_size": 151936,
}  # fmt: skip
MIXTRAL = LLAMA | {
    "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000,
    "sliding_window": None,
}  # fmt: skip
GPT_OSS = LLAMA | {
    "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 36,
    "num_attention_heads": 64, "head_dim": 64, "num_local_experts": 128, "num_experts_per_tok": 4,
    "vocab_size": 201088, "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 18,
}  # fmt: skip
QWEN3 = LLAMA | {
    "model_type": "qwen3", "intermediate_size": 12288, "num_hidden_layers": 36, "head_dim": 128,
    "vocab_size": 151936,
}  # fmt: skip
KIMI = DEEPSEEK | {
    "model_type": "kimi_k2", "num_attention_heads": 64, "n_routed_experts": 384, "first_k_dense_replace": 1,
    "n_group": 1, "topk_group": 1, "num_nextn_predict_layers": 0, "vocab_size": 163840,
}  # fmt: skip
MISTRAL = LLAMA | {"model_type": "mistral", "vocab_size": 32000, "sliding_window": 4096}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LLAMA, "llama3.1-8b"), (DEEPSEEK, "deepseek-v3"), (QWEN2, "qwen2.5-72b"), (QWEN3, "qwen3-8b"),
        (QWEN3_MOE, "qwen3-235b-a22b"), (MIXTRAL, "mixtral-8x7b"), (GPT_OSS, "gpt-oss-120b"),
        (KIMI, "kimi-k2"), (MISTRAL, "mistral-7b"),
    ],
)  # fmt: skip
def test_imported_model_equals_the_shipped_one(config: dict[str, Any], name: str) -> None:
    """Parameters by part and the attention window agree with the file of the library."""
    model, _ = from_config(config, "some/model/config.json")
    shipped = architecture(name)
    assert parameter_counts(model) == parameter_counts(shipped)
    assert (model.sliding_window, model.value_head_dim) == (shipped.sliding_window, shipped.value_head_dim)


def test_inferred_values_are_listed_and_noted() -> None:
    """A missing head_dim is computed and said; a stated one is not."""
    model, inferred = from_config(LLAMA, "config.json")
    assert inferred == ["head_dim = 128 (hidden_size / num_attention_heads)"]
    assert "head_dim = 128" in (model.note or "")
    assert from_config(LLAMA | {"head_dim": 128}, "config.json")[1] == []


def test_defaults_of_the_model_type_are_inferences() -> None:
    """Keys that are absent and that the type fixes are listed one by one."""
    short = {k: v for k, v in LLAMA.items() if k not in {"num_key_value_heads", "tie_word_embeddings"}}
    model, inferred = from_config(short, "config.json")
    assert (model.kv_heads, model.tied_embeddings) == (32, False)
    assert [line.split(" = ")[0] for line in inferred] == [
        "tie_word_embeddings", "num_key_value_heads", "head_dim",
    ]  # fmt: skip


def test_gpt2_keys_are_understood() -> None:
    """GPT-2 has its own names, learned positions, biases and a tied head: 124,439,808 parameters in all."""
    config = {
        "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
        "vocab_size": 50257,
    }  # fmt: skip
    model, inferred = from_config(config, "gpt2/config.json")
    assert parameter_counts(model).total == 124_439_808
    assert any(line.startswith("n_inner = 3072") for line in inferred)


def test_gemma2_has_four_norms_and_alternating_windows() -> None:
    """Gemma 2 9B: half of its layers are windowed, the head is tied, 9,241,705,984 parameters."""
    config = {
        "model_type": "gemma2", "hidden_size": 3584, "intermediate_size": 14336, "num_hidden_layers": 42,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256, "vocab_size": 256000,
        "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 4096,
    }  # fmt: skip
    model, inferred = from_config(config, "config.json")
    assert model.sliding_window is not None
    assert model.sliding_window.share == 0.5
    assert parameter_counts(model).total == 9_241_705_984
    assert len(inferred) == 3


def test_text_part_of_a_multimodal_file_is_read() -> None:
    """Vision parts are left out, and that is said."""
    model, inferred = from_config({"model_type": "llava", "text_config": LLAMA}, "config.json")
    assert model.layers == 32
    assert "vision" in inferred[0]


@pytest.mark.parametrize(
    ("config", "key", "message"),
    [
        ({}, "model_type", "missing"),
        ({"model_type": "mamba2"}, "model_type", "not supported"),
        ({"model_type": ["llama"]}, "model_type", "not supported"),
        (LLAMA | {"hidden_size": None}, "hidden_size", "missing"),
        (LLAMA | {"hidden_size": "4096"}, "hidden_size", "not a whole number"),
        (LLAMA | {"hidden_size": float("nan")}, "hidden_size", "not a whole number"),
        (LLAMA | {"num_hidden_layers": True}, "num_hidden_layers", "not a whole number"),
        (LLAMA | {"num_hidden_layers": 0}, "num_hidden_layers", "not a whole number"),
        (LLAMA | {"vocab_size": 10**12}, "vocab_size", "not a whole number"),
        (LLAMA | {"num_attention_heads": 30}, "head_dim", "not a multiple"),
        (LLAMA | {"num_key_value_heads": 5}, None, "not a multiple of kv_heads"),
        (LLAMA | {"hidden_act": "sine"}, "hidden_act", "unknown"),
        (LLAMA | {"hidden_act": 3}, "hidden_act", "not a text"),
        (LLAMA | {"tie_word_embeddings": "no"}, "tie_word_embeddings", "not true or false"),
        (DEEPSEEK | {"moe_layer_freq": 2}, "moe_layer_freq", "only 1"),
        (DEEPSEEK | {"num_experts_per_tok": 300}, "moe", "more than experts"),
        (QWEN3_MOE | {"mlp_only_layers": [5]}, "mlp_only_layers", "not supported"),
        ({"model_type": "gpt2", "n_embd": 10, "n_head": 3}, "n_embd", "not a multiple"),
    ],
)
def test_unusable_configs_name_file_key_and_remedy(
    config: dict[str, Any], key: str | None, message: str
) -> None:
    """Nothing is guessed: the refusal says where and what to do."""
    with pytest.raises(PlannerError) as caught:
        from_config(config, "models/x/config.json")
    error = caught.value
    assert (error.file, error.key) == ("models/x/config.json", key)
    assert message in error.message
    assert error.hint


def test_path_to_a_file_or_its_folder_is_enough(tmp_path: Path) -> None:
    """The library reads a config.json by path; the folder names the model."""
    folder = tmp_path / "My Model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert architecture(folder / "config.json").name == "My Model"
    assert architecture(str(folder)).id == "My-Model"
