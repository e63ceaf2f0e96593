"""Export-control figures against those in public, and every branch of the thresholds."""

from __future__ import annotations

import pytest

from planner.specs import SpecLibrary
from planner.specs.export_control import NOTE, classify, export_figures
from planner.specs.maturity import maturities, stack_of


@pytest.mark.parametrize(
    ("card", "tpp", "classified"),
    [
        # 1,979 TFLOP/s in FP8 x 8; 312 in 16 bits x 16; 148 x 16 (the H20 is built below the line).
        ("nvidia-h100-sxm", 15832, "3A090.a"),
        ("nvidia-a100-sxm-80gb", 4992, "3A090.a"),
        ("nvidia-h20-96gb", 2368, "below"),
    ],
)
def test_known_cards_have_their_known_figures(card: str, tpp: float, classified: str) -> None:
    found = export_figures(SpecLibrary.from_environment().accelerator(card))
    assert found is not None
    assert found.tpp == pytest.approx(tpp, rel=0.01)
    assert found.classified == classified
    assert "2023" in found.rule
    assert found.note == NOTE
    assert "not legal advice" in found.note


@pytest.mark.parametrize(
    ("tpp", "density", "expected"),
    [
        (4800, None, "3A090.a"),
        (4799, 5.92, "3A090.a"),
        (1600, 5.92, "3A090.a"),
        (1600, 5.9, "3A090.b"),
        (1600, 3.2, "3A090.b"),
        (1600, 3.1, "below"),
        (2400, 1.6, "3A090.b"),
        (2399, 1.6, "below"),
        (2400, 1.5, "below"),
        (1599, 50.0, "below"),
        (1599, None, "below"),
    ],
)
def test_the_thresholds_of_the_rule(tpp: float, density: float | None, expected: str) -> None:
    assert classify(tpp, density) == expected


def test_without_a_die_area_the_answer_is_what_it_depends_on() -> None:
    assert classify(3136, None) == (
        "depends on the die area: 3A090.a up to 530 mm2, 3A090.b up to 1,960 mm2, else below"
    )


def test_every_vendor_has_a_stack_and_every_stack_all_classes() -> None:
    library = SpecLibrary.from_environment()
    for card_id in library.ids("accelerators"):
        card = library.accelerator(card_id)
        assert stack_of(library, card) is not None, f"{card_id}: {card.vendor}"
        classes = {name for _, name, _ in maturities(library, card)}
        assert classes == {"llm-training", "llm-serving", "vision", "recommendation", "scientific"}
