"""A unique or an exclusion constraint that the contract lacks refuses rows that the contract allows.

So does an index over an expression that fails.

Costs: inserts and updates by code that follows the contract fail with 23505 duplicate key, with 23P01 for an exclusion,
or with the error of the expression.
Cure: where the contract has a weaker form of it (partial, over more columns, deferrable, with NULLs distinct), that one
takes its place. Else a person decides, because somebody may have meant it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import BOOKING_ROWS, bookings, tenancy
from fixer.defects._rooms import ROOM_ROWS, rooms
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, canonical
from fixer.model.finding import Finding
from fixer.model.obstacle import REPLICA_IDENTITY
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Part, Phase, Repair, Step, refuse
from fixer.model.subject import StrayIndex
from fixer.model.table import Index, QName, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.apart import choices, elsewhere, is_apart, probe
from fixer.repair.constraints.exclusions import is_replaced
from fixer.repair.constraints.online import BESIDE, unique
from fixer.repair.defaults.left_out import LeftOut
from fixer.sql import compose as q
from fixer.sql.alter import drop_constraint
from fixer.sql.compose import SQL, Composable
from fixer.sql.uniques import Claim, as_meant, claim, demand, is_meant, is_proved, removal, spelt, weaker_form

SLUG = "rogue-unique"
POINT = 5
STAGE = Stage.PARTS


@dataclass(frozen=True)
class RogueIndex(StrayIndex):
    """An index that refuses more than the contract; `instead` is its weaker form in the contract, if any."""

    instead: Index | None = None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[RogueIndex]]:
    """Yield the uniques and exclusions that refuse more than those of the contract do."""
    for wanted, table in walk.tables(actual, contract):
        for index in table.indexes:
            found = None if index.name.startswith(BESIDE) else demand(index, wanted, table)
            if index.overlaps_not and any(_stands_for(index, key, table, contract) for key in wanted.indexes):
                continue
            if found and not is_meant(found, wanted) and not is_replaced(index, table, wanted):
                yield _finding(index, found, table.name, weaker_form(found, wanted))
        meant = {canonical(index.tail) for index in wanted.indexes}
        others = [index for index in table.indexes if canonical(index.tail) not in meant]
        yield from _failing(LeftOut(table, wanted, actual), others)
    for wanted, root, part in walk.parts(actual, contract):
        for index in part.indexes:
            found = None if index.name.startswith(BESIDE) else _below(index, wanted, root)
            if found and is_apart(index, part.name, root) and not _is_declared(index, part.name, contract):
                yield _alone(index, found, part.name, wanted, root)
    for wanted, root in walk.tables(actual, contract, alike=True):
        for name, index in elsewhere(root, actual.tables.keys()) if root.kind == "p" else ():
            if (found := _below(index, wanted, root)) and not _is_declared(index, name, contract):
                left = refuse(f"if it is meant, add it to the contract; if not, run: {removal(index, name)}")
                yield replace(_alone(index, found, name, wanted, root), repair=left)


def _stands_for(index: Index, key: Index, table: Table, contract: Contract) -> bool:
    """Return whether an index is what the models mean by a key, for which they have no word."""
    meant = as_meant(key, table, contract)
    return meant != key and (meant.columns, meant.tail) == (index.columns, index.tail)


def _failing(row: LeftOut, others: Iterable[Index]) -> Iterator[Finding[RogueIndex]]:
    """Yield the indexes over expressions that fail for plain values, with the probe that computes them."""
    name = row.table.name
    for index in others:
        if found := row.failing(index):
            message = f"{name.name} should take all that the contract allows, {index.name} fails for some of it"
            severity, asks = "error" if found[1] else "warning", found[0]
            why = refuse(f"if nothing needs it, run: {removal(index, name)}")
            about = RogueIndex(name, index)
            message = f"{message}: {index.what}"
            found_ = Finding(SLUG, POINT, about, message, severity, asks=asks, of_values=True, repair=why)
            yield replace(found_, aspect="values")


def _below(index: Index, wanted: Table, root: Table) -> Claim | None:
    """Return what an index of a partition refuses unlike the contract; what goes in by the root has its defaults."""
    found = demand(replace(index, primary=False), wanted, root)
    return found if found and not is_meant(found, wanted) else None


def _is_declared(index: Index, part: QName, contract: Contract) -> bool:
    """Return whether the contract lets a partition have a unique that its table has not."""
    alone = contract.schema.alone.get(part, Table(part))
    return canonical(index.tail) in {canonical(each.tail) for each in alone.indexes}


def _alone(index: Index, found: Claim, part: QName, wanted: Table, root: Table) -> Finding[RogueIndex]:
    """Return the finding of an index that a partition has alone."""
    finding, single = _finding(index, found, part, weaker_form(found, wanted)), choices(found, root, wanted)
    return replace(finding, asks=partial(probe, part, root, single), of_values=True) if single else finding


def _finding(index: Index, found: Claim, name: QName, weaker: Index | None) -> Finding[RogueIndex]:
    about = RogueIndex(name, index, weaker)
    if weaker:
        message = f"{name.name} should demand {spelt(weaker)} only, {index.name} refuses more: {spelt(index)}"
        return Finding(SLUG, POINT, about, message)
    why = refuse(f"if it is meant, add it to the contract; if not, run: {removal(index, name)}")
    if found.allows_one:
        message = f"{name.name} should take many rows, {index.name} lets one alone have the default: {spelt(index)}"
        return Finding(SLUG, POINT, about, message, repair=why)
    message = f"{name.name} should take all that the contract allows, {index.name} refuses some of it: {spelt(index)}"
    return Finding(SLUG, POINT, about, message, severity="warning", repair=why)


def repair(finding: Finding[RogueIndex], actual: Schema, contract: Contract) -> Repair:
    """Drop it, and see that its weaker form stands."""
    name, index, weaker = finding.table, finding.about.found, finding.about.instead
    table = actual.tables[name]
    for key in actual.incoming(name):
        if set(key.target_columns) == set(index.columns):
            return refuse(f"the foreign key {key.name} of {key.table} needs it: drop that first")
    if any(each.name == f"{REPLICA_IDENTITY}{as_needed(index.name)}" for each in table.obstacles):
        return refuse(f"{name.name} has it as REPLICA IDENTITY: let it have another first")
    kept = _kept(weaker, table, actual, contract) if name in contract.tables else ()  # else it is its root's
    return Repair.of([*_dropped(index, table), *kept])


def _dropped(index: Index, table: Table) -> Iterator[Part]:
    """Yield the step that drops the index; online, that is the last one."""
    title, name = f"drop {index.name}, which refuses more than the contract", table.name
    if index.constraint or index.exclusion:
        step = drop_constraint(name, index.name, title, hazard=Hazard.REPLACES_CONSTRAINT)
        yield step.online_as((replace(step, phase=Phase.REPLACED),))
        return
    index_name = q.name(QName(name.schema, index.name))
    drop = SQL("DROP INDEX {}").format(index_name)
    step = Step(Phase.RELEASE, name, title, drop, hazard=Hazard.REPLACES_CONSTRAINT)
    if table.kind == "p":  # which knows no CONCURRENTLY
        yield step.online_as((replace(step, phase=Phase.REPLACED),))
        return
    lightly = SQL("DROP INDEX CONCURRENTLY {}").format(index_name)
    lock = Lock.SHARE_UPDATE_EXCLUSIVE
    yield step.online_as((replace(step, phase=Phase.REPLACED, sql=lightly, lock=lock, concurrent=True),))


def _kept(weaker: Index | None, table: Table, actual: Schema, contract: Contract) -> Iterator[Part]:
    """Yield the step that adds the weaker form, if only such stronger ones prove it today."""
    if weaker is None or weaker.primary or weaker.exclusion or not is_proved(weaker, table):
        return
    wanted = contract.tables[table.name]
    kept = claim(weaker, wanted)
    others = tuple(i for i in table.indexes if not (i.unique and claim(i, table).is_stronger_than(kept, wanted)))
    if not is_proved(weaker, replace(table, indexes=others)):
        yield unique(weaker, table.name, actual)


HAZARD = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "an index over an expression that fails",
        "CREATE TABLE kept AS TABLE reviews; TRUNCATE reviews; CREATE INDEX odd ON reviews ((1 / (id - id)))",
        manual=True,
    ),
    Specimen("over fewer columns", "ALTER TABLE books ADD CONSTRAINT odd UNIQUE (title)", hazards=HAZARD),
    Specimen("an index over fewer columns", "CREATE UNIQUE INDEX odd ON books (title)", hazards=HAZARD),
    Specimen(
        "over all rows, where the contract means some",
        "DROP INDEX bookings_seat_key; ALTER TABLE bookings ADD CONSTRAINT odd UNIQUE (seat)",
        hazards=HAZARD,
        also=frozenset({"missing-unique"}),
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "over more rows than the contract means",
        "CREATE UNIQUE INDEX odd ON bookings (seat) WHERE gone IS NULL",
        hazards=HAZARD,
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "it speaks at once",
        "ALTER TABLE bookings DROP CONSTRAINT bookings_place_key, ADD CONSTRAINT bookings_place_key UNIQUE (place)",
        hazards=HAZARD,
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "it takes NULLs for alike",
        "UPDATE bookings SET code = id::text WHERE code IS NULL;"
        "ALTER TABLE bookings DROP CONSTRAINT bookings_code_key,"
        " ADD CONSTRAINT bookings_code_key UNIQUE NULLS NOT DISTINCT (code)",
        hazards=HAZARD,
        contract=bookings,
        setup=BOOKING_ROWS,
        minimum_version=15,
    ),
    Specimen(
        "a foreign key needs it",
        "ALTER TABLE books ADD UNIQUE (title); CREATE TABLE t (title varchar(40) REFERENCES books (title))",
        manual=True,
    ),
    Specimen("over columns that the contract lets repeat", "ALTER TABLE books ADD UNIQUE (pages)", manual=True),
    Specimen("over an expression", "CREATE UNIQUE INDEX odd ON authors (lower(name))", manual=True),
    Specimen(
        "an exclusion",
        "ALTER TABLE books ADD CONSTRAINT odd EXCLUDE (title WITH =, pages WITH =)",
        manual=True,
    ),
    Specimen(
        "an exclusion over more rows than the contract means",
        "ALTER TABLE rooms ADD CONSTRAINT odd EXCLUDE USING gist (hours WITH &&)",
        hazards=HAZARD,
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "an exclusion over all rows, where the contract means some",
        "ALTER TABLE rooms DROP CONSTRAINT rooms_free, ADD CONSTRAINT odd EXCLUDE USING gist (hours WITH &&)",
        hazards=HAZARD,
        also=frozenset({"missing-exclusion"}),
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen(
        "over an unknown column whose default repeats",
        "ALTER TABLE reviews ADD COLUMN n integer UNIQUE; ALTER TABLE reviews ALTER COLUMN n SET DEFAULT abs(-1)",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "indexes over expressions",
        "CREATE INDEX odd ON reviews ((id % 7), upper(body)) WHERE id % 2 = 1 AND body IS NOT NULL;"
        "CREATE INDEX even ON books ((price / 2), (title || 'x') DESC) INCLUDE (author_id)",
    ),
    Specimen("an exclusion that says the same", "ALTER TABLE authors ADD EXCLUDE USING btree (name WITH =)"),
    Specimen(
        "a unique that says the same as an exclusion",
        "ALTER TABLE rooms ADD UNIQUE (place) DEFERRABLE INITIALLY DEFERRED",
        contract=rooms,
        setup=ROOM_ROWS,
    ),
    Specimen("over more columns", "ALTER TABLE books ADD UNIQUE (title, author_id, pages)"),
    Specimen("over a part of the rows", "CREATE UNIQUE INDEX odd ON authors (name) WHERE active"),
    Specimen("with the key", "ALTER TABLE books ADD UNIQUE (id, price)"),
    Specimen("over numbers of the database", "CREATE UNIQUE INDEX odd ON members (id)", contract=tenancy, setup=""),
    Specimen("over an unknown column", "ALTER TABLE books ADD COLUMN isbn text UNIQUE"),
    Specimen("with an unknown column", "ALTER TABLE books ADD COLUMN isbn text, ADD UNIQUE (pages, isbn)"),
    Specimen(
        "over numbers of an unknown column",
        "ALTER TABLE books ADD COLUMN n integer GENERATED BY DEFAULT AS IDENTITY UNIQUE",
    ),
    Specimen("for patterns", "CREATE UNIQUE INDEX odd ON authors (name varchar_pattern_ops)"),
    Specimen(
        "what an expression of the contract already tells apart",
        "CREATE UNIQUE INDEX odd ON bookings (owner)",
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
    Specimen(
        "a condition more than the contract's",
        "CREATE UNIQUE INDEX odd ON bookings (seat) WHERE gone IS NULL AND paid AND code IS NULL",
        contract=bookings,
        setup=BOOKING_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add a unique over one column."""
    held = [index.columns[0] for index in table.indexes if index.unique]
    for name in dict.fromkeys([*filter(None, held), *(column.name for column in plant.bare(table))]):
        yield plant.altered(table.name, "ADD CONSTRAINT pgmend_rogue_unique UNIQUE ({})", name)
