"""SQL composed from values: names through Identifier, values through Literal, never formatted.

Every statement about rows calls the row ``t``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg2 import sql
from psycopg2.sql import SQL, Composable, Composed, Identifier, Literal

from fixer.model import expression
from fixer.model.expression.digest import sha256
from fixer.model.table import Column, ForeignKey, QName, Table
from fixer.sql.block import Block, Drawn, Gone, Own, Quoted, block, written

# Identifies this session, even after another session has got its pid.
THIS_SESSION = SQL(
    "(SELECT pid || ' ' || backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid())"
)


def name(qname: QName) -> Identifier:
    """Return a schema-qualified name."""
    return Identifier(qname.schema, qname.name)


def quoted(qname: Sequence[str]) -> str:
    """Return a name, qualified or not, as regclass reads it."""
    return ".".join(map(expression.quoted, qname))


def names(columns: Iterable[str]) -> Composed:
    """Return column names, separated by commas."""
    return SQL(", ").join(map(Identifier, columns))


def column(of: str, alias: str = "t") -> Composed:
    """Return a column of the row `alias`."""
    return SQL("{}.{}").format(Identifier(alias), Identifier(of))


def columns(of: Iterable[str], alias: str = "t") -> Composed:
    """Return columns of the row `alias`, separated by commas."""
    return SQL(", ").join(column(each, alias) for each in of)


def all_of(conditions: Iterable[Composable]) -> Composed:
    """Return the conjunction of conditions; of none, what is true of every row."""
    return SQL(" AND ").join([*conditions] or [SQL("true")])


def any_of(conditions: Iterable[Composable]) -> Composed:
    """Return the disjunction of conditions."""
    return SQL(" OR ").join(conditions)


def equal(
    left: Sequence[str], right: Sequence[str], left_alias: str, right_alias: str, operators: Sequence[str] = ()
) -> Composed:
    """Return the condition that two rows agree in these columns, pair by pair, under `operators` or else ``=``."""
    signs = operators or ["="] * len(left)
    return all_of(
        SQL("{} {} {}").format(column(a, left_alias), SQL(sign), column(b, right_alias))
        for a, b, sign in zip(left, right, signs, strict=True)
    )


def referencing(key: ForeignKey, child: str, parent: str) -> Composed:
    """Return the condition that one row references another by a foreign key."""
    return equal(key.columns, key.target_columns, child, parent, key.equalities)


def alike(table: Table, keys: Sequence[str], left: str, right: str) -> Composed:
    """Return the condition that two rows of a table agree in these columns, as its indexes compare them."""
    return equal(keys, keys, left, right, equalities(table, keys))


def equalities(table: Table, keys: Iterable[str]) -> list[str]:
    """Return the operators that compare these columns."""
    return [table.columns[key].equality if key in table.columns else "=" for key in keys]


def not_distinct(table: Table, of: str, left: str, right: str) -> Composed:
    """Return the condition that two rows of a table agree in a column, or are both NULL in it."""
    a, b, sign = column(of, left), column(of, right), equalities(table, [of])[0]
    if sign == "=":
        return SQL("{} IS NOT DISTINCT FROM {}").format(a, b)
    return SQL("(({} {} {}) IS TRUE OR {} IS NULL AND {} IS NULL)").format(a, SQL(sign), b, a, b)


def is_value(table: Table, of: str, value: Composable, alias: str = "t") -> Composed:
    """Return the condition that a column of the row `alias` has a value."""
    return SQL("{} {} ({})").format(column(of, alias), SQL(equalities(table, [of])[0]), value)


def is_null(of: str) -> Composed:
    """Return the condition that a column of the row is NULL."""
    return SQL("{} IS NULL").format(column(of))


def not_null(of: Iterable[str]) -> Composed:
    """Return the condition that none of these columns of the row is NULL."""
    return all_of(SQL("{} IS NOT NULL").format(column(each)) for each in of)


def whole_row(table: Table, alias: str = "t") -> Composed:
    """Return all cells of the row as one text, which is equal for identical rows only, but for those that are added."""
    there = [name for name, column in table.columns.items() if not column.added]
    return SQL("ROW({})::text").format(columns(there or table.columns, alias))


def over(value: Composable, of: str, cell: Composable) -> Composable:
    """Return the expression `value` with `cell` in place of the column `of`."""
    return instead(value, column(of), cell)


def instead(value: Composable, old: Composable, new: Composable) -> Composable:
    """Return an expression with one part of it in place of another."""
    if value == old:
        return new
    return Composed([instead(part, old, new) for part in value]) if isinstance(value, Composed) else value


def stored(table: Table) -> Identifier:
    """Return the name that a table of the future has today."""
    return name(table.stored_as or table.name)


def today(of: Column) -> Composable:
    """Return the value that a column of the future has in today's row."""
    return of.now if of.now is not None else column(of.stored_as or of.name)


# What is true of every row `t` and known from the table itself alone, because no index holds a row's place.
STANDS = SQL("t.ctid <> '(4294967295,0)'")
# The end of a subquery over the row `t` that reads the table itself: OFFSET keeps the conditions and orders of the
# outer query, which an index could serve, out of it.
AROUND_INDEXES = STANDS + SQL(" OFFSET 0")


def rows_of(table: Table, *, own: bool = False) -> Composed:
    """Return a FROM item `t` that shows today's rows as the plan so far will leave them.

    With `own`, it leaves out rows of heirs, because its keys do not bind them (PostgreSQL manual, 5.11.1).
    """
    if table.created:
        cells = SQL(", ").join(
            # The plan may also be the one that creates the type of an enum.
            SQL("{} AS {}").format(c.now or SQL(f"NULL::{c.read_as}"), Identifier(c.name))
            for c in table.columns.values()
        )
        return SQL("(SELECT NULL::oid AS tableoid, NULL::tid AS ctid, {} WHERE false) AS t").format(cells)
    changed = any(c.now is not None or c.stored_as for c in table.columns.values())
    rows = SQL("ONLY {} AS t" if own and table.heirs else "{} AS t").format(stored(table))
    if table.failing:
        rows = SQL("(SELECT t.tableoid, t.ctid, t.* FROM {} WHERE {}) AS t").format(rows, AROUND_INDEXES)
    if changed:
        cells = SQL(", ").join(SQL("{} AS {}").format(today(c), Identifier(c.name)) for c in table.columns.values())
        rows = SQL("(SELECT t.tableoid, t.ctid, {} FROM {}) AS t").format(cells, rows)
    if table.leaving:
        rows = SQL("(SELECT t.tableoid, t.ctid, {} FROM {} WHERE ({}) IS NOT TRUE) AS t").format(
            columns(table.columns), rows, any_of(table.leaving)
        )
    return rows


def is_stored(table: Table) -> bool:
    """Return whether the plan so far leaves the name and the rows of a table as they are."""
    return rows_of(table) == SQL("{} AS t").format(name(table.name))


def generator_of(table: QName, column: str) -> Composed:
    """Return the call for the name of the sequence that a column owns."""
    return SQL("pg_get_serial_sequence({}, {})").format(Literal(quoted(table)), Literal(column))


def among_values(keys: Sequence[str], values: Composable, signs: Sequence[str], alias: str) -> Composed:
    """Return the condition that these columns of the row are among the values of a SELECT, compared by `signs`."""
    if set(signs) <= {"="}:
        return SQL("({}) IN ({})").format(columns(keys), values)
    same = equal(keys, [f"k{place}" for place in range(len(keys))], "t", alias, signs)
    return SQL("EXISTS (SELECT FROM ({}) AS {} ({}) WHERE {})").format(values, SQL(alias), _numbered(keys), same)


def _numbered(keys: Sequence[str]) -> Composed:
    return SQL(", ").join(Identifier(f"k{place}") for place in range(len(keys)))


def repeating(rows: Composable, keys: Sequence[str], signs: Sequence[str], *, nulls_repeat: bool = False) -> Composed:
    """Return a FROM item `t`: the rows whose key repeats, with their table and place.

    Keys are compared by `signs`. They are sorted without their rows, and only the rows of repeating keys are read.
    They are sorted before they are grouped, because PostgreSQL hashes for a GROUP BY of many keys, which takes four
    times as long as a sort. By `least` it expects few of them, by `count(*) > 1` a third of all, too many for a hash in
    memory. With `nulls_repeat`, a key that contains a NULL repeats too.
    """
    twice = SQL(
        "SELECT {names} FROM (SELECT {keys} FROM {rows} ORDER BY {keys} OFFSET 0) AS t ({names})"
        " GROUP BY {names} HAVING least(count(*), 2) = 2"
    ).format(rows=rows, keys=columns(keys), names=_numbered(keys))
    among = among_values(keys, twice, signs, "pgmend_twice")
    found = SQL("SELECT t.*, t.tableoid AS pgmend_part, t.ctid AS pgmend_place FROM {rows} WHERE {among}").format(
        rows=rows, among=among
    )
    if nulls_repeat:
        missing = any_of(is_null(key) for key in keys)
        found += SQL(" UNION ALL SELECT t.*, t.tableoid, t.ctid FROM {} WHERE {}").format(rows, missing)
    return SQL("({}) AS t").format(found)


def copies(rows: Composable, table: Table, keys: Sequence[str]) -> Composed:
    """Return a FROM item `t`: the rows whose key repeats, each numbered among the identical ones (`pgmend_copy`)."""
    return numbered_copies(repeating(rows, keys, equalities(table, keys)), table, keys)


def numbered_copies(repeating: Composable, table: Table, identity: Sequence[str]) -> Composed:
    """Return a FROM item `t`: rows from `repeating`, each numbered among the identical ones (`pgmend_copy`)."""
    return SQL(
        "(SELECT t.*, row_number() OVER alike AS pgmend_copy, first_value(t.pgmend_place) OVER alike AS pgmend_original"
        " FROM {rows} WINDOW alike AS (PARTITION BY {identity}, {row} ORDER BY t.pgmend_part, t.pgmend_place)) AS t"
    ).format(identity=columns(identity), row=whole_row(table), rows=repeating)


def among(source: Composable, condition: Composable) -> Composed:
    """Return the condition that the row is one that `copies` or `rivals` number, and that fulfils `condition` there.

    It compares table and place, because the same place is another row in each partition.
    """
    found = SQL("SELECT t.pgmend_part, t.pgmend_place FROM {} WHERE {}").format(source, condition)
    return SQL("(t.tableoid, t.ctid) IN ({})").format(Gone(found))


def rivals(rows: Composable, table: Table, keys: Sequence[str], order: Iterable[Composable] = ()) -> Composed:
    """Return `copies`, with the differing rows that share a key numbered too (`pgmend_rival`), the keeper first."""
    return SQL(
        "(SELECT t.*, CASE WHEN t.pgmend_copy = 1 THEN row_number() OVER rivals END AS pgmend_rival,"
        " first_value(t.pgmend_place) OVER rivals AS pgmend_keeper"
        " FROM {copies} WINDOW rivals AS (PARTITION BY {keys} ORDER BY {order})) AS t"
    ).format(
        keys=columns(keys),
        copies=copies(rows, table, keys),
        order=SQL(", ").join([*order, SQL("t.pgmend_part, t.pgmend_place")]),
    )


# For each row that `rivals` numbers: its place, the place of the row that stays, and its kind.
PLACES = (
    SQL("t.pgmend_place"),
    SQL("CASE WHEN t.pgmend_copy > 1 THEN t.pgmend_original ELSE t.pgmend_keeper END"),
    SQL("CASE WHEN t.pgmend_copy > 1 THEN 'copy' ELSE 'rival' END"),
)


def copies_and_rivals(
    rows: Composable, table: Table, keys: Sequence[str], order: Iterable[Composable] = ()
) -> Composed:
    """Return the SELECT for the places of copies and rivals, each with the place of its row that stays and its kind."""
    return SQL(
        "SELECT {} AS place, {} AS keeper, {} AS kind FROM {} WHERE t.pgmend_copy > 1 OR t.pgmend_rival > 1"
    ).format(*PLACES, rivals(rows, table, keys, order))


def fitting(name: str) -> str:
    """Return a name that fits PostgreSQL's 63 bytes; if it must be cut, a digest keeps it unique."""
    if len(name.encode()) <= 63:
        return name
    digest = sha256(name)[:8]
    return f"{name.encode()[:54].decode(errors='ignore')}_{digest}"


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return `wanted`, or the first numbered variant of it that is not taken; at most 63 bytes long."""
    used = set(taken)
    candidate, number = wanted, 0
    while candidate in used or len(candidate.encode()) > 63:
        number += 1
        suffix = f"_{number}"
        stem = wanted.encode()[: 63 - len(suffix)].decode(errors="ignore")
        candidate = f"{stem}{suffix}"
    return candidate


__all__ = [
    "SQL",
    "Block",
    "Composable",
    "Composed",
    "Drawn",
    "Gone",
    "Identifier",
    "Literal",
    "Own",
    "Quoted",
    "block",
    "sql",
    "written",
]
