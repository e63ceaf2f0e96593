"""The question of a comparison as it is put to one of its systems alone."""

from __future__ import annotations

from planner.problem import serving_wire
from planner.scenario import Scenario
from planner.scenario.service import PrecisionChoice, ServingWorkload
from planner.specs import Accelerator, SpecLibrary


def alone(scenario: Scenario, system: str, library: SpecLibrary) -> tuple[Scenario, list[str]]:
    """The scenario with one system, and what was left out of it for that system's sake.

    Of a service's whitelist of precisions those go that the card does not compute with, as they would where
    all systems are asked together; if it computes with none, all stay, and the problem is refused with them.
    """
    changed = {"hardware": scenario.hardware.model_copy(update={"systems": (system,)})}
    notes: list[str] = []
    work = scenario.workload
    if isinstance(work, ServingWorkload):
        card = library.accelerator_of(library.system(system))
        kept = tuple(choice for choice in work.precisions if _computes(card, choice))
        if kept and len(kept) < len(work.precisions):
            changed["workload"] = work.model_copy(update={"precisions": kept})
            gone = dict.fromkeys(_products(item) for item in work.precisions if item not in kept)
            notes = [f"{card.id} has no {name} peak: not considered with it" for name in gone]
    found = scenario.model_copy(update=changed)
    found._origin = scenario.origin
    return found, notes


def _products(choice: PrecisionChoice) -> str:
    return str(serving_wire.Precisions.of(choice.weights, choice.activations, choice.cache).dense_products)


def _computes(card: Accelerator, choice: PrecisionChoice) -> bool:
    return getattr(card.peak, _products(choice)) is not None
