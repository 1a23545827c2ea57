"""What a contract promises of rows, read from the tables themselves: no index, trigger or catalogue is believed."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.contract import Contract
from fixer.model.table import ForeignKey, Index, Table

_SLEEPING = """
SELECT format('%%s of %%s is asleep', t.tgname, c.oid::regclass) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_constraint k ON k.oid = t.tgconstraint AND k.contype <> 't' -- internal, too, in partitions up to 14
 WHERE t.tgisinternal AND t.tgenabled <> 'O' AND c.relkind <> 'p' -- whose own triggers never fire
   AND coalesce(pg_partition_root(c.oid), c.oid)::regclass::text = ANY (%(tables)s)
   AND (t.tgconstrrelid = 0 OR t.tgconstrrelid::regclass::text = ANY (%(tables)s)) -- else of a key it does not ask for
"""


def falsehoods(connection: Connection, contract: Contract) -> list[str]:
    """Name each promise of a contract that rows, triggers or sequences of a database break."""
    cursor = connection.cursor()
    cursor.execute("SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off")
    found = []
    for table in contract.tables.values():
        cursor.execute("SELECT to_regclass(%s) IS NULL", [_name(table).as_string(connection)])
        if cursor.fetchone() == (True,):
            found.append(f"{table.name} is missing")
            continue
        for promise, query in _promises(cursor, table, contract):
            cursor.execute(sql.SQL("SELECT count(*) FROM ({}) AS broken").format(query))
            (count,) = cursor.fetchone() or (0,)
            found += [f"{table.name}: {count} break {promise}"] if count else []
    names = [_name(table).as_string(connection) for table in contract.tables.values()]
    cursor.execute("SELECT array_agg(to_regclass(n)::text) FROM unnest(%s) n", [names])
    cursor.execute(_SLEEPING, dict(zip(("tables",), cursor.fetchone() or ([],), strict=True)))
    return found + [line for (line,) in cursor.fetchall()]


def _promises(cursor: Cursor, table: Table, contract: Contract) -> Iterator[tuple[str, sql.Composable]]:
    rows = sql.SQL("SELECT FROM {} WHERE ").format(_own_rows(table))
    for column in table.columns.values():
        if column.not_null:
            yield f"NOT NULL of {column.name}", rows + sql.SQL("{} IS NULL").format(sql.Identifier(column.name))
        if column.generates and not table.parents:  # else the sequence is that of a table above
            yield f"the sequence of {column.name}", _behind(cursor, table, column.name)
    for check in table.checks:
        yield check.expression, rows + sql.SQL(f"({check.expression.removeprefix('CHECK ')}) IS FALSE")
    for index in table.indexes:
        if index.unique and "" not in index.columns:
            yield f"the unique {index.name}", _repeated(table, index)
        elif index.exclusion:
            yield f"the exclusion {index.name}", _overlapping(table, index)
    for key in table.foreign_keys:
        yield f"the foreign key {key.name}", _orphans(key, table)
    for row in contract.hints[table.name].default_rows:
        given = [sql.SQL("{} = ({})").format(sql.Identifier(name), value) for name, value in row.items()]
        some = rows + sql.SQL(" OR ").join(given or [sql.SQL("true")])  # a person may have changed the rest
        yield "its default row", sql.SQL("SELECT WHERE NOT EXISTS ({})").format(some)


def _behind(cursor: Cursor, table: Table, column: str) -> sql.Composable:
    """Select the state of a sequence, if a row has the number that it gives next or a higher one."""
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [_name(table).as_string(cursor), column])
    (its,) = cursor.fetchone() or (None,)
    if its is None:
        return sql.SQL("SELECT")
    last = "CASE WHEN is_called THEN last_value ELSE last_value - 1 END"
    return sql.SQL("SELECT FROM {} WHERE (SELECT max({}) FROM {}) > {}").format(
        sql.SQL(its), sql.Identifier(column), _name(table), sql.SQL(last)
    )


def _repeated(table: Table, index: Index) -> sql.Composable:
    columns = [sql.Identifier(name) for name in index.columns]
    filled = [sql.SQL("{} IS NOT NULL").format(name) for name in columns]
    given = sql.SQL("true") if index.nulls_not_distinct else sql.SQL(" AND ").join(filled)
    _, where, part = index.tail.partition(" WHERE ")
    some = sql.SQL(part if where else "true")
    return sql.SQL("SELECT FROM {} WHERE {} AND ({}) GROUP BY {} HAVING count(*) > 1").format(
        _own_rows(table), given, some, sql.SQL(", ").join(columns)
    )


def _overlapping(table: Table, index: Index) -> sql.Composable:
    (column,) = index.columns
    return sql.SQL("SELECT FROM {0} AS a JOIN {0} AS b ON a.{1} && b.{1} AND a.ctid < b.ctid").format(
        _own_rows(table), sql.Identifier(column)
    )


def _orphans(key: ForeignKey, table: Table) -> sql.Composable:
    filled = [sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns]
    pairs = zip(key.columns, key.target_columns, strict=True)
    same = [sql.SQL("c.{} = p.{}").format(sql.Identifier(own), sql.Identifier(its)) for own, its in pairs]
    return sql.SQL("SELECT FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})").format(
        _own_rows(table),
        sql.SQL(" AND ").join(filled),
        sql.Identifier(*key.target),
        sql.SQL(" AND ").join(same),
    )


def _own_rows(table: Table) -> sql.Composable:
    """Return the rows that the constraints of a table bind: not those of tables that INHERIT from it."""
    return sql.SQL("{}" if table.kind == "p" else "ONLY {}").format(_name(table))


def _name(table: Table) -> sql.Identifier:
    return sql.Identifier(*table.name)
