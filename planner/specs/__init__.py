"""What the world is: sourced figures of accelerators, systems, fabrics, parts, sites (TOML files)."""

from planner.specs.custom import Custom, custom, estimate, figure
from planner.specs.library import SPEC_PATH_VARIABLE, SpecLibrary, kind_of, shipped_directory
from planner.specs.quantity import Quantity, Source
from planner.specs.schema import KINDS, Accelerator, Efficiency, Fabric, Part, Site, SpecFile, System

__all__ = [
    "KINDS",
    "SPEC_PATH_VARIABLE",
    "Accelerator",
    "Custom",
    "Efficiency",
    "Fabric",
    "Part",
    "Quantity",
    "Site",
    "Source",
    "SpecFile",
    "SpecLibrary",
    "System",
    "custom",
    "estimate",
    "figure",
    "kind_of",
    "shipped_directory",
]
