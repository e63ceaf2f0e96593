"""Thousands of what-ifs from one file: a base scenario, axes that vary it, and a verb for every point."""

from planner.sweep.columns import Column
from planner.sweep.schema import SweepFile, load
from planner.sweep.sweep import Row, Sweep

__all__ = ["Column", "Row", "Sweep", "SweepFile", "load"]
