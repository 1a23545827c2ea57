"""What a database is when a script is made for it, so that the script can tell whether it still is that."""

from __future__ import annotations

import json

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.model.plan import Plan
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.runner.journal import ledger, tables
from fixer.sql.compose import SQL, Block, Composable, Literal

_CHANGED = "The tables have changed since this script was made: make a new one by fixer plan --sql."


@dataclass(frozen=True)
class Moment:
    """A digest of the tables of a plan, and how often it was carried out and stands.

    The rows of those `within` others are not counted: of partitions whose whole is counted, or wholes of counted ones.
    """

    shape: str = ""
    runs: int = 0
    within: frozenset[QName] = frozenset()

    @classmethod
    def of(cls, cursor: Cursor, plan: Plan) -> Moment:
        """Return the moment of a plan that was just made."""
        cursor.execute("SELECT set_config('pgmend.tables', %s, true);\n" + introspect.query("shape"), (_named(plan),))
        (shape,) = cursor.fetchone() or ("",)
        moving = tables.moving_tables(plan.steps)
        moving |= {old for old, new in plan.renamed.items() if new in moving}
        within = ledger.within(cursor, plan.tables, moving)
        cursor.execute("SELECT to_regclass('fixer_journal.run') IS NOT NULL")
        if (cursor.fetchone() or (False,))[0]:
            cursor.execute(runs_of(plan))
            return cls(shape, (cursor.fetchone() or (0,))[0], within)
        return cls(shape, within=within)

    def guard(self, plan: Plan) -> Composable | None:
        """Return the block that fails where the tables of a plan are not what they were; None if that is unknown."""
        if not self.shape:
            return None
        chosen = SQL("PERFORM set_config('pgmend.tables', {}, true);").format(Literal(_named(plan)))
        test = SQL("IF (\n{}) <> {} THEN\n        RAISE EXCEPTION USING MESSAGE = {};\n    END IF;")
        shape = SQL(introspect.query("shape"))
        return Block(
            SQL("BEGIN\n    {}\n    {}\nEND").format(chosen, test.format(shape, Literal(self.shape), Literal(_CHANGED)))
        )


def runs_of(plan: Plan) -> Composable:
    """Return the query that counts how often a plan was carried out and stands."""
    counted = SQL(
        "SELECT count(*) AS runs FROM {} WHERE plan = {} AND mode <> 'undo'"
        " AND finished_at IS NOT NULL AND undone_by IS NULL"
    )
    return counted.format(tables.RUN, Literal(plan.identity))


def _named(plan: Plan) -> str:
    return json.dumps([name._asdict() for name in sorted(plan.tables) if name.name])
