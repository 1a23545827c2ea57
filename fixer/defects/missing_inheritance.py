"""A table does not INHERIT from one of the contract's choice.

Costs: a query of the other table misses its rows, and what changes the columns of that one leaves its own as they are.
Cure: a table that is created, or holds no row, INHERITs. A person decides about one with rows, because those would show
in the other as well, and if the other has a column, a type or a check that the contract does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding, Probe
from fixer.model.schema import COUNTED, Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Column, QName, Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.by_hand import of_another
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.conditions import meaning

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-inheritance"
POINT = 4
STAGE = Stage.PARTS
_APART = 16  # from here on an heir may generate a column from another expression


@dataclass(frozen=True)
class OfParent(OfTable):
    """A table, with one from which it should INHERIT."""

    parent: QName


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfParent]]:
    """Yield each table that does not INHERIT from one of the contract."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        for parent in wanted.parents:
            if parent not in table.parents and parent in actual.tables and actual.tables[parent].is_table:
                message = f"{table.name.name} should INHERIT from {parent.name}, does not"
                asks = None if table.created else partial(_rows, table)
                yield Finding(SLUG, POINT, OfParent(table.name, parent), message, aspect=str(parent), asks=asks)


def _rows(table: Table) -> Probe:
    """Return the probe for the rows that would show in another table as well: whether there are some, or how many."""
    some = SQL("(SELECT t.tableoid, t.ctid FROM {} LIMIT {}) AS t").format(q.rows_of(table), Literal(COUNTED))
    return Probe(some, SQL("true"), shared=False)


def repair(finding: Finding[OfParent], actual: Schema, contract: Contract) -> Repair:
    """Let a table INHERIT that the plan creates, or that is empty; refuse for one whose rows would show twice."""
    table, parent = actual.tables[finding.table], actual.tables[finding.about.parent]
    action = SQL("INHERIT {}").format(q.name(parent.name))
    if not table.created and (finding.rows or not _may_follow(table, parent, actual, contract)):
        spelt, of = (".".join(map(as_needed, each.name)) for each in (table, parent))
        why = f"queries of {parent.name.name} would show its rows too"
        why = why if finding.rows else f"it has to have the columns, NOT NULLs and checks of {parent.name.name} first"
        return refuse(f"{why}: ALTER TABLE {spelt} INHERIT {of}")
    if parent.parted_by or parent.part_of:
        return refuse(f"{parent.name.name} is partitioned, or a partition, from which none can INHERIT")
    if not parent.owned:
        return refuse(f"{parent.name.name}: {of_another(parent.owner, actual)}")
    wanted = contract.tables[table.name]
    unknown = [c.name for c in parent.columns.values() if c.name not in wanted.columns]
    unknown += [c.name for c in parent.checks if c.name not in {own.name for own in wanted.checks} and not c.no_inherit]
    if unknown:
        return refuse(f"{parent.name.name} has {unknown[0]}, which the contract does not know: settle that first")
    inherited = partial(_as_inherited, version=actual.version)
    for column in parent.columns.values():
        if (stays := inherited(column)) != (as_ := inherited(wanted.columns[column.name])):
            which = f"{parent.name.name}.{column.name}"
            return refuse(f"{which} stays {stays}, and none INHERITs it as {as_}: settle that first")
    title = f"make {table.name.name} INHERIT from {parent.name.name}"
    return Repair.of((alter(Phase.HEIRS, table.name, title, action, touches=(parent.name,)),))


def _as_inherited(column: Column, version: int) -> str:
    """Return in words what an heir has to have as the table above has it: type, collation, and how it is generated.

    From PostgreSQL 16 on, each may be generated from an expression of its own.
    """
    collated = f" COLLATE {column.collation}" if column.collation else ""
    told = f" GENERATED ALWAYS AS {column.default if version < _APART else '…'}" if column.generated else ""
    return f"{column.full_type}{collated}{told}{' VIRTUAL' if column.generated == 'v' else ''}"


def _may_follow(table: Table, parent: Table, actual: Schema, contract: Contract) -> bool:
    """Return whether a table will have all that INHERIT asks: columns, NOT NULLs and checks like those above it."""
    if table.parted_by or table.part_of or table.name in {parent.name, *actual.above(parent.name)}:
        return False
    wanted, own = contract.tables[table.name], {check.name: check for check in table.checks}
    for column in parent.columns.values():
        mine, meant = table.columns.get(column.name), wanted.columns.get(column.name)
        if not (mine and meant and _as_inherited(mine, actual.version) == _as_inherited(column, actual.version)):
            return False
        if column.not_null and not (mine.not_null or meant.not_null):
            return False
    for check in (check for check in parent.checks if not check.no_inherit):
        named = own.get(check.name)
        alike = [each for each in own.values() if meaning(each.expression) == meaning(check.expression)]
        if (named and named not in alike) or (alike and not named):  # else it is added under this name
            return False
    return True


def events() -> sa.MetaData:
    """Return a contract of a table from which two others INHERIT, one of them in turn from the other."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    key, what = (
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("what", sa.Text, nullable=False),
    )
    sa.Table("eve.nts", metadata, key, what, sa.CheckConstraint("what <> ''", name="told%"))
    own = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
    sa.Table("late", metadata, own, sa.Column("since", sa.Integer), postgresql_inherits="eve.nts")
    last = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
    sa.Table("latest", metadata, last, sa.Column("at", sa.Integer), postgresql_inherits="late")
    return metadata


EVENT_ROWS = (
    """INSERT INTO "eve.nts" VALUES (1, 'a'); INSERT INTO late VALUES (2, 'b', 1); INSERT INTO latest VALUES (3, 'c')"""
)
SPECIMENS = (
    Specimen(
        "an heir of an heir", "ALTER TABLE latest NO INHERIT late", manual=True, contract=events, setup=EVENT_ROWS
    ),
    Specimen(
        "an empty one", "ALTER TABLE latest NO INHERIT late; DELETE FROM latest", contract=events, setup=EVENT_ROWS
    ),
)
NEAR_MISSES = (
    Specimen(
        "another INHERITs too",
        'CREATE TABLE more (n integer) INHERITS ("eve.nts")',
        contract=events,
        setup=EVENT_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let it no longer INHERIT."""
    for parent in table.parents:
        yield SQL("ALTER TABLE {} NO INHERIT {}").format(q.name(table.name), q.name(parent))
