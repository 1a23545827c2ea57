"""Finds functions whose bodies name what is gone, among those that writing to the tables of a contract may call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import OUR_PATH, UNQUOTED
from fixer.introspect.questions import query
from fixer.introspect.roles import with_rights
from fixer.model.contract import Contract
from fixer.model.expression import as_needed, names_in
from fixer.model.expression.bodies import Body, Name, read
from fixer.model.expression.patterns import pattern
from fixer.model.schema import Broken, Caller, Schema
from fixer.model.table import QName
from fixer.model.values import dataclass

_WORDS = pattern(r"\w+")
_NEEDED = "plpgsql"  # the language of the block that asks the validators
# Whether any table calls a function of users: to plan the question which ones takes ten times as long.
_ANY_IS_CALLED = """
SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid >= 16384
   AND d.classid IN ('pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_attrdef'::regclass,
                     'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass) LIMIT 1
"""


@dataclass(frozen=True)
class _Function:
    """A function of the application, with what calls it."""

    oid: int
    name: QName
    spelt: str
    language: str
    body: str
    path: str | None
    callers: tuple[Caller, ...]
    given: tuple[str, ...]  # the transition tables of its triggers


def with_bodies(cursor: Cursor, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the functions that fail; ask no more where tables of the contract call none."""
    functions = list(_called(_functions(cursor), contract))
    if not functions:
        return actual
    coming = _coming(actual, contract)
    said = _unparsed(cursor, functions, actual)
    found = {each.oid: said[each.oid] for each in functions if each.oid in said}
    bodies = {each.oid: read(each.body, each.given) for each in functions if each.language == _NEEDED}
    found |= {oid: why for oid, why in _gone(cursor, functions, bodies, actual) if oid not in found}
    broken = (Broken(f.name, f.spelt, found[f.oid], f.callers) for f in functions if f.oid in found)
    return replace(actual, broken=tuple(each for each in broken if not coming & {*names_in(each.why)}))


def _functions(cursor: Cursor) -> list[_Function]:
    cursor.execute(OUR_PATH + UNQUOTED + _ANY_IS_CALLED)
    if not cursor.fetchall():
        return []
    cursor.execute(query("bodies"))
    return [_function(*row) for row in cursor.fetchall()]


def _function(
    oid: int,
    schema: str,
    name: str,
    spelt: str,
    language: str,
    body: str,
    path: str | None,
    callers: list[list[object]],
) -> _Function:
    by = tuple(Caller(QName(str(home), str(table)), str(what)) for home, table, what, _ in callers)
    given = tuple(str(each) for *_, names in callers for each in (names if isinstance(names, list) else ()))
    return _Function(oid, QName(schema, name), spelt, language, body, path, by, given)


def _called(functions: Iterable[_Function], contract: Contract) -> Iterator[_Function]:
    """Yield the functions that tables of the contract call, and those that these name, with what calls them."""
    every = list(functions)
    left = [replace(f, callers=tuple(c for c in f.callers if c.table in contract.tables)) for f in every]
    left = [each for each in left if each.callers]
    seen = {each.oid for each in left}
    while left:
        each = left.pop()
        yield each
        words = {*_WORDS.findall(each.body.lower())}
        for other in every:
            if other.oid not in seen and other.name.name in words and f"{other.name.name}(" in each.body.lower():
                seen.add(other.oid)
                left.append(replace(other, callers=tuple(replace(c, through=True) for c in each.callers)))


def _coming(actual: Schema, contract: Contract) -> set[str]:
    """Return the names of tables, columns and code that are missing, which a plan or a person makes first."""
    names = {name.name for name in contract.tables.keys() - actual.tables.keys()}
    for name, table in contract.tables.items():
        if name in actual.tables:
            names |= table.columns.keys() - actual.tables[name].columns.keys()
    there = actual.code.by_key if actual.code else {}
    parts = contract.schema.code.parts if contract.schema.code else ()
    return names | {each.key.home.partition("(")[0] for each in parts if each.key not in there}


def _unparsed(cursor: Cursor, functions: list[_Function], actual: Schema) -> Mapping[int, str]:
    """Return what the validators say of bodies that they can make nothing of, under any path that may be meant."""
    session = actual.session
    if not session or not with_rights(cursor, session).may.languages.get(_NEEDED, True):
        return {}
    own = [as_needed(each) for each in session.search_path]
    homes = [as_needed(each) for each in sorted({name.schema for name in actual.tables})]
    asked = []
    for each in functions:
        wide = [as_needed(each.name.schema), *own, *homes]
        paths = [each.path] if each.path is not None else [", ".join(own) or "pg_catalog", ", ".join(wide)]
        asked.append({"oid": each.oid, "paths": paths})
    cursor.execute("SELECT set_config('pgmend.bodies', %s, true)", (json.dumps(asked),))
    cursor.execute(query("unparsed"))
    return {int(oid): message for oid, message in cursor.fetchall()}


def _gone(
    cursor: Cursor, functions: Iterable[_Function], bodies: Mapping[int, Body | None], actual: Schema
) -> Iterator[tuple[int, str]]:
    """Yield the functions in PL/pgSQL, each with what its statements name and no schema has."""
    names = {name for body in bodies.values() if body for name in body.names}
    there: dict[tuple[str, str], dict[str, set[str]]] = {}
    if names:
        cursor.execute("SELECT set_config('pgmend.names', %s, true)", (json.dumps(sorted(names)),))
        cursor.execute(query("nowhere"))
        for kind, schema, name, columns in cursor.fetchall():
            there.setdefault((kind, name), {})[schema] = {*columns}
    for each in functions:
        body = bodies.get(each.oid)
        why = _why(each, body, there, actual) if body else None
        if why:
            yield each.oid, why


def _why(
    function: _Function, body: Body, there: Mapping[tuple[str, str], Mapping[str, set[str]]], actual: Schema
) -> str | None:
    """Return the first thing that a body names and that is not there, in the words of PostgreSQL."""

    def homes(kind: str, name: Name) -> Mapping[str, set[str]]:
        found = there.get((kind, name[1]), {})
        return {name[0]: found[name[0]]} if name[0] in found else {} if name[0] else found

    for name in sorted(body.relations):
        if not homes("relation", name):
            return f'relation "{_spelt(name)}" does not exist'
    for name, column in sorted(body.columns):
        if not any(column in columns for columns in homes("relation", name).values()):
            return f'column "{column}" of relation "{_spelt(name)}" does not exist'
    for name in sorted(body.functions):
        if not homes("function", name):
            return f"function {_spelt(name)} does not exist"
    tables = [
        actual.tables[each.table] for each in function.callers if not each.through and each.table in actual.tables
    ]
    for table in tables if all(each.what.startswith("the trigger") for each in function.callers) else ():
        for column in sorted(body.fields - table.columns.keys()):
            return f'record "new" of {table.name.name} has no field "{column}"'
    return None


def _spelt(name: Name) -> str:
    return ".".join(filter(None, name))
