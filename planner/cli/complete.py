"""Words for the shell's completion: names of spec files and keys of scenarios."""

from __future__ import annotations

from collections.abc import Iterator


def spec_names(incomplete: str) -> Iterator[str]:
    """Ids of spec files of every kind."""
    from planner.errors import PlannerError  # noqa: PLC0415
    from planner.specs import SpecLibrary  # noqa: PLC0415

    try:
        library = SpecLibrary.from_environment()
        names = sorted({spec_id for kind in library.kinds for spec_id in library.ids(kind)})
    except PlannerError:
        # Completion is no place to complain: the command itself tells what is wrong.
        return
    yield from (name for name in names if name.startswith(incomplete))


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
            from planner.specs import SpecLibrary  # noqa: PLC0415

            names = SpecLibrary.from_environment().ids(kinds[key])
            yield from (f"{key}={name}" for name in names if name.startswith(value))
        return
    from planner.scenario.overrides import known_keys  # noqa: PLC0415

    yield from (f"{known}=" for known in known_keys() if known.startswith(incomplete))
