"""Constraints between axes: comparisons and arithmetic over the values of a point, and nothing else."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from planner import units
from planner.errors import ScenarioError

Values = Mapping[str, Any]
Term = Callable[[Values], Any]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
}
_SUFFIXES = {
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "B": 1e9,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
}
_COUNT = re.compile(r"\s*(\d[\d_]*\.?\d*)\s*([A-Za-z]+)\s*\Z")


class Constraint:
    """One condition that every point must satisfy."""

    def __init__(self, text: str, names: Collection[str], place: int = 0) -> None:
        """Read a condition over ``names`` (those of the axes).

        Raises:
            ScenarioError: not such a condition; an unknown name (with the nearest).
        """
        self.text = text
        self._key = f"constraints[{place}]"
        self._names = names
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
            raise self._fault(f"{text!r} is not a condition") from fault
        self._term = self._read(tree)

    def holds(self, values: Values) -> bool:
        """Whether a point satisfies it; quantities count in base units (W, s, B), so "30 MW" is 30e6.

        Raises:
            ScenarioError: values that cannot be compared or divided.
        """
        try:
            return bool(self._term(values))
        except (TypeError, ZeroDivisionError, OverflowError) as fault:
            shown = ", ".join(f"{name} = {values[name]!r}" for name in self._used(values))
            raise self._fault(f"{self.text!r} cannot be told with {shown}: {fault}") from fault

    def _used(self, values: Values) -> list[str]:
        return [name for name in values if name in self.text]

    def _read(self, node: ast.expr) -> Term:  # noqa: PLR0911 (one form a line)
        match node:
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.Constant(value=bool() | int() | float() | str() as value):
                number = plain(value)
                return lambda _: number
            case ast.List(elts=items) | ast.Tuple(elts=items):
                terms = [self._read(item) for item in items]
                return lambda values: [term(values) for term in terms]
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                term = self._read(inner)
                return lambda values: not term(values)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                term = self._read(inner)
                return lambda values: -term(values)
            case ast.BoolOp(op=joint, values=parts):
                terms = [self._read(part) for part in parts]
                whole = all if isinstance(joint, ast.And) else any
                return lambda values: whole(term(values) for term in terms)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
                apply, first, second = _BINARY[type(sign)], self._read(left), self._read(right)
                return lambda values: apply(first(values), second(values))
            case ast.Compare(left=left, ops=signs, comparators=rest) if all(
                type(s) in _COMPARE for s in signs
            ):
                return self._chain([left, *rest], signs)
        raise self._fault(f"{ast.unparse(node)!r} is not understood in {self.text!r}")

    def _chain(self, nodes: list[ast.expr], signs: list[ast.cmpop]) -> Term:
        terms = [self._read(node) for node in nodes]
        tests = [_COMPARE[type(sign)] for sign in signs]

        def told(values: Values) -> bool:
            found = [term(values) for term in terms]
            return all(test(a, b) for test, a, b in zip(tests, found, found[1:], strict=False))

        return told

    def _name(self, node: ast.expr) -> Term:
        name = ast.unparse(node)
        if name not in self._names:
            near = get_close_matches(name, self._names, n=1, cutoff=0.5)
            raise self._fault(
                f"{name!r} is no axis of this sweep",
                f"did you mean {near[0]!r}?" if near else f"axes: {', '.join(self._names)}",
            )
        return lambda values: plain(values[name])

    def _fault(self, message: str, hint: str | None = None) -> ScenarioError:
        return ScenarioError(
            message,
            key=self._key,
            hint=hint
            or 'compare axes with numbers, texts and + - * / // %, e.g. "limits.cards.max % 64 == 0"',
        )


def plain(value: Any) -> Any:
    """A number where ``value`` is one or a text such as "30 MW" or "15.6T" (base units); else itself."""
    if not isinstance(value, str):
        return [plain(item) for item in value] if isinstance(value, list) else value
    if not value.strip()[:1].isdigit():
        return value
    count = _COUNT.match(value)
    if count and count[2] in _SUFFIXES:
        return float(count[1].replace("_", "")) * _SUFFIXES[count[2]]
    for dimension in units.Dimension:
        try:
            return units.parse(value, dimension)[0]
        except units.UnitError:
            continue
    return value
