"""A table is plain, or partitioned by another key, where the contract wants it partitioned; or the other way round.

Or it is a partition, where the contract has a table of its own.

Costs: what counts on partitions fails: to attach the next month, to detach an old one, an INSERT that names one, a key
that a partition key forbids. Where a plain table is wanted, a row that no partition takes is refused (23514). The rows
of a partition show in the table above.
Cure: a person decides, because all rows have to be written anew. A partitioned table for a plain one is only a warning,
so is a partition for a table of its own, and from models none: these seldom say how a database is divided.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OtherTable
from fixer.model.table import QName, Table
from fixer.sql import compose as q

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "different-partitioning"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OtherTable]]:
    """Yield the tables that are not divided as the contract wants."""
    declared = contract.metadata is None  # then no partition is among its tables
    for _, found in walk.tables(actual, contract, alike=True) if declared else ():
        if found.part_of:
            message = f"{found.name.name} should be a table of its own, is a partition of {found.part_of.name}"
            yield Finding(SLUG, POINT, OtherTable(found.name, found), message, severity="warning", aspect="part")
    for wanted, found in walk.tables(actual, contract):
        name, about = found.name.name, OtherTable(found.name, found)
        if found.created or wanted.parted_by == found.parted_by:
            continue
        if not wanted.parted_by:
            if contract.metadata is None and not found.rest and not found.parted_by.startswith("HASH"):
                message = f"{name} should be a plain table, is partitioned by {found.parted_by}, without DEFAULT"
                yield Finding(SLUG, POINT, about, message, severity="warning")
            continue
        is_ = f"is partitioned by {found.parted_by}" if found.parted_by else "is a plain table"
        yield Finding(SLUG, POINT, about, f"{name} should be partitioned by {wanted.parted_by}, {is_}")


def repair(finding: Finding[OtherTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, with the statements by which a person divides the table."""
    found, wanted = finding.about.found, contract.tables[finding.table]
    if finding.aspect == "part" and found.part_of:
        way = f"ALTER TABLE {q.quoted(found.part_of)} DETACH PARTITION {q.quoted(found.name)}"
        return refuse(f"its rows show in {found.part_of.name} as well: if they may not, run {way}; then plan again")
    if not wanted.parted_by:
        part = QName(found.name.schema, f"{found.name.name}_default")
        made = f"CREATE TABLE {q.quoted(part)} PARTITION OF {q.quoted(found.name)} DEFAULT;"
        return refuse(f"a row that no partition takes is refused: if that may not be, run {made}")
    return refuse(f"all its rows would have to be written anew: {_anew(found, wanted)}")


def _anew(found: Table, wanted: Table) -> str:
    """Return the statements that make a partitioned table in place of another, which keeps its rows."""
    old = QName(found.name.schema, f"{found.name.name}_before")
    table, before = q.quoted(found.name), q.quoted(old)
    return (
        f"ALTER TABLE {table} RENAME TO {q.quoted([old.name])}; CREATE TABLE {table} (LIKE {before} INCLUDING ALL"
        f" EXCLUDING INDEXES) PARTITION BY {wanted.parted_by}; then create its partitions, run INSERT INTO {table}"
        f" SELECT * FROM {before}; and plan again, for keys and foreign keys"
    )


def visits() -> sa.MetaData:
    """Return a contract of a table that is partitioned by day."""
    import sqlalchemy as sa

    made = sa.MetaData()
    columns = sa.Column("id", sa.Integer, nullable=False), sa.Column("Day; 1", sa.Date, nullable=False)
    sa.Table("visits", made, *columns, postgresql_partition_by='RANGE ("Day; 1")')
    return made


def plain() -> sa.MetaData:
    """Return a contract of the same table that does not say that it is partitioned."""
    import sqlalchemy as sa

    made = sa.MetaData()
    sa.Table("visits", made, sa.Column("id", sa.Integer, nullable=False), sa.Column("Day; 1", sa.Date, nullable=False))
    return made


def _apart() -> str:
    """Return a contract of a partitioned table with a partition, and of a plain table with its columns."""
    return """
CREATE TABLE stays (day date NOT NULL, n integer) PARTITION BY RANGE (day);
CREATE TABLE stays_1 PARTITION OF stays FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE "la%st" (day date NOT NULL, n integer);
"""


_STAYED = "INSERT INTO stays VALUES ('2026-02-02', 1); INSERT INTO \"la%st\" VALUES ('2025-02-02', 2)"
_COLUMNS = 'DROP TABLE visits; CREATE TABLE visits (id integer NOT NULL, "Day; 1" date NOT NULL)'
_ROWS = "CREATE TABLE visits_rest PARTITION OF visits DEFAULT; INSERT INTO visits VALUES (1, '2026-01-01')"
SPECIMENS = (
    Specimen("it is plain", _COLUMNS, manual=True, contract=visits, setup=_ROWS),
    Specimen("by another column", f"{_COLUMNS} PARTITION BY RANGE (id)", manual=True, contract=visits, setup=_ROWS),
    Specimen("by list", f'{_COLUMNS} PARTITION BY LIST ("Day; 1")', manual=True, contract=visits, setup=_ROWS),
    Specimen(
        "a partition that should be a table of its own",
        "ALTER TABLE stays ATTACH PARTITION \"la%st\" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        manual=True,
        contract=_apart,
        setup=_STAYED,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a partition that the contract does not know",
        "CREATE TABLE stays_3 PARTITION OF stays FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
        contract=_apart,
        setup=_STAYED,
    ),
    Specimen("other partitions", "DROP TABLE visits_rest", contract=visits, setup=_ROWS),
    Specimen(
        "models do not say how it is divided",
        f"{_COLUMNS} PARTITION BY RANGE (id); CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (9)",
        contract=plain,
        setup="INSERT INTO visits VALUES (1, '2026-01-01')",
    ),
)
