"""The schemas of spec files, one module per folder of ``hardware_specs/``."""

from planner.specs.schema.accelerator import Accelerator
from planner.specs.schema.common import SpecFile
from planner.specs.schema.efficiency import Efficiency
from planner.specs.schema.fabric import Fabric
from planner.specs.schema.part import Maturity, Part, Supply
from planner.specs.schema.site import Site
from planner.specs.schema.system import System

KINDS: dict[str, type[SpecFile]] = {
    "accelerators": Accelerator,
    "systems": System,
    "fabrics": Fabric,
    "parts": Part,
    "sites": Site,
    "efficiency": Efficiency,
}
"""Folder of the library -> schema of its files."""

__all__ = [
    "KINDS",
    "Accelerator",
    "Efficiency",
    "Fabric",
    "Maturity",
    "Part",
    "Site",
    "SpecFile",
    "Supply",
    "System",
]
