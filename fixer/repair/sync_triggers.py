"""Triggers that fill a second column in rows that others write, while a repair fills it in old rows."""

from __future__ import annotations

from fixer.connect.settings import SAFE_PATH
from fixer.model.step import JOURNAL, Phase, Step
from fixer.model.table import QName
from fixer.repair.constraints.online import syncing
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

# Settings that decide how values are spelt as text, how texts are read, and which names are visible.
_SPELLING = (
    "search_path",
    "timezone",
    "datestyle",
    "intervalstyle",
    "extra_float_digits",
    "bytea_output",
    "standard_conforming_strings",
)


def synced(
    phase: Phase, table: QName, column: str, value: Composable, *, reads_others: bool, once: bool = False
) -> Step:
    """Return the step that makes a trigger fill a column of new and changed rows with a value over the row `new`.

    The trigger fires for every writer, replication workers too. If it `reads_others` (other tables), it runs with the
    rights of its owner, because a writer may not be able to read those. Otherwise it runs with the settings of this
    session, so that it spells values as the batches do. With `once`, a row keeps its first value.
    """
    name = syncing(table, column)
    settings = SQL(f"SECURITY DEFINER SET search_path = {SAFE_PATH}") if reads_others else _alike()
    assigned = SQL("new.{0} := {1}").format(Identifier(column), value)
    if once:
        assigned = SQL("IF new.{} IS NULL THEN\n        {};\n    END IF").format(Identifier(column), assigned)
    body = SQL("BEGIN\n    {};\n    RETURN new;\nEND").format(assigned)
    statement = q.written(
        "columns/fill_by_trigger",
        create=_function(name, settings, body),
        function=Identifier(JOURNAL, name),
        name=Identifier(name),
        table=q.name(table),
    )
    return Step(phase, table, f"keep {table.name}.{column} in step with what others write", statement)


def taken_in(table: QName, aside: str, body: Composable) -> Composable:
    """Return the statements that make a trigger run `body` for each inserted row with a value in the column `aside`."""
    name = syncing(table, aside)
    return SQL(
        "{create};\n"
        "CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW WHEN (new.{aside} IS NOT NULL)"
        " EXECUTE FUNCTION {function}()"
    ).format(
        create=_function(name, _alike(), body),
        name=Identifier(name),
        table=q.name(table),
        aside=Identifier(aside),
        function=Identifier(JOURNAL, name),
    )


def unfilled(table: QName, column: str) -> Composable:
    """Return the statement that makes the trigger do nothing; it is kept as a mark that work is left."""
    return SQL("CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS {}").format(
        Identifier(JOURNAL, syncing(table, column)), q.Quoted(SQL("BEGIN\n    RETURN new;\nEND"))
    )


def unsynced(table: QName, column: str) -> Composable:
    """Return the statements that drop the trigger that `synced` made, and its function."""
    name = syncing(table, column)
    return SQL("DROP TRIGGER {} ON {};\nDROP FUNCTION {}()").format(
        Identifier(name), q.name(table), Identifier(JOURNAL, name)
    )


def _function(name: str, settings: Composable, body: Composable) -> Composable:
    return SQL("CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql {} AS {}").format(
        Identifier(JOURNAL, name), settings, q.Quoted(body)
    )


def _alike() -> Composable:
    """Return the settings that make a function spell every value as this session does."""
    return SQL(" ").join(SQL("SET {} FROM CURRENT").format(Identifier(setting)) for setting in _SPELLING)
