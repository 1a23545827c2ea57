"""A table has no primary key, although the contract wants one; or the target, which is its own contract, declares none.

Costs: nothing can reference it (42830 there is no unique constraint matching given keys), and rows may repeat.
Cure: ADD PRIMARY KEY, on an existing unique index if one fits. Where none is declared, a person decides: a note tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import TENANCY_ROWS, tenancy
from fixer.defects._rooms import STAYING, stays
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfPrimaryKey, OfTable
from fixer.model.table import Index, Table
from fixer.model.values import dataclass
from fixer.repair.constraints import conflicts, online
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable

SLUG = "missing-primary-key"
POINT = 1
STAGE = Stage.PARTS


@dataclass(frozen=True)
class MissingKey(OfPrimaryKey):
    """A missing primary key, or a `partial` one, which some partitions lack."""

    partial: Index | None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the tables that lack the wanted primary key, in all or in some partitions, and those that declare none."""
    for _, table, key in walk.primary_keys(actual, contract):
        there = table.primary_key
        if there is None or (table.inherits and not there.valid):
            lack = f"some partitions lack {there.name}" if there else "has none"
            message = f"{table.name.name} should have PRIMARY KEY ({key.listed}), {lack}"
            yield Finding(SLUG, POINT, MissingKey(table.name, key, there), message)
    if contract.itself:
        yield from map(_keyless, (each for each, _ in walk.tables(actual, contract, alike=True) if not _is_known(each)))


def _is_known(table: Table) -> bool:
    """Return whether a primary key, or a unique of values that are never NULL, tells the rows of a table apart."""
    if table.primary_key:
        return True
    filled = {column.name for column in table.columns.values() if column.not_null}
    return any(i.unique and not i.partial and set(i.columns) <= filled for i in table.indexes)


def _keyless(table: Table) -> Finding[OfTable]:
    """Return a note that nothing tells the rows of a table apart."""
    message = f"{table.name.name} has no key: nothing tells its rows apart"
    why = refuse(f"add one, as by ALTER TABLE {q.quoted(table.name)} ADD PRIMARY KEY (…)")
    return Finding(SLUG, POINT, OfTable(table.name), message, severity="info", repair=why)


def repair(finding: Finding[MissingKey], actual: Schema, contract: Contract) -> Repair:
    """Add the primary key."""
    key, table = finding.about.wanted, actual.tables[finding.table]
    if finding.about.partial:
        return refuse("give each partition the key, and ATTACH its index to that of its root")
    if table.inherits and not set(key.columns) <= set(table.columns):
        return refuse(f"{finding.table.name} takes part in inheritance and lacks a column of its key")
    ddl.alone(table, key)
    ddl.whole(table, key.columns)
    conflicts.see_that_periods_compare(key, table)
    title = f"add PRIMARY KEY ({key.listed}) to {finding.table.name}"
    ready = online.ready_index(key, table)
    name = ready or ddl.free_constraint_name(table, actual, table.name, key.name, index=True)
    clause = online.using(name, key, ready) if ready else ddl.key_clause(name, key)
    step = alter(Phase.INDEXES, finding.table, title, SQL("ADD {}").format(clause))
    online.see_that_heirs_inherit(table, key.columns, actual)
    add = step.online_as(online.key(name, table, key, actual, title, ready=ready))
    return Repair.of((*online.proved_at_once(table, key, actual), add))


BREAK = "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey"
SPECIMENS = (
    Specimen("dropped", BREAK),
    Specimen(
        "dropped together with the references to it",
        "ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE",
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "an interrupted run left the check that proves its column filled",
        f"{BREAK}; ALTER TABLE reviews ALTER id DROP NOT NULL;"
        "ALTER TABLE reviews ADD CONSTRAINT pgmend_new_id_not_null CHECK (id IS NOT NULL)",
    ),
    Specimen("an index stands where the key should", f"{BREAK}; CREATE UNIQUE INDEX odd ON reviews (id)"),
    Specimen("a unique constraint stands beside", f"{BREAK}; ALTER TABLE reviews ADD UNIQUE (id)"),
    Specimen(
        "of two columns, and what references it",
        "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE",
        also=frozenset({"missing-foreign-key"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "WITHOUT OVERLAPS",
        "ALTER TABLE stays DROP CONSTRAINT stays_pkey",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
    ),
)
NEAR_MISSES = (
    Specimen("the key has another name", "ALTER INDEX reviews_pkey RENAME TO odd"),
    Specimen("a table that the contract does not know has none", "CREATE TABLE extra (id integer)"),
    Specimen(
        "its columns stand in another order",
        "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE; ALTER TABLE members ADD PRIMARY KEY (id, tenant_id);"
        "ALTER TABLE tasks ADD FOREIGN KEY (member_id, tenant_id) REFERENCES members (id, tenant_id)",
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop the primary key, with the references to it."""
    if table.primary_key:
        yield plant.without(table.name, table.primary_key.name)
