"""How fast the search is: cases by name, measured on this machine."""

from planner.bench.cases import CASES, Measured, measure

__all__ = ["CASES", "Measured", "measure"]
