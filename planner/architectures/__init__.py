"""Model architectures: their schema, the shipped library, Hugging Face import, parameter and FLOP counts."""

from planner.architectures.library import architecture, known_names
from planner.architectures.schema import Architecture, Mla, Moe, Published, SlidingWindow

__all__ = ["Architecture", "Mla", "Moe", "Published", "SlidingWindow", "architecture", "known_names"]
