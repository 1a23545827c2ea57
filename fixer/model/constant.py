"""Constants in PostgreSQL's spelling, and which of them are one value: ``'600'::bigint`` is 600.

Only literals are read, in casts to built-in types; no function is ever called, so now() is no constant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from decimal import Decimal

from fixer.model.expression import canonical

_NUMERIC = frozenset({"integer", "numeric", "float"})
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LITERAL = re.compile(r"'((?:[^'\\]|'')*)'")
_ARRAY = re.compile(r"ARRAY\[(.*)\]", re.DOTALL)
_ITEM = re.compile(r"(?:'((?:[^',\\{}\"])*)'|([+-]?[\w.]+))")
_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_THEN = re.compile(r"\(?now\(\) AT TIME ZONE ('[^']*')\)?")
_ZONED = re.compile(r"timezone\(('[^']*'), now\(\)\)")


def same_value(one: str, other: str, family: str) -> bool:
    """Return whether two defaults of a column of this family of types always give the same value."""
    mine, theirs = canonical(one), canonical(other)
    if mine == theirs:
        return True
    value = _value(mine, family)
    return value is not None and value == _value(theirs, family)


def _value(text: str, family: str) -> tuple[str, Hashable] | None:
    """Return what a constant stands for; None if it is no constant, or may mean something else in such a column."""
    text = text.strip()
    if zoned := _THEN.fullmatch(text) or _ZONED.fullmatch(text):
        return "moment", zoned[1]
    if family == "date" and text in ("now()", "CURRENT_DATE"):
        return "today", ""
    literal = _LITERAL.fullmatch(text)
    inner = literal[1].replace("''", "'") if literal else text.strip("()")
    if family in _NUMERIC:
        return ("number", Decimal(inner)) if _NUMBER.fullmatch(inner.strip()) else None
    if family == "boolean":
        word = inner.strip().lower()
        return ("boolean", word in _TRUE) if word in (*_TRUE, *_FALSE) and (literal or len(word) > 3) else None
    if family == "jsonb" and literal:
        return _document(inner)
    return _array(text, inner, bool(literal), family.removesuffix("[]")) if family.endswith("[]") else None


def _document(text: str) -> tuple[str, Hashable] | None:
    try:
        return "document", json.dumps(json.loads(text, parse_float=lambda number: ["a number", number]), sort_keys=True)
    except ValueError:
        return None


def _array(text: str, inner: str, literal: bool, family: str) -> tuple[str, Hashable] | None:
    """Return the elements of an array that is flat, without NULL, and written without quotes inside."""
    whole = None if literal else _ARRAY.fullmatch(text)
    if whole is None and not (literal and inner.startswith("{") and inner.endswith("}")):
        return None
    parts = _parts(whole[1] if whole else inner[1:-1])
    if whole:
        found = [_ITEM.fullmatch(part) for part in parts]
        items = [item[1] if item[1] is not None else item[2] for item in found if item]
    else:
        items = [part for part in parts if re.fullmatch(r"[\w.+-]+", part)]
    if len(items) != len(parts) or any(item.upper() == "NULL" or not item or item.strip() != item for item in items):
        return None
    return ("array", tuple(map(Decimal, items))) if _are_numbers(items, family) else ("array", tuple(items))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _are_numbers(items: list[str], family: str) -> bool:
    return family in _NUMERIC and all(map(_NUMBER.fullmatch, items))
