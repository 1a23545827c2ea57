"""Reads who is connected, and what this role and the application's may do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any  # the cells of an answer, which psycopg2 gives without their types

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import OUR_PATH, UNQUOTED
from fixer.errors import TargetError, option
from fixer.introspect.questions import Rows, beside, query
from fixer.model import schema as s
from fixer.model.table import QName

_LACKS = ("schema", "table", "sequence", "function")  # kinds of rights


def session(cursor: Cursor, schemas: Sequence[str], begin: str = "") -> s.Session:
    """Return who is connected, and which of these schemas there are; `begin` may open the transaction."""
    facts = _facts(cursor, "session", schemas, begin)
    facts["wanted"] = tuple(schemas)
    facts["schemas"] = frozenset(facts["schemas"])
    facts["search_path"] = tuple(facts["search_path"])
    facts["visible"] = {name: QName(schema, name) for schema, name in facts["visible"]}
    facts["given"] = tuple(s.Given(*each) for each in facts["given"])
    if facts.pop("hindered"):
        cursor.execute(query("server_settings"))
        facts["given"] += tuple(s.Given(name, value, by_server=True) for name, value in cursor.fetchall())
    return s.Session(**facts)


def with_rights(cursor: Cursor, who: s.Session) -> s.Session:
    """Return the session with what its role may do in the schemas that it was asked about; ask nothing if it is known.

    Only repairs need it.
    """
    if who.rights:
        return who
    facts = _facts(cursor, "own_rights", who.wanted)
    facts |= {each: frozenset(facts[each]) for each in ("creatable", "journals", "unused", "superusers")}
    facts["below"] = frozenset((QName(*each[:2]), each[2], QName(*each[3:])) for each in facts["below"])
    facts["shut"] = frozenset(QName(*each) for each in facts["shut"])
    facts["takers"] = {role: frozenset(homes) for role, homes in facts["takers"].items()}
    return replace(who, rights=s.Rights(**facts))


def _facts(cursor: Cursor, name: str, schemas: Sequence[str], begin: str = "") -> dict[str, Any]:
    """Return the only row of a query about these schemas, by the names of its columns."""
    choose = f"{beside(begin)}{OUR_PATH}SELECT set_config('pgmend.schemas', %s::text[]::text, true);"
    cursor.execute(choose + query(name), (list(schemas),))
    return dict(zip((column.name for column in cursor.description or ()), *cursor.fetchall(), strict=True))


def shut(cursor: Cursor) -> tuple[s.Shut, ...]:
    """Return what the role may not call or use, wherever it is."""
    cursor.execute(OUR_PATH + UNQUOTED + query("shut"))
    return tuple(_shut(*row) for row in cursor.fetchall())


def _shut(kind: str, name: str, deed: str, names: list[list[str]], parts: list[list[str]]) -> s.Shut:
    called = frozenset((how, QName(*each)) for how, *each in names)
    return s.Shut(kind, name, deed, called, tuple((QName(*each[:2]), each[2], each[3]) for each in parts))


def application(cursor: Cursor, role: str) -> s.Application:
    """Return what a role may not do in the schemas that are read; raise TargetError if there is no such role."""
    cursor.execute(query("rights"))
    kinds: dict[str, Rows] = defaultdict(list)
    for kind, *facts in cursor.fetchall():
        kinds[kind].append(tuple(facts))
    if not kinds["known"]:
        raise TargetError(f"There is no role {role}: correct {option('role')}.")
    given: dict[str, set[str]] = defaultdict(set)
    for schema, _, _, deed, *_ in kinds["given"]:
        given[schema].add(deed)
    return s.Application(
        role,
        tuple(_lack(kind, *facts) for kind in _LACKS for facts in kinds[kind]),
        frozenset(QName(schema, name) for schema, name, *_ in kinds["unbound"]),
        {schema: frozenset(deeds) for schema, deeds in given.items()},
        frozenset(name for _, name, *_ in kinds["owner"]),
        frozenset(QName(*facts[-1]) for facts in kinds["counter"]),
    )


def _lack(
    kind: str, schema: str, name: str, column: str, deed: str, columns: list[str], spelt: list[str] | None
) -> s.Lack:
    return s.Lack(kind, QName(schema, name), column, deed, tuple(columns), tuple(spelt or ()))
