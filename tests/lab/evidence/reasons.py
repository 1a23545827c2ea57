"""Whether the reason that is kept with a row in quarantine is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class

from lab.evidence.copies import Copy, Rows

_KEY = """
SELECT array_agg(a.attname::text ORDER BY k.place)
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
 CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
 WHERE i.indisprimary AND c.relname = %s
 GROUP BY i.indexrelid
"""
_REFERENCED = """
SELECT array_agg(t.attname::text ORDER BY k.place)
  FROM pg_constraint f
  JOIN pg_class c ON c.oid = f.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (own, its, place)
  JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own
  JOIN pg_attribute t ON t.attrelid = f.confrelid AND t.attnum = k.its
 WHERE f.contype = 'f' AND n.nspname || '.' || c.relname = %s
 GROUP BY f.oid
HAVING array_agg(a.attname::text ORDER BY k.place) = %s
"""


@dataclass(frozen=True)
class Kept:
    """One row in quarantine."""

    source: str
    row: Mapping[str, Any]
    reason: str


def kept(connection: Connection) -> list[Kept]:
    """Return all that lies in quarantine."""
    cursor = connection.cursor()
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('fixer_quarantine')")
    found = []
    for (table,) in cursor.fetchall():
        query = sql.SQL('SELECT source, "row"::text, reason FROM {}').format(sql.Identifier("fixer_quarantine", table))
        cursor.execute(query)
        found += [Kept(source, _parsed(row), reason) for source, row, reason in cursor.fetchall()]
    return found


def _parsed(row: str) -> dict[str, Any]:
    return json.loads(row, parse_float=str, parse_int=str)  # type: ignore[no-any-return]


def lies(connection: Connection, quarantine: list[Kept], before: Copy, after: Copy) -> list[str]:
    """Name each row in quarantine whose reason is not true, by the rows of the database before and after the run."""
    named = {oid: replace(rows, name=after[oid].name) if oid in after else rows for oid, rows in before.items()}
    trial = _Trial(connection, quarantine, named, after)
    return [
        f"{each.source}: {dict(each.row)} lies there because {each.reason}"
        for each in quarantine
        if not trial.true(each)
    ]


@dataclass(frozen=True)
class _Trial:
    connection: Connection
    quarantine: list[Kept]
    before: Copy
    after: Copy

    def true(self, each: Kept) -> bool:
        for pattern, judge in self._judges.items():
            if match := re.fullmatch(pattern, each.reason, re.DOTALL):
                return judge(self, each, *match.groups())
        return False

    def _orphan(self, each: Kept, columns: str, target: str) -> bool:
        """No row of the target had these values, apart from such as got another key in the run.

        Of a text that the run mapped to no key, the row keeps what it was.
        """
        own = _listed(columns, each.row)
        values = [each.row.get(name) for name in own]
        text = each.row.get(f"legacy_{columns}")
        names = self._referenced(each.source, own) or self._key(target, len(values))
        if values == [None] and text is not None:
            old = f"legacy_{names[0]}"  # beside which a text may look like a new key
            there = _rows(self.after, self._near(each, target))
            return not any(text == row[old] if old in row else text in row.values() for row in there)
        meant = dict(zip(names, values, strict=True))
        return None not in values and not any(_has(row, meant) for row in _rows(self.after, self._near(each, target)))

    def _near(self, each: Kept, target: str) -> str:
        """Return the name of a target with the schema of the row, where such a table is there."""
        name = f"{each.source.partition('.')[0]}.{target}"
        return name if any(rows.name == name for rows in self.after.values()) else target

    def _referenced(self, source: str, columns: list[str]) -> list[str]:
        """Return the columns that the foreign key of these columns references, each beside its own."""
        cursor = self.connection.cursor()
        cursor.execute(_REFERENCED, [source, columns])
        (names,) = cursor.fetchone() or ([],)
        return list(names)

    def _key(self, table: str, width: int = 0) -> list[str]:
        """Return the columns of the key that a table has by now; without one, they are called id or tenant."""
        cursor = self.connection.cursor()
        cursor.execute(_KEY, [table])
        (names,) = cursor.fetchone() or ([],)
        return list(names) if len(names) == (width or len(names) or 1) else ["tenant", "id"][-width:]

    def _under(self, each: Kept, target: str, key: str) -> bool:
        wanted = dict(tuple(part.split(" ", 1)) for part in key.split(", "))
        named = [q for q in self.quarantine if q.source.partition(".")[2] == target]
        return any(all(str(q.row.get(n)) == value for n, value in wanted.items()) for q in named)

    def _check(self, each: Kept, check: str) -> bool:
        schema, _, table = each.source.partition(".")
        query = sql.SQL("SELECT ({}) IS FALSE FROM jsonb_populate_record(NULL::{}, {}::jsonb) AS t").format(
            sql.SQL(check.removeprefix("CHECK ")),
            sql.Identifier(schema, table),
            sql.Literal(json.dumps(dict(each.row))),
        )
        cursor = self.connection.cursor()
        cursor.execute(query)
        return cursor.fetchone() == (True,)

    def _copy(self, each: Kept) -> bool:
        """Two rows were like it, in all that it has: cells of keys may be empty until the run maps them.

        Where they are mapped by then, the texts stand beside.
        """
        texts = {name.removeprefix("legacy_"): value for name, value in each.row.items() if name.startswith("legacy_")}
        filled = {name: value for name, value in (dict(each.row) | texts).items() if value is not None}
        return sum(_has(row, filled, known=True) for row in _rows(self.before, each.source.partition(".")[2])) > 1

    def _rival(self, each: Kept, columns: str) -> bool:
        names = _listed(columns, each.row)
        wanted = {name: each.row.get(name) for name in names}
        return any(_has(row, wanted) for row in _rows(self.after, each.source.partition(".")[2]))

    def _keyed(self, each: Kept) -> bool:
        key = self._key(each.source.partition(".")[2])
        wanted = {name: each.row[name] for name in key if name in each.row}
        return any(_has(row, wanted) for row in _rows(self.after, each.source.partition(".")[2]))

    def _empty(self, each: Kept, column: str) -> bool:
        return column in each.row and each.row[column] is None

    def _misfit(self, each: Kept, column: str, type_: str) -> bool:
        if each.row[column] in ("NaN", "Infinity", "-Infinity"):
            return True  # numeric takes them from version 14 on, and no sum survives them
        moment = re.match(r"time(?:stamp)?(?:\((\d)\))?", type_)
        if moment and re.search(rf"\.\d{{{moment[1] or 6}}}\d*[1-9]", str(each.row[column])):
            return True  # the type would round it
        try:
            self.connection.cursor().execute(f"SELECT %s::{type_}", [each.row[column]])
        except psycopg2.DataError:
            return True
        return False

    _judges = {  # noqa: RUF012
        r"its (.*) points at no row of (.*)": _orphan,
        r"its row of (.*) \((.*)\) is in quarantine": _under,
        r"it breaks (CHECK .*)": _check,
        r"an identical copy of a row that stays": _copy,
        r"of the rows that share its \((.*)\), the .* stays(?:, (?:else|as) .*)?": _rival,
        r"its key stands on an earlier, different row": _keyed,
        r"its key (.*) is NULL": _empty,
        r"its (.*) is NULL, and the contract declares no value for it": _empty,
        r"its (.*) does not fit (.*)": _misfit,
        r"its (.*) names no row of (.*)": _orphan,
    }


def _listed(columns: str, row: Mapping[str, Any]) -> list[str]:
    return [columns] if columns in row else columns.split(", ")


def _rows(copy: Copy, table: str) -> Iterator[dict[str, Any]]:
    for rows in copy.values():
        if table in (rows.name, rows.name.partition(".")[2]):
            yield from _named(rows)


def _named(rows: Rows) -> Iterable[dict[str, Any]]:
    return ({name: row[n][1] for n, (name, _) in rows.columns.items()} for row in rows.cells)


def _has(row: Mapping[str, Any], wanted: Mapping[str, Any], *, known: bool = False) -> bool:
    return all(_alike(row[name], value) for name, value in wanted.items() if name in row or not known)


def _alike(one: Any, other: Any) -> bool:
    """Return whether two cells are the same, also where a number of another type, or a text without its padding."""
    if str(one).rstrip(" ") == str(other).rstrip(" "):
        return True
    try:
        return Decimal(one) == Decimal(other)
    except (InvalidOperation, TypeError, ValueError):
        return False
