"""Rows break a check of the contract.

Costs: the check cannot be added or validated.
Cure: move them to quarantine, because the right values cannot be guessed; rows that reference them are treated like
orphans (see orphan-rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import COMPANY_ROWS, company
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair
from fixer.model.subject import OfCheck
from fixer.model.table import Check, QName, Table
from fixer.repair.constraints.checks import spelt, stands
from fixer.repair.probe import rows_where
from fixer.repair.quarantine import Mover
from fixer.sql.compose import SQL, Composable, Composed
from fixer.sql.types import family

SLUG = "broken-check"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfCheck]]:
    """Yield the wanted checks, with the probe for rows that break them; a valid check vouches for its rows."""
    for table, check in walk.checks(actual, contract, alike=True):
        there = [table.columns.get(column) for column in check.columns]
        if table.created or not all(column and not column.mapped for column in there):
            continue
        found = stands(check, table)
        if found and found.enforced and not check.validated:
            continue  # the contract has it NOT VALID too: it is for new rows
        yield Finding(
            SLUG,
            POINT,
            OfCheck(table.name, check),
            f"{table.name.name} should satisfy CHECK {spelt(check)}, rows break it",
            only_with_rows=True,
            vouched=bool(found and found.validated),
            asks=partial(_broken, check, table.name, actual),
        )


def _broken(check: Check, table: QName, actual: Schema) -> Probe:
    return rows_where(actual, table, _breaks(check))


def _breaks(check: Check) -> Composed:
    return SQL("NOT ({})").format(SQL(check.expression))


def repair(finding: Finding[OfCheck], actual: Schema, contract: Contract) -> Repair:
    """Move the rows to quarantine."""
    check = finding.about.wanted
    reason = f"it breaks CHECK {spelt(check)}"
    mover = Mover(actual, contract)
    return Repair.of(mover.quarantine(Phase.VALUES, finding.table, _breaks(check), reason, rows=finding.rows))


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
)
NEAR_MISSES = (Specimen("just above", "UPDATE books SET price = 0.01"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a check, and write what may break it."""
    for check in table.checks:
        for name in check.columns:
            if family(table.columns[name].type) in ("integer", "numeric") and not table.columns[name].generated:
                drop = plant.without(table.name, check.name)
                yield plant.block(drop, plant.set_first(table.name, name, SQL("-7"), 2))
