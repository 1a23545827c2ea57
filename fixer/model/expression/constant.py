"""Constants in PostgreSQL's spelling, and which of them are one value: ``'600'::bigint`` is 600.

Only literals are read here, in casts to built-in types. What else is constant, the server may compute: 60 * 60.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Container, Hashable, Iterator
from decimal import Decimal
from functools import lru_cache

from fixer.model.expression import unquoted, without_casts
from fixer.model.expression.patterns import pattern

_NUMERIC = frozenset({"integer", "numeric", "float"})
_NUMBER = pattern(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LITERAL = pattern(r"'((?:[^'\\]|'')*)'")
_ARRAY = pattern(r"ARRAY\[(.*)\]", re.DOTALL)
_ITEM = pattern(r"(?:'((?:[^',\\{}\"])*)'|([+-]?[\w.]+))")
_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_THEN = pattern(r"\(?now\(\) AT TIME ZONE ('[^']*')\)?")
_NUMBERED = pattern(r"'(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[+-]?[0-9]+(?: (?:day|mon|year)s?)?)'")
_ZONED = pattern(r"timezone\(('[^']*'), now\(\)\)")

_TOKEN = pattern(
    r"(?P<literal>E?'(?:[^'\\]|''|\\.)*')|(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>::|[-+*/%|&#<>=~!^@?]+)|[\s(),\[\]]",
    re.DOTALL,
)
_NAME = pattern(r'"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_]*')
_OPERATORS = frozenset(["||", "+", "-", "*", "/", "%", "&", "|", "#", "~", "<<", ">>", "=", "<>", "<", ">", "<=", ">="])
_CLOCKS = frozenset({"date", "interval"})
_TYPES = frozenset(
    re.findall(
        r"\w+",
        "bigint boolean bpchar bytea character double integer jsonb numeric precision real smallint text uuid varying",
    )
)
_NUMBERS = frozenset({"integer", "double", "precision", "numeric"})
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        and array case coalesce else end false greatest least not null nullif or then true when
        days hours mins months secs weeks years
        """,
    )
)
_FUNCTIONS = frozenset(  # built in and immutable, whatever their arguments
    re.findall(
        r"\w+",
        """
        abs ascii btrim ceil ceiling char_length chr floor initcap left length lower ltrim make_date make_interval md5
        mod replace reverse right round rtrim sign split_part substr to_hex trunc upper
        """,
    )
)
_CONDITIONS = frozenset(re.findall(r"\w+", "all any cardinality distinct from is length octet_length"))
_MATCHES = frozenset(["~~", "!~~", "~~*", "!~~*", "!~", "~*", "!~*"])
_COMPUTED = frozenset({"integer", "numeric", "float", "text", "boolean", "jsonb", "uuid", "bytea"})


@lru_cache(maxsize=4096)  # most defaults have their like in other tables
def is_computable(text: str, family: str) -> bool:
    """Return whether the server may compute a default of this family of types, and gets the same value at any time.

    It has literals, built-in types, and built-in operators and functions that are immutable. All else, such as a
    name in quotes or of a schema, may be the code of others, or depend on settings and the clock.
    """
    if family.removesuffix("[]") not in _COMPUTED and family not in _CLOCKS:
        return False
    types = _CLOCKS | _NUMBERS if family in _CLOCKS else _TYPES
    operators = frozenset("+-*/") if family in _CLOCKS else _OPERATORS
    tokens = [*_tokens(text, types | _WORDS | _FUNCTIONS, operators)]
    odd = family == "date" and any(  # such as today, or a date in another order
        token and token["literal"] and not _NUMBERED.fullmatch(token["literal"]) for token in tokens
    )
    return None not in tokens and not odd


def is_decidable(condition: str, columns: Collection[str]) -> bool:
    """Return whether the server may compute a condition over these columns, as `is_computable` says of a default."""

    def without(found: re.Match[str]) -> str:
        called = found.string[found.end() :].startswith("(")
        return "null" if unquoted(found[0]) in columns and not called else found[0]

    apart = re.split(r"('(?:[^']|'')*')", condition)
    bare = "".join(each if place % 2 else _NAME.sub(without, each) for place, each in enumerate(apart))
    return None not in _tokens(bare, _TYPES | _WORDS | _FUNCTIONS | _CONDITIONS, _OPERATORS | _MATCHES)


def _tokens(text: str, words: Container[str], operators: Container[str]) -> Iterator[re.Match[str] | None]:
    """Yield the tokens of an expression; None, and no more, at the first that is not known."""
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        word = (token["word"] or "").lower() if token else ""
        mark = (token["operator"] or "") if token else ""
        if token is None or (mark not in ("", "::", "=>") and mark not in operators) or (word and word not in words):
            yield None
            return
        yield token
        place = token.end()


def same_value(one: str, other: str, family: str) -> bool:
    """Return whether two defaults of a column of this family of types always give the same value."""
    mine, theirs = without_casts(one), without_casts(other)
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
