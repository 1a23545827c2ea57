"""Whether a column takes a value: the type in which it is computed, and the conditions that it is too large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from fixer.model.expression.patterns import pattern
from fixer.model.table import Column
from fixer.repair.defaults.own_values import too_long
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import MAXIMA, Shape, element, family, shape

_LITERAL = pattern(r"'((?:[^'\\]|'')*)'")
FLOAT_DIGITS = 30  # of a number that each float takes
_NUMBER = pattern(r"[-+]?\d+(?:\.\d*)?")
_CAST = pattern(r"::[\w \"]+$")
# The characters, at least, of what differs each time: of a uuid, of a moment in any DateStyle, of a day.
_DRAWN = {
    **dict.fromkeys(("gen_random_uuid()", "uuidv4()", "uuidv7()"), 36),
    **dict.fromkeys(("now()", "CURRENT_TIMESTAMP", "clock_timestamp()", "statement_timestamp()"), 22),
    "CURRENT_DATE": 10,
}


def plain_type(column: Column) -> str | None:
    """Return the type in which a value is computed, without the length beyond which a text is refused.

    None for a type that others made, unless it is an enum: to read its values may call their functions.
    """
    spelt = column.base or column.full_type
    if not column.enum and "." in spelt:
        return None
    many = spelt[len(spelt.rstrip("[]")) :]
    known = shape(spelt.removesuffix(many) if many else spelt)
    if known.family in ("text", "bit") and known.size is not None:
        return {"character": "bpchar", "bit": "bit varying"}.get(known.name, known.name) + many
    return spelt


def misfits(cell: Composable, column: Column) -> Iterator[Composable]:
    """Yield the condition that a value, or an element of an array, is longer than a column takes."""
    if item := element(column.type):
        for longer in misfits(SQL("item"), replace(column, type=item)):
            yield SQL("EXISTS (SELECT FROM unnest({}) AS item WHERE {})").format(cell, longer)
    if long := too_long(cell, column):
        yield long
    known = shape(column.type)
    if family(column.type) == "bit" and known.size is not None:
        sign = SQL("<>" if known.name == "bit" else ">")
        yield SQL("length({}) {} {}").format(cell, sign, Literal(known.size))


def too_large(value: Composable, column: Column) -> Composable | None:
    """Return the condition that a number is beyond what a column takes; None if it takes each, or other values."""
    known = shape(column.base or column.type)
    if known.name in MAXIMA:
        most = MAXIMA[known.name]
        return SQL("round(({})::numeric) NOT BETWEEN {} AND {}").format(value, Literal(-most - 1), Literal(most))
    if known.family == "numeric" and known.size is not None:
        scale = known.scale or 0
        rounded = SQL("abs(round(({})::numeric, {}))").format(value, Literal(scale))
        return SQL("({0} >= 10::numeric ^ {1} AND {0} <> 'NaN')").format(rounded, Literal(known.size - scale))
    return None


def takes(column: Column) -> bool | None:
    """Return whether a column takes its default, by its text alone; None if that has to be computed, or is unknown."""
    fitting = _fits(column.default or "", column.base or column.type)
    return None if fitting and column.guards else fitting


def _bare(text: str) -> str:
    """Return a value without a cast and parentheses around it."""
    bare = _CAST.sub("", text)
    inner = bare[1:-1] if bare.startswith("(") and bare.endswith(")") else bare
    return inner if inner in _DRAWN or _NUMBER.fullmatch(inner) else bare


@lru_cache(maxsize=4096)  # most defaults have their like in other tables
def _fits(default: str, type_: str) -> bool | None:
    """Return whether a literal fits into a type: PostgreSQL cuts off blanks that are too many, and rounds fractions."""
    text = _bare(default)
    known, literal = shape(type_), _LITERAL.fullmatch(text)
    said = literal[1].replace("''", "'") if literal else text
    if known.family == "text" and known.size is not None and known.name != "name":
        if text in _DRAWN:
            return False if _DRAWN[text] > known.size else None
        return len(said.rstrip(" ")) <= known.size if literal else None
    if known.family == "bit" and literal:
        longer = known.size is not None and len(said) > known.size
        return not longer and (known.name != "bit" or len(said) == known.size)
    if known.family in ("integer", "numeric"):
        return _holds(Decimal(said), known) if _NUMBER.fullmatch(said.strip()) else None
    if known.family == "float":
        return True if _NUMBER.fullmatch(said.strip()) and len(said) < FLOAT_DIGITS else None
    sized = known.family.endswith("[]") and "(" in type_
    return True if (literal and not sized) or text in ("true", "false") else None


def _holds(number: Decimal, type_: Shape) -> bool:
    if type_.name in MAXIMA:
        most = MAXIMA[type_.name]
        return -most - 1 <= number.quantize(Decimal(1), ROUND_HALF_UP) <= most
    if type_.size is None:
        return True
    scale = type_.scale or 0
    return abs(number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)) < Decimal(10) ** (type_.size - scale)
