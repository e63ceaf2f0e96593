"""Where in the text of a JSON case file a row or a column stands: faults name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,:]*")


def line_of(text: str, table: str, place: int | None = None, column: str | None = None) -> int | None:
    """The line (from 1) of a list of a case file, of its row ``place``, or of a column of that row.

    Of the row where it lacks the column; None where the text holds no such list.

    Args:
        text: the file, which is JSON.
        table: ``training``, ``inference`` or ``models``; a file that is one list holds ``training``.
        place: of the row, from 0.
        column: key of the row.
    """
    start = _value_of(text, table)
    if start is None:
        return None
    at = start
    if place is not None:
        spans = list(_items(text, start))
        if place >= len(spans):
            return None
        at, end = spans[place]
        if column is not None:
            at = next((where for key, where, _ in _members(text[:end], at) if key == column), at)
    return text.count("\n", 0, at) + 1


def _value_of(text: str, table: str) -> int | None:
    """Offset of the value of a key of the file."""
    start = _skip(text, 0)
    if text[start : start + 1] == "[":
        return start if table == "training" else None
    return next((value for key, _, value in _members(text, start) if key == table), None)


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """(key, its offset, offset of its value) of the object at ``start``; none where it is no object."""
    if text[start : start + 1] != "{":
        return
    at = _skip(text, start + 1)
    while text[at : at + 1] == '"':
        key, end = _DECODER.raw_decode(text, at)
        value = _skip(text, end)
        yield str(key), at, value
        _, end = _DECODER.raw_decode(text, value)
        at = _skip(text, end)


def _items(text: str, start: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each item of the list at ``start``; none where it is no list."""
    if text[start : start + 1] != "[":
        return
    at = _skip(text, start + 1)
    while at < len(text) and text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)


def _skip(text: str, at: int) -> int:
    """Past blanks, commas and colons."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
