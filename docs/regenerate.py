"""Put real output into the generated blocks of the documents, or check that it stands there.

A block begins with a comment and is followed by fenced text::

    <!-- output: planner size examples/kunlun-30k.toml; parts: headline, What to buy -->

``parts`` names sections of the memo; ``headline`` is its first line, ``footer`` its last. Without ``parts``
the whole output stands in the block. ``python docs/regenerate.py`` rewrites, ``--check`` only tells.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(
    r"<!-- output: (?P<command>planner [^;\n]*?)(?:; parts: (?P<parts>[^\n]*?))? -->\n"
    r"```text\n(?P<text>.*?)```",
    re.DOTALL,
)
PYTHON = re.compile(
    r"```python\n(?P<code>.*?)```(?P<mark>\n\n<!-- prints -->\n```text\n)?(?(mark)(?P<text>.*?)```)",
    re.DOTALL,
)
"""A block of the tutorial, and what it prints."""
PRINTS = re.compile("<!-- prints -->")
RUN_ALL = """
import contextlib, io, json, sys
space, told = {"__name__": "tutorial"}, []
for code in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "tutorial", "exec"), space)
    told.append(out.getvalue())
print(json.dumps(told))
"""
COMMANDS = re.compile(r"(<!-- commands -->\n).*?(<!-- end of commands -->)", re.DOTALL)
EXAMPLE = re.compile(r"Example: (planner .*?)(?:\n\n|\Z)", re.DOTALL)
ANSWERS = (0, 1)
"""Exit codes of an answer: yes and no."""


def _environment() -> dict[str, str]:
    """The environment with the shipped spec library alone."""
    return {name: value for name, value in os.environ.items() if name != "PLANNER_SPEC_PATH"}


@cache
def output_of(command: str) -> str:
    """What ``command`` prints, run at the root with the shipped library alone.

    Raises:
        RuntimeError: it gave no answer.
    """
    words = [sys.executable, "-P", "-m", *shlex.split(command)]
    done = subprocess.run(
        words, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False, encoding="utf-8"
    )
    if done.returncode not in ANSWERS:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def parts_of(memo: str, names: list[str]) -> str:
    """The named parts of a memo, in the order of ``names``.

    Raises:
        RuntimeError: the memo has no such part.
    """
    headline, *rest = memo.strip("\n").split("\n\n")
    sections = {re.split(r" {2,}", part, maxsplit=1)[0].split("\n")[0]: part for part in rest[:-1]}
    known = {"headline": headline, "footer": rest[-1], **sections}
    missing = [name for name in names if name not in known]
    if missing:
        raise RuntimeError(
            f"the memo has no part {', '.join(missing)}; it has {', '.join(known)}; it says: {headline}"
        )
    return "\n\n".join(known[name] for name in names) + "\n"


def tutorial(text: str) -> str:
    """``text`` with what its Python blocks print, run one after the other in one process.

    Raises:
        RuntimeError: a block fails, or prints where the page has no place for it.
    """
    codes = [found["code"] for found in PYTHON.finditer(text)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN_ALL], cwd=ROOT, env=_environment(), input=json.dumps(codes),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"a block of the tutorial fails:\n{done.stderr}")
    told = iter(json.loads(done.stdout))

    def block(found: re.Match[str]) -> str:
        printed = next(told)
        if bool(printed) != bool(found["mark"]):
            raise RuntimeError(f"a block prints {printed[:60]!r}, and the page has {found['mark']!r}")
        return f"```python\n{found['code']}```" + (f"{found['mark']}{printed}```" if printed else "")

    return PYTHON.sub(block, text)


def commands() -> dict[str, str]:
    """Every command, ``"specs show"`` ..., with its example from the words of ``--help``.

    Raises:
        RuntimeError: a command has no example.
    """
    import typer  # noqa: PLC0415 (only for this page)

    from planner.cli.main import app  # noqa: PLC0415

    found: dict[str, str] = {}

    def walk(group: Any, path: str) -> None:
        for name, command in group.commands.items():
            full = f"{path} {name}".strip()
            if hasattr(command, "commands"):
                walk(command, full)
                continue
            example = EXAMPLE.search(command.help or "")
            if example is None:
                raise RuntimeError(
                    f"planner {full}: its docstring needs a line `Example: planner {full} ...`"
                )
            found[full] = " ".join(example[1].split())

    walk(typer.main.get_command(app), "")
    return found


def reference(text: str) -> str:
    """``text`` with the section of every command: what ``--help`` says, and its example."""
    sections = [
        f"## planner {name}\n\n```sh\n{example}\n```\n\n```text\n{output_of(f'planner {name} --help')}```\n"
        for name, example in commands().items()
    ]
    return COMMANDS.sub(lambda found: f"{found[1]}\n{chr(10).join(sections)}\n{found[2]}", text)


def regenerated(text: str) -> str:
    """``text`` with every block as it is printed today."""
    if COMMANDS.search(text):
        text = reference(text)
    if PRINTS.search(text):
        text = tutorial(text)

    def block(found: re.Match[str]) -> str:
        printed = output_of(found["command"])
        if found["parts"]:
            printed = parts_of(printed, [name.strip() for name in found["parts"].split(",")])
        opening = found[0][: found.start("text") - found.start()]
        return f"{opening}{printed}```"

    return BLOCK.sub(block, text)


def main() -> int:
    """Rewrite the documents; with ``--check``, name those that are stale and return 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a block is stale")
    check = parser.parse_args().check
    stale = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        fresh = regenerated(text)
        if fresh != text:
            stale.append(path.relative_to(ROOT))
            if not check:
                path.write_text(fresh, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'stale; run docs/regenerate.py' if check else 'rewritten'}", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
