"""Export-control figures of a card: TPP, performance density, and the thresholds of the rule of October 2023.

Arithmetic on published figures, not legal advice: licences, exceptions, end uses and later rules are not in
it.
Source: 88 FR 73458 (interim final rule published 2023-10-25, in force since 2023-11-17), ECCN 3A090 and its
technical notes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from planner.specs.schema import Accelerator

RULE = "ECCN 3A090, US rule of October 2023 (88 FR 73458, in force since 2023-11-17)"
NOTE = "arithmetic on published figures, not legal advice; licences, end uses and later rules are not in it"
BITS = {"fp64": 64, "fp32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8, "fp4": 4}
"""Bits of an operand; tf32 multiplies 19-bit operands and never sets the largest product of a card."""
SQUARE_MILLIMETRES = 1e6
"""Per square metre."""
A_TPP, A_DENSE_TPP, A_DENSITY = 4800.0, 1600.0, 5.92
B_TPP, B_DENSITY, B_DENSE_DENSITY = 2400.0, 1.6, 3.2


@dataclass(frozen=True)
class ExportFigures:
    """TPP and density of one card and what the thresholds say."""

    tpp: float
    tpp_low: float
    tpp_high: float
    precision: str
    die_area_mm2: float | None
    density: float | None
    classified: str
    rule: str = RULE
    note: str = NOTE

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def total_processing_performance(card: Accelerator) -> float | None:
    """TPP: the largest dense TOPS x bits over the precisions; None where no peak is known.

    A multiply-accumulate counts as two operations, as in advertised TOPS; sparsity does not count. Advertised
    dense peaks count where they are above those of the matrix engine.
    """
    best = _best(card)
    return best[1] if best is not None else None


def performance_density(card: Accelerator) -> float | None:
    """TPP over the die area (mm2) made at 16 nm or below; None where the area is not known."""
    tpp, area = total_processing_performance(card), applicable_area(card)
    return None if tpp is None or area is None else tpp / area


def applicable_area(card: Accelerator) -> float | None:
    """Area in mm2 of all compute dies of the package."""
    area = card.silicon.die_area
    if area is None:
        return None
    dies = card.silicon.dies.value if card.silicon.dies is not None else 1.0
    return area.value * SQUARE_MILLIMETRES * dies


def classify(tpp: float, density: float | None) -> str:
    """``3A090.a``, ``3A090.b``, ``below``, or what it depends on where the density is not known.

    a: TPP >= 4,800, or TPP >= 1,600 and density >= 5.92. b: TPP 2,400 to 4,800 and density 1.6 to 5.92, or
    TPP >= 1,600 and density 3.2 to 5.92.
    """
    if tpp >= A_TPP:
        return "3A090.a"
    if tpp < A_DENSE_TPP:
        return "below"
    if density is None:
        least = B_DENSITY if tpp >= B_TPP else B_DENSE_DENSITY
        return (
            f"depends on the die area: 3A090.a up to {tpp / A_DENSITY:,.0f} mm2, 3A090.b up to "
            f"{tpp / least:,.0f} mm2, else below"
        )
    if density >= A_DENSITY:
        return "3A090.a"
    if density >= B_DENSE_DENSITY or (tpp >= B_TPP and density >= B_DENSITY):
        return "3A090.b"
    return "below"


def export_figures(card: Accelerator) -> ExportFigures | None:
    """All of it; None where no peak is known."""
    best = _best(card)
    if best is None:
        return None
    precision, tpp, low, high = best
    density = performance_density(card)
    return ExportFigures(
        tpp=tpp,
        tpp_low=low,
        tpp_high=high,
        precision=precision,
        die_area_mm2=applicable_area(card),
        density=density,
        classified=classify(tpp, density),
    )


def _best(card: Accelerator) -> tuple[str, float, float, float] | None:
    found = []
    for peaks in (card.peak, card.peak_advertised):
        for name, bits in BITS.items():
            figure = getattr(peaks, name)
            if figure is not None:
                low = figure.value if figure.low is None else figure.low
                high = figure.value if figure.high is None else figure.high
                scale = bits / 1e12
                found.append((figure.value * scale, name, low * scale, high * scale))
    if not found:
        return None
    tpp, name, low, high = max(found, key=lambda item: item[0])
    return name, tpp, low, high
