"""A publication publishes changes of a table, and cannot tell which of its rows were changed.

The table has no replica identity: no key where the publication looks for one. Or the publication leaves out columns of
it, or filters by others.

Costs: every UPDATE and DELETE of the table fails with 55000, only INSERT goes on.
Cure: a person decides. The primary key of the contract settles it, where that is missing; else the refusal has the
statement. REPLICA IDENTITY FULL writes whole rows to the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.obstacle import MutePublication
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-replica-identity"
POINT = 5
STAGE = Stage.PARTS
_KEYED, _NAMED = "d", "i"  # pg_class.relreplident: by the primary key, by an index that is named


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the tables whose rows a publication could not tell apart, once the plan is done."""
    for wanted, found in walk.tables(actual, contract, alike=True):
        mute = (each for each in found.obstacles if isinstance(each, MutePublication) and not _is_there(wanted, each))
        for each in {(each.name, each.columns): each for each in mute}.values():  # partitions may lack different ones
            yield _finding(found, each)


def _is_there(wanted: Table, publication: MutePublication) -> bool:
    """Return whether all columns tell its rows, or the primary key of the contract is all that lacks."""
    keyed = publication.by_all or (publication.told_by == _KEYED and wanted.primary_key is not None)
    return not publication.columns and keyed


def _finding(found: Table, publication: MutePublication) -> Finding[OfTable]:
    name = found.name.name
    if publication.columns:
        columns = ", ".join(publication.columns)
        message = f"UPDATE of {name} should work, the publication {publication.name} could not tell its rows: {columns}"
        way = f"ALTER PUBLICATION {as_needed(publication.name)} DROP TABLE {q.quoted(found.name)};"
        left = refuse(f"it leaves them out or filters by them: publish the whole table, or run {way}")
    else:
        message = f"{name} should have a replica identity for the publication {publication.name}, has none"
        each, where = ("for each partition, ", "…") if found.kind == "p" else ("", q.quoted(found.name))
        left = refuse(f"{each}run ALTER TABLE {where} REPLICA IDENTITY {_way(found)};")
    return Finding(SLUG, POINT, OfTable(found.name), message, repair=left, aspect=publication.name)


def _way(found: Table) -> str:
    """Return the least that would be an identity: the primary key, another key without NULLs, or all columns."""
    for key in sorted(found.plain_keys, key=lambda key: not key.primary):
        if key.primary:
            return "DEFAULT"
        if all(found.columns[column].not_null for column in key.columns):
            return f"USING INDEX {as_needed(key.name)}"
    return "FULL"


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


def _logs() -> sa.MetaData:
    """Return a contract of a table without a key."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("logs", metadata, sa.Column("line", sa.Text), sa.Column("code", sa.Integer, unique=True))
    return metadata


def _days() -> sa.MetaData:
    """Return a contract of a partitioned table without a key."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("days", metadata, sa.Column("day", sa.Integer), postgresql_partition_by="LIST (day)")
    return metadata


_ROWS = "INSERT INTO logs VALUES ('a', 1), ('b', 2)"
SPECIMENS = (
    Specimen(
        "it is to be told by nothing",
        "ALTER TABLE reviews REPLICA IDENTITY NOTHING;CREATE PUBLICATION told FOR TABLE reviews",
        manual=True,
    ),
    Specimen("there is no key", "CREATE PUBLICATION told FOR ALL TABLES", contract=_logs, setup=_ROWS, manual=True),
    Specimen(
        "partitions have no key",
        "CREATE PUBLICATION told FOR TABLE days WITH (publish_via_partition_root = true)",
        contract=_days,
        setup="CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1)",
        manual=True,
    ),
    Specimen(
        "columns of the key are left out",
        "CREATE PUBLICATION told FOR TABLE reviews (book_id)",
        manual=True,
        minimum_version=15,
    ),
)
NEAR_MISSES = (
    Specimen("the key is to be told by", "CREATE PUBLICATION told FOR ALL TABLES"),
    Specimen(
        "all columns are",
        "ALTER TABLE logs REPLICA IDENTITY FULL; CREATE PUBLICATION told FOR ALL TABLES",
        contract=_logs,
        setup=_ROWS,
    ),
    Specimen(
        "only what comes is published",
        "CREATE PUBLICATION told FOR TABLE logs WITH (publish = 'insert')",
        contract=_logs,
        setup=_ROWS,
    ),
    Specimen("nobody publishes it", "ALTER TABLE reviews REPLICA IDENTITY NOTHING"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: publish what has nothing to be told by."""
    if table.kind == "r":
        name, told = q.name(table.name), Identifier(f"pgmend_told_{table.name.name}"[:63])
        yield SQL("ALTER TABLE {} REPLICA IDENTITY NOTHING; CREATE PUBLICATION {} FOR TABLE {}").format(
            name, told, name
        )
