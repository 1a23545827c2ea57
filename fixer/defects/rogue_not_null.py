"""A column is NOT NULL and has no default, although the contract does not know it, or lets it be NULL.

Or the column is unknown to the contract, and what fills it fails in every row: a default, a generating expression, a
sequence that gave its last number.

Costs: every insert by code that follows the contract fails with 23502 null value in column violates not-null
constraint, or with the error of the default; so does the delete of a parent whose children ON DELETE SET NULL should
empty.
Cure: DROP NOT NULL. The column and its values stay. Where a default fills the column, and no foreign key empties it, a
person decides whether NULL is meant to be refused; so where a default fails, or a trigger may fill the
column. The check computes a default only if nothing but PostgreSQL's own functions takes part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.obstacle import REPLICA_IDENTITY, Dependent
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, Table
from fixer.repair.constraints.online import BESIDE
from fixer.repair.constraints.partitions import closed_alone
from fixer.repair.defaults.drawing import drawn
from fixer.repair.defaults.left_out import LeftOut, filled_by, is_refilled
from fixer.repair.numbers import is_spent
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import MAXIMA, element

SLUG = "rogue-not-null"
POINT = 5
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns that refuse NULL, unlike the contract."""
    for wanted, table in walk.tables(actual, contract):
        theirs = {
            (c.name, _refuses_null(c, t)) for t in walk.above(table, actual, contract) for c in t.columns.values()
        }
        for column in table.columns.values():
            if not _refuses_null(column, table) or (column.name, True) in theirs:
                continue
            about, here = OfColumn(table.name, column.name), f"{table.name.name}.{column.name}"
            if column.name not in wanted.columns:
                if not column.fills:
                    message = f"{here}, which the contract does not know, is NOT NULL without a default"
                    yield _empty(table, about, f"{message}, and no code fills it")
            elif _may_be_null(wanted, column.name):
                yield from _against(contract, table, column)
        yield from _failing(LeftOut(table, wanted, actual))
    for wanted, root, part in walk.parts(actual, contract):
        yield from _below(wanted, root, part, actual, contract)


def _failing(row: LeftOut) -> Iterator[Finding[OfColumn]]:
    """Yield the columns that code leaves out and whose values fail, with the probe that computes these.

    A trigger may put another value in place of one that the column does not take. Domains are a class of their own.
    """
    table = row.table
    for column in row.columns:
        whose = "should accept inserts that leave it out"
        if column.name not in row.wanted.columns:
            whose = f"is unknown to the contract and {whose}"
        here = f"{table.name.name}.{column.name} {whose}"
        about = OfColumn(table.name, column.name)
        if spent := _spent(column, row.actual):
            drop = "DROP IDENTITY" if column.identity else "DROP DEFAULT"
            left = refuse(f"give {spent[0]} more numbers, or run: {_without(table, column, drop)}")
            yield Finding(SLUG, POINT, about, f"{here}, {spent[1]}", repair=left, aspect="value")
        elif does := row.by_body(column):
            severity = "warning" if is_refilled(table) and column.not_null else "error"
            message = f"{here}, its default {column.default} {does}"
            left = refuse(_ways(table, column))
            yield Finding(SLUG, POINT, about, message, severity, repair=left, aspect="value")
        elif found := row.of_contract(column):
            message = f"{here}, its expression {column.default} fails for a row that the contract allows"
            severity, left = "error" if found[1] else "warning", refuse(_ways(table, column))
            yield Finding(
                SLUG, POINT, about, message, severity, asks=found[0], of_values=True, repair=left, aspect="value"
            )
        elif column.fills and not column.guards and (asks := row.unfit(column)):
            what = "its expression" if column.generated else "its default"
            message = f"{here}, {what} {column.default} gives none that it takes"
            severity = "warning" if is_refilled(table) and not column.generated else "error"
            left = refuse(_ways(table, column))
            yield Finding(SLUG, POINT, about, message, severity, asks=asks, of_values=True, repair=left, aspect="value")


def _spent(column: Column, actual: Schema) -> tuple[str, str] | None:
    """Return the name of the sequence that has no number left for a column, and what it gave last."""
    for sequence in drawn(column, actual):
        end = MAXIMA.get(column.base or column.type, MAXIMA["bigint"]) if column.sequence else MAXIMA["bigint"]
        up, last = sequence.increment > 0, sequence.last_value
        end = min(sequence.maximum, end) if up else max(sequence.minimum, -end - 1)
        if last is None and (sequence.start > end if up else sequence.start < end):
            return str(sequence.name), f"{sequence.name.name} begins beyond what its type holds, at {sequence.start}"
        if is_spent(sequence, end) and not sequence.cycle:
            return str(sequence.name), f"{sequence.name.name} gave its last number, {last}"
    return None


def _without(table: Table, column: Column, deed: str) -> str:
    return f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([column.name])} {deed}"


def _ways(table: Table, column: Column) -> str:
    """Return what a person does about a value that a column does not take."""
    if column.generated:
        drop = "DROP NOT NULL" if column.not_null else "DROP EXPRESSION"
        return f"if nothing needs it, run: {_without(table, column, drop)}"
    another, none = (_without(table, column, deed) for deed in ("SET DEFAULT …", "DROP DEFAULT"))
    let = f"; {_without(table, column, 'DROP NOT NULL')}" if column.not_null else ""
    return f"give it another: {another}; or none: {none}{let}"


def _below(wanted: Table, root: Table, part: Table, actual: Schema, contract: Contract) -> Iterator[Finding[OfColumn]]:
    """Yield what refuses NULL in a partition, unlike above it and in the contract; only the root's defaults count."""
    above = next((actual.tables[name] for name in actual.wholes(part.name)[1:] if name in actual.tables), root)
    own = {*(part.primary_key.columns if part.primary_key else ()), *closed_alone(part.name, contract)}
    for column in part.columns.values():
        taken = column.name in above.columns and not _refuses_null(above.columns[column.name], above)
        meant = column.name not in wanted.columns or _may_be_null(wanted, column.name)
        refuses = column.name not in own and _refuses_null(column, part)
        filling = root.columns.get(column.name)  # None where the plan renames it there
        given = filling is None or filling.fills or filled_by(root, filling)
        if taken and meant and refuses and not given:
            message = f"{part.name.name}.{column.name} should take NULL like {root.name.name}, is NOT NULL"
            yield Finding(SLUG, POINT, OfColumn(part.name, column.name), message)


def _refuses_null(column: Column, table: Table) -> bool:
    """Return whether a column refuses NULL, in new rows at least, and only a default may fill it."""
    numbered = column.identity or column.generates or column.generated
    filled = column.name.startswith(BESIDE)  # by a trigger, while a repair is under way
    return bool((column.not_null or column.name in table.unproved) and not numbered and not filled)


def _may_be_null(wanted: Table, column: str) -> bool:
    meant = wanted.columns[column]
    demanded = "NOT NULL" in meant.guards and not element(meant.type)  # by its domain
    return not (meant.not_null or meant.generates or meant.generated or demanded)


def _empty(table: Table, about: OfColumn, message: str) -> Finding[OfColumn]:
    """Return the finding that a column without a default refuses NULL; a warning where a trigger may fill it."""
    trigger = filled_by(table, table.columns[about.name])
    if not trigger:
        return Finding(SLUG, POINT, about, message)
    why = f"if it leaves NULL there, run: {_without(table, table.columns[about.name], 'DROP NOT NULL')}"
    message = f"{message}, and the trigger {trigger} may fill it"
    return Finding(SLUG, POINT, about, message, severity="warning", repair=refuse(why))


def _against(contract: Contract, table: Table, found: Column) -> Iterator[Finding[OfColumn]]:
    """Yield the finding that a column refuses the NULL that the contract allows."""
    about = OfColumn(table.name, found.name)
    message = f"{table.name.name}.{found.name} should take NULL, is NOT NULL"
    emptied = _emptied_by(contract, about)
    if not (found.fills or emptied):
        yield _empty(table, about, f"{message} without default")
    elif emptied:
        message = message if found.fills else f"{message} without default"
        yield Finding(SLUG, POINT, about, f"{message}, and {emptied}")
    else:
        drop = _without(table, found, "DROP NOT NULL")
        why = f"a row without it gets {found.default}; if the code writes NULL, run: {drop}"
        yield Finding(SLUG, POINT, about, message, severity="warning", repair=refuse(why))


def _emptied_by(contract: Contract, about: OfColumn) -> str:
    """Return what sets the column to NULL by the contract; empty if nothing does."""
    for key in contract.tables[about.table].foreign_keys:
        emptied = key.emptied or key.columns
        deletes, updates = key.on_delete == "n" and about.name in emptied, key.on_update == "n"
        if about.name in key.columns and (deletes or updates):
            return f"ON {'DELETE' if deletes else 'UPDATE'} SET NULL of {key.name} empties it"
    declared = contract.hints[about.table].of(about.name).orphans == "null"
    return "the contract empties it in orphans" if declared else ""


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Drop its NOT NULL."""
    name, column = finding.table, finding.about.column
    table = actual.tables[name]
    key = table.primary_key
    if key and column in key.columns and contract.tables[name].primary_key is None:
        return refuse(f"{column} is the primary key of {name.name}, and the contract has no other")
    replaced = column == table.legacy_key or bool(key and column in key.columns)  # its index goes with the key
    for each in table.obstacles if not replaced else ():
        if isinstance(each, Dependent) and each.name.startswith(REPLICA_IDENTITY) and column in each.columns:
            return refuse(f"{column} is in the {each.name}: ALTER TABLE {q.quoted(name)} REPLICA IDENTITY FULL first")
    action = SQL("ALTER COLUMN {} DROP NOT NULL").format(Identifier(column))
    step = alter(Phase.DEFAULTS, name, f"drop NOT NULL of {name.name}.{column}", action)
    if key and column in key.columns:  # online, once another key has replaced it
        return Repair.of([step.online_as((replace(step, phase=Phase.OLD_KEYS),))])
    if column == table.legacy_key:  # online, after the rename to this name
        return Repair.of([step.online_as((replace(step, phase=Phase.KEYS),))])
    return Repair.of([step])


SPECIMENS = (
    Specimen(
        "a scar",
        "ALTER TABLE authors ADD COLUMN user_id integer; UPDATE authors SET user_id = id;"
        "ALTER TABLE authors ALTER COLUMN user_id SET NOT NULL",
    ),
    Specimen(
        "the contract lets it be NULL",
        "UPDATE reviews SET body = '' WHERE body IS NULL; ALTER TABLE reviews ALTER COLUMN body SET NOT NULL",
    ),
    Specimen(
        "a reference that the contract empties, under a default",
        "UPDATE books SET reviewer_id = 1 WHERE reviewer_id IS NULL;"
        "ALTER TABLE books ALTER COLUMN reviewer_id SET NOT NULL, ALTER COLUMN reviewer_id SET DEFAULT 1",
    ),
    Specimen(
        "it was in a primary key that is replaced",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey, ADD PRIMARY KEY (id, body)",
        hazards=frozenset({"replaces-constraint"}),
        also=frozenset({"wrong-primary-key"}),
    ),
    Specimen(
        "it is NOT VALID, and binds new rows",
        "UPDATE reviews SET body = NULL WHERE id = 1; ALTER TABLE reviews ADD NOT NULL body NOT VALID",
        minimum_version=18,
    ),
    Specimen(
        "a default that it does not take",
        "ALTER TABLE authors ADD COLUMN n integer NOT NULL DEFAULT 1, ADD COLUMN m integer;"
        "ALTER TABLE authors ALTER COLUMN n SET DEFAULT nullif(1, 1), ALTER COLUMN m SET DEFAULT 1 / 0",
        manual=True,
    ),
    Specimen(
        "its sequence gave its last number",
        "ALTER TABLE authors ADD COLUMN n smallserial; ALTER SEQUENCE authors_n_seq MAXVALUE 100;"
        "SELECT setval('authors_n_seq', 100)",
        manual=True,
    ),
    Specimen(
        "a function raises",
        "ALTER TABLE authors ADD COLUMN n integer; CREATE FUNCTION odd() RETURNS integer LANGUAGE plpgsql AS"
        " $$ DECLARE n integer; BEGIN n := 1; RAISE 'no'; END $$; ALTER TABLE authors ALTER COLUMN n SET DEFAULT odd()",
        manual=True,
    ),
    Specimen(
        "generated from what may be NULL",
        "UPDATE reviews SET body = '' WHERE body IS NULL;"
        "ALTER TABLE reviews ADD COLUMN n integer NOT NULL GENERATED ALWAYS AS (length(body)) STORED",
        manual=True,
    ),
    Specimen(
        "a trigger fills it",
        'ALTER TABLE authors ADD "N %.""" integer NOT NULL DEFAULT 1; ALTER TABLE authors ALTER "N %.""" DROP DEFAULT;'
        'CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW . "N %.""" = 7; RETURN NEW; END $$;'
        "CREATE TRIGGER fill BEFORE INSERT ON authors FOR EACH ROW EXECUTE FUNCTION fill()",
        manual=True,
    ),
    Specimen(
        "a default fills it",
        "ALTER TABLE books ALTER COLUMN pages SET NOT NULL, ALTER COLUMN pages SET DEFAULT 1",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("with a default", "ALTER TABLE authors ADD COLUMN tier integer NOT NULL DEFAULT 1"),
    Specimen("with an identity", "ALTER TABLE authors ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY"),
    Specimen(
        "generated",
        "ALTER TABLE authors ADD COLUMN big text NOT NULL GENERATED ALWAYS AS (upper(name)) STORED",
    ),
    Specimen("nullable", "ALTER TABLE authors ADD COLUMN note text"),
    Specimen(
        "defaults that it takes",
        "CREATE SEQUENCE odd MAXVALUE 3 CYCLE; SELECT setval('odd', 3);"
        "CREATE FUNCTION odd() RETURNS integer LANGUAGE sql AS 'SELECT nextval(''odd'')::integer';"
        "ALTER TABLE authors ADD a numeric(3, 1) NOT NULL DEFAULT 12.34, ADD b varchar(2) NOT NULL DEFAULT 'ab   ',"
        " ADD c bit(2) NOT NULL DEFAULT B'10', ADD d varchar(2)[] DEFAULT '{ab}', ADD e jsonb DEFAULT '{}' NOT NULL,"
        " ADD f timestamptz NOT NULL DEFAULT now(), ADD g uuid NOT NULL DEFAULT gen_random_uuid(),"
        " ADD h smallint NOT NULL DEFAULT nextval('odd'), ADD i integer NOT NULL DEFAULT odd(),"
        " ADD j text DEFAULT current_setting('app.tenant', true), ADD k char(3) DEFAULT '%s',"
        " ADD l date DEFAULT 'today', ADD m inet DEFAULT inet_client_addr(),"
        " ADD o integer GENERATED ALWAYS AS (coalesce(length(name), 0)) STORED",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a column that demands a value."""
    yield plant.altered(table.name, "ADD COLUMN {0} integer NOT NULL DEFAULT 1, ALTER COLUMN {0} DROP DEFAULT", "rogue")
