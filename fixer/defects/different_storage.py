"""A table or a column is stored or sampled otherwise than the contract says: its options, such as fillfactor.

Or the STATISTICS target, the STORAGE or the COMPRESSION of a column. What the contract leaves at the server's default
is open.

Costs: pages without room for updates, plans that guess badly, or values compressed that should not be; no error says
so.
Cure: set it, which rewrites nothing: what is there stays as it is stored, and only new values follow. A person decides
about columns of tables with partitions or heirs, because those would follow too.
No mutation plants it: models say nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.storage import Stored
from fixer.model.step import Lock, Phase, Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal

SLUG = "different-storage"
POINT = 4
STAGE = Stage.PARTS


@dataclass(frozen=True)
class OfStorage(OfTable):
    """How a table, or a column of it, should be stored."""

    wanted: Stored

    @property
    def object(self) -> str:
        """Its table, or its column."""
        return f"{self.table}.{self.wanted.column}" if self.wanted.column else str(self.table)


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfStorage]]:
    """Yield what is stored otherwise, in tables and columns that are there."""
    there = {(each.table, each.column, each.what): each.value for each in actual.stored}
    for wanted in contract.schema.stored:
        table = actual.tables.get(wanted.table) if wanted.table in contract.tables else None
        if table is None or not _has(table, wanted):
            continue
        found = there.get((wanted.table, wanted.column, wanted.what))
        if found != wanted.value:
            here = f"{table.name.name}.{wanted.column}" if wanted.column else table.name.name
            message = f"{here} should have {wanted.what} {wanted.value}, has {found or 'none of its own'}"
            yield Finding(SLUG, POINT, OfStorage(table.name, wanted), message, "warning", aspect=wanted.what)


def _has(table: Table, wanted: Stored) -> bool:
    """Return whether a table can be stored so: with its column, or by itself, and not by its partitions."""
    return wanted.column in table.columns if wanted.column else table.is_table and not table.parted_by


def repair(finding: Finding[OfStorage], actual: Schema, contract: Contract) -> Repair:
    """Set it; refuse where partitions or heirs would follow."""
    wanted, table = finding.about.wanted, actual.tables[finding.table]
    action = _action(wanted)
    above = table.parted_by or table.inherits or next(actual.heirs(table.name), None)
    if wanted.column and above:
        spelt = f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([wanted.column])} SET"
        return refuse(f"its partitions or heirs would follow: {spelt} {wanted.what} {wanted.value}")
    title = f"give {finding.about.object} {wanted.what} {wanted.value}"
    lock = Lock.ACCESS_EXCLUSIVE if wanted.what in ("STORAGE", "COMPRESSION") else Lock.SHARE_UPDATE_EXCLUSIVE
    return Repair.of([alter(Phase.RULES, table.name, title, action, lock=lock)])


def _action(wanted: Stored) -> Composable:
    if not wanted.column:
        return SQL("SET ({} = {})").format(Identifier(wanted.what), Literal(wanted.value))
    value = SQL(wanted.value)  # a number, or one of PostgreSQL's own words
    return SQL("ALTER COLUMN {} SET {} {}").format(Identifier(wanted.column), SQL(wanted.what), value)


def _logs() -> str:
    """Return a contract in SQL of tables that say how they are stored, one of them partitioned."""
    return """
CREATE TABLE "lo%gs" (id integer PRIMARY KEY, "te xt" text, n integer)
    WITH (fillfactor = 70, autovacuum_enabled = false);
ALTER TABLE "lo%gs" ALTER n SET STATISTICS 500, ALTER "te xt" SET STORAGE EXTERNAL;
CREATE TABLE days (day date, n integer) PARTITION BY RANGE (day);
ALTER TABLE days ALTER n SET STATISTICS 300;
"""


_ROWS = """INSERT INTO "lo%gs" VALUES (1, 'x', 2)"""
SPECIMENS = (
    Specimen(
        "a table without its options",
        'ALTER TABLE "lo%gs" RESET (fillfactor, autovacuum_enabled)',
        contract=_logs,
        setup=_ROWS,
    ),
    Specimen(
        "another fillfactor, beside an option of its own",
        'ALTER TABLE "lo%gs" SET (fillfactor = 90, autovacuum_vacuum_threshold = 7)',
        contract=_logs,
        setup=_ROWS,
    ),
    Specimen(
        "columns sampled and stored otherwise",
        'ALTER TABLE "lo%gs" ALTER n SET STATISTICS 100, ALTER "te xt" SET STORAGE MAIN',
        contract=_logs,
        setup=_ROWS,
    ),
    Specimen(
        "a column of a partitioned table",
        "ALTER TABLE days ALTER n SET STATISTICS -1",
        manual=True,
        contract=_logs,
        setup=_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "more than the contract says",
        'ALTER TABLE "lo%gs" SET (autovacuum_vacuum_threshold = 7); ALTER TABLE "lo%gs" ALTER id SET STATISTICS 50',
        contract=_logs,
        setup=_ROWS,
    ),
)
