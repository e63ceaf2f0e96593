"""Modules that take long to import and that most answers do without: imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["np"]


class Deferred:
    """Stands in for a module until an attribute of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        """The attribute of the module, which is imported by now."""
        return getattr(import_module(self._name), attribute)


if TYPE_CHECKING:
    import numpy as np
else:
    np = Deferred("numpy")
