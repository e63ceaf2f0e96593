"""From a serving row to questions to the core: hardware, model, software and layout as in a plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from planner.architectures import Architecture
from planner.architectures.library import architecture
from planner.errors import PlannerError, SpecError
from planner.problem import wire
from planner.problem.serving_wire import (
    Batch,
    Concurrency,
    Format,
    Full,
    Instance,
    Lengths,
    Pool,
    Precision,
    Precisions,
    Question,
    Speculation,
)
from planner.problem.workload import model as wire_model
from planner.software.serving import ServingProfile, default_serving_profile, serving_profile_of_run
from planner.specs import Accelerator, SpecLibrary
from planner.validation.layouts import UnanswerableError, why_not
from planner.validation.models import architecture_of_file
from planner.validation.request import Desk
from planner.validation.serving_fill import (
    DECODE_DEVICES,
    ContradictionError,
    Machine,
    Shape,
    attention_of_unstated,
    cache_format,
    instance_of,
    shape_of,
    weights_format,
)
from planner.validation.serving_measured import LATENCIES, Figure, figures
from planner.validation.serving_rows import PoolLayout, ServingRow

GBIT = 1e9 / 8.0
DEFAULT_OUTPUT = 128.0
ACCEPTANCE = 0.7
"""Chance that a drafted token is accepted, where a run with drafts does not say (DeepSeek-V3 reports 0.85 to
0.9 for its own layer, deployments plan with 0.7)."""
DOUBT_FRAMEWORK = 0.12
"""Standard deviation of ln(time) that an unnamed or unknown framework adds."""
DOUBT_PRECISION = 0.15
"""The same for a precision that a row does not state: the next one is up to 1.4 times as fast."""
DOUBT_LAYOUT = 0.15
"""Standard deviation of ln(time) that a layout filled in here adds: of 56 shipped rows without one, which no
fit saw, 80 % lie within 0.25 (runs under the tightest latency limits left out), with one within 0.14."""
_PEAKS = ("fp8", "int8", "fp4")


@dataclass(frozen=True)
class ServingReady:
    """A row ready to be predicted.

    Attributes:
        questions: "load" (a deployment under its load), or "prompts" and "tokens" where a batch runs alone.
        cluster, model: keys of the tables of `ServingDesk`.
        family: efficiency id of the chip.
        cards: of all pools.
        notes: what was filled in, and how.
    """

    row: ServingRow
    figures: tuple[Figure, ...]
    questions: Mapping[str, Question]
    cluster: str
    model: str
    software: ServingProfile
    family: str
    experts: bool
    cards: float
    notes: tuple[str, ...]

    @property
    def doubt(self) -> float:
        """Standard deviation of ln(time) that what the row leaves open adds."""
        row = self.row
        apart = row.phase == "disaggregated"
        unknown = serving_profile_of_run(row.framework, row.software_date) is None
        open_layout = not apart and row.tp is None and (row.dp or 1) == 1 and (row.ep or 1) == 1
        unsaid = row.precision is None and not any(name in (row.model or "").lower() for name in _PEAKS)
        return math.hypot(
            DOUBT_FRAMEWORK if unknown else 0.0,
            DOUBT_LAYOUT if open_layout else 0.0,
            DOUBT_PRECISION if unsaid else 0.0,
        )


class ServingDesk:
    """Turns rows into questions with one library; clusters and models stand in tables, once each."""

    def __init__(self, library: SpecLibrary, models: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """``models``: further models, in the format of the case file."""
        self.library = library
        self.clusters: dict[str, wire.Cluster] = {}
        self.models: dict[str, wire.Model] = {}
        self._own_models = models or {}
        self._unknown: dict[str, SpecError] = {}
        self._desk = Desk(library)
        self._architecture = lru_cache(maxsize=None)(self._find_model)
        self._hardware = lru_cache(maxsize=None)(self._find_hardware)

    def prepare(self, row: ServingRow) -> ServingReady:
        """The questions of a row.

        Raises:
            UnanswerableError: it cannot be predicted, with the reason.
        """
        found = figures(row)
        if not found:
            raise UnanswerableError(
                "nothing was measured that can be compared (token rates, TTFT, TPOT, latency)"
            )
        if row.model is None or (row.isl is None and not _cache_stated(row)):
            raise UnanswerableError(f"{'model' if row.model is None else 'isl'} is missing")
        try:
            shape = self._architecture(row.model)
            base, accelerator = self._hardware(self._hardware_name(row))
            questions, cards, notes, software = self._questions(row, shape, base, accelerator)
        except PlannerError as fault:
            raise UnanswerableError(why_not(fault)) from fault
        except ContradictionError as fault:
            raise UnanswerableError(str(fault)) from fault
        self.models.setdefault(shape.id, wire_model(shape))
        return ServingReady(
            row=row,
            figures=found,
            questions=questions,
            cluster=self._as_run(base, row),
            model=shape.id,
            software=software,
            family=accelerator.efficiency,
            experts=shape.moe is not None,
            cards=cards,
            notes=tuple(notes),
        )

    def _questions(
        self, row: ServingRow, shape: Architecture, base: wire.Cluster, accelerator: Accelerator
    ) -> tuple[dict[str, Question], float, list[str], ServingProfile]:
        notes: list[str] = []
        peaks = frozenset(key for key in _PEAKS if getattr(base.device.peak, key) is not None)
        software = self._profile(row, accelerator.vendor, notes)
        weights = weights_format(row, shape, peaks, notes)
        widened = (published_format(shape, weights) or weights) not in peaks and weights != "bf16"
        cache = cache_format(row, weights, software.cache, widened, notes)
        common: dict[str, Any] = {
            "lengths": _lengths(row, notes),
            "precisions": _precisions(weights, cache, peaks, shape, notes),
            "speculation": _speculation(row),
            "balanced_experts": row.balanced,
            "poll_steps": row.poll_steps or 1.0,
        }
        machine = Machine(
            devices_per_card=base.devices_per_card,
            server_devices=base.cards_per_server * base.devices_per_card,
            domain_devices=(row.scaleup_domain or base.domain_cards) * base.devices_per_card,
            memory=base.device.memory,
        )
        if row.phase == "disaggregated":
            question, devices = _apart(row, shape, machine, common, notes)
            return {"load": question}, devices / base.devices_per_card, notes, software
        layout, instances = instance_of(row, shape, machine, weights, notes)
        pool = Pool(instance=_instance(layout), instances=instances)
        cards = layout.devices * instances / base.devices_per_card
        return _together(row, layout, pool, software, common, notes), cards, notes, software

    def _profile(self, row: ServingRow, vendor: str, notes: list[str]) -> ServingProfile:
        found = serving_profile_of_run(row.framework, row.software_date, vendor)
        if found is None:
            found = default_serving_profile(vendor)
            notes.append(f"no profile of framework {row.framework!r}: {found.id}")
        return found

    def _hardware_name(self, row: ServingRow) -> str:
        variant = row.hardware_variant
        if variant and self.library.find("systems", variant) is not None:
            return variant
        return row.hardware

    def _find_model(self, name: str) -> Architecture:
        if name in self._unknown:
            raise self._unknown[name]
        try:
            return architecture(name)
        except SpecError as fault:
            if name in self._own_models:
                return architecture_of_file(self._own_models[name])
            self._unknown[name] = fault
            raise

    def _find_hardware(self, name: str) -> tuple[wire.Cluster, Accelerator]:
        system = self.library.system(self.library.resolve_hardware(name))
        accelerator = self.library.accelerator(system.accelerator)
        return self._desk.serving_hardware(system.id), accelerator

    def _as_run(self, hardware: wire.Cluster, row: ServingRow) -> str:
        """The cluster with the server, the scale-up domain and the network that the row states; its key."""
        stated = (row.cards_per_server, row.scaleup_domain, row.network_gbps_per_card)
        key = ":".join([hardware.system, *(str(value or "") for value in stated)])
        if key in self.clusters:
            return key
        devices = hardware.devices_per_card
        levels = hardware.levels
        if row.scaleup_domain is not None:
            size = row.scaleup_domain * devices
            beyond = [level for level in levels if level.size >= size]
            inner = tuple(level for level in levels if level.size < size)
            levels = inner + ((beyond[0].model_copy(update={"size": size}),) if beyond and size > 1 else ())
        fabric = hardware.fabrics[0].model_copy(update={"oversubscription": 1.0})
        if row.network_gbps_per_card is not None:
            fabric = fabric.model_copy(update={"bandwidth": row.network_gbps_per_card * GBIT / devices})
        server = row.cards_per_server or hardware.cards_per_server
        self.clusters[key] = hardware.model_copy(
            update={
                "levels": levels,
                "fabrics": (fabric,),
                "cards_per_server": server,
                "unit_cards": server,
                "domain_cards": row.scaleup_domain or hardware.domain_cards,
                "servers_per_rack": None,
                "max_cards": None,
            }
        )
        return key


def _instance(shape: Shape) -> Instance:
    return Instance(tp=shape.tp, dp=shape.dp, pp=shape.pp, ep=shape.ep, etp=shape.etp)


def _cache_stated(row: ServingRow) -> bool:
    """Whether the row is of outputs alone, at a known number of cached tokens: lengths do not matter then."""
    return row.phase == "decode" and row.kv_len_mean is not None


def _lengths(row: ServingRow, notes: list[str]) -> Lengths:
    """Means and spread; lengths drawn evenly from ``length_spread`` to 1 of the nominal."""
    low = row.length_spread or 1.0
    mean, spread = (1.0 + low) / 2.0, (1.0 - low) / math.sqrt(12.0) / ((1.0 + low) / 2.0)
    if row.kv_len_mean is not None and _cache_stated(row):
        return Lengths(input=row.kv_len_mean, output=2.0)
    assert row.isl is not None
    output = row.osl
    if output is None:
        output = DEFAULT_OUTPUT
        if row.phase in ("mixed", "disaggregated") and figures(row)[0].quantity in ("throughput", "latency"):
            raise ContradictionError("osl is missing, and the figure is of whole outputs")
        if row.phase != "prefill":
            notes.append(f"osl not given: {output:g}")
    return Lengths(
        input=max(row.isl * mean, 1.0),
        input_spread=spread,
        output=max(output * mean, 1.0),
        output_spread=spread,
    )


def published_format(shape: Architecture, weights: str) -> str | None:
    """Format of experts that are published narrower than the rest, where a row names a narrow format."""
    return shape.expert_format if weights in {"fp8", "fp4"} else None


def _precisions(
    weights: str, cache: str, peaks: frozenset[str], shape: Architecture, notes: list[str]
) -> Precisions:
    """Products at the weights' width where the chip computes with it, else at 16 bits.

    Experts that are published in a narrow format stay in it, whatever narrow format a row calls the whole by,
    and all else stays at 16 bits.
    """
    published = published_format(shape, weights)
    weights = published or weights
    products = weights if weights in peaks else "bf16"
    if products != weights:
        notes.append(f"{weights} weights, products at 16 bits")
    whole = Precisions.of(cast(Format, weights), cast(Precision, products), cast(Format, cache))
    if published is None:
        return whole
    notes.append(f"experts in {published} as published, everything else at 16 bits")
    rest = {"attention_weights": "bf16", "dense_weights": "bf16"}
    return whole.model_copy(
        update={**rest, "attention_products": "bf16", "dense_products": "bf16", "expert_products": "bf16"}
    )


def _speculation(row: ServingRow) -> Speculation | None:
    if not row.mtp_tokens:
        return None
    acceptance = ACCEPTANCE if row.acceptance is None else row.acceptance
    return Speculation(drafted=row.mtp_tokens, acceptance=acceptance)


def _together(  # noqa: PLR0917
    row: ServingRow,
    layout: Shape,
    pool: Pool,
    software: ServingProfile,
    common: Mapping[str, Any],
    notes: list[str],
) -> dict[str, Question]:
    """Questions of a row with one pool."""
    per_instance = None if row.in_flight is None else row.in_flight / pool.instances
    if row.fixed_batch and per_instance is not None:
        batch = Batch(sequences=per_instance)
        return {
            "prompts": Question(mode="prefill", pool=pool, load=batch, **common),
            "tokens": Question(mode="decode", pool=pool, load=batch, **common),
        }
    if row.phase == "prefill":
        lengths: Lengths = common["lengths"]
        prompts = software.token_budget * layout.dp / lengths.input
        if per_instance is not None:
            prompts = min(prompts, per_instance)
        return {
            "load": Question(mode="prefill", pool=pool, load=Batch(sequences=max(prompts, 1.0)), **common)
        }
    mode = "decode" if row.phase == "decode" else "aggregated"
    if per_instance is None or row.in_flight is None:
        if figures(row)[0].quantity in LATENCIES:
            raise ContradictionError("concurrency is missing, and how long a request takes depends on it")
        notes.append("concurrency not given: as many as fit")
        return {"load": Question(mode=mode, pool=pool, load=Full(), run_requests=row.requests, **common)}
    load: Batch | Concurrency = Concurrency(requests=row.in_flight)
    if mode == "decode":
        load = Batch(sequences=per_instance)
    return {"load": Question(mode=mode, pool=pool, load=load, run_requests=row.requests, **common)}


def _apart(
    row: ServingRow, shape: Architecture, machine: Machine, common: Mapping[str, Any], notes: list[str]
) -> tuple[Question, int]:
    """The question of a row with pools apart, and the devices of both."""
    if row.in_flight is None:
        raise ContradictionError("concurrency is missing")
    pools = []
    for name, layout, whole in (
        ("prefill", row.prefill_pool or PoolLayout(), 1),
        ("decode", row.decode_pool or PoolLayout(), DECODE_DEVICES),
    ):
        if layout.tp is None and layout.dp is None:
            raise ContradictionError(f"the layout of the {name} pool is missing")
        apart = name == "decode" and shape.moe is not None
        used = attention_of_unstated(row, layout, notes) if apart else layout
        found, replicas = shape_of(used, shape, machine, 1, None, notes)
        usual = max(1, whole // found.devices)
        if layout.workers is None:
            notes.append(f"{name} instances not given: {usual}")
        instances = (layout.workers or usual) * replicas
        most = layout.limit * found.dp if layout.limit else None
        pools.append(Pool(instance=_instance(found), instances=instances, batch=most))
    prefill, decode = pools
    if row.recipe:
        notes.append(row.recipe)
    if shape.moe is not None and row.mtp_tokens is None:
        notes.append("drafted tokens not given: none")
    devices = sum(_devices(pool) for pool in pools)
    question = Question(
        mode="disaggregated",
        pool=decode,
        prefill=prefill,
        load=Concurrency(requests=row.in_flight),
        run_requests=row.requests,
        **common,
    )
    return question, devices


def _devices(pool: Pool) -> int:
    layout = pool.instance
    return layout.tp * layout.dp * layout.pp * pool.instances
