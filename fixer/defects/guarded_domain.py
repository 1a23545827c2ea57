"""The type of a column is a domain that refuses values which the contract allows, or NULL in a column it does not know.

Costs: inserts and updates by code that follows the contract fail with 23514 violates check constraint, or 23502.
Cure: a person decides, because the domain guards other columns too. A conversion never drops its check in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, canonical
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, Table
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.conditions import Atom, atoms, follows

SLUG = "guarded-domain"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns whose domain demands what does not follow from the contract."""
    for wanted_table, table in walk.tables(actual, contract):
        for found in (column for column in table.columns.values() if column.guards):
            wanted = wanted_table.columns.get(found.name)
            if wanted is None:
                yield from _unknown(found, table)
            else:
                yield from (_finding(guard, found, wanted, table) for guard in _more(found, wanted, wanted_table))


def _unknown(found: Column, table: Table) -> Iterator[Finding[OfColumn]]:
    """Yield the finding that a column which no code fills demands a value by its domain."""
    demands = [guard for guard in found.guards if guard == "NOT NULL" or any(a.filled for a in _atoms(guard, found))]
    if demands and not found.fills:
        message = f"{table.name.name}.{found.name} is unknown to the contract and should not demand a value"
        message = f"{message}, its domain {found.type} demands {demands[0]}"
        plain = replace(found, type=found.base, home="")
        yield Finding(SLUG, POINT, OfColumn(table.name, found.name), message, repair=refuse(_ways(found, plain, table)))


def _atoms(guard: str, found: Column) -> list[Atom]:
    """Return the conditions of a check of its domain, on the column itself."""
    if not guard.startswith("CHECK "):
        return []
    return atoms(re.sub(r"\bVALUE\b", lambda _: as_needed(found.name), guard.removeprefix("CHECK ")))


def _finding(guard: str, found: Column, wanted: Column, table: Table) -> Finding[OfColumn]:
    here = f"{table.name.name}.{wanted.name}"
    message = f"{here} should take what the contract allows, its domain {found.type} demands {guard}"
    severity = "error" if guard == "NOT NULL" and not found.fills else "warning"
    ways = refuse(_ways(found, wanted, table))
    return Finding(SLUG, POINT, OfColumn(table.name, wanted.name), message, severity=severity, repair=ways)


def _more(found: Column, wanted: Column, table: Table) -> Iterable[str]:
    """Yield what the domain of a column demands beyond the contract."""
    known = [atom for check in table.checks for atom in atoms(check.expression)]
    same = {canonical(guard) for guard in wanted.guards}
    for guard in found.guards:
        if guard == "NOT NULL":
            if not wanted.not_null and guard not in same:
                yield guard
        elif canonical(guard) not in same and not all(follows(a, known, table) for a in _atoms(guard, found)):
            yield guard


def _ways(found: Column, wanted: Column, table: Table) -> str:
    alter = f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([found.name])} TYPE {wanted.full_type}"
    return f"if it is meant, declare the domain in the contract; if not, run: {alter}"


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


DOMAIN = "CREATE DOMAIN guarded AS text {}; ALTER TABLE reviews ALTER COLUMN body TYPE guarded"
SPECIMENS = (
    Specimen("a check", DOMAIN.format("CHECK (VALUE ~ 'e')"), manual=True),
    Specimen(
        "a check of the domain below",
        DOMAIN.format("CHECK (VALUE ~ 'e'); CREATE DOMAIN upper AS guarded") + "; "
        "ALTER TABLE reviews ALTER COLUMN body TYPE upper",
        manual=True,
    ),
    Specimen(
        "NOT NULL, in a column that the contract does not know",
        "CREATE DOMAIN g0 AS varchar(9) NOT NULL; CREATE DOMAIN g AS g0;"
        "ALTER TABLE reviews ADD COLUMN x g DEFAULT 'x'; ALTER TABLE reviews ALTER COLUMN x DROP DEFAULT",
        manual=True,
    ),
    Specimen(
        "a check for NOT NULL, in a column that the contract does not know",
        "CREATE DOMAIN g AS text CHECK (VALUE IS NOT NULL); ALTER TABLE reviews ADD COLUMN x g DEFAULT 'x';"
        "ALTER TABLE reviews ALTER COLUMN x DROP DEFAULT",
        manual=True,
    ),
    Specimen("NOT NULL", "UPDATE reviews SET body = '' WHERE body IS NULL;" + DOMAIN.format("NOT NULL"), manual=True),
)
NEAR_MISSES = (
    Specimen("without a check", DOMAIN.format("")),
    Specimen(
        "a check that follows from the contract",
        "CREATE DOMAIN money_ AS numeric(10,2) CHECK (VALUE > -5); ALTER TABLE books ALTER COLUMN price TYPE money_",
    ),
    Specimen(
        "with a default of its own, in columns that the contract does not know",
        "CREATE DOMAIN g AS text NOT NULL DEFAULT 'x'; ALTER TABLE books ADD COLUMN x g, ADD COLUMN y g NOT NULL",
    ),
    Specimen(
        "on a column that the contract does not know",
        "CREATE DOMAIN g AS text CHECK (VALUE ~ 'e'); ALTER TABLE books ADD COLUMN x g",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a domain with a check be the type of a column."""
    for place, column in enumerate(plant.bare(table)):
        domain = Identifier("public", f"pgmend domain {table.name.name} {place}")
        made = SQL("CREATE DOMAIN {} AS {} CHECK (VALUE IS NULL OR VALUE::text <> 'nowhere')")
        turn = SQL("ALTER COLUMN {} TYPE {}").format(Identifier(column.name), domain)
        yield plant.block(made.format(domain, SQL(column.full_type)), ddl.altered(table.name, turn))
