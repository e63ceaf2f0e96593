"""From a scenario of a service and the spec library to the problem that the core answers (``service/1``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from planner.architectures import Architecture
from planner.errors import ScenarioError
from planner.problem import serving_tools, serving_wire, wire
from planner.problem.alternatives import Calibration
from planner.problem.build import _Builder
from planner.problem.evidence import Figure, FigureKey, Scope, leading_estimates, refuse_estimates
from planner.problem.figures import Figures
from planner.problem.halls import chain_spec, hall_specs, rack_ceiling, side_networks, storage_spec
from planner.problem.hardware import Hall
from planner.problem.service_notes import taken_unasked
from planner.problem.trace import Trace, read_trace
from planner.problem.workload import model
from planner.scenario.service import (
    GenericWorkload,
    LatencyChoice,
    PrecisionChoice,
    ServiceScenario,
    ServingWorkload,
)
from planner.software.serving import ServingProfile, default_serving_profile, serving_profile
from planner.specs import SpecLibrary, System

LARGEST_EXPERT_GROUP = 320
"""Data-parallel ranks that the default space looks at: the largest that was published (CloudMatrix)."""

SERVICE_CAVEATS = (
    "racks are packed for cards that draw as in training; power, energy and cost are those of the load",
)
"""What every answer about a service rests on beside its figures."""


@dataclass(frozen=True)
class ServiceProblem:
    """A resolved question about a service; attributes as of `planner.problem.build.Problem`."""

    scenario: ServiceScenario
    library: SpecLibrary
    request: serving_wire.ServiceRequest
    figures: tuple[Figure, ...]
    architecture: Architecture | None
    softwares: tuple[ServingProfile, ...]
    calibrations: tuple[Calibration, ...]
    dropped_axes: tuple[str, ...]
    missing_prices: tuple[str, ...]
    notes: tuple[str, ...]
    spec_hashes: Mapping[str, str]
    mean_rate: float | None
    """Requests per second on the mean; the request holds the peak."""

    @property
    def hash(self) -> str:
        """``problem_hash``."""
        return self.request.hash

    def estimates(self, cluster: int, fabric: str, cooling: str) -> tuple[Figure, ...]:
        """Estimates in timing, power and failures on which a design with these choices rests."""
        return leading_estimates([f for f in self.figures if f.used_by(cluster, fabric, cooling)])


def build_service(
    scenario: ServiceScenario,
    library: SpecLibrary,
    figures: Mapping[FigureKey, float] | None = None,
    no_estimates: bool = False,
) -> ServiceProblem:
    """Resolve names, gather figures and state the problem in SI numbers; arguments as of `build`.

    Raises:
        ScenarioError: unknown names, or wishes that contradict the model, the hardware or the site.
        MissingFigureError: figures are not known (all of them are listed), or estimates are not wanted.
        SpecError: a spec file cannot be used.
    """
    return _ServiceBuilder(scenario, Figures(library, figures)).service(no_estimates)


class _ServiceBuilder(_Builder):
    scenario: ServiceScenario

    def service(self, no_estimates: bool) -> ServiceProblem:
        scenario, figures, workload = self.scenario, self.figures, self.scenario.workload
        self.notes += SERVICE_CAVEATS
        trace = self._trace()
        architecture = self._served_architecture(trace) if isinstance(workload, ServingWorkload) else None
        systems = self._systems()
        profiles = [self._serving_profile(system) for system in systems]
        site = self._named("site.id", lambda: self.library.site(scenario.site.id))
        self._housed(site)
        scenario = self.scenario
        hall = Hall(site, scenario.site, self._facility(site))
        clusters, calibrations = self._clusters(systems, hall)
        self._refuse_unknown_precisions(clusters)
        self.notes += taken_unasked(workload)
        tools, families = [], []
        for index, (profile, system) in enumerate(zip(profiles, systems, strict=True)):
            with figures.scope(Scope(cluster=index)):
                tools.append(serving_tools.software(profile, figures))
                card = self.library.accelerator(system.accelerator)
                families.append(serving_tools.family(card.efficiency, figures))
        constants = serving_tools.constants(figures)
        limits = self._limits(systems, site, hall.facility)
        availability = self._availability()
        economics = self._economics(hall.facility)
        prices = self._site(site, hall.facility)
        chain = chain_spec(scenario.site, figures.of("parts", hall.facility))
        rack = rack_ceiling(scenario.site.hall, figures.of("parts", hall.facility))
        halls = hall_specs(scenario.site.hall, figures.of("parts", hall.facility))
        side = side_networks(hall.facility, figures)
        # Weights and logs: as many storage servers as copies need.
        stored = storage_spec(hall.facility, figures, 0.0, rate_given=False, training=False)
        reliability = self._service_recovery()
        figures.refuse_missing()
        figures.refuse_unknown_overrides()
        front, dropped = self._front()
        mean, peak = self._rates(trace)
        request = serving_wire.ServiceRequest(
            served=self._served(architecture, trace),
            constants=constants,
            target=self._target((mean, peak), availability),
            limits=limits,
            rack=rack,
            halls=halls,
            side_networks=side,
            storage=stored,
            chain=chain,
            clusters=clusters,
            software=tuple(tools),
            families=tuple(families),
            site=prices,
            economics=economics,
            reliability=reliability,
            space=self._space(architecture, clusters),
            search=serving_wire.ServiceSearch(
                objective=scenario.objective,
                front=front,
                threads=scenario.search.threads,
                seed=scenario.search.seed,
                traffic=self._traffic(trace),
                time_limit_seconds=scenario.search.time_limit,
            ),
        )
        if no_estimates:
            refuse_estimates(figures.used)
        return ServiceProblem(
            scenario=scenario,
            library=self.library,
            request=request,
            figures=figures.used,
            architecture=architecture,
            softwares=tuple(profiles),
            calibrations=calibrations,
            dropped_axes=dropped,
            missing_prices=figures.missing_prices,
            notes=tuple(self.notes),
            spec_hashes=figures.spec_hashes,
            mean_rate=mean,
        )

    def _trace(self) -> Trace | None:
        workload = self.scenario.workload
        assert isinstance(workload, ServingWorkload | GenericWorkload)
        name = workload.trace
        if name is None:
            return None
        file = self.scenario.origin.file
        path = Path(name)
        if not path.is_absolute() and file is not None:
            path = Path(file).parent / path
        try:
            return read_trace(path, workload.peak_window, lengths=isinstance(workload, ServingWorkload))
        except ScenarioError as fault:
            raise self.scenario.origin.error(
                "workload.trace", f"{name}: {fault.message}", fault.hint
            ) from fault

    def _served_architecture(self, trace: Trace | None) -> Architecture:
        found = self._shape()
        longest, asked = found.max_positions, self._longest(trace)
        if longest is not None and sum(asked) > longest:
            key = "workload.input_tokens" if trace is None else "workload.trace"
            words = (
                f"{asked[0]:,.0f} tokens in and {asked[1]:,.0f} out are"
                if trace is None
                else (f"its longest request of {sum(asked):,.0f} tokens is")
            )
            raise self.scenario.origin.error(
                key,
                f"{words} longer than the {longest:,} positions of {found.id}",
                "shorten them, or take a model with a longer context",
            )
        return found

    def _longest(self, trace: Trace | None) -> tuple[float, float]:
        """Tokens in and out of the longest request that is known: of the mean where only that is."""
        workload = self.scenario.workload
        assert isinstance(workload, ServingWorkload)
        if trace is not None:
            return trace.longest, 0.0
        assert workload.input_tokens is not None
        assert workload.output_tokens is not None
        return workload.input_tokens.longest, workload.output_tokens.longest

    def _traffic(self, trace: Trace | None) -> serving_wire.Traffic | None:
        """What the simulation replays or draws beyond means and spreads."""
        workload = self.scenario.workload
        if trace is not None:
            # Checked when it was read; the numbers may be many.
            replay = serving_wire.Replay.model_construct(
                arrivals=trace.arrivals,
                inputs=trace.inputs,
                outputs=trace.outputs,
                peak_rate=trace.peak_rate,
            )
            return serving_wire.Traffic(replay=replay)
        if isinstance(workload, GenericWorkload):
            return None
        input_, output = (
            () if length is None or length.histogram is None else length.histogram
            for length in (workload.input_tokens, workload.output_tokens)
        )
        return serving_wire.Traffic(input=input_, output=output) if input_ or output else None

    def _lengths(self, trace: Trace | None) -> serving_wire.Lengths:
        workload = self.scenario.workload
        assert isinstance(workload, ServingWorkload)
        if trace is not None:
            return serving_wire.Lengths(
                input=trace.input_mean,
                input_spread=trace.input_spread,
                output=trace.output_mean,
                output_spread=trace.output_spread,
                prefix_hit=workload.prefix_hit,
            )
        assert workload.input_tokens is not None
        assert workload.output_tokens is not None
        (mean_in, spread_in), (mean_out, spread_out) = (
            workload.input_tokens.moments,
            workload.output_tokens.moments,
        )
        return serving_wire.Lengths(
            input=mean_in,
            input_spread=spread_in,
            output=mean_out,
            output_spread=spread_out,
            prefix_hit=workload.prefix_hit,
        )

    def _serving_profile(self, system: System) -> ServingProfile:
        """The profile asked for, else the usual one of the card's vendor."""
        name = self.scenario.workload.software
        if name is not None:
            return self._named("workload.software", lambda: serving_profile(name))
        return default_serving_profile(self.library.accelerator(system.accelerator).vendor)

    def _precision(self) -> str | tuple[str, ...]:
        workload = self.scenario.workload
        if isinstance(workload, GenericWorkload):
            return (workload.precision,)
        products = {str(_precisions(choice).dense_products) for choice in workload.precisions}
        return ("bf16", *sorted(products - {"bf16"}))

    def _refuse_unknown_precisions(self, clusters: Sequence[wire.Cluster]) -> None:
        """Formats that a chip cannot compute are left out on it; where none is left on any, it is a slip."""
        workload = self.scenario.workload
        key = "workload.precisions"
        if isinstance(workload, GenericWorkload):
            key, wanted = "workload.precision", [{workload.precision}]
        else:
            wanted = [{_precisions(choice).dense_products} for choice in workload.precisions]
        unknown = []
        for precisions in wanted:
            lacking = [
                item.accelerator
                for item in clusters
                if not all(getattr(item.device.peak, name) for name in precisions)
            ]
            name = ", ".join(sorted(precisions))
            if len(lacking) == len(clusters):
                unknown.append(name)
            self.notes += [f"{chip} has no {name} peak: not considered with it" for chip in lacking]
        if len(unknown) == len(wanted):
            self._refuse_precisions(key, unknown, clusters)

    def _refuse_precisions(
        self, key: str, names: Sequence[str], clusters: Sequence[wire.Cluster]
    ) -> NoReturn:
        cards = [self.library.accelerator(item.accelerator) for item in clusters]
        known = [
            each for each in ("bf16", "fp8", "int8", "fp4") if any(getattr(card.peak, each) for card in cards)
        ]
        first = names[0]
        raise self.scenario.origin.error(
            key,
            f"{', '.join(dict.fromkeys(card.id for card in cards))} has no {', '.join(names)} peak",
            f"known there: {', '.join(known)}; or weights in {first} with 16-bit products: "
            '{ weights = "' + first + '", activations = "bf16" }',
        )

    def _rates(self, trace: Trace | None) -> tuple[float | None, float | None]:
        """Mean and peak requests per second, headroom in the peak."""
        target, workload = self.scenario.target, self.scenario.workload
        mean, peak = target.requests_per_second, None
        if trace is not None:
            peak = trace.peak_rate if mean is None else mean * trace.peak_rate / trace.mean_rate
            mean = trace.mean_rate if mean is None else mean
            tokens = (
                f"; input {trace.input_mean:,.0f} (spread {trace.input_spread:.2f}), "
                f"output {trace.output_mean:,.0f} (spread {trace.output_spread:.2f}) tokens"
            )
            self.notes.append(
                f"trace: {trace.count:,} requests, {trace.mean_rate:.3g}/s on the mean, "
                f"{trace.peak_rate:.3g}/s in the busiest window, gaps with spread {trace.gap_spread:.2f} "
                f"(Poisson: 1){tokens if trace.inputs else ''}; the service is sized for the busiest window "
                "with the headroom asked for, and the trace is replayed at that load"
            )
        if target.tokens_per_second is not None and isinstance(workload, ServingWorkload):
            mean = target.tokens_per_second / self._lengths(trace).output
        if mean is None:
            return None, None
        peak = (peak or mean * workload.peak_over_mean) * (1.0 + target.headroom)
        return mean, peak

    def _availability(self) -> serving_wire.Availability | None:
        """What is asked, with the time from a failure until the instance is back."""
        share, known = self.scenario.target.availability, self.scenario.reliability
        if share is None:
            return None
        sheet = self.figures.of("parts", self.library.part("reliability"))
        repair = known.repair or sheet.need("repair", "reliability", "time to repair a server")
        restart = known.restart or sheet.need("restart", "reliability", "time to restart")
        return serving_wire.Availability(share=share, repair_seconds=repair + restart)

    def _target(
        self, rates: tuple[float | None, float | None], availability: serving_wire.Availability | None
    ) -> serving_wire.ServiceTarget:
        mean, peak = rates
        target = self.scenario.target
        first = target.latency if isinstance(self.scenario.workload, GenericWorkload) else target.ttft
        wanted = self.scenario.objective != "throughput" or self.scenario.target.any
        return serving_wire.ServiceTarget(
            requests_per_second=peak if wanted else None,
            mean_requests_per_second=mean,
            ttft=_latency(first),
            tpot=_latency(target.tpot) if self._goes_on() else None,
            tokens_per_second_per_card=target.tokens_per_second_per_card,
            offline=target.tokens_per_second is not None,
            spare_instances=target.spare_instances,
            availability=availability,
        )

    def _goes_on(self) -> bool:
        """Whether any answer has a second token: time per token after the first means nothing without one."""
        workload = self.scenario.workload
        if not isinstance(workload, ServingWorkload) or workload.output_tokens is None:
            return True
        if workload.output_tokens.longest > 1:
            return True
        if self.scenario.target.tpot is not None:
            self.notes.append("answers are of one token: target.tpot limits nothing")
        return False

    def _served(
        self, architecture: Architecture | None, trace: Trace | None
    ) -> serving_wire.ServedModel | serving_wire.ServedItem:
        workload = self.scenario.workload
        if isinstance(workload, GenericWorkload):
            return serving_wire.ServedItem(
                item=serving_wire.GenericItem(
                    flops=workload.flops,
                    bytes=workload.bytes,
                    memory=workload.memory,
                    weights=workload.weights,
                    precision=workload.precision,
                    most_batch=workload.most_batch,
                )
            )
        assert architecture is not None
        draft = workload.speculation
        return serving_wire.ServedModel(
            model=model(architecture),
            lengths=self._lengths(trace),
            precisions=tuple(_precisions(choice) for choice in workload.precisions),
            speculation=None if draft is None else serving_wire.Speculation(**draft.model_dump()),
            balanced_experts=workload.balanced_experts,
        )

    def _service_recovery(self) -> wire.Reliability:
        """A service saves no checkpoints; the plant's account of them is not used."""
        return wire.Reliability(
            checkpoint_bytes_per_second=1e12,
            checkpoint_stall_seconds=0.0,
            recovery_seconds=0.0,
            checkpoint_bytes_per_parameter=0.0,
        )

    def _space(
        self, architecture: Architecture | None, clusters: Sequence[wire.Cluster]
    ) -> serving_wire.ServiceSpace:
        choice = self.scenario.layout
        if architecture is None:
            return serving_wire.ServiceSpace(tp=(1,), dp=(1,), pp=(1,), ep=(1,), modes=("aggregated",))
        return serving_wire.ServiceSpace(
            tp=choice.tp or tensor_degrees(architecture, clusters),
            dp=choice.dp or data_degrees(architecture),
            pp=choice.pp or pipeline_degrees(architecture),
            ep=choice.ep,
            modes=choice.mode or ("aggregated", "disaggregated"),
            most_batch=choice.batch,
        )


def tensor_degrees(architecture: Architecture, clusters: Sequence[wire.Cluster]) -> tuple[int, ...]:
    """Powers of two up to 16 (64 in larger scale-up domains) that divide the query heads."""
    reach = max(item.domain_cards * item.devices_per_card for item in clusters)
    most = max(8, min(reach, 64 if architecture.moe is None else 16))
    return tuple(d for d in _powers(most) if architecture.heads % d == 0)


def data_degrees(architecture: Architecture) -> tuple[int, ...]:
    """1 for dense models (copies of them are instances); powers of two and 320 with experts."""
    if architecture.moe is None:
        return (1,)
    return (*_powers(256), LARGEST_EXPERT_GROUP)


def pipeline_degrees(architecture: Architecture) -> tuple[int, ...]:
    """1, 2, 4, 8."""
    return tuple(d for d in _powers(8) if d <= architecture.layers)


def _powers(most: int) -> list[int]:
    return [1 << power for power in range(most.bit_length()) if 1 << power <= most]


def _latency(choice: LatencyChoice | None) -> serving_wire.LatencyTarget | None:
    if choice is None:
        return None
    return serving_wire.LatencyTarget(seconds=choice.value, quantile=choice.percentile / 100.0)


def _precisions(choice: PrecisionChoice) -> serving_wire.Precisions:
    found = serving_wire.Precisions.of(choice.weights, choice.activations, choice.cache)
    if choice.attention_weights is None:
        return found
    products = "bf16" if choice.attention_weights == "int4" else choice.attention_weights
    return found.model_copy(
        update={"attention_weights": choice.attention_weights, "attention_products": products}
    )


def layout_numbers(space: serving_wire.ServiceSpace) -> dict[str, list[int | bool | str]]:
    """The space of layouts as a plan prints it."""
    found: dict[str, list[int | bool | str]] = {
        "tp": list(space.tp),
        "dp": list(space.dp),
        "pp": list(space.pp),
        "mode": list(space.modes),
    }
    found["ep"] = ["1", "all devices of a stage"] if space.ep is None else list(space.ep)
    return found


__all__ = ["ServiceProblem", "build_service", "layout_numbers"]
