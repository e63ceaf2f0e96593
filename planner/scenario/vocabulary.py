"""Words and lists that the tables of a scenario share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from planner.scenario.values import Whole, as_list
from planner.specs.quantity import Frozen, Text

Precision = Literal["bf16", "fp8", "fp4"]
Recompute = Literal["none", "attention", "selective", "full"]
Schedule = Literal["1f1b", "zero-bubble", "dualpipe"]
PRINTED_SCHEDULES = {"interleaved-1f1b": "1f1b", "none": "1f1b"}
"""What plans call 1f1b where stages have several chunks, and where there is no pipeline."""
Tier = Literal["ranks", "scale-up", "scale-out"]
FabricKind = Literal[
    "rail-optimised", "leaf-spine", "multi-plane", "dragonfly", "slim-fly", "full-mesh", "torus"
]
Cooling = Literal["room-air", "contained-air", "rear-door", "cold-plate", "immersion"]
Objective = Literal["cards", "days", "throughput", "power", "energy", "capex", "tco", "tokens_per_joule"]
Axis = Literal[
    "cards", "facility_megawatts", "capex_usd", "days", "tokens_per_second", "tco_usd_per_year",
    "energy_mwh_per_year",
]  # fmt: skip

Texts = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(as_list)]
Truths = Annotated[tuple[bool, ...], Field(min_length=1), BeforeValidator(as_list)]
Tiers = Annotated[tuple[Tier, ...], Field(min_length=1), BeforeValidator(as_list)]
Cards = Annotated[Whole, Field(le=4_000_000)]
Degrees = Annotated[
    tuple[Annotated[Whole, Field(le=4096)], ...], Field(min_length=1), BeforeValidator(as_list)
]
Ranks = Annotated[tuple[Cards, ...], Field(min_length=1), BeforeValidator(as_list)]
# The core takes no more (MOST_RANKS, MOST_DEGREE in rust/core/src/problem.rs): larger ones are slips.


def table_of(key: str) -> Callable[[Any], Any]:
    """A plain value in place of a table stands for its ``key``."""
    return lambda data: data if data is None or isinstance(data, dict | Frozen) else {key: data}


def schedules(value: Any) -> Any:
    """Schedules as a list, with those that only plans name in our words."""
    return [PRINTED_SCHEDULES.get(word, word) if isinstance(word, str) else word for word in as_list(value)]
