"""A partition lacks a unique, an index, a check or a foreign key that the contract lets it have alone.

So does one whose own constraint is NOT VALID, or whose own index is invalid.

Costs: rows that the constraint should refuse go in, by this partition alone; a key or an ON CONFLICT that names it
fails.
Cure: add it, or prove it. Where rows break it, a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, names_column
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Effect, Hazard, Lock, Part, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Check, ForeignKey, Index, QName, Table
from fixer.model.values import dataclass
from fixer.repair.constraints import online, references
from fixer.repair.constraints.checks import over_row, spelt, stands
from fixer.repair.constraints.foreign_keys import add_foreign_key, arrow, best, exchange, is_comparable
from fixer.repair.probe import parents, rows_where, shown
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint
from fixer.sql.compose import SQL, Composable
from fixer.sql.following import truly_orphaned
from fixer.sql.uniques import bound_by, compared

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "bare-partition"
POINT = 4
STAGE = Stage.PARTS


@dataclass(frozen=True)
class Own(OfTable):
    """What a partition shall have alone, and what it has in its place."""

    wanted: Index | Check | ForeignKey
    found: Index | Check | ForeignKey | None

    @property
    def object(self) -> str:
        """Its name, after that of the partition."""
        return f"{self.table}.{self.wanted.name}"

    @property
    def part(self) -> Index | Check | ForeignKey:
        """The index, check or foreign key of the contract."""
        return self.wanted


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Own]]:
    """Yield what partitions lack of their own, with the probe for the rows that break it."""
    for name, alone in contract.schema.alone.items():
        part = actual.tables.get(name)
        if part is None or part.part_of is None or contract.excludes(name):
            continue
        yield from (each for index in alone.indexes for each in _index(index, part))
        yield from (each for check in alone.checks for each in _check(check, part, actual))
        yield from (each for key in alone.foreign_keys for each in _key(key, part, actual))


def _index(wanted: Index, part: Table) -> Iterator[Finding[Own]]:
    same = [i for i in part.indexes if canonical(i.tail) == canonical(wanted.tail) and i.unique >= wanted.unique]
    whole = [i for i in same if i.deferrable <= wanted.deferrable and i.valid]
    if any(not index.disabled_triggers for index in whole) or (wanted.primary and part.primary_key):
        return
    found = next(iter(whole or same), None)
    what = wanted.exclusion or f"{'UNIQUE' if wanted.unique else 'an index over'} {wanted.what}"
    message = f"{part.name.name} should have {what}, {_state(found)}"
    there = all(column in part.columns for column in wanted.columns if column)
    asks = partial(_repeats, wanted, part) if wanted.unique and there and not wanted.overlaps_not else None
    severity = "error" if wanted.unique or wanted.exclusion or found else "warning"
    yield Finding(SLUG, POINT, Own(part.name, wanted, found), message, severity, asks=asks)


def _state(found: Index | None) -> str:
    if found is None:
        return "has none"
    return f"the trigger of {found.name} is disabled" if found.disabled_triggers else f"{found.name} is invalid"


def _repeats(wanted: Index, part: Table) -> Probe:
    """Return the probe for rows that an index would refuse."""
    values = compared(wanted, part)
    filled = [] if wanted.nulls_not_distinct else [SQL("{} IS NOT NULL").format(value) for value in values]
    bound = q.all_of([*bound_by(wanted, part), *filled, SQL("true")])
    numbered = SQL("(SELECT t.*, row_number() OVER (PARTITION BY {}) AS pgmend_repeat FROM {} WHERE {}) AS t")
    rows = numbered.format(SQL(", ").join(values), q.rows_of(part, own=True), bound)
    named = [column for column in part.columns if names_column(wanted.tail, column)]
    return Probe(rows, SQL("t.pgmend_repeat > 1"), (*shown(part), *map(q.column, named)), costly=True)


def _check(wanted: Check, part: Table, actual: Schema) -> Iterator[Finding[Own]]:
    found = stands(wanted, part)
    if found and (found.validated or not wanted.validated) and found.enforced >= wanted.enforced:
        return
    state = "has none" if found is None else f"{found.name} is {'NOT VALID' if found.enforced else 'NOT ENFORCED'}"
    message = f"{part.name.name} should have CHECK {spelt(wanted)}, {state}"
    there = wanted.validated and all(column in part.columns for column in wanted.columns)
    asks = partial(rows_where, actual, part.name, SQL("NOT ({})").format(over_row(wanted, part))) if there else None
    yield Finding(SLUG, POINT, Own(part.name, wanted, found), message, asks=asks)


def _key(wanted: ForeignKey, part: Table, actual: Schema) -> Iterator[Finding[Own]]:
    found = best(wanted, part.foreign_keys)
    if found and found.behaviour == wanted.behaviour:
        as_good = replace(found, validated=found.validated or not wanted.validated)
        if found.holds or not wanted.enforced or as_good.holds:
            return
    message = f"{arrow(wanted)}, {_kept(found, wanted) if found else 'references nothing'}"
    asks = partial(_orphans, wanted, part, actual) if wanted.validated and is_comparable(wanted, actual) else None
    yield Finding(SLUG, POINT, Own(part.name, wanted, found), message, asks=asks)


def _kept(found: ForeignKey, wanted: ForeignKey) -> str:
    if found.behaviour != wanted.behaviour:
        return f"{found.name} does otherwise"
    if found.disabled_triggers:
        return f"triggers of {found.name} are disabled"
    return f"{found.name} is {'NOT VALID' if found.enforced else 'NOT ENFORCED'}"


def _orphans(wanted: ForeignKey, part: Table, actual: Schema) -> Probe:
    condition = truly_orphaned(wanted, part, parents(actual.tables[wanted.target]))
    return Probe(q.rows_of(part, own=True), condition, (*shown(part), q.columns(wanted.columns)), shared=False)


def repair(finding: Finding[Own], actual: Schema, contract: Contract) -> Repair:
    """Add it, or prove it; refuse where rows break it."""
    about = finding.about
    if finding.rows:
        return refuse("rows break it, which only a person can judge: change or move them, and plan again")
    if isinstance(about.wanted, Index):
        if about.wanted.exclusion:
            return refuse(f"if no rows conflict, run: {_adding(about.table, about.wanted, about.found)}")
        return Repair.of(_indexed(about.table, about.wanted, about.found, actual))
    if isinstance(about.wanted, Check):
        return Repair.of(_checked(about.table, about.wanted, about.found, actual))
    return Repair.of(_referenced(about.wanted, about.found, actual))


def _adding(name: QName, wanted: Index, found: object) -> str:
    drop = f"DROP CONSTRAINT {q.quoted([found.name])}, " if isinstance(found, Index) else ""
    return f"ALTER TABLE {q.quoted(name)} {drop}ADD CONSTRAINT {q.quoted([wanted.name])} {wanted.exclusion}"


def _indexed(name: QName, wanted: Index, found: object, actual: Schema) -> Iterator[Part]:
    table = actual.tables[name]
    if isinstance(found, Index):
        if found.constraint or found.exclusion:
            yield drop_constraint(name, found.name, f"drop {found.name}", hazard=Hazard.REPLACES_CONSTRAINT)
        else:
            drop = SQL("DROP INDEX {}").format(q.name(QName(name.schema, found.name)))
            yield Step(Phase.RELEASE, name, f"drop the invalid index {found.name}", drop)
        kept = tuple(index for index in table.indexes if index is not found)
        names = actual.names - {QName(name.schema, found.name)}
        actual = replace(actual.with_table(replace(table, indexes=kept)), names=names)
    if wanted.unique:
        yield online.unique(wanted, name, actual)
        return
    free = ddl.free_relation_name(actual, name, wanted.name)
    title, statement = f"create the index {free} on {name.name}", ddl.create_index(free, name, wanted)
    yield Step(Phase.INDEXES, name, title, statement, Lock.SHARE, effect=Effect(rows=table.estimated_rows))


def _checked(name: QName, wanted: Check, found: object, actual: Schema) -> Iterator[Part]:
    title = f"add CHECK {spelt(wanted)} to {name.name}"
    if isinstance(found, Check) and found.enforced:
        yield online.validate(Phase.PROOFS, name, found.name, f"prove CHECK {spelt(wanted)} of {name.name}")
        return
    if isinstance(found, Check):
        yield drop_constraint(name, found.name, f"drop the check {found.name}, which is NOT ENFORCED")
    called = found.name if isinstance(found, Check) else wanted.name
    free = called if found else ddl.free_constraint_name(actual.tables[name], actual, name, called, index=False)
    step = alter(Phase.RULES, name, title, SQL("ADD {}").format(ddl.check_clause(free, wanted)), merge=True)
    yield step.online_as(online.check(name, free, wanted, title))


def _referenced(wanted: ForeignKey, found: object, actual: Schema) -> Iterator[Part]:
    if not isinstance(found, ForeignKey):
        yield add_foreign_key(wanted, actual)
    elif replace(found, validated=True).holds and found.behaviour == wanted.behaviour:
        title = f"validate the foreign key {found.name}"
        rows = actual.tables[wanted.table].estimated_rows
        yield references.proved(wanted.table, found.name, wanted.target, title, rows)
    else:
        yield from exchange(wanted, (found,), "it is not enforced", actual)


def visits() -> sa.MetaData:
    """Return a contract of a partitioned table, one partition of which has rules of its own."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("sites", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    sa.Table(
        "visits",
        metadata,
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("site", sa.Integer),
        sa.Column("co%de", sa.Text),
        postgresql_partition_by="RANGE (day)",
    )
    sa.event.listen(metadata, "after_create", sa.DDL(_PARTS.replace("%", "%%")))  # type: ignore[no-untyped-call]
    return metadata


_PARTS = """
CREATE TABLE "Visits 1" PARTITION OF visits (
    CONSTRAINT v_code UNIQUE ("co%de"), CONSTRAINT v_site FOREIGN KEY (site) REFERENCES sites ON DELETE CASCADE,
    CONSTRAINT v_day CHECK (site > day)
) FOR VALUES FROM (0) TO (10);
CREATE UNIQUE INDEX v_lower ON "Visits 1" (lower("co%de")) WHERE day > 3;
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (10) TO (20)
"""
_VISITED = (
    "INSERT INTO sites SELECT 10 * g FROM generate_series(1, 3) AS g;"
    "INSERT INTO visits VALUES (1, 10, 'a'), (2, 20, 'B'), (11, 99, 'a'), (12, 5, 'a')"
)
_DROP = 'ALTER TABLE "Visits 1" DROP CONSTRAINT {}'
_LATER = _DROP.format("v_site, ADD CONSTRAINT v_site FOREIGN KEY (site) REFERENCES sites ON DELETE CASCADE NOT VALID")
SPECIMENS = (
    Specimen(
        "all are missing",
        f"{_DROP.format('v_code, DROP CONSTRAINT v_site, DROP CONSTRAINT v_day')}; DROP INDEX v_lower",
        contract=visits,
        setup=_VISITED,
    ),
    Specimen("a foreign key is NOT VALID", _LATER, contract=visits, setup=_VISITED),
    Specimen(
        "a foreign key deletes nothing",
        _DROP.format("v_site, ADD CONSTRAINT v_site FOREIGN KEY (site) REFERENCES sites"),
        hazards=frozenset({"replaces-constraint"}),
        contract=visits,
        setup=_VISITED,
    ),
    Specimen(
        "a check is NOT VALID, and rows break it",
        _DROP.format("v_day; INSERT INTO sites VALUES (0);")
        + 'UPDATE "Visits 1" SET site = 0; ALTER TABLE "Visits 1" ADD CONSTRAINT v_day CHECK (site > day) NOT VALID',
        rows=2,
        manual=True,
        contract=visits,
        setup=_VISITED,
    ),
    Specimen(
        "rows repeat",
        f"{_DROP.format('v_code')}; UPDATE visits SET \"co%de\" = 'a'",
        rows=1,
        manual=True,
        contract=visits,
        setup=_VISITED,
    ),
    Specimen(
        "an index is invalid",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'v_lower'::regclass",
        superuser=True,
        contract=visits,
        setup=_VISITED,
    ),
)
NEAR_MISSES = (
    Specimen(
        "under other names",
        'ALTER TABLE "Visits 1" RENAME CONSTRAINT v_site TO odd; ALTER INDEX v_lower RENAME TO "odd %"',
        contract=visits,
        setup=_VISITED,
    ),
    Specimen(
        "other partitions lack them", "ALTER TABLE visits DETACH PARTITION visits_2", contract=visits, setup=_VISITED
    ),
)


def mutate_alone(part: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a partition: drop what the contract lets it have alone."""
    for check in part.checks:
        yield plant.without(part.name, check.name)
    for key in part.foreign_keys:
        yield plant.without(part.name, key.name)
    for index in part.indexes:
        yield plant.without_index(part.name, index)
