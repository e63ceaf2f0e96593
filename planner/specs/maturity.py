"""Which software stack stands behind a card, and how far it carries each class of workload."""

from __future__ import annotations

from collections.abc import Iterator

from planner.specs.library import SpecLibrary
from planner.specs.schema import Accelerator
from planner.specs.schema.part import Maturity, Part, WorkloadClass

KIND = "software-stack"


def stack_of(library: SpecLibrary, card: Accelerator) -> Part | None:
    """The file in parts/ that names the card's vendor; None where there is none."""
    vendor = card.vendor.casefold()
    for name in library.ids("parts"):
        head = library.head("parts", name)
        if head.get("kind") == KIND:
            # Files are read whole only where their head does not rule them out: each takes milliseconds.
            named = head.get("vendors")
            if isinstance(named, list) and vendor not in {str(known).casefold() for known in named}:
                continue
            part = library.part(name)
            if vendor in {known.casefold() for known in part.vendors}:
                return part
    return None


def maturities(library: SpecLibrary, card: Accelerator) -> Iterator[tuple[str, WorkloadClass, Maturity]]:
    """Stack, class and maturity of every class that the stack's file knows."""
    part = stack_of(library, card)
    if part is not None:
        for name, item in part.maturity.items():
            yield part.id, name, item
