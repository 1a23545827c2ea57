"""What a row that follows the contract holds in the columns that it leaves out.

PostgreSQL computes it, where nothing but its own functions takes part, which change nothing and ask no setting of a
session: then it is the same in every such row, or differs with the clock alone. No row is read for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.model.expression import TEXT, as_needed, names_column, tail_of
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Probe
from fixer.model.obstacle import FIRING, Trigger
from fixer.model.schema import Schema
from fixer.model.table import Check, Column, ForeignKey, Index, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.checks import over_row
from fixer.repair.constraints.online import SYNC
from fixer.repair.defaults.misfits import misfits, plain_type
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal, all_of, any_of
from fixer.sql.types import element, family, shape
from fixer.sql.uniques import compared

# Names of others, and what asks who is connected.
_OTHERS = pattern(
    r"(?:[A-Za-z_]\w*|\"(?:[^\"]|\"\")*\")\s*\.|OPERATOR\("
    r"|\b(?:(?:current|session|system)_(?:user|role|catalog|schema)|user)\b(?!\")",
    re.IGNORECASE,
)
# What every type takes that may have it as a default: a literal was read by the type, a short number fits into each.
_CONSTANT = pattern(r"'(?:[^']|'')*'(?:::[\w ]+(?:\[\])?)?|-?\d{1,4}|true|false")
_CALL = pattern(r"(?:(?:\w+|\"(?:[^\"]|\"\")*\")\.)+(?:\w+|\"(?:[^\"]|\"\")*\")\([^()]*\)")
_RAISES = pattern(
    r"^(?:(?!\b(?:if|case|loop|exit|return)\b).)*\braise\b(?!\s+(?:notice|warning|info|log|debug)\b)",
    re.IGNORECASE | re.DOTALL,
)
_CATCHES = pattern(r"\bexception\s+when\b", re.IGNORECASE)
_NULL = pattern(r"\s*(?:select\s+null(?:::[\w ]+)?|begin\s+return\s+null\s*;\s*end)\s*;?\s*", re.IGNORECASE)
# Values that a column of each family takes, for the first columns of a row.
_NUMBERS, _MOMENTS = ("3", "7", "5", "2", "8"), tuple(f"'2001-02-0{day}'" for day in (3, 7, 5, 2, 8))
_PLAIN = {
    **dict.fromkeys(("integer", "numeric", "float"), _NUMBERS),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), _MOMENTS),
    "text": tuple("'a'" for _ in _NUMBERS),
    "boolean": tuple("true" for _ in _NUMBERS),
}
_GENERIC = ("integer", "numeric", "float", "date", "timestamp", "timestamptz")
Asks = Callable[[], Probe]


def is_refilled(table: Table) -> bool:
    """Return whether a trigger may give a new row other values before it is written."""
    acting = (each for each in table.obstacles if isinstance(each, Trigger) and each.enabled in FIRING)
    return any("on INSERT" in each.does for each in acting)


def filled_by(table: Table, column: Column) -> str:
    """Return the name of a trigger that may give a new row a value in a column that it lacks; empty without one."""
    words = {f"sets {column.stored_as or column.name}", "sets *"}
    acting = (each for each in table.obstacles if isinstance(each, Trigger) and each.enabled in FIRING)
    others = (each for each in acting if not each.name.startswith(SYNC))
    return next((each.name for each in others if words & set(each.does)), "")


@dataclass(frozen=True)
class LeftOut:
    """A table as found and as wanted, with the values of columns that only the found one has."""

    table: Table
    wanted: Table
    actual: Schema

    @property
    def columns(self) -> Iterator[Column]:
        """The columns that the contract does not know, and those that it lets be left out, without a default."""
        for column in self.table.columns.values():
            meant = self.wanted.columns.get(column.name)
            if meant is None or not (meant.fills or meant.not_null or meant.guards or column.generated):
                yield column

    def is_settled(self, kind: str, name: str, text: str) -> bool:
        """Return whether PostgreSQL may compute an expression of the table: a default, check, index or domain."""
        calls = self.actual.calls.get((kind, self.table.stored_as or self.table.name, name))
        return bool(calls and calls.settled) and not _OTHERS.search(self._enums.sub("", TEXT.sub("''", text)))

    @property
    def _enums(self) -> re.Pattern[str]:
        """The casts to the enums of its columns: to read their values calls nobody's function."""
        spelt = {f"{as_needed(c.home)}.{c.type.removesuffix('[]')}" for c in self.table.columns.values() if c.enum}
        return re.compile(rf"::(?:{'|'.join(map(re.escape, spelt)) or '(?!)'})(?![\w.])")

    def value(self, column: Column) -> Composable | None:
        """Return what each such row holds in a column; None if that cannot be computed."""
        return None if column.name in self.wanted.columns else self._given(column)

    def _given(self, column: Column) -> Composable | None:
        type_ = plain_type(column)
        if type_ is None or column.generates:
            return None
        if column.generated:
            return self._made(column, type_)
        default = self.default(column)
        if default is None:
            return None if column.supplied and column.default is None else SQL("NULL::{}").format(SQL(type_))
        kind = "default" if column.default is not None else "domain"
        given = SQL("(({})::{})").format(SQL(default), SQL(type_))
        return given if self.is_settled(kind, column.stored_as or column.name, default) else None

    def default(self, column: Column) -> str | None:
        """Return the default of a column, or that of its domain."""
        name = self.table.stored_as or self.table.name
        calls = self.actual.calls.get(("domain", name, column.stored_as or column.name))
        return column.default if column.default is not None else calls.default if calls else None

    def _made(self, column: Column, type_: str) -> Composable | None:
        """Return the value of a generated column, if it is made of such columns alone."""
        text = column.default or "NULL"
        used = [each for each in self.table.columns if names_column(text, each)]
        row = self.row(used)
        if row is None or not self.is_settled("default", column.stored_as or column.name, text):
            return None
        return SQL("(SELECT ({})::{} FROM {})").format(SQL(text), SQL(type_), row)

    def row(self, names: Iterable[str]) -> Composable | None:
        """Return the FROM item `t` of one such row with these columns; None if one cannot be computed."""
        found = {name: self.table.columns.get(name) for name in names}
        cells = {name: self.value(column) if column else None for name, column in found.items()}
        known = [SQL("{} AS {}").format(v, Identifier(n)) for n, v in cells.items() if v is not None]
        return SQL("(SELECT {}) AS t").format(SQL(", ").join(known)) if len(known) == len(cells) else None

    def of_contract(self, column: Column) -> tuple[Asks, bool] | None:
        """Return the probe with one row, or an error, if a generated column does not take what the contract allows.

        It asks for a row of plain values, and for one without those that may be missing; after it, whether the answer
        is the same for all other rows.
        """
        text, type_ = column.default or "NULL", plain_type(column)
        if type_ is None or not column.generated or (column.generated == "v" and not column.not_null):
            return None
        if not self.is_settled("default", column.stored_as or column.name, text):
            return None
        used = [name for name in self.table.columns if names_column(text, name)]
        cast = SQL("(SELECT ({})::{} FROM {})")
        empty = self._sample(used, filled=False) if column.not_null else None
        plain = self._sample(used, filled=True)
        value = [cast.format(SQL(text), SQL(type_), row) for row in (plain, empty) if row is not None]
        if not value:
            return None
        given = SQL(", ").join(SQL("({}, {})").format(v, Literal(n)) for n, v in enumerate(value))
        wrong = [*misfits(SQL("t.given"), column), SQL("char_length(t.given::text) < 0")]
        if empty is not None:
            wrong.append(SQL("(t.given IS NULL AND t.n = {})").format(Literal(len(value) - 1)))
        source = SQL("(VALUES {}) AS t (given, n)").format(given)
        return partial(Probe, source, any_of(wrong), shared=False), empty is not None or self._is_generic(used)

    def failing(self, index: Index) -> tuple[Asks, bool] | None:
        """Return the probe with an error if an index fails for plain values; whether it does so for all others."""
        tail = tail_of(index.tail)
        used = [name for name in self.table.columns if names_column(index.tail, name)]
        row = self._sample(used, filled=True) if self.is_settled("index", index.name, index.tail) else None
        if row is None or not index.valid or not (index.partial or "" in index.columns):
            return None
        cells = any_of(SQL("char_length(({})::text) < 0").format(each) for each in compared(index, self.table))
        asked = SQL("CASE WHEN {} THEN {} END").format(SQL(tail.condition or "true"), cells)
        return partial(Probe, row, asked, shared=False), self._is_generic(used)

    def _sample(self, names: Iterable[str], *, filled: bool) -> Composable | None:
        """Return the FROM item `t` of one row that the contract allows; None if it is not known to allow it.

        It has a plain value in each column of the contract, or nothing in those that may be empty.
        """
        cells = []
        for place, name in enumerate(names):
            column, meant = self.table.columns[name], self.wanted.columns.get(name)
            value = self.value(column) if meant is None else self._plain(column, place, filled=filled)
            if value is None or (meant and not filled and (meant.not_null or column.not_null)):
                return None
            cells.append(SQL("{} AS {}").format(value, Identifier(name)))
        return SQL("(SELECT {}) AS t").format(SQL(", ").join(cells))

    def _plain(self, column: Column, place: int, *, filled: bool) -> Composable | None:
        kind = shape(column.type)
        plain = _PLAIN.get(kind.family, ())
        checked = [c for side in (self.table, self.wanted) for c in side.checks_over(column.name)]
        narrow = kind.family == "numeric" and kind.size is not None and kind.size == kind.scale
        if place >= len(plain) or checked or column.guards or column.generated or column.home or narrow:
            return None
        if column.now is not None or column.added or column.mapped or column.rekeyed or column.retyped_in:
            return None  # the expression is over its values of today
        return SQL("{}::{}").format(SQL(plain[place] if filled else "NULL"), SQL(plain_type(column) or column.type))

    def _is_generic(self, names: Iterable[str]) -> bool:
        """Return whether plain values stand for all others: an expression seldom fails for one number alone."""
        drawn = (self.table.columns[name] for name in names if name in self.wanted.columns)
        return all(family(column.type) in _GENERIC for column in drawn)

    def by_body(self, column: Column) -> str:
        """Return what a default does that is one function of the database's own, as far as its body says; or nothing.

        It is not called: it may do anything.
        """
        name = column.stored_as or column.name
        calls = self.actual.calls.get(("default", self.table.stored_as or self.table.name, name))
        if calls is None or len(calls.own) != 1 or not _CALL.fullmatch(column.default or ""):
            return ""
        body = calls.own[0].body or ""
        if _RAISES.search(body) and not _CATCHES.search(body):
            return "raises an exception"
        return "gives NULL" if column.not_null and _NULL.fullmatch(body) else ""

    def unfit(self, column: Column) -> Asks | None:
        """Return the probe with one row, or an error, if a column does not take what it gets; None if it must."""
        value, type_ = self._given(column), plain_type(column)
        text = self.default(column) or ""
        if value is None or type_ is None or (column.generated == "v" and not column.not_null):
            return None
        cell = SQL("t.given")
        wrong = [*misfits(cell, replace(column, type=column.base or column.type)), *self._guarded(column, cell)]
        if column.not_null or "NOT NULL" in column.guards:
            wrong.append(SQL("{} IS NULL").format(cell))
        bounded = shape((column.base or column.type).rstrip("[]")).modifiers
        if not (wrong or bounded) and (_CONSTANT.fullmatch(text) or not text):
            return None
        wrong.append(SQL("char_length({}::text) < 0").format(cell))  # to be computed at all
        return partial(Probe, SQL("(SELECT {} AS given) AS t").format(value), any_of(wrong), shared=False)

    def _guarded(self, column: Column, cell: Composable) -> Iterator[Composable]:
        """Yield the conditions that a value breaks a check of the domain of its column."""
        for guard in () if element(column.type) else column.guards:
            if guard != "NOT NULL" and self.is_settled("domain", column.stored_as or column.name, guard):
                held = re.sub(r"\bVALUE\b", lambda _: "t.given", guard.removeprefix("CHECK "))
                yield SQL("NOT {}").format(SQL(held))

    def broken(self, check: Check) -> Asks | None:
        """Return the probe with one row, or an error, if such a row breaks a check; None if that cannot be computed."""
        row = self.row(check.columns) if self.is_settled("check", check.name, check.expression) else None
        return (
            None
            if row is None
            else partial(Probe, row, SQL("NOT ({})").format(over_row(check, self.table)), shared=False)
        )

    def fatherless(self, key: ForeignKey) -> Asks | None:
        """Return the probe with one row if such a row has no parent; None if that cannot be computed."""
        row, target = self.row(key.columns), self.actual.tables.get(key.target)
        if row is None or target is None or key.period or key.equalities or target.created:
            return None
        if not target.readable or (target.row_security and (target.forced_row_security or not target.owned)):
            return None
        filled = [SQL("t.{} IS NOT NULL").format(Identifier(name)) for name in key.columns]
        today = (target.columns[name].stored_as or name for name in key.target_columns)
        pairs = zip(today, key.columns, strict=True)
        same = all_of(SQL("p.{} = t.{}").format(Identifier(there), Identifier(here)) for there, here in pairs)
        parents = q.name(target.stored_as or target.name)
        lost = SQL("{} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(all_of(filled), parents, same)
        if key.match == "f":
            lost = any_of([lost, SQL("({}) AND NOT ({})").format(any_of(filled), all_of(filled))])
        return partial(Probe, row, lost, shared=False)
