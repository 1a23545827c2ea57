"""The type of a column is a domain that demands more than the contract, or less than the domain of the contract.

Or the domain has the name of the contract's, and is made of a type that does not hold all its values.

Costs: inserts and updates by code that follows the contract fail with 23514 violates check constraint, or 23502; or
rows hold values that the contract forbids.
Cure: ALTER DOMAIN adds what the domain should demand, where no row of any column breaks it. A person decides about all
that it demands beyond the contract, because it guards other columns too. A conversion never drops its check in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import SHIFT_ROWS, shifts
from fixer.defects._guarded import SCORED, amounts, scores, weights
from fixer.defects._guards import breaks, check_named, entailed, less, premises, said
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, QName, Table
from fixer.model.values import dataclass
from fixer.repair.columns import named
from fixer.repair.constraints.domains import breaking, changed, holders, is_nested, will_be_nested
from fixer.repair.defaults.left_out import LeftOut, is_refilled
from fixer.repair.probe import rows_where
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.conditions import atoms, condition
from fixer.sql.types import element, fits

SLUG = "guarded-domain"
POINT = 4
STAGE = Stage.PARTS


@dataclass(frozen=True)
class Lax(OfColumn):
    """A column, with what its domain should demand; `nested` if arrays hold values of the domain."""

    domain: QName
    guard: str
    nested: bool


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns whose domain demands what does not follow from the contract."""
    for wanted_table, table in walk.tables(actual, contract):
        guarded = [column for column in table.columns.values() if column.guards and column.name in wanted_table.columns]
        for found in guarded:
            wanted = wanted_table.columns[found.name]
            for guard in _more(found, wanted, wanted_table):
                yield _finding(guard, found, wanted, table)
        for found in table.columns.values():
            if found.name not in wanted_table.columns and found.guards and not element(found.type):
                yield from _unknown(found, LeftOut(table, wanted_table, actual))
            meant = wanted_table.columns.get(found.name)
            same = meant and meant.base and meant.full_type == found.full_type
            if meant and same and found.base and not fits(found.base, meant.base):
                yield _narrow(found, meant, table)

    yield from _lax(actual, contract)


def _lax(actual: Schema, contract: Contract) -> Iterator[Finding[Lax]]:
    """Yield what a domain does not demand and that of the contract does, at the first column that needs it."""
    seen = set[tuple[str, str]]()
    for table, meant, found in walk.columns(actual, contract):
        domain = named(found.full_type)
        if domain is None or not meant.base or meant.full_type != found.full_type:
            continue
        for guard in less(found, meant, table):
            spelt, nested = found.full_type.removesuffix("[]"), is_nested(domain, actual)
            each = nested or will_be_nested(domain, actual)  # a finding at each column, then
            key = (f"{table.name}.{found.name}" if each else spelt, guard)
            if key in seen:
                continue
            seen.add(key)
            message = f"{table.name.name}.{found.name} should demand {guard} by its domain {spelt}, which does not"
            about = Lax(table.name, found.name, domain, guard, nested)
            asks = None if nested and (table.created or found.added) else partial(_breaking, about, actual)
            yield Finding(SLUG, POINT, about, message, asks=asks, aspect=guard)


def _breaking(about: Lax, actual: Schema) -> Probe:
    """Return the probe for the rows that break a demand: of one column, or of all that hold the domain."""
    if about.nested:
        return rows_where(actual, about.table, breaks(about.guard, actual.tables[about.table].columns[about.name]))
    there = holders(about.domain, actual)
    return breaking(about.domain, ((t, breaks(about.guard, t.columns[column])) for t, column in there), actual)


def _unknown(found: Column, row: LeftOut) -> Iterator[Finding[OfColumn]]:
    """Yield the finding that a column which the contract does not know demands a value of every insert.

    Where it gets one, or none has to be given, the probe computes whether the domain takes it.
    """
    table = row.table
    demands = [guard for guard in found.guards if guard == "NOT NULL" or _fills(guard, found)]
    here = f"{table.name.name}.{found.name} is unknown to the contract and should accept inserts that leave it out"
    where, today = table.stored_as or table.name, found.stored_as or found.name  # as a person finds it
    alter = f"ALTER TABLE {q.quoted(where)} ALTER COLUMN {q.quoted([today])}"
    left = refuse(f"give it a default: {alter} SET DEFAULT …; or another type: {alter} TYPE {found.base}")
    about = OfColumn(table.name, found.name)
    if demands and not found.fills:
        yield Finding(SLUG, POINT, about, f"{here}, its domain {found.type} demands {demands[0]}", repair=left)
    elif asks := row.unfit(found):
        given = row.default(found) or "NULL"
        message = f"{here}, its domain {found.type} does not take what it gets, {given}"
        severity = "warning" if is_refilled(table) and not found.generated else "error"
        yield Finding(SLUG, POINT, about, message, severity, asks=asks, of_values=True, repair=left)


def _fills(guard: str, found: Column) -> bool:
    """Return whether a CHECK of a domain takes no NULL."""
    return any(atom.filled for atom in atoms(condition(guard, as_needed(found.name))))


def _narrow(found: Column, meant: Column, table: Table) -> Finding[OfColumn]:
    """Return the finding that a domain is made of a type which does not hold all values of the contract's."""
    here, domain = f"{table.name.name}.{found.name}", found.full_type.removesuffix("[]")
    message = f"{here} should be of the domain {domain} over {meant.base}, which is over {found.base}"
    where, column = q.quoted(table.stored_as or table.name), q.quoted([found.stored_as or found.name])
    moved = f"ALTER TABLE {where} ALTER COLUMN {column} TYPE"
    left = refuse(f"create a domain over {meant.base} under another name, then run for each column: {moved} …")
    return Finding(SLUG, POINT, OfColumn(table.name, found.name), message, repair=left, aspect="type")


def _finding(guard: str, found: Column, wanted: Column, table: Table) -> Finding[OfColumn]:
    here = f"{table.name.name}.{wanted.name}"
    domain = element(found.type)
    whose = f"the domain {domain} of its elements" if domain else f"its domain {found.type}"
    message = f"{here} should take what the contract allows, {whose} demands {guard}"
    severity = "error" if guard == "NOT NULL" and not found.fills and not domain else "warning"
    ways = refuse(_ways(guard, found, wanted, table))
    about = OfColumn(table.name, wanted.name)
    return Finding(SLUG, POINT, about, message, severity=severity, repair=ways, aspect=guard)


def _more(found: Column, wanted: Column, table: Table) -> Iterable[str]:
    """Yield what the domain of a column demands beyond the contract."""
    known = premises(wanted, table.checks)
    same = {said(guard) for guard in wanted.guards}
    for guard in found.guards:
        if said(guard) in same:
            continue
        if element(found.type):  # the contract's checks are about the whole array
            yield guard
        elif guard == "NOT NULL":
            if not wanted.not_null:
                yield guard
        elif not entailed(guard, found, known, table):
            yield guard


def _ways(guard: str, found: Column, wanted: Column, table: Table) -> str:
    if found.full_type == wanted.full_type:
        what = guard if guard == "NOT NULL" else "CONSTRAINT …"  # whose name is not known
        domain = f"ALTER DOMAIN {found.full_type.removesuffix('[]')} DROP {what}"
        return f"if it is meant, add it to the domain in the contract; if not, run: {domain}"
    alter = f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([found.name])} TYPE {wanted.full_type}"
    return f"if it is meant, declare the domain in the contract; if not, run: {alter}"


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Let a domain demand more, where no row breaks that; refuse all else, as `detect` says."""
    about = finding.about
    if not isinstance(about, Lax):
        return finding.repair
    spelt = ".".join(map(as_needed, about.domain))
    statement = contract.schema.types.get(about.domain, ("",))[0]
    there = actual.types.get(about.domain, ("",))[0]
    action = "SET NOT NULL" if about.guard == "NOT NULL" else f"ADD {check_named(statement, about.guard, there)}"
    if about.nested:
        moved = f"ALTER TABLE {q.quoted(about.table)} ALTER COLUMN {q.quoted([about.name])} TYPE …"
        return refuse(f"arrays hold it, so PostgreSQL lets nobody change it: create another domain, then run {moved}")
    if will_be_nested(about.domain, actual):
        return refuse(f"arrays are to hold it, so run first: ALTER DOMAIN {spelt} {action}; then plan again")
    if finding.rows or about.domain.schema not in contract.schemas:
        held = ", or something else holds it" if finding.rows else ""
        return refuse(f"once no row breaks it{held}, run: ALTER DOMAIN {spelt} {action}")
    title = f"let the domain {about.domain.name} demand {about.guard}"
    return Repair.of([changed(about.domain, about.table, title, SQL(action), actual)])


WEIGHTS = "INSERT INTO weights (one, many) VALUES (1, '{2,3}'), (4, NULL)"
LAX = """ALTER DOMAIN weight DROP CONSTRAINT weight_check; ALTER DOMAIN weight DROP NOT NULL;
INSERT INTO weights (one, many) VALUES (-1, '{1}'), (1, '{-1}'), (NULL, '{NULL}')"""
LOOSE = """ALTER DOMAIN "Sco%re" DROP CONSTRAINT "not {%} high"; ALTER DOMAIN "Sco%re" DROP CONSTRAINT "Sco%re_check";
ALTER DOMAIN "Sco%re" DROP NOT NULL"""
BROKEN = 'ALTER DOMAIN "Sco%re" DROP CONSTRAINT "not {%} high"; UPDATE rounds SET best = 100'
HELD = 'ALTER DOMAIN "Sco%re" DROP NOT NULL; CREATE SCHEMA apart; CREATE TABLE apart.kept (s "Sco%re")'
DOMAIN = "CREATE DOMAIN guarded AS text {}; ALTER TABLE reviews ALTER COLUMN body TYPE guarded"
SCORES = """ALTER TABLE shifts ALTER COLUMN scores DROP DEFAULT; CREATE DOMAIN score AS integer {};
ALTER TABLE shifts ALTER COLUMN scores TYPE score[]; ALTER TABLE shifts ALTER COLUMN scores SET DEFAULT '{{}}'"""


_NARROWED = (
    'ALTER TABLE paid ALTER sum TYPE numeric; DROP DOMAIN "am%ount"; CREATE DOMAIN "am%ount" AS {};'
    'ALTER TABLE paid ALTER sum TYPE "am%ount"'
)
SPECIMENS = (
    Specimen(
        "over numbers of fewer digits",
        _NARROWED.format("numeric(10, 2)"),
        manual=True,
        contract=amounts,
        setup="INSERT INTO paid (sum) VALUES (1.5)",
    ),
    Specimen("a check", DOMAIN.format("CHECK (VALUE ~ 'e')"), manual=True),
    Specimen(
        "a check of the domain below",
        DOMAIN.format("CHECK (VALUE ~ 'e'); CREATE DOMAIN upper AS guarded") + "; "
        "ALTER TABLE reviews ALTER COLUMN body TYPE upper",
        manual=True,
    ),
    Specimen(
        "of the elements of arrays",
        SCORES.format("CHECK (VALUE < 7)"),
        contract=shifts,
        setup=SHIFT_ROWS,
        manual=True,
    ),
    Specimen("that of the contract demands more", LAX, contract=weights, setup=WEIGHTS, rows=4, manual=True),
    Specimen(
        "NOT NULL on a column that the contract does not know",
        "CREATE DOMAIN g AS text NOT NULL; ALTER TABLE books ADD COLUMN x g DEFAULT 'x';"
        "ALTER TABLE books ALTER COLUMN x DROP DEFAULT",
        manual=True,
    ),
    Specimen(
        "a check for NOT NULL, in a column that the contract does not know",
        "CREATE DOMAIN g AS text CHECK (VALUE IS NOT NULL); ALTER TABLE reviews ADD COLUMN x g DEFAULT 'x';"
        "ALTER TABLE reviews ALTER COLUMN x DROP DEFAULT",
        manual=True,
    ),
    Specimen(
        "a default that it does not take, in a column that the contract does not know",
        "CREATE DOMAIN g AS varchar(3) DEFAULT 'a' CHECK (VALUE <> ''); CREATE DOMAIN h AS g;"
        "ALTER TABLE reviews ADD COLUMN x h DEFAULT 'ab'; ALTER TABLE reviews ALTER COLUMN x DROP DEFAULT;"
        "ALTER DOMAIN g ADD CHECK (length(VALUE) > 1)",
        manual=True,
    ),
    Specimen("NOT NULL", "UPDATE reviews SET body = '' WHERE body IS NULL;" + DOMAIN.format("NOT NULL"), manual=True),
    Specimen("more, which all rows fulfil", LOOSE, contract=scores, setup=SCORED),
    Specimen("more, which a row of another table breaks", BROKEN, rows=1, manual=True, contract=scores, setup=SCORED),
    Specimen("more, and another schema holds it", HELD, rows=1, manual=True, contract=scores, setup=SCORED),
)
NEAR_MISSES = (
    Specimen(
        "over numbers of more digits",
        _NARROWED.format("numeric(30, 4)"),
        contract=amounts,
        setup="INSERT INTO paid (sum) VALUES (1.5)",
    ),
    Specimen(
        "the table demands it in place of the domain",
        "ALTER DOMAIN weight DROP NOT NULL; ALTER TABLE weights ALTER COLUMN one SET NOT NULL",
        contract=partial(weights, many=False),
        setup="INSERT INTO weights (one) VALUES (1), (4)",
    ),
    Specimen("without a check", DOMAIN.format("")),
    Specimen("of the elements of arrays, without a check", SCORES.format(""), contract=shifts, setup=SHIFT_ROWS),
    Specimen(
        "a check that follows from the contract",
        "CREATE DOMAIN money_ AS numeric(10,2) CHECK (VALUE > -5); ALTER TABLE books ALTER COLUMN price TYPE money_",
    ),
    Specimen(
        "NOT NULL on a column that the contract does not know, with a default",
        "CREATE DOMAIN g AS text NOT NULL DEFAULT 'x'; ALTER TABLE books ADD COLUMN x g",
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
