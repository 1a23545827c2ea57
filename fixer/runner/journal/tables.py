"""Creates the tables of the journal in schema fixer_journal, and those of the quarantine in fixer_quarantine.

Both are made in the run's own transaction, only when a run needs them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.model.plan import Plan, PlannedStep
from fixer.model.step import JOURNAL, QUARANTINE
from fixer.model.table import QName
from fixer.repair.rows import quarantine_table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

RUN = Identifier(JOURNAL, "run")
STEP = Identifier(JOURNAL, "step")
BEFORE_IMAGE = Identifier(JOURNAL, "before_image")


def statements(moving: Iterable[QName], there: Collection[str] = ()) -> list[Composable]:
    """Return the statements that create the journal, and a quarantine for each table that rows leave.

    Schemas that are `there` are let be: to create one takes a right on the database even IF NOT EXISTS.
    """
    return [*made(places(moving), there), IDENTIFIED_BY_ALL]


def places(moving: Iterable[QName]) -> list[QName]:
    """Return the tables of journal and quarantine that a run needs to move rows out of these."""
    return [*(QName(JOURNAL, name) for name in _JOURNAL), *map(quarantine_table, sorted(set(moving)))]


def made(tables: Iterable[QName], there: Collection[str] = ()) -> list[Composable]:
    """Return the statements that create these tables of journal and quarantine, and their schemas, unless `there`."""
    tables = list(tables)
    schema, table = SQL("CREATE SCHEMA IF NOT EXISTS {}"), SQL("CREATE TABLE IF NOT EXISTS {} ({})")
    return [
        *(schema.format(Identifier(name)) for name in sorted({table.schema for table in tables} - {*there})),
        *(
            table.format(q.name(each), _JOURNAL[each.name] if each.schema == JOURNAL else _QUARANTINE)
            for each in tables
        ),
    ]


_JOURNAL = {
    "run": SQL(
        "id bigint PRIMARY KEY,"
        " plan text NOT NULL, contract text NOT NULL, mode text NOT NULL, version text NOT NULL,"
        " role text NOT NULL DEFAULT current_user, started_at timestamptz NOT NULL DEFAULT now(),"
        " finished_at timestamptz, hazards text[] NOT NULL, ledger jsonb,"
        " settings jsonb, before jsonb, after jsonb, undone_by bigint, pruned_at timestamptz"
    ),
    "step": SQL(
        "run bigint NOT NULL REFERENCES {}, number integer NOT NULL,"
        " rows bigint, finished_at timestamptz NOT NULL DEFAULT clock_timestamp(), step jsonb NOT NULL,"
        " filled jsonb, left_behind jsonb, PRIMARY KEY (run, number)"
    ).format(RUN),
    "before_image": SQL(
        "run bigint NOT NULL, step integer NOT NULL, source text NOT NULL,"
        ' reason text NOT NULL, "row" jsonb, mark jsonb'
    ),
}
_QUARANTINE = SQL(
    "run bigint NOT NULL, step integer NOT NULL, reason text NOT NULL,"
    ' source text NOT NULL, moved_at timestamptz NOT NULL DEFAULT now(), "row" jsonb NOT NULL'
)

# If a publication publishes deletes, rows of a table without a key can be deleted only if all columns identify them.
# That costs nothing until rows are deleted; a key would cost something with each row. Older versions did not set it.
IDENTIFIED_BY_ALL = q.Block(
    SQL(
        "DECLARE\n    bare record;\nBEGIN\n"
        "    FOR bare IN\n"
        "        SELECT n.nspname, c.relname FROM pg_catalog.pg_class c\n"
        "          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace\n"
        "         WHERE n.nspname = ANY ({schemas}::name[])\n"
        "           AND c.relkind = 'r' AND c.relreplident = 'd'\n"
        "           AND pg_catalog.pg_has_role(c.relowner, 'USAGE')\n"
        "           AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i\n"
        "                            WHERE i.indrelid = c.oid AND i.indisprimary)\n"
        "    LOOP\n"
        "        EXECUTE pg_catalog.format('ALTER TABLE %I.%I REPLICA IDENTITY FULL', bare.nspname, bare.relname);\n"
        "    END LOOP;\nEND"
    ).format(schemas=Literal([JOURNAL, QUARANTINE]))
)


def identify_rows(cursor: Cursor) -> str:
    """Allow deletes in journal and quarantine where they are published; return why that is impossible, if it is."""
    cursor.execute(IDENTIFIED_BY_ALL)
    cursor.execute(
        "SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ANY (%s::name[]) AND c.relkind = 'r'",
        ([JOURNAL, QUARANTINE],),
    )
    for mute in introspect.mute(cursor, [oid for (oid,) in cursor.fetchall()]):
        return (
            f"The publication {mute.publication} could not tell which rows of {mute.table} are deleted: let its owner"
            f" say ALTER TABLE {q.quoted(mute.table)} REPLICA IDENTITY FULL"
        )
    return ""


def moving_tables(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that rows leave."""
    return frozenset(step.table for step in steps if step.effect.moves)


def leaving(steps: Iterable[PlannedStep]) -> frozenset[QName]:
    """Return the tables that rows leave by these steps, or would leave if undo removes what these insert."""
    return frozenset(step.table for step in steps if step.effect.moves or step.effect.inserts)


def make(cursor: Cursor, plan: Plan) -> None:
    """Create the journal, and a quarantine for each table that rows leave, where they are missing.

    If they are published, those that only undo needs are created now, so that undo does not stop subscribers later.
    """
    cursor.execute("SET LOCAL client_min_messages = warning")  # else IF NOT EXISTS sends a notice if the table exists
    make_for(cursor, leaving(plan.steps) if plan.published else moving_tables(plan.steps))


def make_for(cursor: Cursor, moving: Iterable[QName]) -> None:
    """Create the journal, and a quarantine for each of these tables, where they are missing."""
    cursor.execute(
        "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = ANY (%s)", ([JOURNAL, QUARANTINE],)
    )
    for statement in statements(moving, {name for (name,) in cursor.fetchall()}):
        cursor.execute(statement)
