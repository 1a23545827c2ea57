"""Who creates what a repair creates, and who owns it then: the owner of most of the contract's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.expression import as_needed
from fixer.model.schema import Schema
from fixer.model.step import Lock, RefusalError, Step
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.by_hand import of_another
from fixer.sql.compose import SQL, Identifier


def see_that_it_may_create(what: str, schema: str, actual: Schema) -> None:
    """Raise RefusalError if a schema is missing, or this role may create nothing there."""
    session = actual.session
    if session and schema not in session.schemas:
        raise RefusalError(f"its schema {as_needed(schema)} is missing: let that be created as well")
    if session and schema not in session.may.creatable:
        home, role = as_needed(schema), as_needed(session.role)
        raise RefusalError(f"GRANT CREATE ON SCHEMA {home} TO {role}, which may not create {what}; then plan again")


def new_owner(owner: str, schema: str, actual: Schema) -> str:
    """Return the owner of what is created in a schema (without a name: of a schema); empty if this role keeps it.

    Raises RefusalError if this role may not give it away, or the other may not own anything there.
    """
    session = actual.session
    if not session or owner in ("", session.role):
        return ""
    unable = schema and schema not in session.may.creatable  # as the run says before its first change
    if unable or session.superuser or schema in session.may.takers.get(owner, ()):
        return owner
    if owner not in session.may.takers:
        raise RefusalError(of_another(owner, actual, "would belong"))
    where = f"SCHEMA {as_needed(schema)}" if schema else f"DATABASE {as_needed(session.database)}"
    whose = as_needed(owner)
    raise RefusalError(f"GRANT CREATE ON {where} TO {whose}, to whom it would belong; then plan again")


def belonging(create: Step, word: str, name: QName, owner: str, actual: Schema) -> Iterator[Step]:
    """Yield the step that creates something, which SQL calls by a word such as TYPE, and what gives it to its owner.

    If that is this role, the first does both, for another role may apply the plan. Raises RefusalError as `new_owner`
    does.
    """
    given, mine = new_owner(owner, name.schema, actual), keeper(owner, actual)
    give = SQL("ALTER {} {} OWNER TO {}").format(SQL(word), q.name(name), Identifier(given or mine))
    yield replace(create, sql=create.sql + SQL(";\n") + give) if mine else create
    if given:
        lock = Lock.ACCESS_EXCLUSIVE if word == "TABLE" else Lock.NONE
        yield Step(create.phase, create.table, f"give the {word.lower()} {name.name} to {given}", give, lock)


def keeper(owner: str, actual: Schema) -> str:
    """Return this role if it is the owner of something new, or nobody is known to be; empty for a superuser."""
    session = actual.session
    return session.role if session and not session.superuser and owner in ("", session.role) else ""
