"""Reads what a contract declares beside the shape of its tables, code above all, and what of it a target has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.connect.settings import OUR_PATH, UNQUOTED
from fixer.introspect.questions import query
from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, Coded, Key, Kind
from fixer.model.schema.storage import Stored
from fixer.model.table import QName

OURS = {"pgmend_contract"}  # the role that runs what a contract says, in a place of ours
_CHOOSE = (
    "SELECT set_config('pgmend.schemas', %s::text[]::text, true), set_config('pgmend.kinds', %s::text[]::text, true),"
    " set_config('pgmend.roles', %s::text[]::text, true), set_config('pgmend.needs', %s::text, true);\n"
)
_CHOOSE_BEYOND = (
    "SELECT set_config('pgmend.schemas', %s::text[]::text, true), set_config('pgmend.members', %s, true);\n"
)
_CHOOSE_STORED = "SELECT set_config('pgmend.schemas', %s::text[]::text, true);\n"
# The schemas of users (see declared.sql).
_HOMES = """
SELECT array_agg(n.nspname::text) FROM pg_catalog.pg_namespace n
 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'fixer_journal', 'fixer_quarantine')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
"""
_THERE = """
  WITH needed AS (
       SELECT e ->> 0 AS schema, e ->> 1 AS name FROM jsonb_array_elements(%s::jsonb) AS e)
SELECT (SELECT jsonb_agg(jsonb_build_array(d.schema, d.name))
          FROM needed d
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                            WHERE (n.nspname, c.relname) = (d.schema, d.name))
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                            WHERE n.nspname = d.schema AND strpos(d.name, p.proname || '(') = 1
                              AND d.name = format('%%s(%%s)', p.proname, (
                                  SELECT string_agg(pg_catalog.format_type(t.oid, NULL), ',' ORDER BY t.place)
                                    FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place))))),
       ARRAY (SELECT t FROM unnest(%s::text[]) t WHERE to_regtype(t) IS NULL
               UNION ALL
              SELECT r FROM unnest(%s::text[]) r WHERE r NOT IN (SELECT p.rolname::text FROM pg_catalog.pg_roles p)),
       (SELECT jsonb_agg(jsonb_build_array(n.nspname, f.called, f.spelt))
          FROM (SELECT p.pronamespace, p.oid::regprocedure::text AS spelt, format('%%s(%%s)', p.proname, (
                       SELECT string_agg(pg_catalog.format_type(t.oid, NULL), ',' ORDER BY t.place)
                         FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place))) AS called
                  FROM pg_catalog.pg_proc p
                 WHERE p.oid >= 16384 AND p.proacl IS NOT NULL AND NOT has_function_privilege(p.oid, 'EXECUTE')) AS f
          JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace)
"""


def declared(cursor: Cursor, without: Collection[Key] = ()) -> Coded:
    """Return all code that users declare in a database, but for some."""
    cursor.execute(_HOMES)
    (homes,) = cursor.fetchone() or ([],)
    found = read(cursor, homes or [], list(Kind), needs=True)
    parts = (part for part in found if part.key not in without and not {*part.roles} & OURS)
    beyond = (key for key in _beyond(cursor, homes or []) if key not in without)
    return Coded(tuple(parts), cursor.connection.server_version // 10000, beyond=tuple(beyond))


def _beyond(cursor: Cursor, schemas: Iterable[str], *, members: bool = False) -> list[Key]:
    """Return what is declared in some schemas and never compared, by its kind and its name; or by extensions, too."""
    cursor.execute(OUR_PATH + _CHOOSE_BEYOND + query("beyond"), (list(schemas), str(members)))
    return [Key(kind, "", name, "") for kind, name in cursor.fetchall()]


def read(
    cursor: Cursor, schemas: Iterable[str], kinds: Iterable[str], roles: Iterable[str] = (), *, needs: bool = False
) -> list[Code]:
    """Return the code of some kinds in some schemas, sorted by its keys.

    What one of these roles may do as an owner is a grant, too. Only where it is asked for, parts know their `needs`.
    """
    choose = OUR_PATH + UNQUOTED + _CHOOSE + query("code").replace("%", "%%")
    cursor.execute(choose, (list(schemas), list(kinds), list(roles), needs))
    return [_code(*row) for row in cursor.fetchall()]


def _code(
    kind: str,
    schema: str,
    home: str,
    part: str,
    word: str,
    spelt: str,
    definition: str,
    create: list[str],
    drop: str,
    shape: str,
    enabled: str,
    definer: bool,
    closed: bool,
    needs: list[list[str]],
    types: list[str],
    roles: list[str],
    owner: str,
    owned: bool,
    rest: list[str],
    language: str,
    reserved: str,
    held: str,
) -> Code:
    lasting = (tuple(QName(*each) for each in needs), tuple(types), tuple(roles), owner, owned, tuple(rest))
    key, facts = Key(kind, schema, home, part), (tuple(create), drop, shape, enabled, definer, closed)
    return Code(key, word, spelt, definition, *facts, *lasting, language, reserved, held)


def stored(cursor: Cursor, tables: Collection[QName]) -> tuple[Stored, ...]:
    """Return how some tables and their columns are stored, where that is not the server's default, sorted."""
    cursor.execute(OUR_PATH + _CHOOSE_STORED + query("stored"), (sorted({each.schema for each in tables}),))
    found = (Stored(QName(schema, name), *rest) for schema, name, *rest in cursor.fetchall())
    return tuple(sorted((e for e in found if e.table in tables), key=lambda e: (e.table, e.column, e.what)))


def with_code(cursor: Cursor, actual: Schema, contract: Contract) -> Schema:
    """Return the actual schema with what it has of a contract's code; ask nothing where the contract has none.

    What acts on a table that has a legacy name is found there. It comes with how the database stores what the contract
    says something about.
    """
    if named := {each.table for each in contract.schema.stored}:
        actual = replace(actual, stored=stored(cursor, named))
    wanted = contract.schema.code
    if not (wanted and (wanted.parts or wanted.beyond)):
        return actual
    if wanted.beyond:
        cursor.execute(_HOMES)
        (homes,) = cursor.fetchone() or ([],)
        actual = replace(actual, beyond=frozenset(_beyond(cursor, homes or [], members=True)))
    return _with_parts(cursor, actual, contract, wanted)


def _with_parts(cursor: Cursor, actual: Schema, contract: Contract, wanted: Coded) -> Schema:
    if not wanted.parts:
        return actual
    names = {name._replace(name=old): name for name, each in contract.hints.items() for old in each.legacy_names}
    roles = {role for part in wanted.of(Kind.GRANT) for role in part.roles}
    found_there = read(cursor, wanted.schemas, wanted.kinds, sorted(roles))
    named = {part.key: part.key.on(names.get(part.home, part.home)) for part in found_there}
    parts = [part for part in found_there if part.key in wanted.by_key or named[part.key] in wanted.by_key]
    there = {named[part.key] for part in parts}
    missing = [part for part in wanted.parts if part.key not in there]
    found = Coded(tuple(parts), cursor.connection.server_version // 10000)
    if not missing:
        return replace(actual, code=found)
    homes = {part.key.schema for part in missing} - {*contract.schemas}
    who = actual.session
    if homes:
        known = who and who.rights
        who = introspect.session(cursor, [*contract.schemas, *sorted(homes)])
        who = introspect.with_rights(cursor, who) if known else who
    return replace(actual, code=_with_lacks(cursor, found, missing, wanted), session=who)


def _with_lacks(cursor: Cursor, found: Coded, missing: Iterable[Code], wanted: Coded) -> Coded:
    """Return the code, with what lacks where more is to be created."""
    missing, own = list(missing), {part.home for part in wanted.parts}
    types = {name for part in missing for name in part.types}
    roles = {name for part in missing for name in part.roles}
    needs = {name for part in missing for name in part.needs if name not in own}
    cursor.execute(_THERE, (json.dumps(sorted(needs)), sorted(types), sorted(roles)))
    absent, lacking, shut = cursor.fetchone() or ([], [], [])
    lost = frozenset(QName(*each) for each in absent or ())
    uncallable = {QName(*each[:2]): each[2] for each in shut or ()}
    return replace(found, absent=lost, lacking=frozenset(lacking), uncallable=uncallable)
