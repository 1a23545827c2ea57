"""The only reader of ``pg_catalog``: one snapshot of a database, as a :class:`~fixer.model.schema.Schema`.

Ten queries, however many tables: they lie in ``queries/`` and can be pasted into psql. What is asked only where these
found something, or by undo, lies in ``further/``; about sessions and what roles may do in ``session/``; about what
depends on columns in ``dependents/``, about what expressions call in ``expressions/``; what only a contract is asked,
in ``contracts/``. Each reads the schemas named by
the setting ``pgmend.schemas``, under a search_path with PostgreSQL's own schema alone: no name means what others made,
and every other name is spelt in full. Tables, columns and types come as numbers and are put together in ``assembly``;
``spelling`` asks for definitions where numbers do not say them; ``questions`` asks ahead of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.memory import undisturbed
from fixer.connect.settings import OUR_PATH, UNQUOTED
from fixer.introspect.assembly import Assembly, Sides, prefix
from fixer.introspect.questions import asking, beside, queries, query
from fixer.introspect.roles import application as application_of
from fixer.introspect.roles import session, shut, with_rights
from fixer.introspect.spelling import CHOOSE_TYPES, Definitions
from fixer.model import schema as s
from fixer.model.obstacle import Standing
from fixer.model.schema import Spellings
from fixer.model.table import QName

# Whether anything stands over any column that users made: to plan the question of what does takes far longer.
_ANYTHING_STANDS = """
SELECT FROM pg_catalog.pg_depend d
 WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid >= 16384 AND d.refobjsubid > 0
   AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_trigger'::regclass,
                     'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_proc'::regclass,
                     'pg_catalog.pg_publication_rel'::regclass)
 LIMIT 1
"""

# Whether anything may be unproved: to plan the question of what is takes longer.
_ANYTHING_IS_OPEN = """
SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'n' AND (NOT k.convalidated OR k.connoinherit) LIMIT 1
"""

__all__ = [
    "Sides",
    "audience",
    "calls",
    "collated",
    "equalities",
    "guards",
    "labels",
    "mute",
    "overloads",
    "parts",
    "proved",
    "queries",
    "query",
    "read",
    "read_parts",
    "sees_the_same",
    "session",
    "shut",
    "sizes",
    "standing",
    "statistics",
    "unordered",
    "with_rights",
]


def read(
    cursor: Cursor,
    schemas: Sequence[str],
    begin: str = "",
    known: Spellings | None = None,
    *,
    seen: s.Schema | None = None,
    rights: bool = True,
) -> s.Schema:
    """Read these schemas as the cursor's transaction sees them.

    `begin` may open that transaction (repeatable read, so that all queries see one moment) in the same
    round trip; the spellings that are `known` are not asked for. What was `seen` before is not read
    anew if it must be the same. What the role may do is only read with `rights`.
    """
    who = session(cursor, schemas, begin)
    if rights:
        who = with_rights(cursor, who)
    application = application_of(cursor, who.application) if who.application else None
    if not (seen and seen.seen_again(who)):
        found, _ = read_parts(cursor, [*schemas, "public"], known or {})
        seen = proved(cursor, found)
    return replace(seen, session=who, application=application)


def sees_the_same(cursor: Cursor, schema: s.Schema) -> bool:
    """Return whether the catalogue must be the one from which a schema was read; so it is if no transaction has ended.

    The cursor's transaction must be at READ COMMITTED, and have changed nothing in the catalogue since. Before
    PostgreSQL 14, an index may become valid without a transaction that a snapshot could name.
    """
    if schema.session is None or cursor.connection.server_version < 140000:
        return False
    cursor.execute("SELECT pg_catalog.pg_current_snapshot()::text = %s", (schema.session.moment,))
    return bool((cursor.fetchone() or (False,))[0])


def sizes(cursor: Cursor, tables: Iterable[QName]) -> dict[QName, int]:
    """Measure tables, of which the catalogue only knows how large they were at their last VACUUM or ANALYZE."""
    wanted = json.dumps([name._asdict() for name in tables])
    cursor.execute("SELECT set_config('pgmend.tables', %s, true);\n" + query("sizes"), (wanted,))
    return {QName(schema, name): size for schema, name, size in cursor.fetchall()}


def collated(cursor: Cursor) -> set[tuple[QName, str]]:
    """Return the unique indexes, each after its table, that an update of libraries may put in another order."""
    cursor.execute(query("collated"))
    return {(QName(schema, name), index) for schema, name, index in cursor.fetchall()}


def mute(cursor: Cursor, relations: Iterable[int]) -> list[s.Mute]:
    """Return which of these tables, and of their partitions, cannot tell a publication which row was changed."""
    choose = "SELECT set_config('pgmend.relations', %s::oid[]::text, true);\n"
    cursor.execute(choose + query("mute"), (list(relations),))
    return [s.Mute(oid, QName(schema, name), *facts) for oid, schema, name, *facts in cursor.fetchall()]


def calls(cursor: Cursor, tables: Iterable[QName]) -> dict[tuple[str, QName, str], s.Calls]:
    """Return what the expressions of tables call, by their kind, table and name."""
    wanted = json.dumps([name._asdict() for name in tables])
    cursor.execute(f"SELECT set_config('pgmend.tables', %s, true);\n{beside(query('calls'))}", (wanted,))
    return {
        (kind, QName(schema, table), name): s.Calls(settled, tuple(s.Function(*facts) for facts in own), default)
        for kind, schema, table, name, settled, own, default in cursor.fetchall()
    }


def equalities(cursor: Cursor, relation: int) -> dict[str, str]:
    """Return the operators by which columns of a table are compared, where those are not PostgreSQL's own."""
    cursor.execute(
        "SELECT a.attname::text, a.atttypid::bigint FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384",
        (relation,),
    )
    types = dict(cursor.fetchall())
    if not types:
        return {}
    cursor.execute(CHOOSE_TYPES + query("equalities"), (json.dumps([{"type": type_} for type_ in types.values()]),))
    found = dict(cursor.fetchall())
    return {column: found[type_] for column, type_ in types.items() if type_ in found}


def standing(
    cursor: Cursor, columns: Iterable[tuple[QName, str]], short: Collection[str] = ("public",)
) -> dict[tuple[QName, str], tuple[Standing, ...]]:
    """Return what stands over each of these columns and forbids it another type, the lowest first.

    Their names lack the `short` schemas.
    """
    cursor.execute(UNQUOTED + _ANYTHING_STANDS)
    if not cursor.fetchall():
        return {}
    wanted = json.dumps([{**name._asdict(), "column": column} for name, column in columns])
    choose = f"{UNQUOTED}SELECT set_config('pgmend.standing', %s, true);\n"
    cursor.execute(choose + beside(query("standing")), (wanted,))
    found: dict[tuple[QName, str], tuple[Standing, ...]] = {}
    for schema, table, column, level, kind, id_, name, *facts in cursor.fetchall():
        place, told = (QName(schema, table), column), prefix(short).sub("", name)
        drop, head, definition, rest, hindrance, calls = facts
        each = Standing(level, kind, id_, told, drop, head, definition, tuple(rest), hindrance, tuple(calls))
        found[place] = (*found.get(place, ()), each)
    return found


def statistics(cursor: Cursor, tables: Iterable[QName]) -> list[tuple[QName, str, str]]:
    """Return the extended statistics of these tables, each after its table, with its name in SQL and its definition."""
    wanted = json.dumps([name._asdict() for name in tables])
    cursor.execute("SELECT set_config('pgmend.tables', %s, true);\n" + beside(query("statistics")), (wanted,))
    return [(QName(schema, table), *facts) for schema, table, *facts in cursor.fetchall()]


def parts(cursor: Cursor, tables: Iterable[QName]) -> list[tuple[QName, QName, dict[str, str]]]:
    """Return the partitions and heirs of these tables, each after the table, with the types of its columns."""
    wanted = json.dumps([name._asdict() for name in tables])
    cursor.execute("SELECT set_config('pgmend.tables', %s, true);\n" + beside(query("parts")), (wanted,))
    return [(QName(*row[:2]), QName(*row[2:4]), row[4] or {}) for row in cursor.fetchall()]


def unordered(cursor: Cursor, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of these access methods and types of which the type has no operator class for the method."""
    wanted = json.dumps([{"method": method, "type": type_} for method, type_ in pairs])
    cursor.execute("SELECT set_config('pgmend.pairs', %s, true);\n" + beside(query("unordered")), (wanted,))
    return {(method, type_) for method, type_ in cursor.fetchall()}


def overloads(cursor: Cursor, calls: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """Return what is called in place of functions and operators, each with the old and new type of an argument."""
    wanted = json.dumps([{"call": call, "old": old, "new": new} for call, old, new in calls])
    cursor.execute("SELECT set_config('pgmend.calls', %s, true);\n" + beside(query("overloads")), (wanted,))
    return {(call, old, new): other for call, old, new, other in cursor.fetchall()}


def guards(cursor: Cursor, tags: Sequence[str]) -> list[tuple[str, str]]:
    """Return the event triggers, each with its function, that may refuse statements with one of these tags."""
    cursor.execute("SELECT set_config('pgmend.tags', %s::text[]::text, true);\n" + query("guards"), (list(tags),))
    return cursor.fetchall()


def audience(cursor: Cursor, tables: Iterable[QName], begin: str = "") -> list[s.Told]:
    """Return which publications publish these tables, or will once they are made; `begin` may open the transaction."""
    wanted = json.dumps([name._asdict() for name in tables])
    cursor.execute(f"{beside(begin)}SELECT set_config('pgmend.tables', %s, true);\n" + query("publications"), (wanted,))
    return [s.Told(QName(schema, name), *facts) for schema, name, *facts in cursor.fetchall()]


def elsewhere(
    cursor: Cursor, missing: Iterable[tuple[QName, str]], columns: Mapping[QName, Iterable[str]]
) -> tuple[tuple[s.Twin, ...], int]:
    """Return the twins of missing tables, each given with a name that it may have, and how many tables users have.

    Tables that have all the given `columns` of a missing one are twins, too, and come last. The larger come first.
    """
    given = {name: list(each) for name, each in columns.items()}
    wanted = [{**name._asdict(), "called": called, "columns": given.pop(name, None)} for name, called in missing]
    cursor.execute("SELECT set_config('pgmend.missing', %s, true);\n" + query("elsewhere"), (json.dumps(wanted),))
    rows = cursor.fetchall()
    twins = [s.Twin(QName(*row[1:3]), QName(*row[3:5]), *row[5:]) for row in rows if row[1] is not None]
    first = {(twin.missing, twin.name): twin for twin in reversed(twins)}
    return tuple(twin for twin in twins if first[twin.missing, twin.name] is twin), rows[0][0]


def labels(cursor: Cursor, types: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
    """Return the labels of those of these types, as SQL spells them, that are enums; None for what is no type."""
    choose = "SELECT set_config('pgmend.types', %s, true);\n"
    cursor.execute(choose + query("labels"), (json.dumps(list(types)),))
    return {type_: None if each is None else tuple(each) for type_, each in cursor.fetchall()}


def absent(cursor: Cursor, functions: Iterable[str]) -> frozenset[str]:
    """Return those of these functions, spelt with their arguments as PostgreSQL does, that do not exist."""
    cursor.execute(
        "SELECT f FROM unnest(%s::text[]) AS f WHERE f NOT IN"
        " (SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p WHERE p.oid >= 16384)",
        (sorted(functions),),
    )
    return frozenset(each for (each,) in cursor.fetchall())


def read_parts(
    cursor: Cursor, short: Collection[str], known: Spellings, sides: Sides = Sides.ACTUAL
) -> tuple[s.Schema, Definitions]:
    """Read the schemas that the setting `pgmend.schemas` names, and how their indexes and checks are spelt.

    Types of `short` schemas bear short names; `known` spellings are not asked for.
    """
    with undisturbed():
        return _put_together(cursor, short, known, sides)


def _put_together(
    cursor: Cursor, short: Collection[str], known: Spellings, sides: Sides
) -> tuple[s.Schema, Definitions]:
    """Return the schema; the raw answers are gone with this frame, before the collector looks at what is left."""
    with asking(cursor) as ask:
        assembly = Assembly(ask, short, known, OUR_PATH + UNQUOTED, sides)
        return assembly.schema(), assembly.definitions


def proved(cursor: Cursor, found: s.Schema) -> s.Schema:
    """Return the schema, with columns that may hold NULL whatever their NOT NULL says, or whose heirs lack it."""
    if cursor.connection.server_version < 180000:  # every NOT NULL is proved there
        return found
    cursor.execute(_ANYTHING_IS_OPEN)
    if not cursor.fetchall():
        return found
    cursor.execute(query("unproved"))
    for schema, relation, column, constraint, unproved, alone, below in cursor.fetchall():
        table = found.tables[QName(schema, relation)]
        if below:
            there = (*table.unproved_below.get(column, ()), (QName(*below), constraint))
            found = found.with_table(replace(table, unproved_below={**table.unproved_below, column: there}))
            continue
        if unproved:
            open_ = table.with_column(replace(table.columns[column], not_null=False))
            table = replace(open_, unproved={**table.unproved, column: constraint})
        if alone:
            table = replace(table, uninherited={**table.uninherited, column: constraint})
        found = found.with_table(table)
    return found
