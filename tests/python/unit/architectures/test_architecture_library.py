"""Models are found by any of their names; what cannot be used is refused with file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.architectures import architecture, known_names
from planner.architectures.library import SHIPPED, all_architectures
from planner.errors import PlannerError

CANONICAL = [
    "llama2-7b", "llama2-13b", "llama2-70b", "llama3-8b", "llama3-70b", "llama3.1-8b", "llama3.1-70b",
    "llama3.1-405b", "gpt3-175b", "qwen2.5-7b", "qwen2.5-14b", "qwen2.5-32b", "qwen2.5-72b", "qwen3-8b",
    "qwen3-14b", "qwen3-32b", "qwen3-30b-a3b", "qwen3-235b-a22b", "deepseek-v2", "deepseek-v3", "deepseek-r1",
    "mixtral-8x7b", "mixtral-8x22b", "kimi-k2", "pangu-ultra-135b", "pangu-ultra-moe-718b",
    "pangu-pro-moe-72b",
    "glm-130b", "glm-4.5", "mtnlg-530b", "mg-1t", "bloom-176b", "gpt-oss-120b", "llama4-scout",
    "llama4-maverick",
    "hunyuan-a13b", "mpt-7b",
]  # fmt: skip
TINY = """
id = "tiny"
name = "Tiny"
source = { title = "made up", date = "2026-01" }
layers = 2
hidden = 64
heads = 8
kv_heads = 2
head_dim = 8
ffn = 128
activation = "swiglu"
vocab = 100
tied_embeddings = false
"""


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_models_are_shipped(name: str) -> None:
    """The ids that scenarios use."""
    assert architecture(name).id == name


def test_names_are_found_in_any_case_and_by_alias() -> None:
    """Case ids, Hugging Face names and ids lead to the same model."""
    for name in ("llama3-405b", "LLAMA3.1-405B", "meta-llama/Llama-3.1-405B"):
        assert architecture(name).id == "llama3.1-405b"


def test_every_name_is_unique() -> None:
    """No two models share an id or alias, in any case, so an answer never depends on file order."""
    models = all_architectures()
    names = [name.casefold() for model in models for name in {model.id, *model.aliases}]
    assert len(names) == len(set(names))
    assert len(models) >= 150


def test_files_are_called_by_their_id() -> None:
    """The quick look-up by file name relies on it."""
    for path in SHIPPED.glob("*.toml"):
        if path.name not in {"cases.toml", "unsupported.toml"}:
            assert architecture(path.stem).id == path.stem


def test_unknown_name_gets_the_nearest() -> None:
    """A slip of the pen is answered with what was meant."""
    with pytest.raises(PlannerError) as caught:
        architecture("llama3.1-450b")
    assert "llama3.1-405b" in (caught.value.hint or "")


def test_named_but_unsupported_model_says_why() -> None:
    """Hybrid attention cannot be expressed yet, and that is said rather than guessed."""
    with pytest.raises(PlannerError, match="not supported yet: hybrid or sparse attention"):
        architecture("nemotron-3-nano")


def test_own_directory_and_own_file(tmp_path: Path) -> None:
    """A user's model is found by id in a further folder and by path."""
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    assert architecture("Tiny", [tmp_path]).hidden == 64
    assert architecture(tmp_path / "tiny.toml").hidden == 64
    assert "tiny" in known_names([tmp_path])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.json", b"  \n", "the file is empty"),
        ("latin.json", b'{"model_type": "caf\xe9"}', "not UTF-8"),
        ("broken.json", b'{"model_type": ', "not valid JSON"),
        ("list.json", b"[1, 2]", "one object"),
        ("nan.json", b'{"model_type": "llama", "hidden_size": NaN}', "NaN is not a finite number"),
        ("infinite.json", b'{"hidden_size": -Infinity}', "-Infinity is not a finite number"),
        ("deep.json", b"[" * 200_000, "not valid JSON"),
        ("huge.json", b" " * 4_000_001, "too large"),
        ("digits.json", b'{"hidden_size": ' + b"9" * 5000 + b"}", "not valid JSON"),
        ("broken.toml", b"layers = ", "not valid TOML"),
        ("nan.toml", (TINY.replace("64", "nan")).encode(), "hidden"),
        ("typo.toml", (TINY + "hiden = 3\n").encode(), "did you mean hidden"),
        ("lacking.toml", TINY.replace("vocab = 100", "").encode(), "vocab"),
        ("several.toml", b'[[model]]\nid = "a"\n', "several models"),
    ],
)
def test_bad_files_are_told_with_their_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """Never a traceback of another kind, always the file and what is wrong."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PlannerError) as caught:
        architecture(path)
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_missing_file_is_told() -> None:
    """A path that leads nowhere is not taken for a model name."""
    with pytest.raises(PlannerError, match="no such file"):
        architecture("nowhere/config.json")
