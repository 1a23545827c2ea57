"""A column unknown to the contract is NOT NULL and has no default, often left by an earlier repair.

Costs: every insert by code that follows the contract fails with 23502 null value in column violates not-null
constraint.
Cure: DROP NOT NULL. The column and its values stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Table
from fixer.repair.constraints_online import BESIDE
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "rogue-not-null"
POINT = 5
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns that are unknown to the contract and need a value that nothing fills in."""
    for wanted, table in walk.tables(actual, contract):
        for column in table.columns.values():
            fills_itself = (
                column.default is not None
                or column.generates
                or column.generated
                or column.name.startswith(BESIDE)  # by a trigger, while a repair is under way
            )
            if column.name not in wanted.columns and column.not_null and not fills_itself:
                message = (
                    f"{table.name.name}.{column.name} is unknown to the contract and should not demand a value,"
                    " is NOT NULL without default"
                )
                yield Finding(SLUG, POINT, OfColumn(table.name, column.name), message)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Drop its NOT NULL."""
    name, column = finding.table, finding.about.column
    key = actual.tables[name].primary_key
    if key and column in key.columns and contract.tables[name].primary_key is None:
        return refuse(f"{column} is the primary key of {name.name}, and the contract has no other")
    action = SQL("ALTER COLUMN {} DROP NOT NULL").format(Identifier(column))
    step = alter(Phase.DEFAULTS, name, f"let {name.name}.{column} be NULL in new rows", action)
    if key and column in key.columns:  # online, once another key has replaced it
        return Repair.of([step.online_as((replace(step, phase=Phase.REPLACED),))])
    if column == actual.tables[name].legacy_key:  # online, after the rename to this name
        return Repair.of([step.online_as((replace(step, phase=Phase.KEYS),))])
    return Repair.of([step])


SPECIMENS = (
    Specimen(
        "a scar",
        "ALTER TABLE authors ADD COLUMN user_id integer; UPDATE authors SET user_id = id;"
        "ALTER TABLE authors ALTER COLUMN user_id SET NOT NULL",
    ),
)
NEAR_MISSES = (
    Specimen("with a default", "ALTER TABLE authors ADD COLUMN tier integer NOT NULL DEFAULT 1"),
    Specimen("with an identity", "ALTER TABLE authors ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY"),
    Specimen(
        "generated",
        "ALTER TABLE authors ADD COLUMN big text NOT NULL GENERATED ALWAYS AS (upper(name)) STORED",
    ),
    Specimen("nullable", "ALTER TABLE authors ADD COLUMN note text"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a column that demands a value."""
    yield plant.altered(table.name, "ADD COLUMN {0} integer NOT NULL DEFAULT 1, ALTER COLUMN {0} DROP DEFAULT", "rogue")
