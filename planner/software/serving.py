"""Serving frameworks and the constants of the serving model, with provenance.

Profiles stand in ``planner/data/serving/software/``, one TOML file each; a profile may extend another and
say only what differs. What all chips and frameworks share stands in ``constants.toml`` beside them, with the
factors of chip families.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from planner.errors import SpecError
from planner.software.profile import ANY_VENDOR
from planner.specs.quantity import Count, Duration, Fraction, Frozen, Rate, Size, Text
from planner.specs.reading import SpecText, parse_table, read_text, translate
from planner.specs.schema.common import SpecFile

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "serving"


class ServingProfile(SpecFile):
    """One serving framework in one span of time. Its figures are those of the core's ``ServingSoftware``."""

    frameworks: list[Text] = Field(default=[], description="as published runs name them")
    since: Text = Field(description="first year-month of the software it describes")
    until: Text | None = Field(default=None, description="last year-month; absent: still current")
    tuning: Literal["tuned", "default", "tutorial"] = Field(
        description="tuned: by experts for the run; default: as shipped with care; tutorial: as in examples"
    )
    default_for: list[Text] = Field(default=[], description="vendors planned with it; * any other")
    spread: Fraction = Field(description="standard deviation of ln(time) between sources that use it")

    cache: Literal["bf16", "fp8"] = Field(
        default="bf16", description="key-value cache with 8-bit and 4-bit weights, where a run does not say"
    )
    graphs: bool = Field(description="decode steps are replayed from graphs")
    graph_filling: bool = Field(
        default=False,
        description="graphs are captured at few batches, and smaller ones filled up to the next",
    )
    graph_tokens: int = Field(
        default=0,
        ge=0,
        description="steps with prompts are replayed too, but for attention, up to so many tokens",
    )
    two_batch_overlap: bool = Field(
        description="two half batches, exchange of one behind compute of the other"
    )
    hierarchical_dispatch: bool = Field(description="a token may cross to a server once")
    chunked_prefill: bool = Field(description="prompts are cut and mixed into decode steps")
    gather_ranks: int = Field(
        ge=1, description="up to so many expert ranks gather all tokens; beyond they exchange them"
    )
    dispatch_bytes: float = Field(gt=0, le=2, description="per element dispatched")
    combine_bytes: float = Field(gt=0, le=2, description="per element combined")
    token_budget: int = Field(gt=0, description="most tokens of a step and data-parallel rank")
    most_sequences: int = Field(gt=0, description="sequences at most per data-parallel rank")
    host_step: Duration = Field(description="host time per step")
    host_sequence: Duration = Field(description="host time per sequence and step")
    host_start: Duration = Field(description="host time per request that starts")
    host_layer: Duration = Field(description="host time per layer that is not replayed from a graph")
    host_hidden: Fraction = Field(description="share of host time hidden behind the device")
    host_request: Duration = Field(description="per request before its first token, beside the device")
    kernel_gap: Duration = Field(description="floor per kernel")
    product_factor: Count = Field(description="time of dense products, tuned stack = 1")
    expert_factor: Count = Field(description="time of grouped products, tuned stack = 1")
    attention_factor: Count = Field(description="time of attention, tuned stack = 1")
    collective_factor: Count = Field(description="time of collectives, tuned stack = 1")
    elementwise_factor: Count = Field(description="traffic of element-wise work, tuned stack = 1")
    bunching: Fraction = Field(
        description="share of a closed loop's requests that stay in step and whose prompts come together"
    )
    tp_overlap: Fraction = Field(description="share of tensor-parallel traffic hidden")
    overlap_share: Fraction = Field(description="share of the smaller side that two-batch overlap hides")
    imbalance_exponent: Fraction = Field(description="expert load of the busiest rank: ranks^exponent")
    prefill_coordination: Fraction = Field(
        description="1: data-parallel ranks prefill together; 0: at random"
    )
    cache_reservation: Fraction = Field(description="share of the output reserved in the cache at the start")
    memory_share: Fraction = Field(description="share of usable memory that the engine may take")
    memory_reserve: Size = Field(description="runtime, graphs and activations per device")
    expert_reserve: Size = Field(description="beside it, with experts: permuted tokens and workspaces")
    transfer_hidden: Fraction = Field(description="share of the cache transfer hidden behind prefill")

    def named_in(self, framework: str) -> int:
        """Length of the longest name of the profile that ``framework`` begins with; 0 where none does."""
        name = framework.casefold()
        return max((len(own) for own in self.frameworks if name.startswith(own.casefold())), default=0)

    def covers(self, framework: str, date: str | None) -> bool:
        """Whether a run with ``framework`` of ``date`` (year-month; none: any) is of this profile."""
        if not self.named_in(framework):
            return False
        month = date[:7] if date else None
        return month is None or (self.since <= month and (self.until is None or month <= self.until))


class Factors(Frozen):
    """What sets a chip family apart: factors on times (the core's ``Family``)."""

    products: Count
    experts: Count
    attention: Count
    memory: Count
    collectives: Count
    host: Count


class ServingConstants(SpecFile):
    """What all chips and frameworks share (the core's ``Constants``), and the factors of chip families."""

    peak_share: Fraction = Field(description="u0: share of the peak reached on a chip of low ridge point")
    ridge_dense: Count = Field(description="FLOP per byte that halves the share: dense products")
    ridge_grouped: Count = Field(description="the same, grouped products of experts")
    ridge_prefill_attention: Count = Field(description="the same, attention over prompts")
    ridge_decode_attention: Count = Field(description="the same, grouped-query attention over the cache")
    ridge_latent_attention: Count = Field(description="the same, latent attention over the cache")
    ridge_bandwidth: Fraction = Field(
        description="how far the ridge point follows the memory (1) or the peak alone (0)"
    )
    unpacked_share: Fraction = Field(
        description="share of the 16-bit rate reached by products of weights stored narrower"
    )
    smoothness: Count = Field(description="p of the smooth roofline")
    memory_depth: Rate = Field(description="memory bandwidth of which requests in flight let through half")
    weight_share: Fraction = Field(description="share of memory bandwidth, weights")
    cache_share: Fraction = Field(description="share of memory bandwidth, cache")
    elementwise_share: Fraction = Field(description="share of memory bandwidth, element-wise work")
    elementwise_bytes: Count = Field(description="bytes per token, hidden unit and layer")
    routed_bytes: Count = Field(description="bytes per routed token and hidden unit")
    group_rows: Count = Field(description="rows to which an expert's share is padded")
    grouped_width: Count = Field(description="width of an expert that halves the rate of its products")
    expert_skew: Count = Field(description="variance over squared mean of the experts' popularity")
    all_reduce_alpha: Duration = Field(description="fixed time of an all-reduce in one stage")
    two_stage_alpha: Duration = Field(description="fixed time of an all-reduce in two stages")
    outer_alpha: Duration = Field(description="the same per level beyond the scale-up domain")
    exchange_alpha: Duration = Field(description="fixed time of an all-to-all, per direction")
    send_alpha: Duration = Field(description="fixed time of a send")
    hop_share: Fraction = Field(description="share of the specified link latencies added to fixed times")
    link_share: Fraction = Field(description="share of scale-up bandwidth in collectives")
    nic_share: Fraction = Field(description="share of NIC rate in collectives")
    transfer_share: Fraction = Field(description="share of NIC rate in cache transfers")
    residual: Fraction = Field(description="standard deviation of ln(predicted/measured), groups left out")
    elsewhere_fast: Fraction = Field(
        description="standard deviation of ln(time) that a source unknown to the fit adds, fast side"
    )
    elsewhere_slow: Fraction = Field(description="the same, slow side")
    runs: int = Field(default=0, ge=0, description="serving runs behind the fit")
    groups: int = Field(default=0, ge=0, description="independent groups of runs behind the fit")
    families: dict[str, Factors] = Field(default={}, description="by id of the efficiency file of the chips")


def serving_profile(name: str) -> ServingProfile:
    """The shipped profile called ``name`` (id or alias, any case).

    Raises:
        SpecError: no such profile (with the nearest names).
    """
    wanted = name.strip().casefold()
    names = {known.casefold(): item for item in serving_profiles() for known in (item.id, *item.aliases)}
    if wanted in names:
        return names[wanted]
    near = get_close_matches(wanted, names, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(dict.fromkeys(names[n].id for n in near))}? " if near else ""
    raise SpecError(
        f"there is no serving profile {name!r}",
        hint=f"{guess}known: {', '.join(p.id for p in serving_profiles())}",
    )


def default_serving_profile(vendor: str) -> ServingProfile:
    """The profile with which cards of ``vendor`` are planned unless the scenario names one."""
    for wanted in (vendor.casefold(), ANY_VENDOR):
        for item in serving_profiles():
            if wanted in (known.casefold() for known in item.default_for):
                return item
    raise SpecError(f"no serving profile is the default for vendor {vendor!r}", file=str(SHIPPED))


@cache
def serving_profile_of_run(
    framework: str | None, date: str | None = None, vendor: str | None = None
) -> ServingProfile | None:
    """The profile for a published run; the latest one where several cover it, None where none does.

    vLLM on cards of a ``vendor`` with a port of its own is that port, unless a profile names it more closely.
    """
    if framework is None:
        return None
    port = _PORTS.get((vendor or "").casefold())
    names = {framework} if port is None else {framework, _VLLM.sub(port, framework)}
    found = [(item, name) for item in serving_profiles() for name in names if item.covers(name, date)]
    best = max(found, key=lambda it: (it[0].named_in(it[1]), it[0].since, it[0].id), default=None)
    return None if best is None else best[0]


_VLLM = re.compile(r"^vllm(?!-)", re.IGNORECASE)
_PORTS = {"amd": "vllm-rocm", "huawei": "vllm-ascend"}


@cache
def serving_profiles() -> tuple[ServingProfile, ...]:
    """All shipped profiles by id.

    Raises:
        SpecError: a file cannot be used (a broken installation).
    """
    return tuple(_read(path) for path in sorted((SHIPPED / "software").glob("*.toml")))


@cache
def serving_constants() -> ServingConstants:
    """The shipped constants.

    Raises:
        SpecError: the file cannot be used (a broken installation).
    """
    source = read_text(constants_path())
    try:
        return ServingConstants.model_validate(parse_table(source))
    except ValidationError as fault:
        raise translate(fault, ServingConstants, [source])[0].error from fault


def serving_path_of(profile_id: str) -> Path:
    """The file of a shipped profile."""
    return SHIPPED / "software" / f"{profile_id}.toml"


def own_keys(profile_id: str) -> set[str]:
    """Keys that a profile's file states itself."""
    return set(parse_table(read_text(serving_path_of(profile_id))))


def constants_path() -> Path:
    """The file of the constants."""
    return SHIPPED / "constants.toml"


def _read(path: Path) -> ServingProfile:
    chain: list[SpecText] = []
    table: dict[str, Any] = {}
    name: str | None = path.stem
    while name is not None:
        source = read_text(serving_path_of(name))
        chain.append(source)
        own = parse_table(source)
        sources = {**own.get("sources", {}), **table.get("sources", {})}
        # Aliases, frameworks and vendors are of a profile alone.
        inherited = own if len(chain) == 1 else {k: v for k, v in own.items() if k not in _NOT_INHERITED}
        table = {**inherited, **table, "sources": sources}
        name = own.get("extends")
    try:
        return ServingProfile.model_validate(table)
    except ValidationError as fault:
        raise translate(fault, ServingProfile, chain)[0].error from fault


_NOT_INHERITED = ("aliases", "frameworks", "default_for", "until", "note", "cache")
