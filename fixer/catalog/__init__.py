"""The only reader of ``pg_catalog``: one snapshot of a database, as a :class:`~fixer.schema.Schema`.

Seven queries, however many tables. They lie beside this file and can be pasted into psql. Each reads the
schemas named by the setting ``pgmend.schemas``, and names are spelt under a search_path that the caller
sets, so that two databases read in the same way are spelt alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import schema as s
from fixer.schema import QName

Rows = list[dict[str, Any]]
Grouped = Mapping[QName, Rows]


@cache
def query(name: str) -> str:
    """Return the text of the catalogue query `name`."""
    return (files(__package__) / f"{name}.sql").read_text(encoding="utf-8")


def queries() -> list[str]:
    """Return the texts of all the queries, by which what was read with others is told."""
    return [query(file.name.removesuffix(".sql")) for file in _files()]


@cache
def _files() -> tuple[Any, ...]:
    """Return the query files, by name."""
    return tuple(sorted((f for f in files(__package__).iterdir() if f.name.endswith(".sql")), key=lambda f: f.name))


def read(cursor: Cursor, schemas: Sequence[str], begin: str = "") -> s.Schema:
    """Read these schemas as the cursor's transaction sees them.

    `begin` may open that transaction (repeatable read, so that all queries see one moment) in the same
    round trip. Changes the transaction's search_path, because names are spelt relative to it.
    """
    choose = f"{begin}SELECT set_config('pgmend.schemas', %s::text[]::text, true);"
    session = _session(_rows(cursor, "session", choose, list(schemas))[0])
    relations = _rows(cursor, "relations", _SPELL, list(dict.fromkeys([*schemas, "public"])))
    columns, obstacles = _grouped(cursor, "columns"), _grouped(cursor, "obstacles")
    names = frozenset(QName(row["schema"], row["name"]) for row in relations)
    holding = [row for row in relations if row["kind"] in "rpvmf"]
    found = replace(_parsed(cursor, holding, columns, obstacles), names=names, session=session)
    return _with_unproved(cursor, found) if session.version >= 18 else found


def _with_unproved(cursor: Cursor, found: s.Schema) -> s.Schema:
    """Return the schema, with columns that may hold NULL whatever their NOT NULL says."""
    cursor.execute(query("unproved"))
    for schema, relation, column, constraint in cursor.fetchall():
        table = found.tables[QName(schema, relation)]
        open_ = table.with_column(replace(table.columns[column], not_null=False))
        found = found.with_table(replace(open_, unproved={**table.unproved, column: constraint}))
    return found


_SPELL = """
SELECT set_config('search_path', string_agg(quote_ident(name), ', '), true) FROM unnest(%s::text[]) AS name;
"""


def read_model(cursor: Cursor) -> s.Schema:
    """Read what the setting `pgmend.schemas` names as a model: its shape alone, under the search_path as it is."""
    columns = _grouped(cursor, "columns")
    tables = [{"schema": name.schema, "name": name.name, "kind": rows[0]["kind"]} for name, rows in columns.items()]
    return _parsed(cursor, tables, columns, {})


def _parsed(cursor: Cursor, relations: Rows, columns: Grouped, obstacles: Grouped) -> s.Schema:
    indexes, constraints = _grouped(cursor, "indexes"), _grouped(cursor, "constraints")
    tables = {}
    for row in relations:
        name = QName(row["schema"], row["name"])
        parts = (group.get(name, []) for group in (columns, indexes, constraints, obstacles))
        tables[name] = _table(row, *parts)
    elsewhere = (row for name, rows in constraints.items() if name not in tables for row in rows)
    return s.Schema(
        tables=tables,
        sequences={q.name: q for q in map(_sequence, _rows(cursor, "sequences"))},
        outside=tuple(_foreign_key(row) for row in elsewhere if row["type"] == "f"),
    )


def _rows(cursor: Cursor, name: str, before: str = "", *parameters: object) -> Rows:
    cursor.execute(before + query(name), parameters or None)
    keys = [column.name for column in cursor.description or ()]
    return [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()]


def _grouped(cursor: Cursor, name: str) -> Grouped:
    groups: dict[QName, Rows] = defaultdict(list)
    for row in _rows(cursor, name):
        groups[QName(row["schema"], row["relation"])].append(row)
    return groups


def _session(row: dict[str, Any]) -> s.Session:
    visible = {name: QName(schema, name) for schema, name in row.pop("visible")}
    return s.Session(
        **{
            **row,
            "search_path": tuple(row["search_path"]),
            "schemas": frozenset(row["schemas"]),
            "creatable": frozenset(row["creatable"]),
            "visible": visible,
        }
    )


def _table(row: dict[str, Any], columns: Rows, indexes: Rows, constraints: Rows, obstacles: Rows) -> s.Table:
    facts = {key: value for key, value in row.items() if key not in ("schema", "name")}
    return s.Table(
        name=QName(row["schema"], row["name"]),
        **facts,
        columns={column["name"]: _column(column) for column in columns},
        indexes=tuple(map(_index, indexes)),
        checks=tuple(_check(c) for c in constraints if c["type"] == "c"),
        foreign_keys=tuple(_foreign_key(c) for c in constraints if c["type"] == "f"),
        obstacles=tuple(map(_obstacle, obstacles)),
    )


def _column(row: dict[str, Any]) -> s.Column:
    sequence = QName(row["sequence_schema"], row["sequence_name"]) if row["sequence_name"] else None
    return s.Column(
        name=row["name"],
        type=row["type"],
        not_null=row["not_null"],
        default=row["default"],
        identity=row["identity"],
        generated=row["generated"],
        collation=row["collation"],
        sequence=sequence,
        labels=tuple(row["labels"] or ()),
    )


def _index(row: dict[str, Any]) -> s.Index:
    facts = {key: value for key, value in row.items() if key not in ("schema", "relation", "columns")}
    return s.Index(columns=tuple(row["columns"]), nulls_not_distinct="NULLS NOT DISTINCT" in row["tail"], **facts)


def _check(row: dict[str, Any]) -> s.Check:
    return s.Check(row["name"], row["expression"], tuple(row["columns"]), row["validated"])


def _foreign_key(row: dict[str, Any]) -> s.ForeignKey:
    facts = ("name", "on_delete", "on_update", "match", "deferrable", "deferred", "validated", "enforced")
    return s.ForeignKey(
        table=QName(row["schema"], row["relation"]),
        columns=tuple(row["columns"]),
        target=QName(row["target_schema"], row["target"]),
        target_columns=tuple(row["target_columns"]),
        disabled_triggers=tuple((QName(a, b), trigger) for a, b, trigger in row["disabled_triggers"]),
        **{fact: row[fact] for fact in facts},
    )


def _obstacle(row: dict[str, Any]) -> s.Obstacle:
    return s.Obstacle(row["kind"], row["name"], tuple(sorted(row["columns"])), row["enabled"])


def _sequence(row: dict[str, Any]) -> s.Sequence:
    owned_by = None
    if row["owner_table"]:
        owned_by = (QName(row["owner_schema"], row["owner_table"]), row["owner_column"])
    facts = ("type", "start", "increment", "minimum", "maximum", "cycle", "owner", "readable", "last_value")
    return s.Sequence(name=QName(row["schema"], row["name"]), owned_by=owned_by, **{fact: row[fact] for fact in facts})
