"""Thousands of what-ifs from one file: a base scenario, axes that vary it, and a verb for every point."""

from planner.sweeps.column import Column
from planner.sweeps.rows import Rows
from planner.sweeps.schema import SweepFile, load
from planner.sweeps.sweep import Row, Sweep

__all__ = ["Column", "Row", "Rows", "Sweep", "SweepFile", "load"]
