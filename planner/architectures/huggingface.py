"""Read the ``config.json`` of a Hugging Face checkpoint and say what had to be inferred.

Only keys that the file holds are facts. What the library fills in by a default of its own code is listed as
inferred, so that the reader can check it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, TypeVar

from pydantic import ValidationError

from planner.architectures.schema import Architecture
from planner.errors import SpecError

T = TypeVar("T")

WRITE_TOML = (
    "describe the model in a .toml file with id, name, source, layers, hidden, heads, kv_heads, head_dim, "
    "ffn, activation, vocab, tied_embeddings (see planner/data/architectures) and give its path"
)
GATED_NAMES = {
    "silu": "swiglu", "swish": "swiglu", "swiglu": "swiglu",
    "gelu": "geglu", "gelu_pytorch_tanh": "geglu", "gelu_new": "geglu",
}  # fmt: skip
LARGEST = 10**9
"""No width, count or vocabulary of a model is larger."""


class _Reader:
    """Typed access to the keys of one config, keeping track of what was inferred."""

    def __init__(self, config: Mapping[str, Any], file: str) -> None:
        self.config, self.file = config, file
        self.inferred: list[str] = []

    def fail(self, key: str, message: str, hint: str | None = None) -> SpecError:
        return SpecError(message, file=self.file, key=key, hint=hint or "correct the config.json")

    def optional(self, *keys: str, least: int = 1) -> int | None:
        """The first of ``keys`` that is present and not null, as a whole number of at least ``least``."""
        for key in keys:
            value = self.config.get(key)
            if value is None:
                continue
            if isinstance(value, float) and math.isfinite(value) and value.is_integer():
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
                raise self.fail(key, f"{value!r} is not a whole number from {least} to {LARGEST:,}")
            return value
        return None

    def whole(self, *keys: str) -> int:
        value = self.optional(*keys)
        if value is None:
            raise self.fail(keys[0], "the key is missing", f"add it to the config.json, or {WRITE_TOML}")
        return value

    def default(self, keys: tuple[str, ...], value: int, why: str) -> int:
        found = self.optional(*keys)
        return self.infer(keys[0], value, why) if found is None else found

    def infer(self, key: str, value: T, why: str) -> T:
        self.inferred.append(f"{key} = {str(value).lower() if isinstance(value, bool) else value} ({why})")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.config.get(key)
        if value is None:
            return self.infer(key, default, "not in the file: default of this model type")
        if not isinstance(value, bool):
            raise self.fail(key, f"{value!r} is not true or false")
        return value

    def word(self, key: str, default: str) -> str:
        value = self.config.get(key)
        if value is None:
            return self.infer(key, default, "not in the file: default of this model type")
        if not isinstance(value, str):
            raise self.fail(key, f"{value!r} is not a text")
        return value


def from_config(config: Mapping[str, Any], path: str | PurePath) -> tuple[Architecture, list[str]]:
    """Turn a parsed ``config.json`` into an architecture.

    Args:
        config: the parsed file. A multimodal file is read through its ``text_config``.
        path: where it was read; names the model when the file does not.

    Returns:
        The architecture and, in words, what was inferred rather than read.

    Raises:
        SpecError: a model type not supported, or a key missing, mistyped or contradictory (file, key, hint).
    """
    file = str(path)
    inner = config.get("text_config")
    nested = isinstance(inner, Mapping)
    reader = _Reader(inner if isinstance(inner, Mapping) else config, file)
    if nested:
        reader.inferred.append("text_config is the model; vision or audio parts are left out")
    kind = reader.config.get("model_type", config.get("model_type"))
    if kind is None:
        raise SpecError("the key is missing", file=file, key="model_type", hint=WRITE_TOML)
    convert = _CONVERTERS.get(kind) if isinstance(kind, str) else None
    if convert is None:
        raise SpecError(
            f"model_type {kind!r} is not supported (supported: {', '.join(sorted(_CONVERTERS))})",
            file=file,
            key="model_type",
            hint=WRITE_TOML,
        )
    name = _name(config, file)
    table = convert(reader) | {
        "id": re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip("-._") or "config",
        "name": name,
        "read": "looked_up",
        "source": {"title": f"config.json of {name}", "date": "as given", "note": "the user's own file"},
    }
    if reader.inferred:
        table["note"] = "inferred: " + "; ".join(reader.inferred)
    try:
        return Architecture.model_validate(table), reader.inferred
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"]) or None
        raise SpecError(
            fault["msg"].removeprefix("Value error, "), file=file, key=key, hint="correct the config.json"
        ) from error


def _name(config: Mapping[str, Any], file: str) -> str:
    stated = config.get("_name_or_path")
    if isinstance(stated, str) and PurePath(stated).name:
        return PurePath(stated).name
    parsed = PurePath(file)
    return parsed.parent.name or parsed.stem


def _common(reader: _Reader, *, tied: bool, act: str = "silu") -> dict[str, Any]:
    """Keys that all gated, RMS-normed model types share."""
    hidden, heads = reader.whole("hidden_size"), reader.whole("num_attention_heads")
    activation = reader.word(
        "hidden_activation" if "hidden_activation" in reader.config else "hidden_act", act
    )
    if activation not in GATED_NAMES:
        raise reader.fail("hidden_act", f"activation {activation!r} of a gated block is unknown", WRITE_TOML)
    return {
        "layers": reader.whole("num_hidden_layers"),
        "hidden": hidden,
        "heads": heads,
        "activation": GATED_NAMES[activation],
        "vocab": reader.whole("vocab_size"),
        "max_positions": reader.optional("max_position_embeddings"),
        "tied_embeddings": reader.flag("tie_word_embeddings", tied),
        "norm": "rmsnorm",
    }


def _grouped_heads(reader: _Reader, table: dict[str, Any]) -> dict[str, Any]:
    hidden, heads = table["hidden"], table["heads"]
    kv_heads = reader.default(("num_key_value_heads",), heads, "not in the file: as many as heads")
    head_dim = reader.optional("head_dim")
    if head_dim is None:
        if hidden % heads:
            raise reader.fail("head_dim", f"missing, and {hidden} is not a multiple of {heads} heads")
        head_dim = reader.infer("head_dim", hidden // heads, "hidden_size / num_attention_heads")
    return table | {"kv_heads": kv_heads, "head_dim": head_dim}


def _window(reader: _Reader, table: dict[str, Any], share: float | None = None) -> dict[str, Any]:
    """Sliding window from ``sliding_window`` and, where given, ``layer_types``."""
    window = reader.optional("sliding_window")
    if window is None or reader.config.get("use_sliding_window") is False:
        return table
    kinds = reader.config.get("layer_types")
    if isinstance(kinds, list) and kinds:
        share = sum(kind == "sliding_attention" for kind in kinds) / len(kinds)
    elif share is None:
        share = 1.0
    else:
        reader.infer("share of windowed layers", share, "no layer_types: pattern of this model type")
    return table | {"sliding_window": {"window": window, "share": share}} if share else table


def _dense(reader: _Reader, *, tied: bool = False, **extra: Any) -> dict[str, Any]:
    table = _grouped_heads(reader, _common(reader, tied=tied))
    return table | {"ffn": reader.whole("intermediate_size")} | extra


def _llama(reader: _Reader) -> dict[str, Any]:
    bias = reader.config.get("attention_bias") is True
    return _dense(reader, qkv_bias=bias, output_bias=bias, ffn_bias=reader.config.get("mlp_bias") is True)


def _mistral(reader: _Reader) -> dict[str, Any]:
    return _window(reader, _dense(reader))


def _qwen_window(reader: _Reader, table: dict[str, Any]) -> dict[str, Any]:
    if reader.config.get("use_sliding_window") is not True:
        return table
    first = reader.default(("max_window_layers",), table["layers"], "not in the file: no windowed layer")
    share = max(0, table["layers"] - first) / table["layers"]
    return _window(reader, table, share) if share else table


def _qwen2(reader: _Reader) -> dict[str, Any]:
    reader.infer("qkv_bias", True, "every Qwen2 has it")
    return _qwen_window(reader, _dense(reader, qkv_bias=True))


def _qwen3(reader: _Reader) -> dict[str, Any]:
    reader.infer("qk_norm", True, "every Qwen3 has it")
    return _qwen_window(
        reader, _dense(reader, qk_norm=True, qkv_bias=reader.config.get("attention_bias") is True)
    )


def _sparse_step(reader: _Reader, table: dict[str, Any]) -> tuple[int, int]:
    """Qwen MoE: (every, leading dense): each n-th layer is sparse, those of ``mlp_only_layers`` are not."""
    every = reader.default(("decoder_sparse_step",), 1, "not in the file: every layer is sparse")
    dense = reader.config.get("mlp_only_layers") or []
    if not isinstance(dense, list) or dense != list(range(len(dense))) or len(dense) >= table["layers"]:
        raise reader.fail("mlp_only_layers", "dense layers that do not lead are not supported", WRITE_TOML)
    return every, len(dense)


def _qwen_moe(reader: _Reader, **extra: Any) -> dict[str, Any]:
    table = _grouped_heads(reader, _common(reader, tied=False)) | extra
    every, leading = _sparse_step(reader, table)
    if every > 1 or leading:
        table["ffn"] = reader.whole("intermediate_size")
    shared = reader.optional("shared_expert_intermediate_size", least=0) or 0
    table["moe"] = {
        "experts": reader.whole("num_experts"),
        "top_k": reader.whole("num_experts_per_tok"),
        "ffn": reader.whole("moe_intermediate_size"),
        "shared_ffn": shared,
        "shared_gate": shared > 0,
        "every": every,
        "leading_dense_layers": leading,
    }
    return _qwen_window(reader, table)


def _qwen2_moe(reader: _Reader) -> dict[str, Any]:
    reader.infer("qkv_bias", True, "every Qwen2 has it")
    return _qwen_moe(reader, qkv_bias=True)


def _qwen3_moe(reader: _Reader) -> dict[str, Any]:
    reader.infer("qk_norm", True, "every Qwen3 has it")
    return _qwen_moe(reader, qk_norm=True, qkv_bias=reader.config.get("attention_bias") is True)


def _mixtral(reader: _Reader) -> dict[str, Any]:
    table = _grouped_heads(reader, _common(reader, tied=False))
    table["moe"] = {
        "experts": reader.whole("num_local_experts"),
        "top_k": reader.whole("num_experts_per_tok"),
        "ffn": reader.whole("intermediate_size"),
    }
    return _window(reader, table)


def _gpt_oss(reader: _Reader) -> dict[str, Any]:
    reader.infer("biases and attention sinks", True, "every gpt-oss has them")
    table = _grouped_heads(reader, _common(reader, tied=False))
    table |= {"qkv_bias": True, "output_bias": True, "ffn_bias": True, "attention_sinks": True}
    table["moe"] = {
        "experts": reader.whole("num_local_experts"),
        "top_k": reader.whole("num_experts_per_tok", "experts_per_token"),
        "ffn": reader.whole("intermediate_size"),
    }
    return _window(reader, table, 0.5)


def _deepseek(reader: _Reader) -> dict[str, Any]:
    table = _common(reader, tied=False)
    table["mla"] = {
        "q_lora": reader.optional("q_lora_rank"),
        "kv_lora": reader.whole("kv_lora_rank"),
        "nope": reader.whole("qk_nope_head_dim"),
        "rope": reader.whole("qk_rope_head_dim"),
        "value": reader.whole("v_head_dim"),
    }
    table["mtp_layers"] = reader.optional("num_nextn_predict_layers", least=0) or 0
    experts = reader.optional("n_routed_experts")
    if experts is None:
        return table | {"ffn": reader.whole("intermediate_size")}
    if reader.default(("moe_layer_freq",), 1, "not in the file: every layer after the dense ones") != 1:
        raise reader.fail("moe_layer_freq", "only 1 is supported", WRITE_TOML)
    width = reader.whole("moe_intermediate_size")
    leading = reader.optional("first_k_dense_replace", least=0) or 0
    if leading:
        table["ffn"] = reader.whole("intermediate_size")
    groups = reader.optional("n_group")
    table["moe"] = {
        "experts": experts,
        "top_k": reader.whole("num_experts_per_tok"),
        "ffn": width,
        "shared_ffn": width * (reader.optional("n_shared_experts", least=0) or 0),
        "leading_dense_layers": leading,
        "groups": groups,
        "top_groups": reader.optional("topk_group") if groups else None,
    }
    return table


def _gemma(reader: _Reader) -> dict[str, Any]:
    table = _grouped_heads(reader, _common(reader, tied=True, act="gelu_pytorch_tanh"))
    return table | {"ffn": reader.whole("intermediate_size")}


def _gemma2(reader: _Reader) -> dict[str, Any]:
    reader.infer("norms_per_layer", 4, "every Gemma 2 and 3 has them")
    return _window(reader, _gemma(reader) | {"norms_per_layer": 4}, 0.5)


def _gemma3(reader: _Reader) -> dict[str, Any]:
    reader.infer("norms_per_layer", 4, "every Gemma 2 and 3 has them")
    reader.infer("qk_norm", True, "every Gemma 3 has it")
    every = reader.default(("sliding_window_pattern",), 6, "not in the file: one layer of six is global")
    table = _gemma(reader) | {"norms_per_layer": 4, "qk_norm": True}
    return _window(reader, table, (every - 1) / every)


def _gpt2(reader: _Reader) -> dict[str, Any]:
    hidden, heads = reader.whole("n_embd"), reader.whole("n_head")
    if hidden % heads:
        raise reader.fail("n_embd", f"{hidden} is not a multiple of n_head = {heads}")
    activation = reader.word("activation_function", "gelu_new")
    return {
        "layers": reader.whole("n_layer"),
        "hidden": hidden,
        "heads": heads,
        "kv_heads": heads,
        "head_dim": reader.infer("head_dim", hidden // heads, "n_embd / n_head"),
        "ffn": reader.default(("n_inner",), 4 * hidden, "not in the file: 4 x n_embd"),
        "activation": "relu" if activation == "relu" else "gelu",
        "vocab": reader.whole("vocab_size"),
        "max_positions": reader.whole("n_positions", "n_ctx"),
        "learned_positions": True,
        "tied_embeddings": reader.flag("tie_word_embeddings", True),
        "norm": "layernorm",
        "qkv_bias": True,
        "output_bias": True,
        "ffn_bias": True,
    }


_CONVERTERS: dict[str, Callable[[_Reader], dict[str, Any]]] = {
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3,
    "gpt2": _gpt2,
    "gpt_oss": _gpt_oss,
    "kimi_k2": _deepseek,
    "llama": _llama,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "qwen2": _qwen2,
    "qwen2_moe": _qwen2_moe,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
}
