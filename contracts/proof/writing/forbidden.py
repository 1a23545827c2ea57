"""Tells what the owner of a database forbids on purpose from what is broken.

A table may be for adding only, or show each role its own rows. The check calls that sound, so the suite does too: it
reports what it could not try. Where the check has an error about what the table demands, nothing is on purpose.
"""

from __future__ import annotations

import psycopg2
from psycopg2 import errors as pg

from contracts.proof.advice.causes import can_cause
from contracts.proof.advice.facts import facts_of, is_raised
from contracts.proof.databases.place import Place
from contracts.proof.writing.evidence import said
from fixer.model.obstacle import FIRING
from fixer.model.schema.code import Kind
from fixer.model.table import QName

_DEMANDS = "nothing_unknown_is_demanded"
_SWALLOWING = ("[swallowing-trigger]", "[rogue-rule]")
# Errors of a policy's own expression: a setting that is absent, or that is no number.
_OF_POLICIES = ("42", "22")


def why_shut(place: Place, name: QName, error: psycopg2.Error) -> str | None:
    """Return why this role may not write such a row; None where the error has another reason."""
    if _is_faulty(place, name, error) or _is_of_faulty(place, name, error):
        return None
    filtered = (error.pgcode or "")[:2] in _OF_POLICIES and facts_of(place).is_filtered(name)
    if _is_closed(error) or filtered:
        return f"this role may not write each row of {name.name}: {said(error)}"
    if facts_of(place).needs_setting(name, error):
        return f"rows of {name.name} need a setting of the session: {said(error)}"
    if isinstance(error, pg.FeatureNotSupported) and (diverted := why_declared(place, name, "INSERT")):
        return diverted  # a rule does something else instead, which returns no row
    if column := facts_of(place).unfit_default(name, error):
        return f"{name.name}.{column} cannot hold its own default: {said(error)}"
    if facts_of(place).is_refused_by_trigger(error):
        return f"a trigger refuses rows of {name.name}: {said(error)}"
    return None


def why_swallowed(place: Place, name: QName) -> str | None:
    """Return why a row is not kept that an INSERT wrote; None where nothing says that some rows are kept out."""
    if _is_faulty(place, name):
        return None
    notes = [note for note in _notes(place, name) if "INSERT" in note and note.endswith(_SWALLOWING)]
    return f"not each row of {name.name} is kept: {notes[0]}" if notes else why_declared(place, name, "INSERT")


def why_declared(place: Place, name: QName, deed: str) -> str | None:
    """Return which trigger or rule of the contract itself may do something else than a deed says; None if none may."""
    code = None if _is_faulty(place, name) else place.contract.schema.code
    on: dict[str, str] = {Kind.TRIGGER: f" {deed} ", Kind.RULE: f"ON {deed} TO "}
    for each in code.at(name) if code else ():
        if each.key.kind in on and on[each.key.kind] in each.definition and each.enabled in FIRING:
            return f"{deed} of {name.name}: {each.told}, which the contract has, may do something else"
    return None


def _is_closed(error: psycopg2.Error) -> bool:
    """Return whether the role lacks a right for the statement itself, not for what a trigger does."""
    return isinstance(error, pg.InsufficientPrivilege) and not error.diag.context


def why_forbidden(place: Place, name: QName, deed: str, error: psycopg2.Error | None) -> str | None:
    """Return why rows of a table may not be updated or deleted; None where nothing says that it is on purpose.

    There is no error where a statement found no row.
    """
    if _is_faulty(place, name, error):
        return None
    warnings = [note for note in _notes(place, name) if deed in note and note.endswith(_SWALLOWING)]
    if error is None or isinstance(error, pg.FeatureNotSupported):
        meant = f"{deed} of {name.name}: {warnings[0]}" if warnings else why_declared(place, name, deed)
        if meant:
            return meant
    if error is not None and (is_raised(error) or _is_closed(error)):
        return f"{deed} of {name.name} is forbidden: {said(error)}"
    if error is not None:
        return why_shut(place, name, error)
    if facts_of(place).is_filtered(name):
        return f"{deed} of {name.name}: a policy keeps the row from this role"
    return None


def _is_faulty(place: Place, name: QName, error: psycopg2.Error | None = None) -> bool:
    """Return whether the check has an error about what a table demands, that may be why this error was raised."""
    found = (place.verdict(case) for case in place.cases if case.table == name and case.claim == _DEMANDS)
    return any(can_cause(verdict.slugs, error.pgcode if error else None) for verdict in found)


def _is_of_faulty(place: Place, name: QName, error: psycopg2.Error) -> bool:
    """Return whether an error comes from another table, to which a trigger writes, and which breaks the contract.

    Where that lacks a parent, so may the table of the parents.
    """
    there = QName(error.diag.schema_name or "", error.diag.table_name or "")
    if there == name:
        return False
    tables = {there}
    if isinstance(error, pg.ForeignKeyViolation) and there in place.contract.tables:
        tables |= {key.target for key in place.contract.tables[there].foreign_keys}
    return any(can_cause(v.slugs, error.pgcode) for case, v in place.verdicts.items() if case.table in tables)


def _notes(place: Place, name: QName) -> tuple[str, ...]:
    cases = (case for case in place.cases if case.table == name and case.claim == _DEMANDS)
    return tuple(note for case in cases for note in place.verdict(case).notes)
