"""The application's role, which --role names, lacks a right on what it reads and writes.

Costs: its statements fail with 42501 permission denied, often after a restore without grants, or under a new owner.
Cure: a person grants the right, with the statement that the finding gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Application, Lack, Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn, OfTable
from fixer.model.table import QName, Table
from fixer.repair.columns import calls
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "lost-grants"
POINT = 5
STAGE = Stage.PARTS
_OWNER = "let its owner run: "
DEEDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield what the role may not do: for a schema once, for a table once, for each sequence and each function."""
    if actual.application:
        yield from _shut(actual.application, contract)
        for wanted, table in walk.tables(actual, contract, alike=True):
            if table.is_table:
                owner = table.owner or actual.maker
                called = [*_called(wanted, table, actual, contract)]
                yield from _of_table(wanted, table, actual.application, owner, called)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


def _shut(application: Application, contract: Contract) -> Iterator[Finding[OfTable]]:
    """Yield the schemas that the role may not use, each at its first table."""
    for lack in application.lacks:
        there = [name for name in contract.tables if name.schema == lack.table.schema]
        if lack.kind == "schema" and there:  # to reference a table of a schema takes no right on it
            first = min(there)
            wanted = f"the schema {first.schema} should be open to {application.role}, which has no USAGE"
            way = f"{_OWNER}{_granting('USAGE', 'SCHEMA', [first.schema], application)}"
            way = f"once it is made, {way}" if lack.created else way
            yield _finding(OfTable(first), wanted, way, "schema")


def _called(wanted: Table, table: Table, actual: Schema, contract: Contract) -> Iterator[Lack]:
    """Yield the sequences that stand, are shut to the role, and that defaults to come call."""
    shut = actual.application.shut if actual.application else frozenset()
    for name, column in wanted.columns.items():
        there = table.columns.get(name)
        comes = not there or there.added or table.created or there.default != column.default
        if shut and comes and not column.sequence and not (there and there.generates):
            for sequence in shut.intersection(calls(wanted.name, column, contract)):
                yield Lack("sequence", table.name, there.stored_as or name if there else name, "USAGE", (), sequence)


def _of_table(
    wanted: Table, table: Table, application: Application, owner: str, called: list[Lack]
) -> Iterator[Finding[OfTable]]:
    lacking = _new(table, application, owner) if table.created else _missing(wanted, table, application)
    today = [lack for lack in _today(table, application) if lack.kind in ("sequence", "function")]
    used = today + [lack for lack in called if lack not in today]
    if lacking:
        deeds = ", ".join(lacking)
        message = f"{table.name.name} should be open to {application.role}, which may not {', '.join(_bare(lacking))}"
        more = [_grant_of(lack, application) for lack in used] if "INSERT" in lacking else []
        way = _OWNER + "; ".join([_granting(deeds, "TABLE", table.name, application), *more])
        yield _finding(OfTable(table.name), message, f"once it is made, {way}" if table.created else way)
    # Who may not insert needs none of them; who may gets each sequence that the plan brings.
    yield from (_part(lack, table, application) for lack in used if "INSERT" not in lacking)


def _today(table: Table, application: Application) -> Sequence[Lack]:
    """Return what the role lacks on a table as it stands."""
    return () if table.created else application.of(table.stored_as or table.name)


def _part(lack: Lack, table: Table, application: Application) -> Finding[OfTable]:
    """Return the finding for a sequence or a function that the database uses as the role."""
    column = next((each.name for each in table.columns.values() if each.stored_as == lack.column), lack.column)
    about = OfColumn(table.name, column) if column else OfTable(table.name)
    spelt = ".".join(lack.object)
    part = f"{table.name.name}.{column}" if column else table.name.name
    wanted = f"{part} should be written by {application.role}, which has no {lack.deed} on {lack.kind} {spelt}"
    return _finding(about, wanted, f"{_OWNER}{_grant_of(lack, application)}", f"{lack.deed} {lack.kind} {spelt}")


def _grant_of(lack: Lack, application: Application) -> str:
    """Return the statement that gives the role a sequence or a function."""
    name = lack.object if lack.kind == "sequence" else None
    return _granting(lack.deed, lack.kind.upper(), name, application, ".".join(lack.object))


def _missing(wanted: Table, table: Table, application: Application) -> list[str]:
    """Return what to grant on a table, each with the columns where the role has the right on others."""
    found = {lack.deed: set(lack.columns) for lack in _today(table, application) if lack.kind == "table"}
    granted = []
    for deed in DEEDS:
        needed = _needed(deed, wanted, table) if deed in found else []
        there = {name: table.columns[name] for name in needed}
        lacking = [name for name, each in there.items() if each.added or (each.stored_as or name) in found[deed]]
        if lacking:
            whole = deed == "DELETE" or len(found[deed]) >= len(table.columns)
            granted.append(deed if whole else f"{deed} ({', '.join(q.quoted([column]) for column in lacking)})")
    return granted


def _needed(deed: str, wanted: Table, table: Table) -> list[str]:
    """Return the columns on which an application needs a right: it writes nothing generated, updates no key."""
    columns = [column for name, column in table.columns.items() if name in wanted.columns]
    if deed == "INSERT":
        return [column.name for column in columns if not column.generated and column.identity != "a"]
    if deed == "UPDATE":
        key = wanted.primary_key.columns if wanted.primary_key else ()
        return [column.name for column in columns if not column.generated and column.name not in key]
    return [column.name for column in columns]


def _new(table: Table, application: Application, owner: str) -> list[str]:
    """Return what the role will lack on a table that the plan makes."""
    return [deed for deed in DEEDS if not application.gets(deed, table.name.schema, owner)]


def _bare(granted: Iterable[str]) -> Iterator[str]:
    return (each.replace('"', "") for each in granted)


def _granting(right: str, kind: str, name: QName | Sequence[str] | None, of: Application, spelt: str = "") -> str:
    """Return the statement that grants a right on a thing: by its name, or as PostgreSQL spells it."""
    return f"GRANT {right} ON {kind} {q.quoted(name) if name else spelt} TO {q.quoted([of.role])}"


def _finding(about: OfTable, message: str, way: str, aspect: str = "") -> Finding[OfTable]:
    return Finding(SLUG, POINT, about, message, repair=refuse(way), aspect=aspect)


# What --role sets for a session is set for the database; the role is one that every server has.
_ASKED = (
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET pgmend.role = pg_signal_backend', current_database()); END $$;"
)
_ALL = (
    f"{_ASKED} GRANT ALL ON ALL TABLES IN SCHEMA public TO pg_signal_backend;"
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO pg_signal_backend;"
)
SPECIMENS = (
    Specimen("a table", f"{_ALL} REVOKE INSERT, DELETE ON reviews FROM pg_signal_backend", manual=True),
    Specimen("a sequence", f"{_ALL} REVOKE ALL ON SEQUENCE reviews_id_seq FROM pg_signal_backend", manual=True),
    Specimen(
        "a function",
        f"{_ALL} CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1';"
        "REVOKE EXECUTE ON FUNCTION one() FROM PUBLIC; ALTER TABLE reviews ADD n integer DEFAULT one()",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("nobody is named", "REVOKE ALL ON reviews FROM PUBLIC"),
    Specimen("all is granted", _ALL),
    Specimen(
        "by way of everybody", f"{_ALL} REVOKE ALL ON reviews FROM pg_signal_backend; GRANT ALL ON reviews TO PUBLIC"
    ),
    Specimen(
        "a table of others",
        f"{_ALL} CREATE TABLE apart (id integer PRIMARY KEY); REVOKE ALL ON apart FROM PUBLIC",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: ask for a role that has no right on it."""
    away = SQL("REVOKE ALL ON {} FROM PUBLIC, pg_signal_backend").format(q.name(table.name))
    yield plant.block(SQL(_ASKED), away)
