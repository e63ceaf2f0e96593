"""``planner specs``: list, show and check the spec library; print its JSON Schemas."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.cli import complete
from planner.errors import EXIT_NO, PlannerError, SpecError

if TYPE_CHECKING:
    from rich.table import Table

    from planner.specs import Quantity, SpecFile, SpecLibrary
    from planner.specs.schema import Accelerator

    Cell = Quantity | str | int | None

app = typer.Typer(
    name="specs",
    help="List, show and check hardware spec files (the shipped ones and those in PLANNER_SPEC_PATH).",
    no_args_is_help=True,
)

Column = tuple[str, str, Callable[[Any], "Cell"]]
"""Heading, name in --json (with its unit), and where the cell comes from."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _half_precision(card: Accelerator) -> Quantity | None:
    return card.peak.bf16 or card.peak.fp16


_COLUMNS: dict[str, list[Column]] = {
    "accelerators": [
        ("vendor", "vendor", lambda s: s.vendor),
        ("origin", "origin", lambda s: s.origin),
        ("status", "status", lambda s: s.status),
        ("16-bit peak", "peak_16bit_flops_per_second", _half_precision),
        ("memory", "memory_bytes", lambda s: s.memory.capacity),
        ("bandwidth", "memory_bytes_per_second", lambda s: s.memory.bandwidth),
        ("scale-up", "scale_up_bytes_per_second", lambda s: s.links.scale_up_bandwidth),
        ("TDP", "tdp_watts", lambda s: s.power.tdp),
    ],
    "systems": [
        ("vendor", "vendor", lambda s: s.vendor),
        ("status", "status", lambda s: s.status),
        ("accelerator", "accelerator", lambda s: s.accelerator),
        ("cards/server", "cards_per_server", lambda s: s.cards_per_server),
        ("domain cards", "domain_cards", lambda s: s.domain_cards),
        ("scale-out/card", "scale_out_bytes_per_second", lambda s: s.scale_out.bandwidth),
        ("fabric", "fabric", lambda s: s.scale_out.fabric),
    ],
    "fabrics": [
        ("vendor", "vendor", lambda s: s.vendor),
        ("technology", "technology", lambda s: s.technology),
        ("port", "port_bytes_per_second", lambda s: s.port_rate),
        ("switch", "switch", lambda s: s.switch),
    ],
    "parts": [
        ("vendor", "vendor", lambda s: s.vendor),
        ("part", "part_kind", lambda s: s.kind),
        ("ports", "ports", lambda s: s.ports),
        ("port", "port_bytes_per_second", lambda s: s.port_rate),
        ("power", "power_watts", lambda s: s.power),
        ("price", "price", lambda s: s.price),
    ],
    "sites": [
        ("country", "country", lambda s: s.country),
        ("region", "region", lambda s: s.region),
        ("tariff", "tariff_per_kwh", lambda s: s.tariff),
        ("carbon", "carbon_kg_per_kwh", lambda s: s.carbon),
        ("best PUE", "best_pue", lambda s: min((c.pue for c in s.cooling.values()), key=lambda q: q.value)),
    ],
    "efficiency": [
        ("calibrated on", "calibrated", lambda s: s.calibrated),
        ("runs", "runs", lambda s: s.runs),
        ("16-bit matmul", "matmul_16bit_share", lambda s: s.matmul.bf16),
        ("residual", "residual", lambda s: s.residual),
    ],
}
KINDS = tuple(_COLUMNS)
"""Those of `planner.specs.KINDS`, which a test checks: importing that takes a third of a second."""


@contextmanager
def _told() -> Iterator[None]:
    """Bad input goes to stderr with its exit code, never as a traceback."""
    try:
        yield
    except PlannerError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


@app.command("list")
def list_specs(
    kind: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join(KINDS)}; all by default.", autocompletion=complete.spec_kinds
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List spec files with their main figures, and how many figures are estimates.

    Example: planner specs list sites
    """

    from planner.specs import SpecLibrary, kind_of  # noqa: PLC0415 (keeps --help fast)

    with _told():
        library = SpecLibrary.from_environment()
        kinds = list(KINDS) if kind is None else [kind_of(kind)]
        rows = {k: [_row(library, k, spec_id) for spec_id in library.ids(k)] for k in kinds}
    if as_json:
        plain = [{name: _plain(cell) for _, name, cell in row} for k in kinds for row in rows[k]]
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    for k in kinds:
        headings = [heading for heading, name, _ in rows[k][0] if name != "kind"] if rows[k] else []
        typer.echo(f"{k} ({len(rows[k])})")
        table = _table(headings)
        for row in rows[k]:
            table.add_row(*(_shown(cell) for _, name, cell in row if name != "kind"))
        if rows[k]:
            _print(table)


def _row(library: SpecLibrary, kind: str, spec_id: str) -> list[tuple[str, str, Cell]]:
    spec = library.get(kind, spec_id)
    figures = [figure for _, figure in spec.figures()]
    estimates = sum(figure.kind == "estimate" for figure in figures)
    row: list[tuple[str, str, Cell]] = [
        ("", "kind", kind),
        ("id", "id", spec_id),
        ("name", "name", spec.name),
    ]
    row += [(heading, name, cell(spec)) for heading, name, cell in _COLUMNS[kind]]
    family = getattr(spec, "efficiency", None)
    if kind == "accelerators" and isinstance(family, str):
        known = library.find("efficiency", family)
        row.append(("grade", "calibrated", library.efficiency(known).calibrated if known else None))
    row += [("estimates", "estimates", estimates), ("of figures", "figures", len(figures))]
    return row


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="An id, an alias or a name; case does not matter.", autocompletion=complete.spec_names
        ),
    ],
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind of file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every figure of a spec file with its range, its kind and its sources.

    A name that stands for files of several kinds (a card and its server) shows them all.

    Example: planner specs show kunlun-p800
    """

    from planner.specs import SpecLibrary, kind_of  # noqa: PLC0415 (keeps --help fast)

    with _told():
        library = SpecLibrary.from_environment()
        kinds = list(KINDS) if kind is None else [kind_of(kind)]
        found = [(k, spec_id) for k in kinds if (spec_id := library.find(k, name)) is not None]
        if not found:
            raise library.unknown(kinds, name)
        records = [_record(library, k, spec_id) for k, spec_id in found]
    if as_json:
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
        return
    for record in records:
        _print_record(record)


def _record(library: SpecLibrary, kind: str, spec_id: str) -> dict[str, Any]:
    spec = library.get(kind, spec_id)
    chain = library.chain(kind, spec_id)
    return {
        "kind": kind,
        "id": spec_id,
        "name": spec.name,
        "aliases": spec.aliases,
        "files": [entry.source.shown for entry in chain],
        "sha256": library.hash(kind, spec_id),
        "note": spec.note,
        "properties": dict(_properties(spec)),
        "figures": [_figure(spec, key, figure) for key, figure in spec.figures()],
        **_of_card(library, spec),
    }


def _of_card(library: SpecLibrary, spec: SpecFile) -> dict[str, Any]:
    """Export-control figures and software maturity of a card."""
    from planner.specs import Accelerator  # noqa: PLC0415 (keeps --help fast)
    from planner.specs.export_control import export_figures  # noqa: PLC0415
    from planner.specs.maturity import maturities  # noqa: PLC0415

    if not isinstance(spec, Accelerator):
        return {}
    export = export_figures(spec)
    return {
        "export_control": None if export is None else export.to_dict(),
        "software_maturity": {
            name: {"level": item.level, "evidence": item.evidence, "stack": stack}
            for stack, name, item in maturities(library, spec)
        },
    }


def _figure(spec: SpecFile, key: str, figure: Quantity) -> dict[str, Any]:
    return {
        "key": key,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "unit": figure.currency or figure.dimension.value,
        "kind": figure.kind,
        "shown": figure.shown(),
        "shown_range": _range(figure),
        "method": figure.method,
        "note": figure.note,
        "date": figure.date,
        "sources": [{"key": source} | spec.sources[source].model_dump() for source in figure.source_keys],
    }


def _properties(spec: SpecFile) -> Iterator[tuple[str, Any]]:
    """What the file says beside its figures: vendor, status, topology ..."""
    head = {"id", "name", "aliases", "note", "sources"}

    def walk(path: str, item: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(item, dict) and not {"value", "kind"} <= item.keys():
            for key, inner in item.items():
                yield from walk(f"{path}.{key}" if path else key, inner)
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            for index, inner in enumerate(item):
                yield from walk(f"{path}[{index}]", inner)
        elif not isinstance(item, dict) and item not in (None, [], ""):
            yield path, item

    yield from walk("", spec.model_dump(exclude=head, exclude_none=True))


def _card_lines(record: dict[str, Any]) -> Iterator[str]:
    export = record.get("export_control")
    if export is not None:
        density = "not known (no die area)" if export["density"] is None else f"{export['density']:.3g}"
        yield (
            f"  export control: TPP {export['tpp']:,.0f} ({export['precision']}), performance density "
            f"{density}: {export['classified']}"
        )
        yield f"    {export['rule']}; {export['note']}"
    for name, item in record.get("software_maturity", {}).items():
        yield f"  software, {name}: {item['level']} ({item['evidence']}; parts/{item['stack']})"


def _print_record(record: dict[str, Any]) -> None:
    typer.echo(f"{record['name']}  ({record['kind'].removesuffix('s')} {record['id']})")
    typer.echo(f"  file: {' extends '.join(record['files'])}  sha256: {record['sha256'][:16]}")
    if record["aliases"]:
        typer.echo(f"  also called: {', '.join(record['aliases'])}")
    if record["note"]:
        typer.echo(f"  note: {record['note']}")
    for key, item in record["properties"].items():
        typer.echo(f"  {key}: {', '.join(map(str, item)) if isinstance(item, list) else item}")
    for line in _card_lines(record):
        typer.echo(line)
    table = _table(["figure", "value", "low - high", "kind", "source", "how"])
    sources: dict[str, dict[str, Any]] = {}
    for figure in record["figures"]:
        sources |= {source["key"]: source for source in figure["sources"]}
        cited = ", ".join(source["key"] for source in figure["sources"])
        words = [figure["method"], figure["note"], figure["date"] and f"as of {figure['date']}"]
        how = "; ".join(word for word in words if word)
        table.add_row(figure["key"], figure["shown"], figure["shown_range"], figure["kind"], cited, how)
    _print(table)
    if sources:
        typer.echo("sources:")
    for key, source in sources.items():
        typer.echo(f"  {key}: {source['title']}, {source['date']}")
        for line in (source["url"], source["note"]):
            if line:
                typer.echo(f"    {line}")
    typer.echo("")


@app.command()
def check(
    directory: Annotated[
        Path | None,
        typer.Argument(help="Your own directory of spec files, checked on top of the shipped ones."),
    ] = None,
    alone: Annotated[bool, typer.Option(help="DIRECTORY is a whole library by itself.")] = False,
    strict: Annotated[bool, typer.Option(help="Warnings fail the check too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check spec files: sources, units, references, impossible values. Exit code 1 if any is wrong.

    Example: planner specs check
    """
    from planner.specs.check import check as check_library  # noqa: PLC0415 (only this command needs the rules)

    with _told():
        library = _library_to_check(directory, alone)
        findings = check_library(library)
    if directory is not None:
        below = directory.resolve()
        findings = [f for f in findings if Path(f.file).resolve().is_relative_to(below)]
    errors = sum(f.severity == "error" for f in findings)
    if as_json:
        typer.echo(json.dumps([asdict(f) for f in findings], indent=2, ensure_ascii=False))
    else:
        for f in findings:
            where = f"{f.file}:{f.line}" if f.line else f.file
            key = f": {f.key}" if f.key else ""
            typer.echo(f"{where}{key}: {f.severity}: {f.message} [{f.rule}]\n  remedy: {f.remedy}")
        typer.echo(f"{errors} errors, {len(findings) - errors} warnings")
    if errors or (strict and findings):
        raise typer.Exit(EXIT_NO)


def _library_to_check(directory: Path | None, alone: bool) -> SpecLibrary:
    from planner.specs import SpecLibrary  # noqa: PLC0415 (keeps --help fast)

    if directory is None:
        return SpecLibrary.from_environment()
    if not directory.is_dir():
        raise SpecError(
            "is not a directory", file=str(directory), hint="give a directory with accelerators/, ..."
        )
    library = SpecLibrary.from_environment()
    if alone:
        return SpecLibrary([directory])
    known = [path.resolve() for path in library.directories]
    return library if directory.resolve() in known else SpecLibrary([*library.directories, directory])


@app.command()
def schema(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the schemas of all kinds into this directory."),
    ] = None,
) -> None:
    """Print the JSON Schema of one kind of file, or write all of them with -o.

    Example: planner specs schema accelerators > accelerators.schema.json
    """
    from planner.specs import export  # noqa: PLC0415 (only this command needs it)

    with _told():
        if output is not None:
            if output.exists() and not output.is_dir():
                raise SpecError("is not a directory", file=str(output), hint="give a directory with -o")
            for path in export.write(output):
                typer.echo(f"wrote {path}", err=True)
        elif kind is None:
            raise SpecError("which kind?", hint=f"one of {', '.join(KINDS)}, or -o DIRECTORY for all")
        else:
            typer.echo(export.text(kind), nl=False)


def _plain(cell: Cell) -> float | str | int | None:
    from planner.specs import Quantity  # noqa: PLC0415 (keeps --help fast)

    return cell.value if isinstance(cell, Quantity) else cell


def _shown(cell: Cell) -> str:
    from planner.specs import Quantity  # noqa: PLC0415 (keeps --help fast)

    if cell is None:
        return "-"
    return cell.shown() if isinstance(cell, Quantity) else str(cell)


def _range(figure: Quantity) -> str:
    if figure.low is None and figure.high is None:
        return ""
    ends = [figure.value if end is None else end for end in (figure.low, figure.high)]
    return " - ".join(figure.model_copy(update={"value": end}).shown() for end in ends)


def _table(headings: Sequence[str]) -> Table:
    from rich import box  # noqa: PLC0415 (rich costs a tenth of the time of a whole evaluation)
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _print(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415

    # A pipe or a file has no width of its own: leave room for a whole row.
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)
