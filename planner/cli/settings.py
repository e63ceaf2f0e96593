"""Settings of the command line: a configuration file and environment variables, with a stated precedence.

An option on the command line counts before ``PLANNER_VERB_OPTION`` in the environment, that before the
configuration file, and that before the default. The file is ``PLANNER_CONFIG``, else ``planner/config.toml``
below ``XDG_CONFIG_HOME`` (by default ``~/.config``). It holds a table for each verb, long options as keys::

    spec_path = ["~/my-specs"] # where PLANNER_SPEC_PATH is not set

    [size]
    threads = 8

    [report]
    lang = "zh"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from planner.errors import PlannerError

CONFIG_VARIABLE = "PLANNER_CONFIG"
SPEC_PATH_VARIABLE = "PLANNER_SPEC_PATH"
PREFIX = "PLANNER"

Options = Mapping[str, Mapping[str, Any]]
"""Verb -> names of its options -> where they are kept (the parameter's name)."""


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration file is looked for."""
    named = environment.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser()
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "planner" / "config.toml"


def defaults(environment: Mapping[str, str], options: Options) -> dict[str, Any]:
    """What stands in for the defaults of options, by verb and parameter: the environment, then the file.

    Raises:
        PlannerError: it cannot be read, or names a verb or option that does not exist.
    """
    table = read(environment)
    known: dict[str, Any] = {}
    for verb, values in table.items():
        if verb == "spec_path":
            continue
        if verb not in options:
            raise _unknown(environment, verb, "command", [*options, "spec_path"])
        if not isinstance(values, dict):
            raise PlannerError("must be a table of options", file=str(config_path(environment)), key=verb)
        for name, value in values.items():
            parameter = options[verb].get(name.replace("_", "-"))
            if parameter is None:
                raise _unknown(environment, f"{verb}.{name}", "option", list(options[verb]))
            known.setdefault(verb, {})[parameter] = value
    for verb, names in options.items():
        for name, parameter in names.items():
            given = environment.get(variable(verb, name))
            if given:
                known.setdefault(verb, {})[parameter] = given
    return known


def variable(verb: str, option: str) -> str:
    """The environment variable of an option: ``PLANNER_SIZE_THREADS``."""
    return f"{PREFIX}_{verb}_{option}".upper().replace("-", "_")


def spec_path(environment: Mapping[str, str]) -> str | None:
    """Directories of spec files that the configuration names, joined as in ``PLANNER_SPEC_PATH``.

    Raises:
        PlannerError: they are no list of texts.
    """
    named = read(environment).get("spec_path")
    if named is None:
        return None
    listed = [named] if isinstance(named, str) else named
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise PlannerError(
            "must be a list of directories", file=str(config_path(environment)), key="spec_path"
        )
    return os.pathsep.join(str(Path(item).expanduser()) for item in listed)


def read(environment: Mapping[str, str]) -> dict[str, Any]:
    """The tables of the configuration file; empty where there is none and none is named.

    Raises:
        PlannerError: a file that is named is not there, or the file is not TOML.
    """
    path = config_path(environment)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if environment.get(CONFIG_VARIABLE):
            raise PlannerError("no such file", file=str(path), hint=f"{CONFIG_VARIABLE} names it") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise PlannerError(f"cannot be read: {fault}", file=str(path)) from fault


def _unknown(environment: Mapping[str, str], key: str, what: str, known: list[str]) -> PlannerError:
    name = key.rsplit(".", 1)[-1]
    near = get_close_matches(name.replace("_", "-"), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return PlannerError(
        f"there is no {what} {name!r}", file=str(config_path(environment)), key=key, hint=hint
    )
