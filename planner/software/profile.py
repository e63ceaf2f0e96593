"""Software profiles: what a training framework of some age does well or badly, with its spread.

The error of a performance model lies between frameworks more than between layouts, so the framework is an
input of its own. The shipped profiles stand in ``planner/data/software/``, one TOML file each.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from planner.errors import SpecError
from planner.software.age import month_number
from planner.specs.quantity import Count, Duration, Fraction, Size, Text
from planner.specs.reading import brief, parse_table, read_text, translate
from planner.specs.schema.common import SpecFile

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "software"
ANY_VENDOR = "*"


class SoftwareProfile(SpecFile):
    """One framework in one span of time. Its figures are those of the core's ``Software``."""

    frameworks: list[Text] = Field(default=[], description="as published runs name them")
    since: Text = Field(description="first year-month of the software it describes")
    until: Text | None = Field(default=None, description="last year-month; absent: still current")
    as_of: Text | None = Field(
        default=None, description="year-month for which plans take a profile that is still current"
    )
    tuning: Literal["tuned", "default", "tutorial"] = Field(
        description="tuned: by experts for the run; default: as shipped with care; tutorial: as in examples"
    )
    as_it_comes: Text | None = Field(
        default=None, description="of a tuned one: the profile of the same framework that nobody tuned"
    )
    default_for: list[Text] = Field(default=[], description="vendors planned with it; * any other")
    spread: Fraction = Field(description="standard deviation of ln(step time) between sources that use it")
    spread_experts: Fraction | None = Field(
        default=None, description="the same for mixture-of-experts models; absent: as spread"
    )

    fused_attention: bool = Field(description="attention in one kernel; otherwise scores go through memory")
    fused_alibi: bool = Field(
        default=True,
        description="that kernel takes a bias by position (ALiBi); false: such models go without",
    )
    ring_repeats_heads: bool = Field(
        default=False, description="context-parallel rings carry keys and values once per query head"
    )
    recompute_stops_early: bool = Field(
        default=False, description="full recomputation ends before a layer's last product"
    )
    hierarchical_dispatch: bool = Field(description="a token crosses to a server once")
    precision: Literal["bf16", "fp8"] = Field(
        default="bf16", description="where a run does not say and the chip can"
    )
    fp4_since: Text | None = Field(
        default=None,
        description="year-month from which runs that do not say take 4 bits where the chip can",
    )
    sequence_parallel: bool = Field(default=True, description="where a run does not say and tp is above 1")
    fused_expert_bias: bool = Field(
        default=False, description="biases and clamped activations of experts are part of their kernels"
    )
    dispatch_bytes: Literal[1, 2] = Field(default=2, description="per element dispatched; 1: FP8")
    schedule: Literal["1f1b", "zero-bubble", "dualpipe"] = Field(
        default="1f1b", description="order of the passes over the pipeline, where a layout does not say"
    )
    interleaves: bool = Field(
        default=True, description="can give a pipeline stage several chunks of layers (interleaved 1F1B)"
    )
    selective: Literal["attention", "selective"] = Field(
        default="attention", description="what its selective recomputation redoes, where a run does not say"
    )
    gradient_bytes: Literal[2, 4] = Field(default=4, description="per accumulated and exchanged gradient")
    expert_tensor: Literal["one", "tensor"] = Field(
        default="one", description="tensor parallelism inside an expert, where a run does not say"
    )
    attention_factor: Count = Field(description="attention rate against the chip family's")
    product_factor: Count = Field(description="time of matrix products, tuned software = 1")
    elementwise_factor: Count = Field(description="traffic of element-wise work against the fused ideal")
    kernel_gap: Duration = Field(description="gap between kernels")
    fixed_step: Duration = Field(description="per optimizer step: data, logging, clipping, host")
    tp_overlap: Fraction = Field(description="share of tensor-parallel traffic hidden behind products")
    dp_overlap: Fraction = Field(description="share of gradient and parameter traffic hidden (stages 0 to 2)")
    fsdp_overlap: Fraction = Field(description="the same for stage 3")
    ep_overlap: Fraction = Field(description="share of expert dispatch and combine hidden")
    pp_overlap: Fraction = Field(description="share of pipeline sends hidden")
    cp_overlap: Fraction = Field(description="share of attention time that hides such traffic")
    imbalance_exponent: Fraction = Field(description="expert load of the busiest rank: ranks^exponent")
    moe_staging_bytes: Count = Field(description="moved per routed token and hidden unit")
    expert_host: Duration = Field(description="host time per local expert, layer and micro-batch")
    expert_host_block: Duration | None = Field(
        default=None, description="the same with scales per block (MXFP8, NVFP4); absent: as expert_host"
    )
    quantisation_bytes: Count = Field(description="bytes moved per quantised element (FP8 and FP4 recipes)")
    quantisation_bytes_block: Count | None = Field(
        default=None, description="the same with scales per block; absent: as quantisation_bytes"
    )
    immaturity: Count = Field(
        description="what is lost on a chip just released: products and memory-bound work take 1 + this "
        "times as long as on a chip long known, attention reaches 1 - this of its rate"
    )
    jitter_per_doubling: Fraction = Field(description="slow-down per doubling of cards above 8")
    memory_overhead: Size = Field(description="runtime and communication buffers per device")
    fragmentation: Fraction = Field(description="share of the activations lost to fragmentation")

    @property
    def dated(self) -> str | None:
        """Year-month for which plans take it: ``as_of``, else the last one it describes."""
        return self.as_of or self.until

    def covers(self, framework: str, date: str | None) -> bool:
        """Whether a run with ``framework`` of ``date`` (year-month; none: any) is of this profile."""
        if framework_name(framework) not in self.frameworks:
            return False
        month = date[:7] if date else None
        return month is None or (self.since <= month and (self.until is None or month <= self.until))


def framework_name(text: str) -> str:
    """A framework as profiles list it: "Megatron LM v0.9" and "megatron_lm" are "megatron-lm"."""
    words = re.sub(r"[\s_-]+", "-", text.strip().casefold())
    return re.sub(r"-(?:v?\d+(?:\.\w+)+|v\d+)$", "", words)


def profile(name: str) -> SoftwareProfile:
    """The shipped profile called ``name`` (id or alias, any case).

    Raises:
        SpecError: no such profile (with the nearest names).
    """
    wanted = name.strip().casefold()
    direct = path_of(wanted)
    if direct.name in {path.name for path in _files()}:  # the others need not be read
        return _read(direct)
    names = {known.casefold(): item for item in profiles() for known in (item.id, *item.aliases)}
    if wanted in names:
        return names[wanted]
    near = get_close_matches(wanted, names, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(dict.fromkeys(names[n].id for n in near))}? " if near else ""
    raise SpecError(
        f"there is no software profile {brief(name)}",
        hint=f"{guess}known: {', '.join(p.id for p in profiles())}",
    )


@cache
def _defaults() -> tuple[SoftwareProfile, ...]:
    """Those that are the default of a vendor; the others need not be judged. Asked for by every problem."""
    return tuple(_read(path) for path in _files() if "default_for" in read_text(path).text)


def default_profile(vendor: str) -> SoftwareProfile:
    """The profile with which cards of ``vendor`` are planned unless the scenario names one."""
    for wanted in (vendor.casefold(), ANY_VENDOR):
        for item in _defaults():
            if wanted in (known.casefold() for known in item.default_for):
                return item
    raise SpecError(f"no software profile is the default for vendor {vendor!r}", file=str(SHIPPED))


def profile_of_run(framework: str | None, date: str | None = None) -> SoftwareProfile | None:
    """The profile for a published run; None where no profile is of its framework.

    The latest where several cover ``date`` (none: any), the nearest in time where none does.
    """
    of_framework = [item for item in profiles() if framework is not None and item.covers(framework, None)]
    found = [item for item in of_framework if item.covers(framework or "", date)]
    if found or not of_framework or date is None:
        return max(found, key=lambda item: (item.since, item.id), default=None)
    month = date[:7]
    return min(of_framework, key=lambda item: (_months_off(item, month), item.id))


def _months_off(item: SoftwareProfile, month: str) -> float:
    """Months between a date and the span of a profile that does not cover it."""
    if month < item.since:
        return month_number(item.since) - month_number(month)
    return month_number(month) - month_number(item.until or month)


@cache
def profiles() -> tuple[SoftwareProfile, ...]:
    """All shipped profiles by id.

    Raises:
        SpecError: a file cannot be used (a broken installation).
    """
    return tuple(_read(path) for path in _files())


@cache
def _files() -> tuple[Path, ...]:
    return tuple(sorted(SHIPPED.glob("*.toml")))


@cache
def _read(path: Path) -> SoftwareProfile:
    source = read_text(path)
    try:
        return SoftwareProfile.model_validate(parse_table(source))
    except ValidationError as fault:
        raise translate(fault, SoftwareProfile, [source])[0].error from fault


def path_of(profile_id: str) -> Path:
    """The file of a shipped profile."""
    return SHIPPED / f"{profile_id}.toml"
