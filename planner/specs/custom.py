"""Hardware of your own as Python objects: the tables of spec files, without the files.

>>> card = custom("accelerators", "p800-plus", extends="kunlun-p800", name="P800 Plus",
...     memory={"bandwidth": estimate("2.4 TB/s", low="2.2 TB/s", high="2.6 TB/s", method="roadmap")})
>>> library = SpecLibrary.from_environment().adding(card)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.errors import SpecError
from planner.specs.reading import SpecText

Figure = dict[str, Any]
"""A figure with its provenance, as in a spec file."""


@dataclass(frozen=True)
class Custom:
    """A spec that stands in no file: its kind (``accelerators``, ``systems`` ...) and its text."""

    kind: str
    source: SpecText


def custom(kind: str, spec_id: str, **keys: Any) -> Custom:
    """A spec as an object, for `SpecLibrary.adding`.

    Args:
        kind: accelerators, systems, fabrics, parts, sites or efficiency.
        spec_id: its id; the id of a file of the library with ``extends`` of the same id changes that file.
        keys: the keys of such a file (hardware_specs/README.md); ``extends`` inherits from a file.

    Raises:
        SpecError: no such kind, or values that no file can hold.
    """
    import tomli_w  # noqa: PLC0415 (only for objects)

    from planner.specs.library import kind_of  # noqa: PLC0415 (the library knows this module)

    plain = {key: value for key, value in keys.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in keys.items() if isinstance(value, Mapping)}
    try:
        text = tomli_w.dumps({"id": spec_id, **plain, **tables})
    except TypeError as fault:
        raise SpecError(
            f"{spec_id}: {fault}", hint="figures are tables: figure(...) or estimate(...)"
        ) from fault
    place = Path("python") / kind_of(kind) / f"{spec_id}.toml"
    return Custom(kind_of(kind), SpecText(place, text.encode(), text))


def figure(value: str | float, kind: str, source: str, **more: Any) -> Figure:
    """A published figure: value with unit, kind (vendor, paper, measured ...), a key of ``sources``."""
    return {"value": value, "kind": kind, "source": source, **more}


def estimate(value: str | float, *, low: str | float, high: str | float, method: str, **more: Any) -> Figure:
    """A figure that nobody published: its value with unit, an 80 % range, and how it was made."""
    return {"value": value, "kind": "estimate", "low": low, "high": high, "method": method, **more}
