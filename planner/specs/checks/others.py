"""Rules for parts, fabrics and efficiency files."""

from __future__ import annotations

from collections.abc import Iterator

from planner.specs.checks.base import Finding, Library, value
from planner.specs.schema import Efficiency, Fabric, Part

_NEEDED = {
    "switch": ("ports", "port_rate", "power"),
    "transceiver": ("port_rate", "power"),
    "nic": ("port_rate", "power"),
    "exchange-rates": ("usd_per_unit",),
}
"""What a plan cannot do without, by kind of part."""


def check(library: Library) -> Iterator[Finding]:
    """All rules of this module."""
    yield from _parts(library)
    yield from _fabrics(library)
    yield from _efficiency(library)


def _parts(library: Library) -> Iterator[Finding]:
    for part in library.of("parts", Part):
        for key in _NEEDED.get(part.spec.kind, ()):
            if not getattr(part.spec, key):
                yield part.warning(
                    "part-needs", key, f"a {part.spec.kind} without {key}", "plans cannot count or power it"
                )
        typical, most = value(part.spec.power), value(part.spec.power_max)
        if typical is not None and most is not None and typical > most:
            yield part.error("nameplate", "power", "typical power is above the maximum", "check both figures")


def _fabrics(library: Library) -> Iterator[Finding]:
    for fabric in library.of("fabrics", Fabric):
        if any(ratio < 1 for ratio in fabric.spec.oversubscription) or not fabric.spec.oversubscription:
            yield fabric.error(
                "oversubscription", "oversubscription", "a ratio below 1, or none", "1.0 is a full bisection"
            )
        switch = library.spec("parts", fabric.spec.switch)
        rate = value(switch.port_rate) if isinstance(switch, Part) else None
        if rate is None:
            continue
        ports = rate / fabric.spec.port_rate.value
        if ports < 0.99 or abs(ports - round(ports)) > 0.02:
            yield fabric.error(
                "port-rate",
                "port_rate",
                f"a port of {fabric.spec.switch!r} is {ports:.3g} x the port of the fabric",
                "a switch port carries one fabric port, or splits into a whole number of them",
            )


def _efficiency(library: Library) -> Iterator[Finding]:
    for file in library.of("efficiency", Efficiency):
        if (file.spec.calibrated == "runs") != (file.spec.runs + file.spec.own_runs > 0):
            yield file.error(
                "calibration",
                "calibrated",
                f"calibrated on {file.spec.calibrated!r} with {file.spec.runs + file.spec.own_runs} runs",
                'runs > 0 goes with calibrated = "runs", and only with it',
            )
        if file.spec.groups > file.spec.runs:
            yield file.error("calibration", "groups", "more groups than runs", "a group has at least one run")
