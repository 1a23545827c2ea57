"""Definitions of indexes in PostgreSQL's spelling, taken apart."""

from __future__ import annotations

import re
from functools import lru_cache

from fixer.model.expression.names import TOKEN, names_column, unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows the table's name in the definition of an index: USING btree (…) INCLUDE (…) WHERE …"""

    method: str  # USING btree
    elements: tuple[str, ...]  # each a column or an expression, with its collation, operator class and order
    options: str  # INCLUDE (…), NULLS NOT DISTINCT, WITH (…)
    condition: str  # what follows WHERE

    def names(self, column: str) -> bool:
        """Return whether the index depends on a column."""
        return any(names_column(text, column) for text in (*self.elements, self.options, self.condition))


@lru_cache(maxsize=4096)
def tail_of(tail: str) -> Tail:
    """Return the parts of an index definition, given what follows the table's name."""
    whole, *condition = split(tail, "WHERE")
    method, _, rest = whole.partition(" (")
    keys, *options = split(rest, ")")
    return Tail(method, tuple(split(keys, ",")), "".join(options), "".join(condition))


def split(text: str, mark: str) -> list[str]:
    """Return the parts of a text between marks, ignoring marks in parentheses, literals and quoted names."""
    parts, depth = [""], 0
    for token in TOKEN.findall(text):
        if token == mark and depth == 0:
            parts.append("")
            continue
        depth += (token == "(") - (token == ")")
        parts[-1] += token
    return [part.strip() for part in parts]


def column_of(element: str) -> tuple[str, str]:
    """Return the column of an index element, and what follows it; for an expression, "" and the whole element."""
    found = _COLUMN.fullmatch(element)
    return (unquoted(found[1]), found[2]) if found else ("", element)


_COLUMN = pattern(r'("(?:[^"]|"")+"|[a-z_][a-z0-9_]*)((?: .*)?)', re.DOTALL)


def compared(element: str) -> tuple[str, str]:
    """Return the value that an element of an index compares, with its collation, and the operator of an exclusion."""
    value, *rest = split(element, " ")
    return (f"{value} COLLATE {rest[1]}" if rest[:1] == ["COLLATE"] else value), (rest or [""])[-1]
