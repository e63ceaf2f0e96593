"""Facts of a report on wiring and on what feeds and cools a plant, in one language."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plan.plant_parts import Fabric, Facility
from planner.plan.shown import number
from planner.report.words import Words

Fact = tuple[str, str]


def wired(fabric: Fabric, words: Words) -> Iterator[Fact]:
    """Cables by medium, and the networks beside that of the cards."""
    if fabric.media:
        yield (
            words("media"),
            words.listed(
                words("media_none", count=f"{item.links:,}")
                if item.cable is None
                else words(
                    "media_value", count=f"{item.links:,}", cable=item.cable, metres=item.longest_metres
                )
                for item in fabric.media
            ),
        )
    if fabric.side_networks:
        yield words("beside"), words.parted(
            words(
                "beside_value", name=words(item.name), ports=f"{item.ports:,}", switches=f"{item.switches:,}",
                links=f"{item.links:,}",
            )
            for item in fabric.side_networks
        )  # fmt: skip


def fed(hall: Facility, words: Words) -> Iterator[Fact]:
    """Nameplate, power chain and the draw of a rack."""
    if hall.nameplate_megawatts is not None and hall.nameplate_intake_megawatts is not None:
        both = (hall.nameplate_megawatts, hall.nameplate_intake_megawatts)
        yield words("nameplate"), " / ".join(words.amount(value, "MW") for value in both)
    yield words("rack_draw"), words.amount(hall.rack_kilowatts, "kW")
    chain = hall.chain
    if chain is not None:
        yield (
            words("chain"),
            words(
                "chain_value", redundancy=chain.redundancy, transformers=f"{chain.transformers:,}",
                kva=f"{chain.transformer_kva:,.0f}", supplies=f"{chain.ups_modules:,}",
                kw=f"{chain.ups_module_kilowatts:,.0f}", generators=f"{chain.generators:,}",
                mw=number(chain.generator_megawatts), cdus=f"{chain.cdus:,}",
            ),
        )  # fmt: skip
