"""Software profiles: defaults by vendor, and profiles for published runs."""

from __future__ import annotations

import pytest

from planner.errors import SpecError
from planner.software import default_profile, profile, profile_of_run, profiles


def test_every_profile_is_named_like_its_file_and_no_vendor_has_two_defaults() -> None:
    vendors = [vendor for item in profiles() for vendor in item.default_for]
    assert len(vendors) == len(set(vendors))
    assert "*" in vendors


@pytest.mark.parametrize(
    ("vendor", "wanted"),
    [("NVIDIA", "megatron-2026-spring"), ("Huawei", "mindspeed-2024"), ("Cambricon", "domestic-default")],
)
def test_the_default_follows_the_vendor(vendor: str, wanted: str) -> None:
    assert default_profile(vendor).id == wanted


@pytest.mark.parametrize(
    ("framework", "date", "wanted"),
    [
        ("megatron-lm", "2021-04", "megatron-2021"),
        ("megatron-lm", "2025-10", "megatron-lm-2025"),
        ("megatron-deepspeed", "2021-10", "megatron-deepspeed-2021"),
        ("megatron-bridge", "2025-09", "megatron-2025-summer"),
        ("megatron-bridge", "2025-11", "megatron-2025"),
        ("megatron-bridge", "2026-04", "megatron-2026-spring"),
        ("megatron-bridge", "2026-08", "megatron-2026"),
        ("nemo", "2024-07", "megatron-2024"),
        ("nemo-mlperf", "2024-11", "nemo-mlperf"),
        ("hai-llm", "2024-12", "hai-llm-2024"),
        ("llm-foundry", "2023-06", "llm-foundry-2023"),
        ("flagperf", "2024-03", "flagperf"),
        ("mindspeed-llm", "2024-09", "mindspeed-2024"),
        ("mindspore", "2025-05", "mindspeed-2026"),
        ("megascale", "2023-09", "megascale-2024"),
        ("paddle", "2025-04", "domestic-default"),
    ],
)
def test_a_published_run_finds_the_profile_of_its_time(framework: str, date: str, wanted: str) -> None:
    found = profile_of_run(framework, date)
    assert found is not None
    assert found.id == wanted


def test_an_unknown_framework_has_no_profile() -> None:
    assert profile_of_run("pax", "2022-04") is None
    assert profile_of_run(None) is None


def test_an_unknown_profile_is_told_with_the_nearest_names() -> None:
    with pytest.raises(SpecError) as caught:
        profile("megatron-2023")
    assert "megatron-2024" in (caught.value.hint or "")


def test_software_before_flash_attention_is_not_fused() -> None:
    assert not profile("megatron-2021").fused_attention
    assert all(item.fused_attention for item in profiles() if item.since >= "2023")
