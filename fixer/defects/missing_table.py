"""A table of the contract is missing, or a partition that SQL or a database declares.

Costs: every statement that names it fails with 42P01 undefined_table. A row for a partition that is missing is refused
with 23514 check_violation.
Cure: create it, partitioned and with its partitions as the contract says; keys, indexes and foreign keys follow as for
any other table. A person decides if a table with rows has its name in another schema, or a name that differs only in
capitals, blanks, hyphens or underscores. A person decides about a partition if a table has its name, if others take
some of its rows, or if the DEFAULT partition holds some. If the database has other tables but none of the contract,
it may be the wrong one: the repair then needs the hazard creates-schema.
Hint: `legacy_names` on the table: the other name, or an empty list if there never was another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects._counters import boxed
from fixer.defects._desk import DESK_ROWS, desk
from fixer.defects.missing_inheritance import EVENT_ROWS, events
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression.bounds import bound_of, fitting
from fixer.model.finding import Finding, Probe
from fixer.model.schema import COUNTED, Partition, Schema
from fixer.model.step import Hazard, Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable, OtherTable
from fixer.model.table import TABLES, QName, Table
from fixer.repair.columns import as_it_stands, unmade, unread, untyped
from fixer.repair.constraints import partitions
from fixer.repair.constraints.partitions import OfPartition
from fixer.repair.counting.attaching import wire
from fixer.repair.counting.coming import as_counted, attached, coming
from fixer.repair.counting.heirs import counts_elsewhere
from fixer.repair.owners import belonging
from fixer.repair.twins import KINDS, filled, question, told, twins_of, way_out
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-table"
POINT = 4
STAGE = Stage.TABLES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the tables that exist neither under their name nor under a legacy name, or only as a view or the like."""
    for name, wanted in contract.tables.items():
        olds = [name._replace(name=old) for old in contract.hints[name].legacy_names]
        legacy = [actual.tables[old] for old in olds if old in actual.tables and old not in contract.tables]
        if name not in actual.tables and not any(table.is_table for table in legacy):
            columns = f"{len(wanted.columns)} columns" if len(wanted.columns) > 1 else "one column"
            message = f"{name.name} should be a table of {columns}, is missing"
            twins = twins_of(name, actual, contract)
            if legacy:
                message += f"; {legacy[0].name.name}, its legacy name, is {KINDS[legacy[0].kind]}"
            elif twins:
                message += f", but {told(twins)}"
            about = OtherTable(name, legacy[0]) if legacy else OfTable(name)
            yield Finding(SLUG, POINT, about, message, rows=sum(min(twin.rows or 0, COUNTED) for twin in twins))
        elif name in actual.tables and actual.tables[name].kind not in TABLES:
            message = f"{name.name} should be a table, is {KINDS[actual.tables[name].kind]}"
            yield Finding(SLUG, POINT, OtherTable(name, actual.tables[name]), message)
    for part in partitions.missing(actual, contract):
        yield _lacking(part, actual)


def _lacking(part: Partition, actual: Schema) -> Finding[OfTable]:
    """Return the finding of a missing partition, which counts the rows for it in the DEFAULT partition."""
    message = f"{part.of.name} should have the partition {part.name.name} {part.bound}, has none for these rows"
    rest, above = actual.tables[part.of].rest, actual.tables[part.of]
    condition = fitting(bound_of(part.bound), above.parted_by) if rest else ""
    asks = partial(Probe, q.rows_of(Table(rest)), SQL(f"({condition})")) if rest and condition else None
    return Finding(SLUG, POINT, OfPartition(part.name, part), message, asks=asks)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Create the table; refuse if a twin may hold its rows, or something else has its name."""
    if isinstance(finding.about, OfPartition):
        return _parted(finding.about.wanted, finding.rows, actual, contract)
    if isinstance(finding.about, OtherTable):
        return refuse(f"{finding.message}; pgmend does not replace what stands there")
    if twins := filled(twins_of(finding.table, actual, contract)):
        return refuse(way_out(finding.table, twins, contract))
    if finding.table in actual.names:
        return refuse(f"an index, a sequence or a type is called {finding.table.name}: rename that")
    wanted, session = contract.tables[finding.table], actual.session
    if session and wanted.name.schema not in session.schemas:
        return refuse(f"its schema {wanted.name.schema} is missing: let that be created as well")
    lacks = (untyped(c, actual) or unmade(wanted.name, c, actual, contract) for c in wanted.columns.values())
    if why := next(filter(None, lacks), ""):
        return refuse(why)
    below = [*partitions.below(wanted.name, contract)]
    if taken := next((part for part in below if part.name in actual.tables or part.name in actual.names), None):
        return refuse(_taken(taken, actual))
    types = [
        Step(Phase.TABLES, finding.table, f"create the type {c.enum}", ddl.create_type(c), Lock.NONE)
        for c in wanted.columns.values()
        if c.enum
    ]
    owner, shared = actual.owner_of_most(contract.tables), _counting_elsewhere(wanted, contract)
    counters = [coming(wanted.name, c, owner, actual, contract) for c in _without(wanted, shared).columns.values()]
    made = replace(wanted, columns={each.column.name: each.column for each in counters})
    create = Step(
        Phase.TABLES,
        finding.table,
        f"create the table {finding.table.name}",
        ddl.create_table(made, contract.schema.sequences),
        Lock.NONE,
        hazard=Hazard.CREATES_SCHEMA if question(actual, contract) else None,
    )
    created = belonging(create, "TABLE", finding.table, owner, actual)
    parts, wired = partitions.creating(below, actual, owner), _wired(wanted, shared, contract)
    before = [step for each in counters for step in each.before]
    return Repair.of((*types, *before, *created, *parts, *wired, *attached(counters, made, owner, actual, contract)))


def _counting_elsewhere(wanted: Table, contract: Contract) -> dict[str, QName]:
    """Return the columns that count by a sequence which a column of another table owns, as those of heirs do."""
    counters = {c.name: contract.schema.sequences.get(c.sequence) for c in wanted.columns.values() if c.sequence}
    owned = (
        (name, each.name, each.owned_by)
        for name, each in counters.items()
        if each and not wanted.columns[name].identity
    )
    return {name: counter for name, counter, owner in owned if owner and owner[0] != wanted.name}


def _wired(wanted: Table, shared: Mapping[str, QName], contract: Contract) -> list[Step]:
    """Return the steps that let columns count by sequences of tables that the contract does not know."""
    apart = [name for name in shared if not counts_elsewhere(wanted.name, wanted.columns[name], contract)]
    return [wire(shared[name], wanted.name, name, only=False) for name in apart]


def _without(wanted: Table, counting: Iterable[str]) -> Table:
    """Return a table whose columns do not count yet."""
    plain = {name: replace(wanted.columns[name], sequence=None, default=None) for name in counting}
    return replace(wanted, columns={**wanted.columns, **plain})


def _taken(part: Partition, actual: Schema) -> str:
    """Return what a person does about what has the name of a partition."""
    there = actual.tables.get(part.name)
    if there and there.is_table and there.part_of:
        return f"{there.name} is a partition of {there.part_of} {there.bound}: detach it, or rename it"
    return f"something else is called {part.name}: rename that"


def _parted(part: Partition, rows: int, actual: Schema, contract: Contract) -> Repair:
    """Create a partition, with those below it; refuse where rows for it are, or may be, in others."""
    above, there = actual.tables[part.of], actual.tables.get(part.name)
    if there and there.is_table and not there.part_of and there.parted_by != part.parted_by:
        return refuse("a table has its name that is partitioned otherwise: rename it, then plan again")
    if there and there.is_table and not there.part_of:
        return refuse(f"a table of its own has its name, perhaps detached: {partitions.attaching(part)}")
    if there or part.name in actual.names:
        return refuse(_taken(part, actual))
    siblings = [t for t in actual.tables.values() if t.part_of == part.of]
    other = next((t for t in siblings if bound_of(t.bound).meets(bound_of(part.bound))), None)
    if other:
        return refuse(f"the partition {other.name.name} {other.bound} takes some of its rows: divide that by hand")
    if above.rest:
        condition = fitting(bound_of(part.bound), above.parted_by)
        moving = partitions.moving(part, above.rest, condition or "…")
        if not condition:
            return refuse(f"the DEFAULT partition {above.rest} may hold rows for it: {moving}")
        if rows:
            return refuse(f"the DEFAULT partition {above.rest} holds rows for it: {moving}")
    touches = (part.of, *(name for name in actual.wholes(part.of)[1:]), *((above.rest,) if above.rest else ()))
    parts = [part, *partitions.below(part.name, contract)]
    return Repair.of(partitions.creating(parts, actual, above.owner, touches))


def foresee(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the table, without its indexes, keys and foreign keys, which later stages add."""
    if isinstance(finding.about, OfPartition):
        return partitions.foreseen([finding.about.wanted, *partitions.below(finding.table, contract)], actual, contract)
    wanted = contract.tables[finding.table]
    parted = bool(wanted.parted_by)  # its indexes and keys are then added as those of partitions
    later = [name for name, each in wanted.columns.items() if counts_elsewhere(wanted.name, each, contract)]
    wanted = _without(wanted, later)
    bare = replace(wanted, indexes=(), foreign_keys=(), created=True, owned=True, inherits=parted, parents=())
    bare = replace(bare, owner=actual.owner_of_most(contract.tables))
    for column in (as_counted(wanted.name, each, actual, contract) for each in wanted.columns.values()):
        bare = unread(bare.with_column(as_it_stands(column, actual)), column, actual)
    return partitions.foreseen(partitions.below(wanted.name, contract), actual.with_table(bare), contract)


def _visits() -> sa.MetaData:
    """Return a contract of a partitioned table with a key."""
    import sqlalchemy as sa

    made = sa.MetaData()
    day = sa.Column("Day", sa.Date, primary_key=True, autoincrement=False)
    sa.Table(
        "visits",
        made,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        day,
        postgresql_partition_by='RANGE ("Day")',
    )
    sa.Index("visits_day", day)
    return made


SPECIMENS = (
    Specimen(
        "with its code and its grants",
        "DROP TABLE desk.notes; DROP TABLE desk.visits",
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen("they count within bounds", "DROP TABLE boxes, falling", contract=boxed, setup=""),
    Specimen("a leaf is missing", "DROP TABLE reviews"),
    Specimen("all are missing", "DROP TABLE reviews, books, authors", also=frozenset({"missing-default-row"})),
    Specimen(
        "all are missing, and another is there",
        "DROP TABLE reviews, books, authors; CREATE SCHEMA other; CREATE TABLE other.things (id integer)",
        hazards=frozenset({"creates-schema"}),
        also=frozenset({"missing-default-row"}),
    ),
    Specimen(
        "it stands in another schema", "CREATE SCHEMA shop; ALTER TABLE reviews SET SCHEMA shop", rows=48, manual=True
    ),
    Specimen("it stands in other letters", 'ALTER TABLE reviews RENAME TO "Reviews"', rows=48, manual=True),
    Specimen(
        "it stands in other letters, and others reference it",
        'ALTER TABLE books RENAME TO "Books"',
        rows=24,
        manual=True,
        also=frozenset({"wrong-foreign-key-target"}),
    ),
    Specimen(
        "a view has its name", "ALTER TABLE reviews RENAME TO kept; CREATE VIEW reviews AS TABLE kept", manual=True
    ),
    Specimen(
        "a view has the name of a table that others reference",
        "ALTER TABLE books RENAME TO kept; CREATE VIEW books AS TABLE kept",
        manual=True,
        also=frozenset({"wrong-foreign-key-target"}),
    ),
    Specimen(
        "a materialized view has its name",
        "ALTER TABLE authors RENAME TO kept; CREATE MATERIALIZED VIEW authors AS TABLE kept;"
        "ALTER TABLE books DROP CONSTRAINT books_author_id_fkey, DROP CONSTRAINT books_editor_id_fkey",
        manual=True,
        also=frozenset({"missing-foreign-key", "wrong-foreign-key-target"}),
    ),
    Specimen(
        "one that INHERITs, and from which another does", "DROP TABLE late CASCADE", contract=events, setup=EVENT_ROWS
    ),
    Specimen(
        "another has a partition of its name",
        "ALTER TABLE desk.visits RENAME TO stays",
        also=frozenset({"renamed-table"}),
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen("a partitioned one is missing", "DROP TABLE visits", contract=_visits, setup=""),
    Specimen(
        "another of its name is empty",
        "CREATE SCHEMA shop; CREATE TABLE shop.reviews (LIKE reviews); DROP TABLE reviews",
    ),
)
NEAR_MISSES = (
    Specimen("another of its name has rows", "CREATE SCHEMA shop; CREATE TABLE shop.reviews AS TABLE reviews"),
    Specimen("another in other letters has rows", 'CREATE TABLE "Reviews" AS TABLE reviews'),
    Specimen("another table is missing", "CREATE TABLE extra (id integer); DROP TABLE extra"),
    Specimen("a view stands beside it", "CREATE VIEW review_list AS SELECT id, body FROM reviews"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a table with the references to it."""
    yield SQL("DROP TABLE {} CASCADE").format(q.name(table.name))
