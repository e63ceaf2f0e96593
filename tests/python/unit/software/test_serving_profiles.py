"""Serving profiles: which one a run or a vendor gets, and what they inherit."""

from __future__ import annotations

import pytest

from planner.errors import SpecError
from planner.software import (
    default_serving_profile,
    serving_constants,
    serving_profile,
    serving_profile_of_run,
    serving_profiles,
)
from planner.specs import SpecLibrary


@pytest.mark.parametrize(
    ("framework", "profile"),
    [
        ("TensorRT-LLM 1.0", "trtllm-2025"),
        ("TensorRT 10.11, CUDA 12.9", "trtllm-2025"),
        ("vLLM, 2023", "vllm-2023"),
        ("vLLM 0.15.1", "vllm-2025"),
        ("vllm-ascend", "vllm-ascend-2025"),
        ("vLLM 0.4.3+rocm614, PyTorch 2.3.0, ROCm 6.1.2", "vllm-rocm-2024"),
        ("SGLang", "sglang-2025"),
        ("CloudMatrix-Infer", "xdeepserve-2025"),
        ("DeepSeek in-house", "deepseek-2025"),
    ],
)
def test_the_longest_name_of_a_framework_decides(framework: str, profile: str) -> None:
    found = serving_profile_of_run(framework)
    assert found is not None
    assert found.id == profile


def test_an_unknown_framework_has_no_profile() -> None:
    assert serving_profile_of_run("Own Engine 3") is None
    assert serving_profile_of_run(None) is None


def test_every_vendor_of_the_library_has_a_default() -> None:
    library = SpecLibrary.from_environment()
    vendors = {library.accelerator(name).vendor for name in library.ids("accelerators")}
    assert {default_serving_profile(vendor).id for vendor in vendors} <= {
        item.id for item in serving_profiles()
    }
    assert default_serving_profile("Huawei").id == "xdeepserve-2025"


def test_profiles_inherit_figures_but_not_names() -> None:
    base, heir = serving_profile("vllm"), serving_profile("serving-default")
    assert heir.host_step == base.host_step
    assert heir.frameworks == []
    assert heir.spread.value > base.spread.value
    assert heir.sources == base.sources


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="no serving software profile 'vlm-2025'") as fault:
        serving_profile("vlm-2025")
    assert "vllm-2025" in (fault.value.hint or "")


def test_constants_are_plain_numbers_in_base_units() -> None:
    values = serving_constants().values()
    assert 0.5 < values["peak_share"] < 1.0
    assert 1e-6 < values["all_reduce_alpha"] < 1e-4
    assert "unseen_spread" not in values
