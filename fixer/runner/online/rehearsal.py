"""The rehearsal: what depends on columns is tried against their new types, and rolled back, before any row moves.

An empty copy of each table is converted, which shows whether its indexes, statistics and checks go with the new types.
Then what stands over the columns is taken down, and brought back over new, empty columns of the same names.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.connect.settings import IN_FRONT
from fixer.errors import ApplyFailed, PlanRefused
from fixer.model.contract import Contract
from fixer.model.plan import Plan, PlannedStep
from fixer.model.step import Lock, Phase
from fixer.model.table import QName
from fixer.runner.locking.transaction import TRANSIENT
from fixer.runner.online.steps import Work, pause, waits
from fixer.runner.preflight import check_schema
from fixer.runner.standing import Stands, around_it, changed, joined, lost, standing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

_Types = Mapping[str, str]  # of columns, in SQL
_PARTS = """
WITH RECURSIVE tree AS (
     SELECT to_regclass(%s)::oid AS oid
      UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.oid = i.inhparent)
SELECT n.nspname, c.relname,
       (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY (%s)),
       ARRAY (SELECT k.conname::text FROM pg_catalog.pg_constraint k
               WHERE k.conrelid = c.oid AND k.contype = 'c' AND (k.coninhcount > 0 OR c.oid = to_regclass(%s)))
  FROM tree t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""

log = logging.getLogger("pgmend.apply")


class _UnfitError(Exception):
    """Raised if something does not go with new types; its text says what, and why."""


def rehearse(work: Work, contract: Contract, plan: Plan) -> None:
    """Raise ApplyFailed if something that depends on a column does not go with its new type; change nothing."""
    steps = [step for step in plan.steps if _columns(step)]
    begun = time.monotonic()
    for attempt in count() if steps else ():
        try:
            with work.transactions.short(lock_timeout=IN_FRONT) as cursor:
                check_schema(cursor, contract, plan)
                _rehearsed(cursor, contract, plan, steps)
        except TRANSIENT as error:
            waits(work, steps[0], error, since=begun)
            pause(work, attempt)
        except psycopg2.OperationalError:
            raise
        except psycopg2.Error as error:  # nothing is known then, and the steps themselves will tell
            log.info("the new types could not be tried: %s", told(error))
            break
        except _UnfitError as unfit:
            raise ApplyFailed(f"{unfit} {work.transactions.stands()}") from None
        else:
            break


def _columns(step: PlannedStep) -> list[str]:
    """Return the columns that a step converts in place; only plain indexes lie on those that second ones replace."""
    return [reverted.column for reverted in step.shape.reverts]


def _rehearsed(cursor: Cursor, contract: Contract, plan: Plan, steps: Sequence[PlannedStep]) -> None:
    stood = standing(cursor, steps, plan.schemas)
    if name := changed(stood, steps):
        raise PlanRefused(f"The {name} has changed since the plan was made: plan again. Nothing was changed.")
    wanted: dict[QName, dict[str, str]] = {}
    for step in (step for step in steps if step.table in contract.tables):
        columns = contract.tables[step.table].columns
        wanted.setdefault(step.table, {}).update({c: columns[c].full_type for c in _columns(step) if c in columns})
    made = [step.sql for step in plan.steps if step.phase <= Phase.TABLES and step.lock is Lock.NONE]
    with _rolled_back(cursor, made):
        found = {table: _copied(cursor, table, types) for table, types in wanted.items()}
    if not stood:
        return
    there = {table: {column: wanted[table][column] for column in columns} for table, columns in found.items()}
    try:
        with _rolled_back(cursor, made):
            _over(cursor, there, stood)
            why = lost(cursor, steps, plan.schemas, stood)
    except _UnfitError:
        if _goes(cursor, found, stood):
            raise
        return  # what needs more of a column than its type, such as its key, tells nothing here
    if why:
        raise _UnfitError(why)


@contextmanager
def _rolled_back(cursor: Cursor, first: Sequence[str] = ()) -> Iterator[None]:
    """Run what is done here after these statements, and roll all of it back."""
    cursor.execute("SAVEPOINT pgmend_rehearsal")
    try:
        for statement in first:
            cursor.execute(statement)
        yield
    finally:
        if not cursor.connection.closed:
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_rehearsal; RELEASE SAVEPOINT pgmend_rehearsal")


def _copied(cursor: Cursor, table: QName, types: _Types) -> _Types:
    """Convert columns of an empty copy of a table, and of its partitions and heirs; return their types of today.

    Checks that the table itself has are dropped and added by the plan.
    """
    root = q.quoted(table)
    cursor.execute(_PARTS, (root, list(types), root))
    today: dict[str, str] = {}
    for schema, name, columns, gone in cursor.fetchall():
        today |= columns or {}
        copy, of = Identifier(schema, "pgmend_rehearsal"), Identifier(schema, name)
        like = SQL("CREATE TABLE {} (LIKE {} INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STATISTICS)")
        drops = [SQL("DROP CONSTRAINT {}").format(Identifier(check)) for check in gone]
        changes = [
            SQL("ALTER COLUMN {0} TYPE {1} USING NULL::{1}").format(Identifier(c), SQL(types[c])) for c in columns or ()
        ]
        with _rolled_back(cursor):
            cursor.execute(like.format(copy, of))
            for change in (drops, changes):
                if change:
                    _tried(cursor, SQL("ALTER TABLE {} {}").format(copy, SQL(", ").join(change)), f"{schema}.{name}")
    return today


def _tried(cursor: Cursor, statement: Composable, table: str) -> None:
    try:
        cursor.execute(statement)
    except TRANSIENT:
        raise
    except psycopg2.Error as error:
        raise _UnfitError(
            f"What depends on columns of {table} does not go with their new types: {told(error)}."
        ) from None


def _over(cursor: Cursor, types: Mapping[QName, _Types], stood: Stands) -> None:
    """Take down what stands over columns, and bring it back over empty ones of these types."""
    lowest_first = sorted(stood.values(), key=lambda each: (each.level, each.name))
    for each in reversed(lowest_first):
        cursor.execute(each.drop)
    places = ((table, column, type_) for table, columns in types.items() for column, type_ in columns.items())
    for number, (table, column, type_) in enumerate(places):
        of, name, old = q.name(table), Identifier(column), Identifier(f"pgmend_rehearsed_{number}")
        cursor.execute(SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(of, name, old))
        cursor.execute(SQL("ALTER TABLE {} ADD COLUMN {} {}").format(of, name, SQL(type_)))
    for each in lowest_first:
        try:
            cursor.execute(joined(each))
        except TRANSIENT:
            raise
        except psycopg2.Error as error:
            why = f"The {each.name} does not go with new types of its columns: {told(error)}."
            raise _UnfitError(f"{why}{around_it(each, stood.values())}.") from None


def _goes(cursor: Cursor, types: Mapping[QName, _Types], stood: Stands) -> bool:
    try:
        with _rolled_back(cursor):
            _over(cursor, types, stood)
    except _UnfitError:
        return False
    return True
