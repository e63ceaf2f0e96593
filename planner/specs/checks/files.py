"""Rules for files as a whole: names, aliases and references between files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from typing import get_args

from planner.specs.checks.base import Finding, Library, Subject
from planner.specs.library import name_key
from planner.specs.schema import Accelerator, Fabric, Part, Site, SpecFile, System
from planner.specs.schema.system import Cooling


def check(library: Library) -> Iterator[Finding]:
    """All rules of this module over all files."""
    for subject in library.all():
        yield from _file_name(subject)
    yield from _aliases(library)
    yield from _references(library)
    yield from _cooling_kinds(library)


def _file_name(subject: Subject[SpecFile]) -> Iterator[Finding]:
    stem = subject.chain[0].source.path.stem
    if stem != subject.spec.id:
        yield subject.error(
            "file-name",
            "id",
            f"the id is {subject.spec.id!r} but the file is called {stem!r}",
            f"call the file {subject.spec.id}.toml",
        )


def _aliases(library: Library) -> Iterator[Finding]:
    owners: dict[tuple[str, str], list[Subject[SpecFile]]] = defaultdict(list)
    for subject in library.all():
        words = {name_key(word) for word in [subject.spec.id, *subject.spec.aliases]}
        for word in words:
            owners[subject.kind, word].append(subject)
        for alias in subject.spec.aliases:
            if not alias.strip():
                yield subject.error("alias", "aliases", "an alias is empty", "take it out")
    for (_, word), subjects in owners.items():
        for subject in subjects[1:]:
            yield subject.error(
                "alias",
                "aliases",
                f"{word!r} also names {subjects[0].spec.id!r}",
                "a name may stand for one file of a kind only: give it to one of them",
            )


def _references(library: Library) -> Iterator[Finding]:
    for card in library.of("accelerators", Accelerator):
        yield from _refers(library, card, "efficiency", card.spec.efficiency, "efficiency")
    for system in library.of("systems", System):
        yield from _refers(library, system, "accelerator", system.spec.accelerator, "accelerators")
        yield from _refers(library, system, "scale_out.fabric", system.spec.scale_out.fabric, "fabrics")
    for fabric in library.of("fabrics", Fabric):
        wanted = {
            "switch": (fabric.spec.switch, "switch"),
            "nic": (fabric.spec.nic, "nic"),
            "transceiver_switch": (fabric.spec.transceiver_switch, "transceiver"),
            "transceiver_host": (fabric.spec.transceiver_host, "transceiver"),
            "cable": (fabric.spec.cable, "cable"),
        }
        for key, (part_id, part_kind) in wanted.items():
            if part_id is None:
                continue
            yield from _refers(library, fabric, key, part_id, "parts")
            part = library.spec("parts", part_id)
            if isinstance(part, Part) and part.kind != part_kind:
                yield fabric.error(
                    "reference",
                    key,
                    f"{part_id!r} is a {part.kind}, not a {part_kind}",
                    f"name a part of kind {part_kind}",
                )
    yield from _cables_and_networks(library)
    for site in library.of("sites", Site):
        if site.spec.climate.source not in site.spec.sources:
            yield site.error(
                "unsourced",
                "climate.source",
                f"source {site.spec.climate.source!r} is not in the [sources] table",
                "add it to [sources]",
            )


def _cables_and_networks(library: Library) -> Iterator[Finding]:
    for fabric in library.of("fabrics", Fabric):
        for key in ("copper", "active_optical", "long_reach"):
            for place, name in enumerate(getattr(fabric.spec, key)):
                yield from _refers(library, fabric, f"{key}[{place}]", name, "parts")
    for owner in library.of("parts", Part):
        for name, network in owner.spec.networks.items():
            for key in ("switch", "transceiver", "cable"):
                other = getattr(network, key)
                if other is not None:
                    yield from _refers(library, owner, f"networks.{name}.{key}", other, "parts")


def _refers(
    library: Library, subject: Subject[SpecFile], key: str, wanted: str, kind: str
) -> Iterator[Finding]:
    if library.has(kind, wanted):
        return
    near = get_close_matches(wanted, [entry.id for entry in library.source.entries(kind)], n=1)
    yield subject.error(
        "reference",
        key,
        f"there is no {wanted!r} in {kind}/",
        f"did you mean {near[0]!r}?" if near else f"add {kind}/{wanted}.toml",
    )


def _cooling_kinds(library: Library) -> Iterator[Finding]:
    known = get_args(Cooling)
    tables: list[tuple[Subject[SpecFile], str, set[str]]] = []
    tables += [(s, "cooling", set(s.spec.cooling)) for s in library.of("sites", Site)]
    for part in library.of("parts", Part):
        tables += [
            (part, "rack_limits", set(part.spec.rack_limits)),
            (part, "fan_saving", set(part.spec.fan_saving)),
        ]
    for subject, key, kinds in tables:
        for kind in sorted(kinds.difference(known)):
            near = get_close_matches(kind, known, n=1)
            yield subject.error(
                "cooling-kind",
                f"{key}.{kind}",
                f"{kind!r} is not a cooling kind",
                f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}",
            )
