"""Serving software and the laws of the serving model: profiles of frameworks, constants of all chips.

Files stand in ``planner/data/serving/``: ``laws.toml`` and one profile a file, which may extend another.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from planner.errors import SpecError
from planner.software.profile import ANY_VENDOR
from planner.specs.quantity import Count, Duration, Fraction, Frozen, Quantity, Size, Text
from planner.specs.reading import parse_table, read_text, translate
from planner.specs.schema.common import SpecFile

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "serving"
LAWS_FILE = "laws.toml"
_Kind = TypeVar("_Kind", bound=SpecFile)


class ServingProfile(SpecFile):
    """One serving framework in one span of time. Its figures are those of the core's ``ServingSoftware``."""

    frameworks: list[Text] = Field(default=[], description="as published runs name them; a prefix is enough")
    since: Text = Field(description="first year-month of the software it describes")
    until: Text | None = Field(default=None, description="last year-month; absent: still current")
    tuning: Literal["tuned", "default", "tutorial"] = Field(
        description="tuned: by experts for the run; default: as shipped with care; tutorial: as in examples"
    )
    default_for: list[Text] = Field(default=[], description="vendors planned with it; * any other")
    spread: Fraction = Field(description="standard deviation of ln(time) of runs that the fit had not seen")
    cache: Literal["bf16", "fp8"] = Field(
        default="bf16", description="key-value cache with 8-bit and 4-bit weights, where a run does not say"
    )

    graphs: bool = Field(default=True, description="decode steps are replayed from graphs")
    two_batch_overlap: bool = Field(
        default=False, description="exchange of one half behind the other's compute"
    )
    hierarchical_dispatch: bool = Field(default=False, description="a token crosses to a server once")
    chunked_prefill: bool = Field(default=True, description="prompts are cut and mixed into decode steps")
    dispatch_bytes: float = Field(default=1.0, description="per element dispatched")
    combine_bytes: float = Field(default=2.0, description="per element combined")

    host_step: Duration = Field(description="host time per step")
    host_sequence: Duration = Field(description="host time per sequence and step")
    host_layer: Duration = Field(description="host time per layer where no graph is replayed")
    host_hidden: Fraction = Field(description="share of host time hidden behind the device")
    host_request: Duration = Field(description="host time per request before its first token")
    kernel_gap: Duration = Field(description="floor per kernel")
    product_factor: Count = Field(description="time of dense products, tuned = 1")
    expert_factor: Count = Field(description="time of grouped products, tuned = 1")
    attention_factor: Count = Field(description="time of attention, tuned = 1")
    collective_factor: Count = Field(description="time of collectives, tuned = 1")
    tp_overlap: Fraction = Field(description="share of tensor-parallel traffic hidden")
    overlap_share: Fraction = Field(description="share of the smaller part that two-batch overlap hides")
    imbalance_exponent: Fraction = Field(description="load of the busiest expert rank: ranks^exponent")
    token_budget: Count = Field(description="most tokens of a step and data-parallel rank")
    prefill_coordination: Fraction = Field(
        description="1: data-parallel ranks prefill together; 0: at random, and all wait for any"
    )
    cache_reservation: Fraction = Field(description="share of the output reserved in the cache at the start")
    memory_share: Fraction = Field(description="share of the usable memory that the engine takes")
    memory_reserve: Size = Field(description="runtime, graphs and activations per device")
    transfer_hidden: Fraction = Field(description="share of the cache transfer hidden behind prefill")
    most_sequences: Count = Field(description="sequences at most per data-parallel rank")

    def covers(self, framework: str, date: str | None) -> bool:
        """Whether a run with ``framework`` of ``date`` (year-month; none: any) is of this profile."""
        name = framework.casefold()
        if not any(name.startswith(known.casefold()) for known in self.frameworks):
            return False
        month = date[:7] if date else None
        return month is None or (self.since <= month and (self.until is None or month <= self.until))

    def values(self) -> dict[str, float | bool]:
        """The figures and switches as the core takes them."""
        return {**{name: getattr(self, name) for name in _SWITCHES}, **_values(self, ("spread",))}


_SWITCHES = (
    "graphs",
    "two_batch_overlap",
    "hierarchical_dispatch",
    "chunked_prefill",
    "dispatch_bytes",
    "combine_bytes",
)


class ServingFamily(Frozen):
    """Factors on times by which a chip family leaves the shared laws, shrunk to 1. Absent: 1."""

    products: Count | None = Field(default=None, description="dense products")
    experts: Count | None = Field(default=None, description="grouped products")
    attention: Count | None = Field(default=None, description="arithmetic of attention")
    memory: Count | None = Field(default=None, description="memory traffic")
    collectives: Count | None = Field(default=None, description="collectives")
    host: Count | None = Field(default=None, description="host times (slower processors)")

    def values(self) -> dict[str, float]:
        """The factors as the core takes them."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: 1.0 if figure is None else figure.value for name, figure in found.items()}


class ServingConstants(SpecFile):
    """Laws shared by all chips and stacks; their meaning stands with the core's ``Constants``."""

    peak_share: Fraction
    ridge_dense: Count
    ridge_grouped: Count
    ridge_prefill_attention: Count
    ridge_decode_attention: Count
    ridge_latent_attention: Count
    smoothness: Count
    weight_share: Fraction
    cache_share: Fraction
    elementwise_share: Fraction
    elementwise_bytes: Count
    routed_bytes: Count
    group_rows: Count
    all_reduce_alpha: Duration
    exchange_alpha: Duration
    send_alpha: Duration
    hop_share: Fraction
    link_share: Fraction
    nic_share: Fraction
    transfer_share: Fraction
    unseen_spread: Fraction = Field(
        description="standard deviation of ln(time) on a chip family without runs"
    )
    families: dict[str, ServingFamily] = Field(description="chip families by efficiency id; others: all 1")

    def values(self) -> dict[str, float]:
        """The constants as the core takes them."""
        return _values(self, ("unseen_spread",))


def _values(file: SpecFile, besides: tuple[str, ...]) -> dict[str, float]:
    figures = {name: getattr(file, name) for name in type(file).model_fields}
    return {
        name: figure.value
        for name, figure in figures.items()
        if isinstance(figure, Quantity) and name not in besides
    }


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
    known = ", ".join(item.id for item in serving_profiles())
    raise SpecError(f"there is no serving software profile {name!r}", hint=f"{guess}known: {known}")


def default_serving_profile(vendor: str) -> ServingProfile:
    """The profile with which cards of ``vendor`` are planned unless the scenario names one.

    Raises:
        SpecError: none is (a broken installation).
    """
    for wanted in (vendor.casefold(), ANY_VENDOR):
        for item in serving_profiles():
            if wanted in (known.casefold() for known in item.default_for):
                return item
    raise SpecError(f"no serving software profile is the default for vendor {vendor!r}", file=str(SHIPPED))


def serving_profile_of_run(framework: str | None, date: str | None = None) -> ServingProfile | None:
    """The profile for a published run: the longest name, then the latest; None where none covers it."""
    if framework is None:
        return None
    found = [item for item in serving_profiles() if item.covers(framework, date)]
    if not found and date is not None:
        found = [item for item in serving_profiles() if item.covers(framework, None)]

    def rank(item: ServingProfile) -> tuple[int, str, str]:
        name = framework.casefold()
        length = max(len(known) for known in item.frameworks if name.startswith(known.casefold()))
        return length, item.since, item.id

    return max(found, key=rank, default=None)


@cache
def serving_profiles() -> tuple[ServingProfile, ...]:
    """All shipped profiles by id.

    Raises:
        SpecError: a file cannot be used (a broken installation).
    """
    paths = [path for path in sorted(SHIPPED.glob("*.toml")) if path.name != LAWS_FILE]
    return tuple(_read(path, ServingProfile) for path in paths)


@cache
def serving_constants() -> ServingConstants:
    """The shared laws.

    Raises:
        SpecError: the file cannot be used (a broken installation).
    """
    return _read(SHIPPED / LAWS_FILE, ServingConstants)


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    source = read_text(path)
    try:
        return kind.model_validate(_extended(path))
    except ValidationError as fault:
        raise translate(fault, kind, [source])[0].error from fault


_OWN = ("id", "name", "aliases", "note", "extends", "frameworks", "default_for", "until")
"""Keys that say who a profile is: never inherited."""


def _extended(path: Path) -> dict[str, Any]:
    """The table of a file with what it inherits."""
    table = dict(parse_table(read_text(path)))
    base = table.get("extends")
    if base is None:
        return table
    inherited = _extended(SHIPPED / f"{base}.toml")
    sources = {**inherited.pop("sources", {}), **table.pop("sources", {})}
    kept = {key: value for key, value in inherited.items() if key not in _OWN}
    return {**kept, **table, "sources": sources}


def serving_path_of(file_id: str) -> Path:
    """The file of a shipped profile."""
    return SHIPPED / f"{file_id}.toml"
