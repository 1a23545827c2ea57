"""The primary key is on other columns than in the contract, or speaks at another time: at once, or late.

Costs: the wanted columns may repeat, and nothing can reference them; or rows are refused before the transaction ends.
Cure: replace it in one transaction. A key on other columns stays as a unique constraint; foreign keys to it are added
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import BOOKING_ROWS, bookings
from fixer.defects._rooms import STAYING, stays
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Part, Phase, Repair, Step, refuse
from fixer.model.subject import FoundPrimaryKey
from fixer.model.table import ForeignKey, Index, QName, Table
from fixer.repair.constraints import online, references
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint, drop_foreign_key
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.uniques import demand, is_meant, patience, proved_only_by, removal, same_periods, spelt, weaker_form

SLUG = "wrong-primary-key"
POINT = 1
STAGE = Stage.PARTS
HAZARD = frozenset({"replaces-constraint"})


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundPrimaryKey]]:
    """Yield the tables whose primary key is on other columns or periods, or that speaks at another time."""
    for _, table, key in walk.primary_keys(actual, contract):
        found = table.primary_key
        if found is None:
            continue
        if set(found.columns) != set(key.columns) or patience(found) != patience(key) or not same_periods(key, found):
            wanted, stands = (f"PRIMARY KEY ({k.listed}){ddl.deferral(k.deferrable, k.deferred)}" for k in (key, found))
            message = f"{table.name.name} should have {wanted}, has {stands}"
            yield Finding(SLUG, POINT, FoundPrimaryKey(table.name, key, found), message)


def repair(finding: Finding[FoundPrimaryKey], actual: Schema, contract: Contract) -> Repair:
    """Replace the key; keep the old one as a unique constraint, with the foreign keys that referenced it.

    Refuse if it is WITHOUT OVERLAPS, which no plain unique replaces. It goes where the contract has a weaker form of
    it, which a person decides if foreign keys need it.
    """
    found = finding.about.found
    if found.overlaps_not:
        return refuse(
            f"{found.name} is WITHOUT OVERLAPS, and would be lost; if it shall go, run: {removal(found, finding.table)}"
        )
    if finding.about.wanted.overlaps_not:
        return refuse(
            "rows whose periods overlap would be refused, and a plain foreign key cannot use it; if none need it, run:"
            f" {removal(found, finding.table)}, ADD {spelt(finding.about.wanted)}"
        )
    _, again = _dependents(finding, actual, contract)
    if again and finding.about.wanted.deferrable and {*found.columns} == {*finding.about.wanted.columns}:
        return refuse(f"the foreign key {again[0].name} of {again[0].table} needs it to speak at once: drop that first")
    if again and not _may_stay(finding, actual, contract):
        old = ", ".join(found.columns)
        return refuse(
            f"the foreign key {again[0].name} of {again[0].table} needs ({old}) to be unique, which refuses more than"
            " the contract: drop that first"
        )
    return Repair.of(_steps(finding, actual, contract))


def _dependents(
    finding: Finding[FoundPrimaryKey], actual: Schema, contract: Contract
) -> tuple[list[ForeignKey], list[ForeignKey]]:
    """Return the foreign keys that reference the old key, and those of them to be added again."""
    old = finding.about.found
    dependents = [k for k in actual.incoming(finding.table) if set(k.target_columns) == set(old.columns)]
    return dependents, [key for key in dependents if not _replaced(key, contract)]


def _may_stay(finding: Finding[FoundPrimaryKey], actual: Schema, contract: Contract) -> bool:
    """Return whether the old key may stay as a unique constraint: many rows can, and no weaker form of it is wanted."""
    name, wanted = finding.table, contract.tables[finding.table]
    kept = demand(_old_key(finding, actual)[1], wanted, actual.tables[name])
    return kept is None or is_meant(kept, wanted) or not (kept.allows_one or weaker_form(kept, wanted))


def _steps(finding: Finding[FoundPrimaryKey], actual: Schema, contract: Contract) -> Iterator[Part]:
    table, (dependents, again) = actual.tables[finding.table], _dependents(finding, actual, contract)
    keeps = set(finding.about.found.columns) != set(finding.about.wanted.columns)
    keeps = keeps and _may_stay(finding, actual, contract)
    lightly = _online(finding, actual, dependents, again, keeps=keeps)
    parts = list(_at_once(finding, actual, dependents, again, keeps=keeps))
    if not (table.inherits or lightly is None):
        first, *rest = parts
        parts = [first.atomic.online_as(lightly), *(part.atomic.online_as(()) for part in rest)]
    yield from parts
    if not keeps:
        weaker = proved_only_by(finding.about.found, contract.tables[finding.table], table)
        yield from (online.unique(each, finding.table, actual) for each in weaker)


def _at_once(
    finding: Finding[FoundPrimaryKey],
    actual: Schema,
    dependents: list[ForeignKey],
    again: list[ForeignKey],
    *,
    keeps: bool,
) -> Iterator[Part]:
    key, old, name = finding.about.wanted, finding.about.found, finding.table
    table = actual.tables[name]
    for each in dependents:
        yield drop_foreign_key(each, "to be added again after the key it uses", hazard=Hazard.REPLACES_CONSTRAINT)
    yield drop_constraint(
        name, old.name, f"drop the primary key {old.name} of {name.name}", hazard=Hazard.REPLACES_CONSTRAINT
    )
    yield from online.proved_at_once(table, key, actual)
    columns = ", ".join(key.columns)
    new = ddl.key_clause(ddl.free_constraint_name(table, actual, name, key.name, index=True), key)
    yield alter(Phase.INDEXES, name, f"add PRIMARY KEY ({columns}) to {name.name}", SQL("ADD {}").format(new))
    if keeps:
        kept = ddl.key_clause(*_old_key(finding, actual))
        title = f"keep UNIQUE ({', '.join(old.columns)}) on {name.name}"
        yield alter(Phase.INDEXES, name, title, SQL("ADD {}").format(kept))
    for each in again:
        title = f"add the foreign key {each.name} again"
        add = SQL("ADD {}").format(ddl.foreign_key_clause(each.name, each))
        yield alter(Phase.FOREIGN_KEYS, each.table, title, add, touches=(name,))


def _old_key(finding: Finding[FoundPrimaryKey], actual: Schema) -> tuple[str, Index]:
    """Return the name and definition of the unique constraint that keeps the old key."""
    name, table = finding.table, actual.tables[finding.table]
    unique = replace(finding.about.found, primary=False, deferrable=False, deferred=False)
    return ddl.free_constraint_name(table, actual, name, f"{name.name}_old_key", index=True), unique


def _online(
    finding: Finding[FoundPrimaryKey],
    actual: Schema,
    dependents: list[ForeignKey],
    again: list[ForeignKey],
    *,
    keeps: bool,
) -> tuple[Step, ...] | None:
    """Return the steps that build both indexes, swap the keys under a brief lock, then validate foreign keys."""
    key, old, name = finding.about.wanted, finding.about.found, finding.table
    table = actual.tables[name]
    ready = online.ready_index(key, table)
    new = ready or ddl.free_constraint_name(table, actual, name, key.name, index=True)
    steps = online.key(new, table, key, actual, "", ready=ready)
    if steps is None:
        return None
    *built, promoted = steps
    # Two statements, not one, because the new key may take the name of the dropped one.
    actions = [SQL("DROP CONSTRAINT {}").format(Identifier(old.name)), SQL("ADD {}").format(online.using(new, key))]
    if keeps:
        kept, unique = _old_key(finding, actual)
        stands = online.ready_index(unique, table)
        kept = stands or kept
        built += () if stands else online.index(kept, table, unique, f"build the index of {kept}") or ()
        actions.append(SQL("ADD {}").format(online.using(kept, unique)))
    exchange = replace(
        promoted,
        title=f"replace the primary key {old.name} of {name.name} by PRIMARY KEY ({key.listed})",
        sql=SQL(";\n").join(_swap(name, actions, dependents, again)),
        action=None,
        hazard=Hazard.REPLACES_CONSTRAINT,
        touches=tuple(dict.fromkeys(each.table for each in dependents)),
    )
    proofs = [
        references.proved(each.table, each.name, name, f"prove the foreign key {each.name} again", 0)
        for each in again
        if each.enforced
    ]
    return (*built, exchange, *proofs)


def _swap(
    name: QName, actions: Iterable[Composable], dependents: Iterable[ForeignKey], again: Iterable[ForeignKey]
) -> Iterator[Composable]:
    """Yield the statements that drop foreign keys, swap the keys, and add the foreign keys again NOT VALID."""
    for each in dependents:
        yield SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(q.name(each.table), Identifier(each.name))
    for action in actions:
        yield SQL("ALTER TABLE {} {}").format(q.name(name), action)
    for each in again:
        clause = ddl.foreign_key_clause(each.name, each)
        yield SQL("ALTER TABLE {} ADD {} NOT VALID").format(q.name(each.table), clause)


def _replaced(key: ForeignKey, contract: Contract) -> bool:
    """Return whether the contract wants another foreign key in the place of this one."""
    wanted = [k for k in contract.foreign_keys() if k.table == key.table and set(k.columns) == set(key.columns)]
    return bool(wanted) and not any(key.points_as(k) for k in wanted)


def _of_late(name: str, when: str) -> Specimen:
    """Return a specimen of a contract whose key is deferrable."""
    breaks = f"ALTER TABLE late DROP CONSTRAINT late_pkey, ADD PRIMARY KEY (id) {when}"
    late = partial(str, "CREATE TABLE late (id integer PRIMARY KEY DEFERRABLE);")
    return Specimen(name, breaks, HAZARD, contract=late, setup="INSERT INTO late VALUES (1)")


def _of_bookings(name: str, key: str) -> Specimen:
    """Return a specimen with another key in a table of uniques that demand less."""
    breaks = f"ALTER TABLE bookings DROP CONSTRAINT bookings_pkey, ADD {key}"
    return Specimen(name, breaks, HAZARD, contract=bookings, setup=BOOKING_ROWS)


_CODED = (
    "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; ALTER TABLE reviews ADD COLUMN code text;"
    "UPDATE reviews SET code = 'R' || id; ALTER TABLE reviews ADD PRIMARY KEY (code)"
)
SPECIMENS = (
    _of_bookings("on a column that the contract has unique, but later", "PRIMARY KEY (place)"),
    Specimen(
        "a foreign key needs what refuses more than the contract",
        "ALTER TABLE bookings DROP CONSTRAINT bookings_pkey, ADD PRIMARY KEY (seat);"
        "CREATE TABLE taken (seat integer REFERENCES bookings (seat))",
        manual=True,
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    _of_bookings("on a column that the contract has unique for some rows", "PRIMARY KEY (seat)"),
    Specimen("on another column", _CODED, HAZARD, also=frozenset({"rogue-not-null"})),
    Specimen(
        "on another column, which has a default", f"{_CODED}; ALTER TABLE reviews ALTER code SET DEFAULT 'x'", HAZARD
    ),
    Specimen(
        "another table references it",
        f"{_CODED}; CREATE TABLE likes (review text REFERENCES reviews (code)); INSERT INTO likes VALUES ('R3')",
        hazards=HAZARD,
        also=frozenset({"rogue-not-null"}),
    ),
    Specimen(
        "a view groups by it",
        f'{_CODED};CREATE SCHEMA "o.d"; CREATE VIEW "o.d"."V" AS SELECT code, body FROM reviews GROUP BY code',
        manual=True,
        also=frozenset({"rogue-not-null"}),
    ),
    Specimen("deferrable", "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey, ADD PRIMARY KEY (id) DEFERRABLE", HAZARD),
    _of_late("deferred, and should not be so at first", "DEFERRABLE INITIALLY DEFERRED"),
    _of_late("at once, and should wait", ""),
    Specimen(
        "one that lets periods overlap",
        "ALTER TABLE stays DROP CONSTRAINT stays_pkey, ADD PRIMARY KEY (room, valid)",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
        manual=True,
    ),
    Specimen(
        "WITHOUT OVERLAPS of another column",
        "ALTER TABLE stays DROP CONSTRAINT stays_pkey, ADD PRIMARY KEY (valid, room WITHOUT OVERLAPS)",
        contract=stays,
        setup=STAYING,
        minimum_version=18,
        manual=True,
    ),
    Specimen(
        "WITHOUT OVERLAPS, where numbers tell rows apart",
        "ALTER TABLE prices DROP CONSTRAINT prices_pkey, DROP CONSTRAINT prices_room,"
        " ADD PRIMARY KEY (room, valid WITHOUT OVERLAPS)",
        also=frozenset({"missing-unique"}),
        contract=stays,
        setup=STAYING,
        minimum_version=18,
        manual=True,
    ),
    _of_bookings("in place of what is unique later", "PRIMARY KEY (place), DROP CONSTRAINT bookings_place_key"),
)
NEAR_MISSES = (Specimen("another unique stands beside it", "ALTER TABLE reviews ADD UNIQUE (id, body)"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let the primary key be deferrable, or on other columns."""
    if not table.primary_key:
        return
    drop = plant.without(table.name, table.primary_key.name)
    name, columns = Identifier(table.primary_key.name), q.names(table.primary_key.columns)
    late = SQL("ADD CONSTRAINT {} PRIMARY KEY ({}) DEFERRABLE").format(name, columns)
    yield plant.block(drop, ddl.altered(table.name, late))
    for column in plant.writable(table):
        if column.not_null and column.name not in table.primary_key.columns:
            yield plant.block(drop, plant.altered(table.name, "ADD PRIMARY KEY ({})", column.name))
