"""Judges by the catalogue whether a default gives each row a number of its own; it calls nothing.

A function that cannot be looked into is believed. One that reads what others write, such as `max(id) + 1`, gives two
sessions one number, and so may chance. All else gives each row of a transaction the same number, or none: the time of
its start, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from fixer.model.expression import TEXT, parts_of_name
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Function, Schema
from fixer.model.table import Column, QName, Sequence
from fixer.sql.types import family

DRAW = pattern(r"(?:pg_catalog\.)?nextval\('((?:[^']|'')*)'::regclass\)")
_CALL = pattern(r"((?:\w|\"(?:[^\"]|\"\")*\"|\.)+)\s*\(")
_CHANCE = pattern(r"\b(?:random\w*|gen_random\w*|uuid\w*|clock_timestamp|timeofday)\b", re.IGNORECASE)
# What a body may say without drawing a number: PostgreSQL's own functions, and words before a parenthesis.
_IDLE = pattern(
    r"(?:pg_catalog\.)?(?:max|min|count|sum|coalesce|nullif|greatest|least|abs|mod|round|floor|ceil|ceiling|trunc|cast|power"
    r"|currval|lastval|length|extract|date_part|to_char|to_number|to_date|numeric|char|varchar|date_trunc|md5|hashtext"
    r"|random|now|clock_timestamp|timeofday|select|from|where|and|or|not|in|any|all|exists|values|return|returns|as|if|elsif|when"
    r"|then|else|case|on|over|by|union|join|lateral|begin|declare|into|array|row|returning)",
    re.IGNORECASE,
)
_WRITES = pattern(r"\b(?:nextval|insert|update|delete|merge|execute|call|perform|lock)\b", re.IGNORECASE)
_READS = pattern(r"\bfrom\b", re.IGNORECASE)


class Draws(Enum):
    """What a default gives to rows that come without a number."""

    ALWAYS = "a number of its own to each row, as far as can be known"
    RARELY_NOT = "numbers that two rows may share"
    NEVER = "no number of its own to a row"


def drawn(column: Column, actual: Schema) -> Iterator[Sequence]:
    """Yield the sequences from which a default or an identity draws numbers, as far as they are known."""
    if column.sequence:
        yield from (each for name, each in actual.sequences.items() if name == column.sequence)
    elif column.default and "nextval(" in column.default:
        named = {parts_of_name(name) for name in DRAW.findall(column.default)}
        yield from (each for name, each in actual.sequences.items() if name in named)


def draws(table: QName, column: Column, actual: Schema) -> Draws:
    """Return what a column without a sequence or an identity gives to rows, by its default."""
    default = column.default or ""
    bare = TEXT.sub("''", default)
    today = actual.tables[table].stored_as if table in actual.tables else None
    calls = actual.calls.get(("default", today or table, column.stored_as or column.name))
    if "(" not in bare and not _CHANCE.search(bare):
        return Draws.NEVER
    if calls is None or re.search(r"\b(?:nextval|setval)\(", bare) or family(column.type) not in ("integer", "numeric"):
        return Draws.ALWAYS
    found = [_of(each) for each in calls.own]
    if Draws.ALWAYS in found:
        return Draws.ALWAYS
    return Draws.RARELY_NOT if Draws.RARELY_NOT in found or _CHANCE.search(bare) else Draws.NEVER


def _of(function: Function) -> Draws:
    """Return what a function of the database's own gives, by its body where that can be read."""
    body = function.body
    if body is None:
        return Draws.ALWAYS if function.volatile else Draws.RARELY_NOT
    if _WRITES.search(body) or not all(_IDLE.fullmatch(name) for name in _CALL.findall(body)):
        return Draws.ALWAYS
    return Draws.RARELY_NOT if _READS.search(body) or _CHANCE.search(body) else Draws.NEVER
