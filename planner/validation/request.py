"""From a row of a case file to what the core is asked: hardware, model, software and layout as in a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from planner.architectures import Architecture
from planner.architectures.library import architecture, known_names
from planner.errors import PlannerError, SpecError
from planner.problem import wire
from planner.problem.evidence import Figure, FigureKey
from planner.problem.figures import Figures
from planner.problem.hardware import Alternative, Hall, cluster
from planner.problem.workload import model as wire_model
from planner.problem.workload import software as wire_software
from planner.scenario.schema import Hardware
from planner.scenario.site import SiteChoice
from planner.software import SoftwareProfile, default_profile, profile_of_run
from planner.software import profile as profile_called
from planner.software.age import on_young_chip, usual_date, years_between
from planner.specs import Efficiency, SpecLibrary
from planner.validation.layouts import UnanswerableError, layouts, why_not
from planner.validation.measured import Measure, measure
from planner.validation.models import architecture_of_file, bare_name
from planner.validation.open_fields import doubt
from planner.validation.rows import Row

SITE = "virginia"
"""Where the runs are put; power and price do not enter the step time."""
GBIT = 1e9 / 8.0
OVERLAPS = ("tp_overlap", "dp_overlap", "fsdp_overlap", "ep_overlap", "pp_overlap", "cp_overlap")


GENERIC = "generic"
"""Profile of runs whose framework is unknown, where the chip's own default is tuned software."""
KNOWN_RECOMPUTE = ("none", "attention", "selective", "full")
KNOWN_SCHEDULES = ("1f1b", "zero-bubble", "dualpipe")


@dataclass(frozen=True)
class Ready:
    """A row ready to be predicted.

    Attributes:
        request: what the core is asked.
        card_peak: FLOP/s per card at the precision.
        notes: layout fields that were filled in, and how.
        tools: the software's figures on a chip long known.
        age: years that the chip was on the market; None: not known.
    """

    row: Row
    request: wire.EvaluateRequest
    measure: Measure
    efficiency: Efficiency
    software: SoftwareProfile
    system: str
    accelerator: str
    experts: bool
    card_peak: float
    devices_per_card: int
    notes: tuple[str, ...]
    tools: wire.Software
    age: float | None
    contradicts: bool = False
    """The row's layout cannot have run as printed and was read otherwise."""

    @property
    def doubt(self) -> float:
        """Standard deviation of ln(time) for what the row leaves open, beside that of chip and software."""
        known = self.row.software is not None or profile_of_run(self.row.framework) is not None
        return doubt(self.row, known=known, experts=self.experts, otherwise=self.contradicts)


class Desk:
    """Turns rows into requests with one library; clusters and models are built once."""

    def __init__(self, library: SpecLibrary, models: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """``models``: further models, in the format of the case file."""
        self.library = library
        self._models = models or {}
        site = library.site(SITE)
        hall = Hall(site, SiteChoice(id=SITE), library.part(f"facility-{site.country.lower()}"))
        self._hall = hall
        self._cluster = lru_cache(maxsize=None)(lambda system, precision: self._build(system, precision)[:2])
        self._architecture = lru_cache(maxsize=None)(self._find_model)

    def prepare(self, row: Row) -> Iterator[Ready]:
        """The candidates for a row: one, or several where layout fields are null (the caller takes the
        fastest
        that fits).

        Raises:
            UnanswerableError: the row cannot be predicted, with the reason.
        """
        for key in ("cards", "model", "seq_len", "global_batch"):
            if getattr(row, key) is None:
                raise UnanswerableError(f"{key} is missing")
        if row.recompute is not None and row.recompute not in KNOWN_RECOMPUTE:
            raise UnanswerableError(
                f"recompute {row.recompute!r} is not known ({', '.join(KNOWN_RECOMPUTE)})"
            )
        if row.schedule is not None and row.schedule not in KNOWN_SCHEDULES:
            raise UnanswerableError(f"schedule {row.schedule!r} is not known ({', '.join(KNOWN_SCHEDULES)})")
        if isinstance(row.sharding, str):
            raise UnanswerableError(f"sharding {row.sharding!r} is not known (0 to 3, ddp, zero-1, fsdp ...)")
        found = measure(row)
        if found is None:
            raise UnanswerableError(
                "nothing was measured that can be compared (time, tokens/s, FLOP/s or MFU)"
            )
        notes: list[str] = []
        precision = self._precision(row, notes)
        if row.precision is None and precision == "fp4":
            row = row.model_copy(update={"block_scaled": True})
        try:
            shape = self._architecture(row.model)
            system = self.library.resolve_hardware(self._hardware_name(row))
            hardware, efficiency = self._cluster(system, precision)
        except PlannerError as fault:
            raise UnanswerableError(why_not(fault)) from fault
        date = self._date(row, system, notes)
        if shape.mtp_layers and "w/o MTP" in (row.note or ""):
            shape = shape.model_copy(update={"mtp_layers": 0})
        profile = self._profile(row, date, hardware.accelerator, notes)
        fitted = _as_measured(hardware, row)
        tools = wire_software(profile, shape, precision, Figures(self.library), row.block_scaled)
        if "overlap paths off" in (row.metric_definition or "").lower():
            tools = tools.model_copy(update=dict.fromkeys(OVERLAPS, 0.0))
            notes.append("overlap of traffic switched off, as the row says")
        if _evenly_routed(row):
            # Benchmarks that force the router to spread tokens evenly leave no expert waiting.
            tools = tools.model_copy(update={"imbalance_exponent": 0.0})
        age = years_between(self._released(system), date)
        young = on_young_chip(tools.model_dump(), profile.immaturity.value, age)
        peak = getattr(hardware.device.peak, precision) or 0.0
        found = measure(row, peak * hardware.devices_per_card) or found
        for layout, filled in layouts(row, shape, profile, hardware.devices_per_card):
            yield Ready(
                row=row,
                request=_request(
                    row,
                    self._power_cap(row, system),
                    precision,
                    wire_model(shape),
                    wire.Software.model_validate(young),
                    profile,
                    fitted,
                    layout,
                ),
                tools=tools,
                age=age,
                measure=found,
                efficiency=efficiency,
                software=profile,
                system=system,
                accelerator=hardware.accelerator,
                experts=shape.moe is not None,
                card_peak=peak * hardware.devices_per_card,
                devices_per_card=hardware.devices_per_card,
                notes=(*notes, *filled),
            )

    def serving_hardware(self, system: str) -> wire.Cluster:
        """The cluster of a system with every peak that its cards have, as the serving model sees it.

        Raises:
            PlannerError: a figure that timing needs is missing.
        """
        return self._cluster(system, ("bf16", "fp8", "int8", "fp4"))[0]

    def figures(self, system: str, precision: str) -> tuple[Figure, ...]:
        """Every figure that the cluster of a system rests on."""
        return self._build(system, precision)[2].used

    def redrawn(self, ready: Ready, values: Mapping[FigureKey, float]) -> Ready:
        """The same row with other values of its hardware's figures."""
        problem = ready.request.problem
        changed, _, _ = self._build(ready.system, problem.training.precision, values)
        # Shares of peak are fitted, not drawn; a caller may have put others in.
        device = changed.device.model_copy(update={"efficiency": problem.clusters[0].device.efficiency})
        fitted = _as_measured(changed.model_copy(update={"device": device}), ready.row)
        request = ready.request.model_copy(
            update={"problem": problem.model_copy(update={"clusters": (fitted,)})}
        )
        return replace(ready, request=request)

    def _hardware_name(self, row: Row) -> str:
        """The variant where the library knows it (a server or a bin), else the hardware."""
        variant = row.hardware_variant
        if variant and self.library.find("systems", variant) is not None:
            return variant
        return row.hardware

    def _power_cap(self, row: Row, system_id: str) -> float:
        """The share of board power that the row's cards were limited to; 1 where it states no limit."""
        if row.power_limit_watts is None:
            return 1.0
        card = self.library.accelerator(self.library.system(system_id).accelerator)
        if card.power.tdp is None:
            raise UnanswerableError("a power limit is given, but nobody published the card's board power")
        return min(row.power_limit_watts / card.power.tdp.value, 1.0)

    def _released(self, system_id: str) -> str | None:
        system = self.library.system(system_id)
        return self.library.accelerator(system.accelerator).released or system.released

    def _date(self, row: Row, system: str, notes: list[str]) -> str | None:
        """The date of the row's software; the usual one of runs on its chip where it gives none."""
        if row.software_date is not None:
            return row.software_date
        date = usual_date(self._released(system))
        notes.append(f"software_date not given: {date or 'unknown'}, as usual on this chip")
        return date

    def _find_model(self, name: str) -> Architecture:
        try:
            return architecture(name)
        except SpecError:
            if name in self._models:
                return architecture_of_file(self._models[name])
            alike = {known for known in known_names() if bare_name(known) == bare_name(name)}
            if not alike:
                raise
        return architecture(min(alike, key=lambda known: (len(known), known)))

    def _precision(self, row: Row, notes: list[str]) -> str:
        if row.precision is None:
            found = profile_of_run(row.framework, row.software_date)
            wanted: list[str] = [found.precision] if found else []
            if found and found.fp4_since and (row.software_date or "") >= found.fp4_since:
                wanted.insert(0, "fp4")
            chosen = next((name for name in wanted if name == "bf16" or self._has_peak(row, name)), "bf16")
            notes.append(f"precision not given: {chosen}")
            return chosen
        if row.precision not in ("bf16", "fp8", "fp4"):
            raise UnanswerableError(
                f"precision {row.precision!r} is not predicted (bf16, fp16, fp8 and fp4 are)"
            )
        return row.precision

    def _has_peak(self, row: Row, precision: str) -> bool:
        try:
            system = self.library.system(self.library.resolve_hardware(self._hardware_name(row)))
        except PlannerError:
            return False
        return getattr(self.library.accelerator(system.accelerator).peak, precision) is not None

    def _profile(self, row: Row, date: str | None, accelerator: str, notes: list[str]) -> SoftwareProfile:
        if row.software is not None:
            try:
                return profile_called(row.software)
            except SpecError as fault:
                raise UnanswerableError(f"{fault.message} ({fault.hint})") from fault
        found = profile_of_run(row.framework, date)
        if found is not None and found.tuning == "default" and "communication overlap on" in (row.note or ""):
            tuned = profile_of_run("nemo", date)
            found = found if tuned is None or row.framework != "megatron-lm" else tuned
        if found is not None and found.covers("mindspeed-llm", None) and _before_megatron_core(row):
            found = profile_of_run(f"{row.framework}-legacy", date) or found
            notes.append(f"software by the path of its script: {found.id}")
        if "Megatron-LM baseline" in (row.note or ""):
            found = profile_of_run("megatron-lm", date) or found
        if found is None:
            found = default_profile(self.library.accelerator(accelerator).vendor)
            if found.tuning == "tuned":
                # Nobody says that this run was tuned; tuned figures would be too fast for it.
                found = profile_called(GENERIC)
            said = "not given" if row.framework is None else f"{row.framework!r} has no profile"
            notes.append(f"framework {said}: {found.id}, with a wider band")
        return found

    def _build(
        self,
        system_id: str,
        precision: str | tuple[str, ...],
        values: Mapping[FigureKey, float] | None = None,
    ) -> tuple[wire.Cluster, Efficiency, Figures]:
        hall = self._hall
        system = self.library.system(system_id)
        accelerator = self.library.accelerator(system.accelerator)
        efficiency = self.library.efficiency(accelerator.efficiency)
        item = Alternative(
            index=0,
            system=system,
            accelerator=accelerator,
            efficiency=efficiency,
            fabrics=(self.library.fabric(system.scale_out.fabric),),
            coolings=(next(iter(system.cooling)),)
            if system.cooling[0] in hall.site.cooling
            else ("contained-air",),
        )
        figures = Figures(self.library, values)
        built = cluster(item, hall, Hardware(systems=(system_id,)), precision, figures, offloads=True)
        if any(key.key.startswith(("host.", "links.host")) for key in figures.missing):
            unknown = built.device.model_copy(update={"host_memory": None, "host_bandwidth": None})
            built = built.model_copy(update={"device": unknown})
        needed = [
            missing.label
            for key, missing in figures.missing.items()
            if key.key.startswith(
                ("peak.", "memory.", "levels", "scale_out.", "matmul.", "latency", "port_rate")
            )
        ]
        if needed:
            raise SpecError(f"nobody published the {', '.join(needed)}")
        return built, efficiency, figures


EVENLY = ("forced balance", "force-balance", "force load balanc", "forced to be even", "balanced routing")
"""What rows say where the router was made to spread tokens evenly."""


def _evenly_routed(row: Row) -> bool:
    """Whether a row says that its router was made to spread tokens evenly."""
    said = f"{row.metric_definition or ''} {row.note or ''}".lower()
    return "balance" in (row.metric_definition or "").lower() or any(words in said for words in EVENLY)


def _before_megatron_core(row: Row) -> bool:
    """Whether a row of MindSpeed-LLM that names no profile ran a script of its older back end.

    The source marks each row "Legacy" or "Mcore"; scripts of the latter stand in ``examples/mcore``.
    """
    table = row.source_table or ""
    return "script examples/" in table and "script examples/mcore/" not in table


def _as_measured(hardware: wire.Cluster, row: Row) -> wire.Cluster:
    """The cluster with the server, the scale-up domain and the network that the row "
    "states, without any limit."""
    devices = hardware.devices_per_card
    levels = hardware.levels
    if row.scaleup_domain is not None:
        size = row.scaleup_domain * devices
        inner = tuple(level for level in levels if level.size < size)
        beyond = [level for level in levels if level.size >= size]
        levels = inner + ((beyond[0].model_copy(update={"size": size}),) if beyond and size > 1 else ())
    fabric = hardware.fabrics[0].model_copy(update={"oversubscription": 1.0})
    if row.compute_gbps_per_card is not None:
        fabric = fabric.model_copy(update={"bandwidth": row.compute_gbps_per_card * GBIT / devices})
    return hardware.model_copy(
        update={
            "levels": levels,
            "fabrics": (fabric,),
            "cards_per_server": row.cards_per_server or hardware.cards_per_server,
            "unit_cards": row.cards_per_server or hardware.cards_per_server,
            "domain_cards": row.scaleup_domain or hardware.domain_cards,
            "servers_per_rack": None,
            "max_cards": None,
        }
    )


def _request(  # noqa: PLR0917
    row: Row,
    power_cap: float,
    precision: str,
    model: wire.Model,
    tools: wire.Software,
    profile: SoftwareProfile,
    hardware: wire.Cluster,
    layout: wire.LayoutOfDesign,
) -> wire.EvaluateRequest:
    one = (1,)
    problem = wire.Request(
        model=model,
        training=wire.Training(
            tokens=1e12,
            sequence=row.seq_len or 1,
            global_batch=row.global_batch or 1,
            batch_tolerance=0.5,
            precision=precision,
            weight_bytes=2.0,
            gradient_bytes=float(row.gradient_bytes or profile.gradient_bytes),
            optimizer_bytes=12.0,
        ),
        software=tools,
        target=wire.Target(days=None, tokens_per_second=None),
        limits=wire.Limits(
            cards_min=1,
            cards_max=1_000_000,
            facility_watts=None,
            it_watts=None,
            nameplate_watts=None,
            racks=None,
            capex_usd=None,
        ),
        clusters=(hardware,),
        site=wire.Site(tariff_usd_per_kwh=0.1, carbon_kg_per_kwh=0.5),
        economics=wire.Economics(maintenance_share=0.03, depreciation_years=5.0, building_years=15.0),
        reliability=wire.Reliability(
            checkpoint_bytes_per_second=1e11,
            checkpoint_stall_seconds=1.0,
            recovery_seconds=600.0,
            checkpoint_bytes_per_parameter=14.0,
        ),
        space=wire.Space(
            tp=one,
            pp=one,
            vpp=one,
            cp=one,
            ep=one,
            etp=("one",),
            dp=None,
            micro_batch=one,
            recompute=("none",),
            sharding=one,
            sequence_parallel=(True,),
        ),
        search=wire.Search(objective="days", front=(), time_limit_seconds=None, threads=None),
    )
    choice = wire.DesignChoice(cluster=0, fabric=0, cooling=0, power_cap=power_cap, cards=None, layout=layout)
    return wire.EvaluateRequest(problem=problem, design=choice)
