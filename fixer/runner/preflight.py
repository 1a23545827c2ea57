"""Checks before the first change: permission, rights, whether the schema is the plan's, and what may refuse it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.compare.examine import look_elsewhere
from fixer.errors import NeedsPermission, PgmendError, PlanRefused, TargetError, listed
from fixer.introspect.coded import with_code
from fixer.model.contract import Contract
from fixer.model.expression.patterns import pattern
from fixer.model.plan import Guard, Plan
from fixer.model.schema import Given, Schema, Session, Shut
from fixer.model.schema.session import READ_ONLY, REPLICATION, effective
from fixer.model.step import Hazard
from fixer.model.table import QName
from fixer.planner.rights import lacking
from fixer.repair.twins import filled, question, told, twins_of
from fixer.runner.journal import reading, tables

_TAG = pattern(r"\b(CREATE|ALTER|DROP|COMMENT ON|GRANT|REVOKE)\s+(?:UNIQUE\s+|UNLOGGED\s+)?(MATERIALIZED VIEW|\w+)")
_OURS = {"CREATE SCHEMA", "CREATE TABLE", "ALTER TABLE"}  # for the journal and the quarantine
_ALONE = {"COMMENT ON": "COMMENT", "GRANT": "GRANT", "REVOKE": "REVOKE"}


def permit(plan: Plan, allowed: Iterable[str], *, so_far: str = "Nothing was changed.") -> None:
    """Raise NeedsPermission if a plan needs a human decision or other hazards; `so_far` ends the message."""
    if why := undecided(plan, so_far):
        raise NeedsPermission(why)
    lacking = plan.lacks(allowed)
    if lacking:
        needed = listed("allow_hazards", sorted(lacking))
        why = f", because {plan.question}" if plan.question and Hazard.CREATES_SCHEMA in lacking else "."
        raise NeedsPermission(f"The plan needs {needed}{why} {_told(plan, lacking)}{so_far}")


def undecided(plan: Plan, so_far: str = "Nothing was changed.") -> str:
    """Return in words that a plan needs a human decision, and which; empty if it needs none."""
    if not plan.refusals:
        return ""
    more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
    rest = f" To repair the rest, add {plan.way_out}." if plan.way_out else ""
    why = f"{plan.refusals[0]}{more}"  # which may end by a statement, and that by its semicolon
    return f"This needs a human decision: {why}{'' if why.endswith(';') else '.'} {so_far}{rest}"


def _told(plan: Plan, lacking: Iterable[Hazard]) -> str:
    """Return why a plan would stop subscribers, if that hazard was not allowed; otherwise an empty string."""
    if plan.published is None or Hazard.STOPS_SUBSCRIBERS not in lacking:
        return ""
    return (
        f"{plan.published.opening} what it makes, and subscribers stop until they have the same: `fixer plan` says what"
        ' to run there first ("all" does not speak for other servers). '
    )


def check_schema(cursor: Cursor, contract: Contract, plan: Plan, seen: Schema | None = None) -> Schema:
    """Return the actual schema; raise PlanRefused if it is not the plan's, TargetError if the role lacks a right.

    What was `seen` before is not read anew if it must be the same.
    """
    actual = with_code(cursor, introspect.read(cursor, contract.schemas, seen=seen), contract)
    if actual.fingerprint != plan.fingerprint:
        raise PlanRefused(_why_not(cursor, plan))
    _see_what_came_elsewhere(cursor, actual, contract, plan)
    preflight(cursor, actual, plan)
    return actual


def _see_what_came_elsewhere(cursor: Cursor, actual: Schema, contract: Contract, plan: Plan) -> None:
    """Raise PlanRefused if tables that a plan creates may exist elsewhere by now, or the database may be the wrong one.

    The fingerprint does not cover tables elsewhere.
    """
    missing = plan.created & contract.tables.keys() - actual.tables.keys()
    if not missing:
        return
    now = look_elsewhere(cursor, actual, contract)
    twins = [twin for name in sorted(missing) for twin in filled(twins_of(name, now, contract))]
    if twins or (question(now, contract) and Hazard.CREATES_SCHEMA not in plan.hazards):
        came = told(twins) if twins else "other tables are there"
        raise PlanRefused(f"The database has changed since the plan was made, {came}: plan again. Nothing was changed.")


def _why_not(cursor: Cursor, plan: Plan) -> str:
    runs = reading.history(cursor)
    ours = (past for past in runs if past.plan == plan.identity and past.mode != "undo")
    done = next((past.run for past in ours if past.finished_at and not past.undone_by), None)
    if done is not None:
        return f"This plan was applied already, as run {done}: nothing was changed."
    return "The database has changed since the plan was made: plan again. Nothing was changed."


def preflight(cursor: Cursor, actual: Schema, plan: Plan) -> None:
    """Raise TargetError if the target is read-only, or if the role lacks a right: with the SQL that grants it."""
    session = actual.session
    if session is None:
        return
    if session.read_only and not session.standby:
        raise TargetError(f"{_reading(session)} Nothing was changed.")
    for need in needs(actual, plan, () if session.superuser else introspect.shut(cursor)):
        raise TargetError(f"{need} Nothing was changed.")


def needs(actual: Schema, plan: Plan, shut: Collection[Shut] = ()) -> tuple[str, ...]:
    """Return what others must do before this role can apply a plan, in sentences; `shut` is what it may not use."""
    session = actual.session
    if session is None or not plan.steps:
        return ()
    if session.standby:
        return ("The target is a standby, which cannot be written: name the primary.",)
    given = effective(session.given, session.role)
    reading, asleep = given.get(READ_ONLY), given.get(REPLICATION)
    found = [_reading(session)] if session.read_only and reading and reading.on else []
    if asleep and asleep.sleeps and not session.superuser:
        found.append(_asleep(asleep))
    places = tables.places(tables.moving_tables(plan.steps))
    return (*found, *lacking(actual, plan, session, shut, places))


def _reading(session: Session) -> str:
    """Return that the session may only read, and the ways out."""
    given = effective(session.given, session.role).get(READ_ONLY)
    first = f"run {given.reset}, or " if given and given.on else ""
    way = f"{first}connect with PGOPTIONS='-c {READ_ONLY}=off'"
    return f"The target only lets this session read ({READ_ONLY}): {way}."


def _asleep(given: Given) -> str:
    why = f"{REPLICATION} is replica for {given.whose}, so that no foreign key and no trigger acts on what is written"
    return f"{why}: run {given.reset}, or let a superuser apply the plan."


def watched_tables(plan: Plan, actual: Schema) -> frozenset[QName]:
    """Return the tables of the plan, and all that reference these, at any distance.

    Of a partition and its whole, only the one through which rows leave or come.
    """
    watched = {name for name in plan.tables if name in actual.tables}
    grown = True
    while grown:
        whole = {above for name in watched for above in actual.wholes(name)}
        keys = (k for k in actual.foreign_keys() if k.target in whole or watched & {*actual.wholes(k.target)})
        below = {key.table for key in keys}
        grown = not below <= watched
        watched |= below
    moving = {step.table for step in plan.steps if step.effect.moves or step.effect.inserts}
    moving |= {old for old, new in plan.renamed.items() if new in moving}
    wholes = {whole for name in moving for whole in actual.wholes(name)[1:]} - moving
    return frozenset(
        name for name in watched - wholes if name in actual.tables and not moving.intersection(actual.wholes(name)[1:])
    )


def counted_tables(watched: Collection[QName], actual: Schema) -> frozenset[QName]:
    """Return those of the watched tables whose rows are counted.

    Rows of a partition are counted in its whole, if that is watched too: a row whose cells change may go from one
    partition into another.
    """
    return frozenset(name for name in watched if not {*watched}.intersection(actual.wholes(name)[1:]))


# --- event triggers that may refuse what a plan does


def with_guards(cursor: Cursor, plan: Plan) -> Plan:
    """Return the plan with the event triggers that may refuse one of its statements."""
    found = {(verb, noun) for step in plan.steps for verb, noun in _TAG.findall(step.sql)}
    tags = _OURS | {_ALONE.get(verb, f"{verb} {noun}") for verb, noun in found}
    return replace(plan, guards=tuple(Guard(*facts) for facts in introspect.guards(cursor, sorted(tags))))


@contextmanager
def naming(guards: Iterable[Guard]) -> Iterator[None]:
    """Name the event trigger, and the way around it, where its function has raised the error that stops a run."""
    try:
        yield
    except PgmendError as error:
        context = _context(error)
        for guard in guards:
            if f" {guard.function}(" in context:
                named = f"{error} It is the event trigger {guard.name} that refuses it: {guard.way}."
                raise type(error)(named, busy=error.busy, sqlstate=error.sqlstate) from None
        raise


def _context(error: BaseException) -> str:
    """Return where in the code of the database an error was raised."""
    here: BaseException | None = error
    while here is not None and not isinstance(here, psycopg2.Error):
        here = here.__cause__ or here.__context__
    return (here.diag.context if isinstance(here, psycopg2.Error) else "") or ""
