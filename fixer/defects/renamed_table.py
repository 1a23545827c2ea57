"""A table of the contract is missing, and a table that the contract does not know has all its columns, and rows.

Costs: if the unknown one was meant, the application would find the created table empty.
Cure: a person declares the other name as a legacy name, or lets the table be created. If the other one alone has just
its columns, or if foreign keys that should point at the missing table point at it, the plan waits for that.
Hint: `legacy_names` on the table: the other name, or an empty list if there never was another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import ForeignKey, QName, Table
from fixer.repair.twins import others_like, renamed_to
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "renamed-table"
POINT = 4
STAGE = Stage.TABLES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield each unknown table that may be a missing one."""
    for name in sorted(contract.tables.keys() - actual.tables.keys()):
        others = others_like(name, actual, contract)
        alike = [twin for twin in others if twin.alike]
        for twin in others:
            columns = "its columns, no others" if twin.alike else "all its columns"
            message = f"{name.name} is missing, but {twin.name.name} has {columns}, and rows"
            pointing = next(_pointing(name, twin.name, actual, contract), None)
            if pointing:
                message += f", and {pointing.table.name}.{', '.join(pointing.columns)} references it"
            severity = "error" if pointing or alike == [twin] else "info"
            why = refuse(renamed_to(twin, contract))
            yield Finding(SLUG, POINT, OfTable(name), message, severity, repair=why, aspect=str(twin.name))


def _pointing(missing: QName, other: QName, actual: Schema, contract: Contract) -> Iterator[ForeignKey]:
    """Yield the foreign keys to another table that should reference a missing one."""
    wanted = {(key.table, key.columns) for key in contract.schema.foreign_keys() if key.target == missing}
    return (key for key in actual.foreign_keys() if key.target == other and (key.table, key.columns) in wanted)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, because only a person knows."""
    return finding.repair


SPECIMENS = (
    Specimen(
        "a table under another name",
        'ALTER TABLE reviews RENAME TO "a%b"',
        also=frozenset({"missing-table"}),
        manual=True,
    ),
    Specimen(
        "a table under another name, with a further column",
        "ALTER TABLE reviews RENAME TO opinions; ALTER TABLE opinions ADD COLUMN stars integer",
        also=frozenset({"missing-table"}),
    ),
    Specimen(
        "a table under another name, which others reference",
        "ALTER TABLE books RENAME TO works",
        also=frozenset({"missing-table", "wrong-foreign-key-target", "orphan-rows"}),
        manual=True,
    ),
)
NEAR_MISSES = (Specimen("another with the same columns", "CREATE TABLE opinions AS TABLE reviews"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: rename it."""
    yield SQL("ALTER TABLE {} RENAME TO {}").format(q.name(table.name), Identifier(f"{table.name.name[:50]} of old"))
