"""What a question about a service leaves open and is taken for it: said, never silent."""

from __future__ import annotations

from planner.scenario.service import GenericWorkload, ServingWorkload

WIDE = "bf16"


def taken_unasked(workload: ServingWorkload | GenericWorkload) -> list[str]:
    """Notes on precisions and software that the scenario does not name."""
    if isinstance(workload, GenericWorkload):
        if workload.software is not None:
            return []
        return [
            "workload.software is not given: host times are those of an engine for language models, as no "
            "run of such items is known"
        ]
    if "precisions" not in workload.model_fields_set:
        return [
            "workload.precisions is not given: weights, products and cache are bf16, as precision is never "
            "lowered unasked; models published in fewer bits take half as much or less"
        ]
    narrow = [
        choice
        for choice in workload.precisions
        if choice.weights != WIDE and "cache" not in choice.model_fields_set
    ]
    if not narrow:
        return []
    names = ", ".join(dict.fromkeys(choice.weights for choice in narrow))
    return [
        f"the cache is bf16 beside weights in {names}, as precision is never lowered unasked: "
        f'{{ weights = "{narrow[0].weights}", cache = "fp8" }} halves it'
    ]
