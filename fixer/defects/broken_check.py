"""Rows break a check of the contract.

Costs: the check cannot be added or validated.
Cure: move them to quarantine, because the right values cannot be guessed; rows that reference them are treated like
orphans (see orphan-rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import COMPANY_ROWS, company
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Guaranteed, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import OfCheck
from fixer.model.table import Check, QName, Table
from fixer.repair.constraints.checks import binds, over_row, spelt
from fixer.repair.probe import rows_apart
from fixer.repair.quarantine import Mover
from fixer.sql.compose import SQL, Composable
from fixer.sql.types import family

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "broken-check"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCheck] | Guaranteed]:
    """Yield the wanted checks, with the probe for rows that break them; a valid check vouches for its rows."""
    for table, check in walk.checks(actual, contract, alike=True):
        there = [table.columns.get(column) for column in check.columns]
        if table.created or not all(column and not column.mapped for column in there):
            continue
        found = binds(check, table)
        if found and found.enforced and not check.validated:
            continue  # the contract has it NOT VALID too: it is for new rows
        vouched = bool(found and found.validated)
        told = partial(_told, check, table.name, actual, contract, vouched=vouched)
        yield Guaranteed(SLUG, table.name, told) if vouched else told()


def _told(check: Check, table: QName, actual: Schema, contract: Contract, *, vouched: bool) -> Finding[OfCheck]:
    return Finding(
        SLUG,
        POINT,
        OfCheck(table, check),
        f"{table.name} should satisfy CHECK {spelt(check)}, rows break it",
        only_with_rows=True,
        vouched=vouched,
        asks=partial(_broken, check, table, actual, contract),
    )


def _broken(check: Check, table: QName, actual: Schema, contract: Contract) -> Probe:
    broken = SQL("NOT ({})").format(over_row(check, actual.tables[table]))
    return rows_apart(actual, table, broken, partial(_demands, check=check, contract=contract))


def _demands(table: Table, *, check: Check, contract: Contract) -> bool:
    """Return whether a check is not for the rows of this heir, or the contract has the same one for them."""
    if check.no_inherit:
        return True
    wanted = contract.tables.get(table.name)
    found = binds(check, wanted) if wanted else None
    return bool(found and found.validated)


def repair(finding: Finding[OfCheck], actual: Schema, contract: Contract) -> Repair:
    """Move the rows to quarantine."""
    check = finding.about.wanted
    reason = f"it breaks CHECK {spelt(check)}"
    broken = SQL("NOT ({})").format(over_row(check, actual.tables[finding.table]))
    mover = Mover(actual, contract)
    return Repair.of(mover.quarantine(Phase.VALUES, finding.table, broken, reason, rows=finding.rows))


def _whole() -> sa.MetaData:
    """Return a contract with a check of whole rows, which PostgreSQL spells by the name of the table."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    cells = [sa.Column(name, sa.Integer) for name in ("a", "b.c")]
    full = sa.CheckConstraint('"no.tes" IS NOT NULL', name="full")
    sa.Table("no.tes", metadata, sa.Column("id", sa.Integer, primary_key=True), *cells, full)
    return metadata


SPECIMENS = (
    Specimen(
        "prices below zero",
        "ALTER TABLE books DROP CONSTRAINT books_price_check; UPDATE books SET price = -1 WHERE id < 3",
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=6,
        also=frozenset({"missing-check"}),
    ),
    Specimen(
        "with those that hang on them in the same table",
        "ALTER TABLE employees DROP CONSTRAINT employees_salary_check; UPDATE employees SET salary = -1 WHERE id = 2",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=7,
        also=frozenset({"missing-check"}),
        contract=company,
        setup=COMPANY_ROWS,
    ),
    Specimen(
        "of whole rows",
        'ALTER TABLE "no.tes" DROP CONSTRAINT "full"; UPDATE "no.tes" SET "b.c" = NULL WHERE id < 3',
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-check"}),
        contract=_whole,
        setup='INSERT INTO "no.tes" (a, "b.c") SELECT n, n FROM generate_series(1, 5) AS n',
    ),
)
NEAR_MISSES = (Specimen("just above", "UPDATE books SET price = 0.01"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a check, and write what may break it."""
    for check in table.checks:
        for name in check.columns:
            if family(table.columns[name].type) in ("integer", "numeric") and not table.columns[name].generated:
                drop = plant.without(table.name, check.name)
                yield plant.block(drop, plant.set_first(table.name, name, SQL("-7"), 2))
