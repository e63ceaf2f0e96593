"""The one door through which spec figures enter a problem: it records them and collects what is missing."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar, cast

from planner.errors import MissingFigureError, PlannerError
from planner.problem.evidence import (
    PROFILES,
    SERVING_CONSTANTS,
    SERVING_SOFTWARE,
    SOFTWARE,
    Figure,
    FigureKey,
    Role,
    Scope,
    short_name,
)
from planner.software import SoftwareProfile, path_of
from planner.software.serving import ServingConstants, ServingProfile, constants_path, serving_path_of
from planner.specs import KINDS, SPEC_PATH_VARIABLE, Quantity, SpecFile, SpecLibrary
from planner.specs.library import shipped
from planner.specs.reading import model_at, shown_path, undotted
from planner.units import Dimension


@dataclass(frozen=True)
class Missing:
    """Something the answer needs and nobody published."""

    key: FigureKey
    label: str


_T = TypeVar("_T")


class _Part(NamedTuple):
    """Something made of figures, with the keys it read and the objects it was made of."""

    made: object
    read: frozenset[FigureKey]
    of: tuple[object, ...]


Parts = dict[Hashable, _Part]
"""What a question was put together from with every figure as its file has it."""


class Figures:
    """All figures of a problem: sheets to read them from, overrides, and what is missing."""

    def __init__(
        self,
        library: SpecLibrary,
        overrides: Mapping[FigureKey, float] | None = None,
        parts: Parts | None = None,
    ) -> None:
        """Read from ``library``.

        Args:
            library: the spec files.
            overrides: values (base units) that stand in for those of the files.
            parts: filled where nothing is overridden; else parts of the same question that are made anew only
                where they read a figure that is.
        """
        self.library = library
        self.missing: dict[FigureKey, Missing] = {}
        self._missing_prices: dict[FigureKey, Missing] = {}
        self._overrides = {FigureKey(*key): value for key, value in (overrides or {}).items()}
        self._used: dict[FigureKey, Figure] = {}
        self._sheets: dict[tuple[str, str], Sheet] = {}
        self._scope = Scope()
        self._parts = parts
        self._reading: list[set[FigureKey]] = []

    def part(self, name: Hashable, make: Callable[[], _T], *of: object) -> _T:
        """What ``make`` makes of figures and of the objects ``of``, which are never changed.

        The same question with other values of some figures gets a part back as it was where it read none of
        them and is made of the very same objects.
        """
        if self._parts is None:
            return make()
        known = self._parts.get(name)
        if known is not None:
            same = len(known.of) == len(of) and all(map(operator.is_, known.of, of))
            if same and known.read.isdisjoint(self._overrides):
                return cast("_T", known.made)
            return make()
        if self.overridden:
            return make()
        self._reading.append(set())
        try:
            made = make()
        finally:
            read = self._reading.pop()
        self._parts[name] = _Part(made, frozenset(read), of)
        return made

    def of(self, kind: str, spec: SpecFile) -> Sheet:
        """The figures of one file."""
        place = (kind, spec.id)
        if place not in self._sheets:
            self._sheets[place] = Sheet(self, kind, spec)
        return self._sheets[place]

    @property
    def overridden(self) -> bool:
        """Whether other values stand in for some of the files'."""
        return bool(self._overrides)

    @contextmanager
    def scope(self, scope: Scope) -> Iterator[None]:
        """Figures read inside belong to ``scope``."""
        before, self._scope = self._scope, scope
        try:
            yield
        finally:
            self._scope = before

    def take(self, key: FigureKey, quantity: Quantity | None, label: str, role: Role) -> float | None:
        """Record a figure and give its value in use."""
        for read in self._reading:
            read.add(key)
        if quantity is None:
            return self._overrides.get(key)
        known = self._used.get(key)
        if known is None:
            self._used[key] = Figure(key, label, quantity, role, (self._scope,))
        elif self._scope not in known.scopes:
            self._used[key] = replace(known, scopes=(*known.scopes, self._scope))
        return self._overrides.get(key, quantity.value)

    def miss_price(self, key: FigureKey, label: str) -> None:
        """Note a price that nobody published; plans leave it out and say so."""
        self._missing_prices.setdefault(key, Missing(key, label))

    def usd_per(self, currency: str) -> float:
        """US dollars per unit of ``currency``."""
        if currency == "USD":
            return 1.0
        rates = self.of("parts", self.library.part("exchange-rates"))
        return rates.need(f"usd_per_unit.{currency}", "cost", f"of {currency}")

    @property
    def used(self) -> tuple[Figure, ...]:
        """Every figure that entered, in the order of their keys."""
        return tuple(self._used[key] for key in sorted(self._used))

    @property
    def missing_prices(self) -> tuple[str, ...]:
        """Labels of the prices that nobody published."""
        return tuple(item.label for item in self._missing_prices.values())

    @property
    def spec_hashes(self) -> dict[str, str]:
        """``kind/id`` -> SHA-256 of each spec file that was read."""
        return {f"{kind}/{spec_id}": self.library.hash(kind, spec_id) for kind, spec_id in self.spec_files}

    @property
    def spec_files(self) -> list[tuple[str, str]]:
        """Kind and id of each spec file that was read, sorted."""
        return sorted(place for place in self._sheets if place[0] not in PROFILES)

    def refuse_missing(self) -> None:
        """Refuse with everything that is missing at once.

        Raises:
            MissingFigureError: figures that are needed are not known; the hint shows how to supply them.
        """
        if self.missing:
            self._refuse(list(self.missing.values()), "the answer")

    def refuse_missing_prices(self, why: str) -> None:
        """Refuse ``why`` with all missing prices, where there are any.

        Raises:
            MissingFigureError: as for `refuse_missing`.
        """
        if self._missing_prices:
            self._refuse(list(self._missing_prices.values()), why)

    def refuse_unknown_overrides(self) -> None:
        """Refuse overrides that changed nothing.

        Raises:
            PlannerError: the problem does not use such a figure.
        """
        for place in self._overrides:
            sheet = self._sheets.get((place.kind, place.id))
            if sheet is None or place.key not in sheet.asked:
                raise PlannerError(f"the problem uses no figure {place.key!r} of {place.kind}/{place.id}")

    def _refuse(self, missing: Sequence[Missing], why: str) -> None:
        missing = sorted(missing, key=lambda item: item.key)
        listed = "\n".join(f"  {item.label}: {self._file(item.key)}: {item.key.key}" for item in missing)
        figures = f"{len(missing)} figures" if len(missing) > 1 else "1 figure"
        own = [item.key for item in missing if self._own_file(item.key) is not None]
        ours = [item.key for item in missing if self._own_file(item.key) is None]
        hints = [f"add to your files, each line in its table:\n{self.own_snippets(own)}"] if own else []
        if ours:
            hints.append(f"supply them in a directory named by {SPEC_PATH_VARIABLE}:\n{snippets(ours)}")
        said = "that nobody published" if ours else "that your files do not give"
        if ours and any(item.key.key.startswith("peak.") for item in missing):
            said = "that the chip does not have, or that nobody published"
        raise MissingFigureError(f"{why} needs {figures} {said}:\n{listed}", hint="\n  and ".join(hints))

    def own_snippets(self, keys: Sequence[FigureKey]) -> str:
        """Lines to add to files of the user's own, each in its table, under the name of its file."""
        files: dict[str, list[FigureKey]] = {}
        for key in sorted(keys):
            files.setdefault(self._file(key), []).append(key)
        return "\n".join("\n".join([f"    # {file}", *_tables(held)]) for file, held in files.items())

    def supply(self, keys: Sequence[FigureKey]) -> tuple[str, str]:
        """Where figures of one file go, in words, and the TOML to fill in."""
        if all(self._own_file(key) is not None for key in keys):
            return "add to your file", self.own_snippets(keys)
        return f"supply them in a directory named by {SPEC_PATH_VARIABLE}", snippets(keys)

    def _own_file(self, key: FigureKey) -> str | None:
        """The file of a figure where the user wrote it; None: it is one of ours."""
        if key.kind in PROFILES or shipped(self.library.path(key.kind, key.id)):
            return None
        return self._file(key)

    def _file(self, key: FigureKey) -> str:
        if key.kind == SERVING_CONSTANTS:
            return shown_path(constants_path())
        own = {SOFTWARE: path_of, SERVING_SOFTWARE: serving_path_of}.get(key.kind)
        return shown_path(own(key.id) if own else self.library.path(key.kind, key.id))


class Sheet:
    """The figures of one spec file, read through `Figures`."""

    def __init__(self, figures: Figures, kind: str, spec: SpecFile) -> None:
        self.asked: set[str] = set()
        self._figures = figures
        self._kind = kind
        self._spec = spec
        self._table = spec.figure_table
        self._name = spec.id if kind in PROFILES else short_name(spec)

    def need(self, key: str, role: Role, what: str) -> float:
        """The value; a missing one is kept for `Figures.refuse_missing`, and 1 stands in meanwhile."""
        value = self.want(key, role, what)
        if value is None:
            self._miss(key, what)
            return 1.0
        return value

    def want(self, key: str, role: Role, what: str, *, default: Quantity | None = None) -> float | None:
        """The value, that of the labelled ``default`` where the file has none, or None."""
        self.asked.add(key)
        return self._figures.take(self._place(key), self._table.get(key, default), self._label(what), role)

    def peek(self, key: str) -> float:
        """The value of a figure that the schema requires but this problem makes no use of: not recorded."""
        return self._table[key].value

    def whole(self, key: str, value: int | None, what: str) -> int:
        """A plain whole number of the file (no figure); a missing one is kept like a missing figure."""
        if value is None:
            self._miss(key, what)
            return 1
        return value

    def price(self, key: str, what: str) -> float | None:
        """A price in US dollars (per kWh or watt where the figure is), by the library's exchange rates."""
        amount = self.want(key, "cost", what)
        if amount is None:
            self._figures.miss_price(self._place(key), self._label(what))
            return None
        return amount * self._figures.usd_per(self.currency(key))

    def currency(self, key: str) -> str:
        """That of an amount of money in the file; US dollars where it names none."""
        quantity = self._table.get(key)
        return (quantity and quantity.currency) or "USD"

    def _miss(self, key: str, what: str) -> None:
        place = self._place(key)
        self._figures.missing.setdefault(place, Missing(place, self._label(what)))

    def _place(self, key: str) -> FigureKey:
        return FigureKey(self._kind, self._spec.id, key)

    def _label(self, what: str) -> str:
        return f"{self._name} {what}"


_SAMPLE_UNITS = {
    Dimension.BYTES: "GiB",
    Dimension.BYTES_PER_SECOND: "GB/s",
    Dimension.FLOPS_PER_SECOND: "TFLOP/s",
    Dimension.SECONDS: "us",
    Dimension.WATTS: "W",
    Dimension.MONEY: "USD",
    Dimension.MONEY_PER_KWH: "USD/kWh",
    Dimension.MONEY_PER_WATT: "USD/W",
    Dimension.KG_CO2_PER_KWH: "kgCO2/kWh",
    Dimension.LITRES_PER_KWH: "L/kWh",
    Dimension.PER_NODE_DAY: "1/1000-node-days",
}


_SCHEMAS: dict[str, type[SpecFile]] = {
    SOFTWARE: SoftwareProfile,
    SERVING_SOFTWARE: ServingProfile,
    SERVING_CONSTANTS: ServingConstants,
}


def snippets(missing: Sequence[FigureKey]) -> str:
    """TOML files that would supply the figures, one per spec file, ready to be filled in."""
    files: dict[tuple[str, str], list[str]] = {}
    for kind, spec_id, key in sorted(missing):
        files.setdefault((kind, spec_id), []).append(key)
    return "\n".join(_snippet(kind, spec_id, keys) for (kind, spec_id), keys in files.items())


def _snippet(kind: str, spec_id: str, keys: Sequence[str]) -> str:
    lines = [f"    # {kind}/{spec_id}.toml", f'    id = "{spec_id}"', f'    extends = "{spec_id}"']
    for key in keys:
        if "[" in key:
            lines.append(f"    # {key}: lists are not merged, so give all of [[{key.split('[')[0]}]] again")
        else:
            lines.append(f"    {_line(kind, key)}")
    return "\n".join(lines)


def _tables(keys: Sequence[FigureKey]) -> Iterator[str]:
    """Lines of one file by table: keys of the file itself first, as TOML has it."""
    tables: dict[str, list[str]] = {}
    for kind, _, key in keys:
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(f"    {name} = {_sample(kind, key)}")
    for table in sorted(tables):
        if not table:
            yield "    # above the first [table]:"
        elif item := re.fullmatch(r"(.+)\[(\d+)\]", table):
            yield f"    # in number {int(item[2]) + 1} of its [[{item[1]}]]:"
        else:
            yield f"    [{table}]"
        yield from tables[table]


def _line(kind: str, key: str) -> str:
    return f"{key} = {_sample(kind, key)}"


def _sample(kind: str, key: str) -> str:
    schema = _SCHEMAS.get(kind) or KINDS[kind]
    figure = model_at(schema, undotted(key))
    if figure is None or not issubclass(figure, Quantity):
        return "..."
    unit = _SAMPLE_UNITS.get(figure.dimension)
    number = f'"... {unit}"' if unit else "..."
    dated = ', date = "YYYY-MM"' if figure.dimension is Dimension.MONEY else ""
    return (
        f'{{ value = {number}, kind = "estimate", low = {number}, high = {number}, method = "..."{dated} }}'
    )
