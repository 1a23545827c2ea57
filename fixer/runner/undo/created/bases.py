"""Statements that take back what tables and code are made of: types and their parts, sequences, schemas."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.runner.journal.definitions import Definitions
from fixer.runner.undo.facts import Titled, full
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier


def bases(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    """Yield the statements that drop types, sequences and schemas of the run, which nothing of it needs any more.

    So those that drop the attributes which it added to composite types.
    """
    yield from _attributes(now, then, made)
    yield from _types(now, then, made)  # whose defaults may call sequences
    for sequence in now.of_kind("sequence"):
        if sequence.key not in then.items and not sequence.detail["internal"]:
            yield f"drop the sequence {sequence.name}", SQL("DROP SEQUENCE IF EXISTS {}").format(full(sequence))
    yield from _schemas(now, then, made)


def _attributes(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    """Yield the statements that drop the attributes of the run from composite types, one for each of these."""
    for was in then.of_kind("type"):
        known, left, there = (
            (each.items[was.key].detail.get("attributes") or []) if was.key in each.items else []
            for each in (then, made, now)
        )
        if new := [name for name in there if name in left and name not in known]:
            drops = SQL(", ").join(SQL("DROP ATTRIBUTE {}").format(Identifier(name)) for name in new)
            yield f"bring the type {was.name} back", SQL("ALTER TYPE {} {}").format(full(was), drops)


def _types(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    """Yield the one statement that drops the types of the run, of which some may be made of others."""
    new = [type_ for type_ in now.of_kind("type") if type_.key in made.items and type_.key not in then.items]
    if new:
        words = "types" if len(new) > 1 else "type"
        title = f"drop the {words} {', '.join(type_.name for type_ in new)}"
        yield title, SQL("DROP TYPE {}").format(SQL(", ").join(map(full, new)))


def domains(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    """Yield the statements that take from domains what the run let them demand, and restore their defaults."""
    for was in then.of_kind("type"):
        is_, left = now.items.get(was.key), made.items.get(was.key)
        if is_ is None or left is None or "checks" not in was.detail:
            continue
        title, old, new = f"bring the domain {was.name} back", was.detail, left.detail
        for name in sorted({*(new["checks"] or ())} & {*(is_.detail["checks"] or ())} - {*(old["checks"] or ())}):
            yield title, SQL("ALTER DOMAIN {} DROP CONSTRAINT {}").format(full(was), Identifier(name))
        if new["not_null"] and not old["not_null"]:
            yield title, SQL("ALTER DOMAIN {} DROP NOT NULL").format(full(was))
        if new["default"] == is_.detail["default"] != old["default"]:
            action = SQL("DROP DEFAULT" if old["default"] is None else "SET DEFAULT " + old["default"])
            yield title, SQL("ALTER DOMAIN {} {}").format(full(was), action)


def _schemas(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    """Yield the statements that drop the schemas of the run; one in which others have made something stays."""
    for schema in now.of_kind("schema"):
        if schema.key in made.items and schema.key not in then.items:
            drop = SQL("BEGIN\n    DROP SCHEMA {};\nEXCEPTION WHEN dependent_objects_still_exist THEN\n    NULL;\nEND")
            yield f"drop the schema {schema.name}", q.Block(drop.format(Identifier(schema.name))) + SQL("")
