"""Conversions to domains: what they refuse does not fit.

Source: PostgreSQL manual, CREATE DOMAIN: a CHECK that is neither true nor false lets a value pass.
"""

from __future__ import annotations

from dataclasses import replace

from fixer.model.expression.patterns import pattern
from fixer.model.table import Column
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed
from fixer.sql.conditions import VALUE, tokens_of
from fixer.sql.conversions.further import Conversion

_OTHERS = pattern(r'(?<![\w"])(?:[^\W\d]\w*|"(?:[^"]|"")+")\.|OPERATOR\(')  # whose names are spelt with their schemas


def to_domain(found: Column, wanted: Column, bare: Conversion | str) -> Conversion | str:
    """Return the conversion to a domain, by that to the type which it is made of; what it refuses does not fit.

    Where its demands cannot be judged, or a cell may lack the value that it needs, return why.
    """
    if alien := next(filter(_calls_others, wanted.guards), ""):
        return f"its domain {wanted.type} demands {alien}, which calls code of others"
    if "NOT NULL" in wanted.guards and not found.not_null:
        return f"its domain {wanted.type} demands NOT NULL, and it may hold NULL: forbid that, then plan again"
    if isinstance(bare, str):
        return bare
    cell = SQL("({})::{}").format(bare.value, SQL(wanted.base))
    met = q.all_of([SQL("true"), *(_met(guard, cell) for guard in wanted.guards)])
    return replace(
        bare,
        type=wanted.type,
        fits=SQL("CASE WHEN {} THEN {} ELSE false END").format(bare.fits, met),
        value=SQL("({})::{}").format(bare.value, SQL(wanted.full_type)),
        back=SQL("{}::{}").format(q.column(found.name), SQL(found.full_type)) if found.base else bare.back,
        home=wanted.home,
        cast=bare.fits,
    )


def _calls_others(guard: str) -> bool:
    """Return whether a demand names what does not belong to PostgreSQL itself: a function, an operator or a type."""
    return bool(_OTHERS.search("".join(token for token in tokens_of(guard) if token[0] != "'")))


def _met(guard: str, cell: Composable) -> Composable:
    if guard == "NOT NULL":
        return SQL("{} IS NOT NULL").format(cell)
    return SQL("({}) IS NOT FALSE").format(Composed([cell if t == VALUE else SQL(t) for t in tokens_of(guard)]))
