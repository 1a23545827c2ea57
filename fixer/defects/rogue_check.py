"""A check that the contract lacks refuses rows that the contract allows: an earlier edition of its own, for example.

Costs: inserts and updates by code that follows the contract fail with 23514 violates check constraint.
Cure: where the contract has a check that says the same of other values, that one takes its place. Else a person
decides, because somebody may have meant it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._bounds import bounds_of, is_bound
from fixer.defects._databases import BOOKING_ROWS, bookings
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import names_column
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, refuse
from fixer.model.subject import StrayCheck
from fixer.model.table import Check, Table
from fixer.repair.constraints.checks import spelt, stands
from fixer.repair.constraints.online import BESIDE
from fixer.repair.defaults.left_out import Asks, LeftOut, is_refilled
from fixer.repair.shadow import is_guard
from fixer.sql.alter import drop_constraint, dropping
from fixer.sql.compose import Composable
from fixer.sql.conditions import Atom, atoms, follows, is_earlier
from fixer.sql.types import family

SLUG = "rogue-check"
POINT = 5
STAGE = Stage.PARTS
_LOOKS_AT_NULL = pattern(r"\b(IS|CASE|COALESCE|coalesce|num_nulls|num_nonnulls|concat|concat_ws)\b")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[StrayCheck]]:
    """Yield the checks that do not follow from the contract."""
    for wanted, table in walk.tables(actual, contract):
        known = [atom for check in wanted.checks for atom in atoms(check.expression, wanted)]
        names = {each.name for each in wanted.checks}
        names |= {each.name for parent in walk.above(table, actual, contract) for each in parent.checks}
        for check in table.checks:
            ours = check.name.startswith(BESIDE) or is_guard(check.name)
            if (
                ours
                or check.name in names
                or not check.enforced
                or any(stands(c, replace(table, checks=(check,))) for c in wanted.checks)
            ):
                continue
            row = LeftOut(table, wanted, actual)
            if not set(check.columns) & wanted.columns.keys() and (asks := row.broken(check)):
                yield _computed(row, check, asks)
                continue
            odd = [atom for atom in atoms(check.expression, table) if _may_refuse(atom, known, wanted, table)]
            if odd:
                yield _finding(StrayCheck(table.name, check), odd, known, table)
    for wanted, root, part in walk.parts(actual, contract):
        yield from _below(wanted, root, part, actual, contract.schema.alone.get(part.name, Table(part.name)))


def _below(wanted: Table, root: Table, part: Table, actual: Schema, alone: Table) -> Iterator[Finding[StrayCheck]]:
    """Yield the checks that a partition has, and that refuse more than its bounds and those it shall have `alone`."""
    wholes = [actual.tables[name] for name in actual.wholes(part.name) if name in actual.tables]
    names = {check.name for each in (wanted, alone, *wholes[1:]) for check in each.checks}
    own = [each for each in part.checks if each.name not in names and each.enforced and not _is_ours(each)]
    if not own:
        return
    levels = [*bounds_of(part, actual)]
    known = [atom for check in (*wanted.checks, *alone.checks) for atom in atoms(check.expression, wanted)]
    promised = [*known, *(atom for level in levels for atom in level.promises())]
    for check in own:
        told = [atom for atom in atoms(check.expression, root) if not is_bound(atom, levels)]
        odd = [atom for atom in told if _may_refuse(atom, promised, wanted, root)]
        if odd:
            found = _finding(StrayCheck(part.name, check), odd, known, part)
            yield replace(found, severity="warning", repair=_decided(part, check))


def _is_ours(check: Check) -> bool:
    return check.name.startswith(BESIDE) or is_guard(check.name)


def _may_refuse(atom: Atom, known: list[Atom], wanted: Table, table: Table) -> bool:
    """Return whether a condition may refuse a row that code writes by the contract."""
    if follows(atom, known, wanted):
        return False
    if atom.filled and atom.filled not in wanted.columns:
        return not _fills(atom.filled, table)
    empty = [c.name for c in table.columns.values() if c.name not in wanted.columns and not c.fills]
    # An unknown column is NULL in such a row, and so is a condition over it, which lets the row pass.
    return bool(_LOOKS_AT_NULL.search(atom.text)) or not any(names_column(atom.text, column) for column in empty)


def _fills(column: str, table: Table) -> bool:
    """Return whether a column that a row leaves out gets a value; PostgreSQL fills its own, such as tableoid."""
    return column not in table.columns or table.columns[column].fills


def _computed(row: LeftOut, check: Check, asks: Asks) -> Finding[StrayCheck]:
    """Return the finding that a check refuses what columns unknown to the contract get, with the probe for that.

    A trigger may give them something else.
    """
    name, filled = row.table.name, [atom.filled for atom in atoms(check.expression)]
    what = f"{check.name} refuses each row: CHECK {spelt(check)}"
    message = f"{name.name} should take all that the contract allows, {what}"
    severity = "warning" if is_refilled(row.table) else "error"
    repair = Repair() if all(each and not _fills(each, row.table) for each in filled) else _decided(row.table, check)
    about = StrayCheck(name, check)
    return Finding(SLUG, POINT, about, message, severity, asks=asks, of_values=True, repair=repair)


def _finding(about: StrayCheck, odd: list[Atom], known: list[Atom], table: Table) -> Finding[StrayCheck]:
    name, check = about.table, about.found
    what = f"{check.name} refuses some of it: CHECK {spelt(check)}"
    message = f"{name.name} should take all that the contract allows, {what}"
    if all(is_earlier(atom, known) or (atom.filled and not _fills(atom.filled, table)) for atom in odd):
        return Finding(SLUG, POINT, about, message)
    message = message.replace(" refuses some", " may refuse some", 1)
    return Finding(SLUG, POINT, about, message, severity="warning", repair=_decided(table, check))


def _decided(table: Table, check: Check) -> Repair:
    return refuse(f"if it is meant, add it to the contract; if not, run: {dropping(table.name, check.name)}")


def repair(finding: Finding[StrayCheck], actual: Schema, contract: Contract) -> Repair:
    """Drop it; online, once the check of the contract stands."""
    name, check = finding.table, finding.about.found
    title = f"drop the check {check.name}, which refuses what the contract allows"
    step = drop_constraint(name, check.name, title, hazard=Hazard.REPLACES_CONSTRAINT)
    if all(stands(each, actual.tables[name]) for each in contract.tables[name].checks):
        return Repair.of([step])
    return Repair.of([step.online_as((replace(step, phase=Phase.REPLACED),))])


HAZARD = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "a list without the latest values",
        "ALTER TABLE bookings ADD CONSTRAINT odd CHECK (status IN ('new', 'paid'))",
        hazards=HAZARD,
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "a list without the latest values stands alone",
        "ALTER TABLE bookings DROP CONSTRAINT bookings_status_check, ADD CONSTRAINT odd CHECK (status = 'new')",
        hazards=HAZARD,
        also=frozenset({"missing-check"}),
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "a lower limit, and no proof of old rows",
        "ALTER TABLE bookings ADD CONSTRAINT odd CHECK (seat >= 1 AND seat <= 100) NOT VALID",
        hazards=HAZARD,
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "NULL is refused by a check",
        "UPDATE reviews SET body = '' WHERE body IS NULL; ALTER TABLE reviews ADD CHECK (body IS NOT NULL)",
        hazards=HAZARD,
    ),
    Specimen(
        "an unknown column has to be filled",
        "ALTER TABLE reviews ADD COLUMN n integer; UPDATE reviews SET n = 1;"
        "ALTER TABLE reviews ADD CHECK (n IS NOT NULL)",
        hazards=HAZARD,
    ),
    Specimen(
        "a default breaks it",
        "ALTER TABLE books ADD COLUMN n integer DEFAULT 1, ADD CHECK (n > 5 OR coalesce(n, 0) < 0) NOT VALID",
        manual=True,
    ),
    Specimen("over a column that the contract leaves free", "ALTER TABLE books ADD CHECK (pages > 0)", manual=True),
    Specimen("without proof", "ALTER TABLE books ADD CHECK (pages > 0) NOT VALID", manual=True),
    Specimen("another side of a limit", "ALTER TABLE books ADD CHECK (price < 1000)", manual=True),
    Specimen("over several columns", "ALTER TABLE books ADD CHECK (price > pages OR pages > 3)", manual=True),
    Specimen("a pattern", "ALTER TABLE authors ADD CHECK (name ~ '^[aA]')", manual=True),
)
NEAR_MISSES = (
    Specimen("weaker", "ALTER TABLE books ADD CHECK (price >= 0), ADD CHECK (price > -1), ADD CHECK (0.00 < price)"),
    Specimen("with a choice more", "ALTER TABLE books ADD CHECK (price > 0 OR pages IS NULL)"),
    Specimen("with NULL, which it takes anyway", "ALTER TABLE books ADD CHECK (price IS NULL OR price > 0)"),
    Specimen("what NOT NULL says", "ALTER TABLE books ADD CHECK (title IS NOT NULL)"),
    Specimen(
        "what the type says", "ALTER TABLE books ADD CHECK (length(title) <= 40), ADD CHECK (pages > -2147483649)"
    ),
    Specimen("over a column of PostgreSQL's own", "ALTER TABLE books ADD CHECK (tableoid IS NOT NULL)"),
    Specimen("over an unknown column", "ALTER TABLE books ADD COLUMN n integer CHECK (n > 0), ADD CHECK (n < price)"),
    Specimen(
        "a default fulfils it",
        "ALTER TABLE books ADD COLUMN n integer NOT NULL DEFAULT 6, ADD COLUMN m integer, ADD CHECK (n > 5),"
        " ADD CHECK (coalesce(m, n) > 5)",
    ),
    Specimen(
        "a longer list",
        "ALTER TABLE bookings ADD CHECK (status IN ('gone', 'lost', 'new', 'paid')), ADD CHECK (seat < 501)",
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "not enforced",
        "ALTER TABLE books ADD CHECK (pages > 1000) NOT ENFORCED",
        minimum_version=18,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a check that refuses large numbers."""
    for column in plant.writable(table):
        if family(column.type) in ("integer", "numeric"):
            check = "ADD CONSTRAINT pgmend_rogue CHECK ({0} >= 0 AND {0} < 30000)"
            yield plant.altered(table.name, check, column.name)
