"""From a scenario and the spec library to SI numbers: the request to the core, and what it rests on."""

from planner.problem.alternatives import Calibration
from planner.problem.build import Problem, Rebuilding, build
from planner.problem.evidence import ESTIMATE_ROLES, Figure, FigureKey, Scope

__all__ = ["ESTIMATE_ROLES", "Calibration", "Figure", "FigureKey", "Problem", "Rebuilding", "Scope", "build"]
