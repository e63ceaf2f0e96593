"""The alternatives of the hardware that a scenario leaves open: systems, fabrics, coolings, power caps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from planner.problem import wire
from planner.problem.figures import Figures
from planner.problem.hardware import DIRECT, Alternative, Hall, cluster
from planner.problem.heat import nearest_lawful, room, takes
from planner.problem.question import Question
from planner.specs import SPEC_PATH_VARIABLE, Efficiency, Fabric, Site, System

DEFAULT_CAPS = (1.0, 0.9, 0.8, 0.7)
"""Searched where power is limited or the objective: steps that operators enforce."""
SERVER_DAYS = 1000.0
"""Scenarios count failures per so many server-days."""


@dataclass(frozen=True)
class Calibration:
    """What stands behind the efficiency figures of one cluster."""

    efficiency: str
    calibrated: str
    runs: int
    groups: int
    residual: float
    own_runs: int = 0

    @classmethod
    def of(cls, efficiency: Efficiency) -> Calibration:
        """That of a file in ``efficiency/``."""
        return cls(
            efficiency.id,
            efficiency.calibrated,
            efficiency.runs,
            efficiency.groups,
            efficiency.residual.value,
            efficiency.own_runs,
        )


def alike(calibrations: Sequence[Calibration]) -> float:
    """Share of the best rate within which the model cannot tell two layouts of one chip apart.

    1 - exp(-sqrt(2) s): the errors of two layouts are taken as independent, each with the standard deviation
    s of ln(time) that runs of one source leave (``residual`` of the efficiency file), so their difference has
    sqrt(2) s. What moves both alike, the chip and the software, drops out. Of several chips the one known
    best counts.
    """
    return 1.0 - math.exp(-math.sqrt(2.0) * min(item.residual for item in calibrations))


class Alternatives(Question):
    """A question with its hardware."""

    def _clusters(
        self, systems: list[System], hall: Hall
    ) -> tuple[tuple[wire.Cluster, ...], tuple[Calibration, ...]]:
        hardware = self.scenario.hardware.model_copy(update={"power_caps": self._power_caps(hall.site)})
        chosen = [
            self._named("hardware.fabrics", partial(self.library.fabric, name))
            for name in hardware.fabrics or ()
        ]
        self._refuse_unused_cooling(systems, hall.site)
        clusters, calibrations = [], []
        for index, system in enumerate(systems):
            accelerator = self.library.accelerator_of(system)
            efficiency = self.library.efficiency_of(accelerator)
            item = Alternative(
                index=index,
                system=system,
                accelerator=accelerator,
                efficiency=efficiency,
                fabrics=self._fabrics_of(system, chosen),
                coolings=self._coolings_of(system, hall.site),
            )
            offloads = self.scenario.layout.offloads
            precision = self._precision()
            built = cluster(item, hall, hardware, precision, self.figures, offloads)
            built = self._capped_by_heat(built)
            own = self.scenario.reliability.failures
            clusters.append(
                built
                if own is None
                else built.model_copy(update={"failures_per_server_day": own / SERVER_DAYS})
            )
            if system.domain_cards > system.cards_per_server and system.domain.switches is None:
                self.notes.append(
                    f"{system.id}: the switches of a domain are not published, so their failures do not count"
                )
            self._refuse_caps_below_idle(clusters[-1])
            residual = efficiency.residual.value
            calibrations.append(
                Calibration(
                    efficiency.id,
                    efficiency.calibrated,
                    efficiency.runs,
                    efficiency.groups,
                    residual,
                    efficiency.own_runs,
                )
            )
            if accelerator.peak.bf16 is None and accelerator.peak.fp16 is not None:
                self.notes.append(f"{accelerator.id} lists no bf16 peak: its fp16 peak is used")
        self._refuse_idle_wiring(clusters)
        return tuple(clusters), tuple(calibrations)

    def _refuse_idle_wiring(self, clusters: Sequence[wire.Cluster]) -> None:
        """Keys of wiring that no fabric of the question has a use for would be dropped without a word.

        Raises:
            InputError: planes of fabrics of one plane, tapers of fabrics without tiers.
        """
        hardware = self.scenario.hardware
        built = {fabric.kind for item in clusters for fabric in item.fabrics}
        if hardware.planes is not None and "multi-plane" not in built:
            raise self.scenario.origin.error(
                "hardware.planes",
                f"planes are of multi-plane fabrics, and here they are {', '.join(sorted(built))}",
                'hardware.kinds = "multi-plane", or leave it out',
            )
        tapered = (
            ("oversubscription", max(hardware.oversubscription or (1.0,))),
            ("leaf_oversubscription", hardware.leaf_oversubscription),
        )
        for name, ratio in tapered:
            if ratio > 1.0 and built <= set(DIRECT):
                raise self.scenario.origin.error(
                    f"hardware.{name}",
                    f"it is of fabrics with tiers, and a {' or a '.join(sorted(built))} has none",
                    "leave it out, or add a kind with tiers to hardware.kinds",
                )

    def _capped_by_heat(self, built: wire.Cluster) -> wire.Cluster:
        """With the caps that its coolings hold on the hot design day: searched beside the others."""
        caps = list(built.power_caps)
        held = [
            (cooling, cap)
            for cooling in built.coolings
            for cap in dict.fromkeys((cooling.heat_cap, *(air.heat_cap for air in cooling.halls)))
        ]
        for cooling, cap in held:
            warm = cap < max(built.power_caps) and cap not in caps
            if warm and cap * built.card_tdp > built.card_idle:
                caps.append(cap)
                self.notes.append(
                    f"{cooling.kind} holds cards of {built.system} at {cap:.1%} of board power "
                    f"on the hot design day: that cap is searched too (site.hot_day)"
                )
        return built.model_copy(update={"power_caps": tuple(caps)})

    def _refuse_caps_below_idle(self, built: wire.Cluster) -> None:
        asked = self.scenario.hardware.power_caps
        if asked is None or self.figures.missing or self.figures.overridden:
            return  # a figure that is missing stands as 1 until all of them are refused
        lowest = min(asked)
        if lowest * built.card_tdp <= built.card_idle:
            raise self.scenario.origin.error(
                "hardware.power_caps",
                f"{lowest:.3g} of the {built.card_tdp:.4g} W of {built.accelerator} is no more than the "
                f"{built.card_idle:.4g} W that it draws when idle",
                "caps of 0.5 to 1 are usual",
            )

    def _power_caps(self, site: Site) -> tuple[float, ...]:
        """As asked; else full power, and lower caps where they may pay: fewer watts carry more cards."""
        asked = self.scenario.hardware.power_caps
        if asked is not None:
            return asked
        limits, halls = self.scenario.limits, self.scenario.site.hall
        limited = limits.power is not None or site.power_available is not None or bool(halls)
        by_watts = self.scenario.objective in ("power", "energy", "tco", "tokens_per_joule")
        return DEFAULT_CAPS if limited or by_watts else (1.0,)

    def _fabrics_of(self, system: System, chosen: Sequence[Fabric]) -> tuple[Fabric, ...]:
        candidates = chosen or [self.library.fabric_of(system)]
        kinds = self.scenario.hardware.kinds
        fabrics = tuple(f for f in candidates if kinds is None or set(kinds) & {*f.kinds, *DIRECT})
        if not fabrics:
            raise self.scenario.origin.error(
                "hardware.kinds", f"no fabric for {system.id} is built as {' or '.join(kinds or ())}"
            )
        return fabrics

    def _coolings_of(self, system: System, site: Site) -> tuple[str, ...]:
        wanted = self.scenario.hardware.cooling
        both = self._lawful(system, site, [kind for kind in system.cooling if kind in site.cooling])
        usable = tuple(kind for kind in both if wanted is None or kind in wanted)
        if not usable:
            asked = f"of the kinds asked for ({', '.join(wanted)}), " if wanted else ""
            raise self.scenario.origin.error(
                "hardware.cooling",
                f"{asked}none suits both {system.id} (sold for {', '.join(system.cooling)}) and {site.id} "
                f"(known for {', '.join(site.cooling)})",
                f"both know {', '.join(both)}" if both else f"add cooling figures to the site {site.id}",
            )
        return usable

    def _lawful(self, system: System, site: Site, kinds: list[str]) -> list[str]:
        """Cooling kinds within the limit on PUE, that of the law or of the scenario."""
        asked = self.scenario.limits.pue
        limit = (
            self.figures.of("sites", site).want("pue_limit", "space", "legal PUE") if asked is None else asked
        )
        if limit is None or not kinds:
            return kinds
        kinds = self._supplied(system, kinds)
        # Judged by the files as they are: a sampled PUE does not change what may be built.
        own, facility, files = self.scenario.site.pue, self._facility(site), Figures(self.library)
        means = {kind: room(kind, site, self.scenario.site, facility, files).pue for kind in kinds}
        lawful = [kind for kind in kinds if means[kind] <= limit + 1e-9]
        key = "limits.pue" if asked is not None else "site.id" if own is None else "site.pue"
        whose = "limits.pue" if asked is not None else f"the legal limit of {site.id}"
        if not lawful:
            best = min(means, key=lambda kind: means[kind])
            raise self.scenario.origin.error(
                key,
                f"no cooling of {system.id} keeps to a PUE of {limit:g} ({whose}); "
                f"the best is {best} at {means[best]:.3g}",
                self._nearest_lawful(system, site, kinds, limit),
            )
        for kind in kinds:
            if kind not in lawful and kind in (self.scenario.hardware.cooling or ()):
                raise self.scenario.origin.error(
                    "hardware.cooling",
                    f"{kind} at {site.id} has a PUE of {means[kind]:g}, above {limit:g} ({whose})",
                    f"within it are {', '.join(lawful)}",
                )
            if kind not in lawful:
                above = f"its PUE of {means[kind]:g} is above {limit:g} ({whose})"
                self.notes.append(f"{kind} is left out for {system.id}: {above}")
        return lawful

    def _supplied(self, system: System, kinds: list[str]) -> list[str]:
        """Kinds that the supply of the halls suits: warm water is none for a room cooled by air."""
        asked = self.scenario.hardware.cooling or ()
        usable = [kind for kind in kinds if takes(kind, self.scenario.site) or kind in asked]
        for kind in kinds if usable else ():
            if kind not in usable:
                self.notes.append(
                    f"{kind} is left out for {system.id}: the supply of the halls is not known with it"
                )
        return usable or kinds

    def _nearest_lawful(self, system: System, site: Site, kinds: list[str], limit: float) -> str:
        """The nearest lawful designs: a warmer supply here, and other sites with their best kind."""
        facility, choice = self._facility(site), self.scenario.site
        here = nearest_lawful(kinds, limit, site, choice, facility, Figures(self.library))
        known = sorted(
            (other.cooling[kind].pue.value, other.id, kind)
            for other in map(self.library.site, self.library.ids("sites"))
            for kind in system.cooling
            if kind in other.cooling and other.id != site.id
        )
        lawful = list(
            {name: item for item in reversed(known) if self._keeps(item) for name in [item[1]]}.values()
        )
        words = [f"nearest here: {here}"] if here else []
        told = [f"{name} ({kind}, {pue:g})" for pue, name, kind in sorted(lawful)[:3] or known[:1]]
        words.append(f"{'nearest elsewhere' if lawful else 'the lowest known'}: {', '.join(told)}")
        words.append("or a system for liquid cooling, or limits.pue for a site built under other law")
        return "; ".join(words)

    def _keeps(self, item: tuple[float, str, str]) -> bool:
        """Whether a PUE keeps to the limit asked for, or to the law of its site."""
        pue, name, _ = item
        law = self.library.site(name).pue_limit
        return pue <= (self.scenario.limits.pue or (law.value if law else math.inf)) + 1e-9

    def _refuse_unused_cooling(self, systems: list[System], site: Site) -> None:
        for kind in self.scenario.hardware.cooling or ():
            if kind not in site.cooling:
                raise self.scenario.origin.error(
                    "hardware.cooling",
                    f"{site.id} has no figures for {kind}",
                    f"it has {', '.join(site.cooling)}; or add [cooling.{kind}] to it in a directory of "
                    f"{SPEC_PATH_VARIABLE}",
                )
            if not any(kind in system.cooling for system in systems):
                sold = ", ".join(sorted({own for system in systems for own in system.cooling}))
                raise self.scenario.origin.error(
                    "hardware.cooling", f"no system asked for is sold with {kind}", f"they are with {sold}"
                )
