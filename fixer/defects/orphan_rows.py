"""Rows reference a parent that does not exist.

Costs: the foreign key cannot be added, or exists although rows violate it; joins lose these rows.
Cure: as the contract declares, move them to quarantine, give them to the default row, or set the reference to NULL.
Without a hint, ON DELETE SET NULL sets a nullable reference to NULL; any other action moves the row to quarantine.
A person decides if a unique or a check would refuse the default row, or the NULL; and, where no hint says what becomes
of orphans, if the parent is missing, or has no rows at all under ten or more: these may be elsewhere.
Hint: `orphans` on the column of the foreign key says what becomes of them: "quarantine", "adopt" or "null".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._circles import RING_ROWS, ring
from fixer.defects._databases import COMPANY_ROWS, LOAN_ROWS, TENANCY_ROWS, company, loans, tenancy
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Guaranteed, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfForeignKey
from fixer.model.table import ForeignKey, QName, Table
from fixer.repair.constraints.foreign_keys import best, is_comparable, is_indexed, reproved, retyped_in
from fixer.repair.probe import parents, shown
from fixer.repair.quarantine import Mover
from fixer.repair.quarantine.refusing import instead, way_out
from fixer.repair.twins import hint
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.following import truly_orphaned
from fixer.sql.uniques import covers_by_period

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "orphan-rows"
POINT = 2
STAGE = Stage.PARTS
FEW = 10  # orphans of a table without rows that nobody need look for


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfForeignKey] | Guaranteed]:
    """Yield every wanted foreign key with the probe for orphans; a valid and enforced one vouches for its rows."""
    seen = set[tuple[QName, QName, frozenset[tuple[str, str]]]]()
    for key, found in walk.foreign_keys(actual, contract, alike=True):
        if (ends := (key.table, key.target, key.pairs)) in seen:
            continue  # another key of the contract references the same, and has the same orphans
        seen.add(ends)
        table = actual.tables[key.table]
        there, parent = [table.columns.get(column) for column in key.columns], actual.tables.get(key.target)
        if table.created or not (parent and parent.is_table) or not all(c and not c.mapped for c in there):
            continue
        keys = [parent.columns.get(column) for column in key.target_columns]
        if not all(column and not column.numbered for column in keys):
            continue  # the plan numbers the parent anew: no reference can mean those numbers
        if not is_comparable(key, actual):
            continue  # their types are findings of their own, which are left out
        if covers_by_period(parent, key.target_columns) or any(k.period and k.points_as(key) for k in found):
            continue  # several rows may cover the period together: no comparison of rows can tell
        right = best(key, found)
        if right and not key.validated and right.behaviour == key.behaviour and replace(right, validated=True).holds:
            continue  # the contract has it NOT VALID too: it is for new rows
        vouched = bool(right and right.holds and not retyped_in(right, actual))
        told = partial(_told, key, actual, contract, vouched=vouched)
        yield Guaranteed(SLUG, key.table, told) if vouched and not parent.created else told()


def _told(key: ForeignKey, actual: Schema, contract: Contract, *, vouched: bool) -> Finding[OfForeignKey]:
    message = f"{key.table.name}.{', '.join(key.columns)} points at no row of {key.target.name}"
    asks, about = partial(_orphans, key, actual), OfForeignKey(key)
    orphans = Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, vouched=vouched)
    if actual.tables[key.target].created and not _is_declared(key, contract):
        return replace(orphans, repair=_refind(key, contract))
    return replace(orphans, further=partial(_further, orphans, actual, contract))


def _further(orphans: Finding[OfForeignKey], actual: Schema, contract: Contract) -> Iterator[Finding[OfForeignKey]]:
    """Yield what a person has to decide before orphans are settled, with the probe for it."""
    key = orphans.about.wanted
    if not (_is_declared(key, contract) or key.table == key.target):
        message, why = f"{orphans.message}, which has none at all", _refind(key, contract)
        yield replace(orphans, message=message, asks=partial(_forlorn, key, actual), repair=why, aspect="no parents")
    yield from _refused(key, actual, contract, vouched=orphans.vouched)


def _is_declared(key: ForeignKey, contract: Contract) -> bool:
    """Return whether a hint says what becomes of orphans."""
    return any(contract.hints[key.table].of(column).orphans for column in key.columns)


def _refind(key: ForeignKey, contract: Contract) -> Repair:
    """Refuse to settle all references to a table that has no rows: somebody may have them."""
    gone, way = key.target.name, hint(key.table, key.columns[0], "orphans", '"quarantine"', contract)
    old = hint(key.target, "", "legacy_names", '["…"]', contract)
    return refuse(
        f"bring the rows of {gone} back first, from a backup or elsewhere (if that is a table of another name, declare"
        f" {old}); if they are gone for good, declare {way} for {key.table.name}.{key.columns[0]}"
    )


def _forlorn(key: ForeignKey, actual: Schema) -> Probe:
    """Return the probe for orphans of a parent without any row, unless they are few."""
    probe = _orphans(key, actual)
    none = SQL("NOT EXISTS (SELECT FROM {})").format(parents(actual.tables[key.target]))
    first = SQL("(SELECT count(*) FROM (SELECT FROM {} WHERE {} LIMIT {few}) AS o) = {few}")
    many = first.format(probe.source, probe.condition, few=Literal(FEW))
    return replace(probe, condition=q.all_of([none, many, probe.condition]), table=None, places=())


def _refused(key: ForeignKey, actual: Schema, contract: Contract, *, vouched: bool) -> Iterator[Finding[OfForeignKey]]:
    """Yield a finding for each constraint that may refuse what orphans get, with the probe for those that it would."""
    table, values = actual.tables[key.table], Mover(actual, contract).given(key)
    if not values:
        return
    today = SQL("(SELECT t.* FROM {})").format(q.rows_of(actual.tables[key.target], own=True))
    given = {c: q.instead(value, q.name(key.target), today) for c, value in values.items()}
    rewriting, deed = instead(table, given, truly_orphaned(key, table, parents(actual.tables[key.target])))
    columns = ", ".join(key.columns)
    for what, asks in (*rewriting.refused(actual, contract), *rewriting.excluded(contract)):
        message = f"{key.table.name}.{columns} points at no row of {key.target.name}; {what} would refuse {deed}"
        finding = Finding(SLUG, POINT, OfForeignKey(key), message, asks=asks, only_with_rows=True, vouched=vouched)
        yield replace(finding, repair=refuse(way_out(key, contract)), aspect=what)


def _orphans(key: ForeignKey, actual: Schema) -> Probe:
    table, parent = actual.tables[key.table], actual.tables[key.target]
    probe = Probe(
        q.rows_of(table, own=True),
        truly_orphaned(key, table, parents(parent)),
        (*shown(table), *(q.column(column) for column in key.columns)),
        shared=False,
        costly=not is_indexed(key, table),  # an index can count them alone; to keep rows as well takes the table
    )
    as_today = not (table.inherits or table.heirs) and q.is_stored(table) and q.is_stored(parent)
    return replace(probe, table=key.table, places=(SQL("t.ctid"),)) if probe.costly and as_today else probe


def repair(finding: Finding[OfForeignKey], actual: Schema, contract: Contract) -> Repair:
    """Treat the orphans as the contract declares; a valid key whose column changes type is NOT VALID until then."""
    wanted = finding.about.wanted
    there = best(wanted, actual.tables[wanted.table].foreign_keys)
    proofs = there and there.holds and there.behaviour == wanted.behaviour and retyped_in(there, actual)
    again = reproved(there, actual) if there and proofs else ()
    return Repair.of((*again, *Mover(actual, contract).orphans(wanted, rows=finding.rows, stand=finding.places)))


def _cells() -> sa.MetaData:
    """Return a contract whose columns have the names that a sample gives its cells."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    c0, c1, c2 = (sa.Column(f"c{n}", sa.Integer, primary_key=n > 0, autoincrement=False) for n in range(3))
    sa.Table("grid", metadata, c0, c1, c2)
    cells = [sa.Column(f"c{n}", sa.Integer, primary_key=n == 0, autoincrement=False) for n in range(3)]
    sa.Table("marks", metadata, *cells, sa.ForeignKeyConstraint(["c1", "c2"], ["grid.c1", "grid.c2"], name="on_grid"))
    return metadata


LOAD = "SET LOCAL session_replication_role = replica;"
SPECIMENS = (
    Specimen(
        "to quarantine, with what hangs on them",
        "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey; UPDATE books SET author_id = 77 WHERE id < 3",
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=6,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "adopted by the default row",
        "ALTER TABLE books DROP CONSTRAINT books_editor_id_fkey; UPDATE books SET editor_id = -1 WHERE id < 4",
        hazards=frozenset({"rewrites-values"}),
        rows=3,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "set to NULL",
        "ALTER TABLE books DROP CONSTRAINT books_reviewer_id_fkey; UPDATE books SET reviewer_id = 0 WHERE id < 5",
        hazards=frozenset({"rewrites-values"}),
        rows=4,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "under a key that is valid by the catalogue",
        f"{LOAD} UPDATE reviews SET book_id = 99 WHERE id < 4",
        hazards=frozenset({"moves-rows"}),
        rows=3,
        quarantined=3,
        superuser=True,
    ),
    Specimen(
        "in a table that references itself, with those under them",
        "ALTER TABLE employees DROP CONSTRAINT employees_manager_id_fkey;"
        "UPDATE employees SET manager_id = 99 WHERE id = 3",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=4,
        also=frozenset({"missing-foreign-key"}),
        contract=company,
        setup=COMPANY_ROWS,
    ),
    Specimen(
        "under a key of two columns, of which one says null",
        "ALTER TABLE tasks DROP CONSTRAINT tasks_tenant_id_member_id_fkey; UPDATE tasks SET member_id = 7 WHERE id < 4",
        hazards=frozenset({"rewrites-values"}),
        rows=3,
        also=frozenset({"missing-foreign-key"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "under a key of two columns, in tables whose columns are named c0, c1, c2",
        "ALTER TABLE marks DROP CONSTRAINT on_grid; UPDATE marks SET c2 = 9 WHERE c0 = 1",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=1,
        also=frozenset({"missing-foreign-key"}),
        contract=_cells,
        setup="INSERT INTO grid SELECT n, n, n FROM generate_series(1, 3) AS n; INSERT INTO marks TABLE grid",
    ),
    Specimen(
        "under two foreign keys of one column",
        "ALTER TABLE loans DROP CONSTRAINT plain, DROP CONSTRAINT cascading, DROP CONSTRAINT plain_again;"
        "UPDATE loans SET copy_id = 77 WHERE id < 3",
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-foreign-key"}),
        contract=loans,
        setup=LOAN_ROWS,
    ),
    Specimen(
        "in tables whose foreign keys form a circle, with what follows by turns",
        "ALTER TABLE teams DROP CONSTRAINT teams_office_id_fkey; UPDATE teams SET office_id = 9 WHERE id = 1",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=5,
        also=frozenset({"missing-foreign-key"}),
        contract=ring,
        setup=RING_ROWS,
    ),
    Specimen(
        "that no foreign key follows yet, in such tables",
        "ALTER TABLE teams DROP CONSTRAINT teams_office_id_fkey, DROP CONSTRAINT teams_lead_id_fkey;"
        "ALTER TABLE badges DROP CONSTRAINT badges_team_id_fkey; UPDATE teams SET office_id = 9 WHERE id = 1",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=5,
        also=frozenset({"missing-foreign-key"}),
        contract=ring,
        setup=RING_ROWS,
    ),
    Specimen(
        "of a parent that is gone",
        "DROP TABLE books CASCADE; DELETE FROM reviews WHERE id > 5",
        rows=5,
        manual=True,
        also=frozenset({"missing-table", "missing-foreign-key"}),
    ),
    Specimen(
        "of a parent that was emptied",
        f"{LOAD} DELETE FROM books",
        rows=96,
        manual=True,
        superuser=True,
        deep=True,
    ),
    Specimen(
        "that reference each other in a circle",
        "ALTER TABLE teams DROP CONSTRAINT teams_office_id_fkey;"
        "UPDATE teams SET office_id = 9, lead_id = 1 WHERE id = 1",
        rows=1,
        manual=True,
        also=frozenset({"missing-foreign-key"}),
        contract=ring,
        setup=RING_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("a reference that is NULL points at nothing", "UPDATE books SET reviewer_id = NULL"),
    Specimen("a parent without children", "INSERT INTO authors (name) VALUES ('childless')"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a foreign key, and let rows reference nothing."""
    for key in table.foreign_keys:
        for strays in plant.strays(table, key, 2):
            yield plant.block(plant.without(table.name, key.name), strays)
