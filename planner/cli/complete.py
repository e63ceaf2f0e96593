"""Words for the shell's completion: names of spec files and keys of scenarios."""

from __future__ import annotations

from collections.abc import Iterator


def spec_names(incomplete: str) -> Iterator[str]:
    """Ids of spec files of every kind."""
    yield from _ids((), incomplete)


def systems(incomplete: str) -> Iterator[str]:
    """Ids of systems and cards."""
    yield from _ids(("systems", "accelerators"), incomplete)


def several_systems(incomplete: str) -> Iterator[str]:
    """Ids of systems in a list that is parted by commas."""
    before, comma, last = incomplete.rpartition(",")
    yield from (f"{before}{comma}{name}" for name in _ids(("systems",), last))


def fabrics(incomplete: str) -> Iterator[str]:
    """Ids of fabrics."""
    yield from _ids(("fabrics",), incomplete)


def _ids(kinds: tuple[str, ...], incomplete: str) -> list[str]:
    """Ids of spec files of some kinds (of none named: of every kind) that begin so."""
    from planner.errors import PlannerError  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415

    try:
        library = SpecLibrary.from_environment()
        names = {spec_id for kind in kinds or library.kinds for spec_id in library.ids(kind)}
    except PlannerError:
        # Completion is no place to complain: the command itself tells what is wrong.
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def spec_kinds(incomplete: str) -> Iterator[str]:
    """Kinds of spec files."""
    from planner.specs import KINDS  # noqa: PLC0415

    yield from (kind for kind in KINDS if kind.startswith(incomplete))


def scenario_keys(incomplete: str) -> Iterator[str]:
    """Keys for ``--set``, and after ``hardware.systems=`` the names of systems."""
    key, equals, value = incomplete.partition("=")
    if equals:
        kinds = {
            "hardware.systems": "systems",
            "hardware.fabrics": "fabrics",
            "site.id": "sites",
            "site": "sites",
        }
        if key in kinds:
            yield from (f"{key}={name}" for name in _ids((kinds[key],), value))
        return
    from planner.scenario.overrides import known_keys  # noqa: PLC0415

    yield from (f"{known}=" for known in known_keys() if known.startswith(incomplete))
