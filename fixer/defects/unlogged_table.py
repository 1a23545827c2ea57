"""A table is UNLOGGED, but the contract wants a permanent one.

Costs: the server empties it after a crash, standbys never see its rows, and no permanent table can reference it.
Cure: SET LOGGED. No row changes; the table is rewritten under ACCESS EXCLUSIVE, in online mode too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, refuse
from fixer.model.subject import OtherTable
from fixer.model.table import ForeignKey, QName, Table
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable

SLUG = "unlogged-table"
POINT = 4
STAGE = Stage.PARTS
UNLOGGED = "u"  # as relpersistence


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OtherTable]]:
    """Yield the tables that a crash would empty; what a partitioned table says of itself means nothing."""
    for wanted, found in walk.tables(actual, contract, alike=True):
        if found.kind == "r" and found.persistence == UNLOGGED and wanted.persistence != UNLOGGED:
            message = f"{found.name.name} should be a permanent table, is UNLOGGED: a crash of the server empties it"
            yield Finding(SLUG, POINT, OtherTable(found.name, found), message)


def repair(finding: Finding[OtherTable], actual: Schema, contract: Contract) -> Repair:
    """Make it permanent, parents first; refuse where it references an unlogged table that stays so."""
    name = finding.table
    if key := _in_the_way(actual.tables[name], actual, contract):
        return refuse(
            f"its foreign key {key.name} references {key.target}, which is UNLOGGED as well: drop that key, or run"
            f" ALTER TABLE {key.target} SET LOGGED first"
        )
    title = f"make {name.name} permanent, which rewrites it"
    rows = actual.tables[name].estimated_rows
    made = SQL("SET LOGGED")
    return Repair.of([alter(Phase.RELEASE, name, title, made, rows=rows, hazard=Hazard.REWRITES_TABLE)])


def _in_the_way(table: Table, actual: Schema, contract: Contract) -> ForeignKey | None:
    """Return a foreign key to an unlogged table that is not made permanent before this one, if any."""
    for key in table.foreign_keys:
        target = actual.tables.get(key.target)
        if target and target.persistence == UNLOGGED and key.target != table.name:
            first = target.kind == "r" and key.target in contract.tables
            if (
                not first
                or contract.tables[key.target].persistence == UNLOGGED
                or _leads(key.target, table.name, actual)
            ):
                return key
    return None


def _leads(start: QName, end: QName, actual: Schema) -> bool:
    """Return whether foreign keys lead from one table to another."""
    seen, waiting = set[QName](), [start]
    while waiting:
        table = waiting.pop()
        if table == end:
            return True
        if table not in seen and table in actual.tables:
            seen.add(table)
            waiting += [key.target for key in actual.tables[table].foreign_keys]
    return False


REWRITES = frozenset({"rewrites-table"})
SPECIMENS = (
    Specimen("nobody references it", "ALTER TABLE reviews SET UNLOGGED", hazards=REWRITES),
    Specimen(
        "with those that reference it",
        "ALTER TABLE reviews SET UNLOGGED; ALTER TABLE books SET UNLOGGED; ALTER TABLE authors SET UNLOGGED",
        hazards=REWRITES,
    ),
    Specimen(
        "a permanent table should reference it",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE books SET UNLOGGED",
        hazards=REWRITES,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "it references an unlogged table that stays",
        "CREATE UNLOGGED TABLE old (id integer PRIMARY KEY); INSERT INTO old SELECT id FROM books;"
        "ALTER TABLE reviews SET UNLOGGED;"
        "ALTER TABLE reviews ADD CONSTRAINT odd FOREIGN KEY (id) REFERENCES old NOT VALID",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a table that the contract does not know",
        "CREATE UNLOGGED TABLE extra (id integer, book_id integer REFERENCES books)",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a crash empty it."""
    yield plant.altered(table.name, "SET UNLOGGED")
