"""A partition lacks a key, an index, a check, a foreign key or a NOT NULL that the contract lets it have alone.

So does one whose own constraint is NOT VALID, or whose own index is invalid.

Costs: rows that the constraint should refuse go in, by this partition alone; a key or an ON CONFLICT that names it
fails.
Cure: add it, or prove it. Where rows break it, a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects._visits import VISITED, keyed, visits
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, names_column
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Effect, Hazard, Lock, Part, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Check, Column, ForeignKey, Index, QName, Table
from fixer.model.values import dataclass
from fixer.repair.constraints import online, references
from fixer.repair.constraints.checks import over_row, spelt, stands
from fixer.repair.constraints.foreign_keys import add_foreign_key, arrow, best, exchange, is_comparable
from fixer.repair.constraints.partitions import closed_alone
from fixer.repair.probe import parents, rows_where, shown
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.following import truly_orphaned
from fixer.sql.uniques import bound_by, compared

SLUG = "bare-partition"
POINT = 4
STAGE = Stage.PARTS


@dataclass(frozen=True)
class Own(OfTable):
    """What a partition shall have alone, and what it has in its place."""

    wanted: Index | Check | ForeignKey | Column
    found: Index | Check | ForeignKey | Column | None

    @property
    def object(self) -> str:
        """Its name, after that of the partition."""
        return f"{self.table}.{self.wanted.name}"

    @property
    def part(self) -> Index | Check | ForeignKey | None:
        """The index, check or foreign key of the contract."""
        return None if isinstance(self.wanted, Column) else self.wanted


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Own]]:
    """Yield what partitions lack of their own, with the probe for the rows that break it."""
    for name, alone in contract.schema.alone.items():
        part = actual.tables.get(name)
        if part is None or part.part_of is None or contract.excludes(name):
            continue
        yield from (each for index in alone.indexes for each in _index(index, part))
        yield from (each for check in alone.checks for each in _check(check, part, actual))
        yield from (each for key in alone.foreign_keys for each in _key(key, part, actual))
        in_key = alone.primary_key.columns if alone.primary_key else ()  # closed along with it
        for column in sorted(closed_alone(name, contract).difference(in_key)):
            yield from _open(alone.columns[column], part, actual)


def _open(wanted: Column, part: Table, actual: Schema) -> Iterator[Finding[Own]]:
    found = part.columns.get(wanted.name)
    if found is None or (found.not_null and wanted.name not in part.unproved):
        return
    state = "is NOT VALID" if found.not_null else "may be NULL"
    message = f"{part.name.name}.{wanted.name} should be NOT NULL, {state}"
    asks = partial(rows_where, actual, part.name, SQL("{} IS NULL").format(q.column(wanted.name)))
    yield Finding(SLUG, POINT, Own(part.name, wanted, found), message, asks=asks)


def _index(wanted: Index, part: Table) -> Iterator[Finding[Own]]:
    same = [i for i in part.indexes if canonical(i.tail) == canonical(wanted.tail) and i.unique >= wanted.unique]
    whole = [i for i in same if i.deferrable <= wanted.deferrable and i.valid]
    if any(not index.disabled_triggers for index in whole) or (wanted.primary and part.primary_key):
        return
    found = next(iter(whole or same), None)
    kind = "PRIMARY KEY" if wanted.primary else "UNIQUE" if wanted.unique else "an index over"
    what = wanted.exclusion or f"{kind} {wanted.what}"
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
    if isinstance(about.wanted, Column):
        return Repair.of([_closed(about.table, about.wanted, actual)])
    return Repair.of(_referenced(about.wanted, about.found, actual))


def _closed(name: QName, wanted: Column, actual: Schema) -> Part:
    table, action = actual.tables[name], SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(wanted.name))
    if wanted.name in table.unproved:
        action = SQL("VALIDATE CONSTRAINT {}").format(Identifier(table.unproved[wanted.name]))
    title = f"forbid NULL in {name.name}.{wanted.name}"
    step = alter(Phase.RULES, name, title, action, rows=table.estimated_rows, merge=True)
    return step.online_as((*online.not_null(table, wanted.name, actual, online.FOR_COLUMNS),))


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


_DROP = 'ALTER TABLE "Visits 1" DROP CONSTRAINT {}'
_LATER = _DROP.format("v_site, ADD CONSTRAINT v_site FOREIGN KEY (site) REFERENCES sites ON DELETE CASCADE NOT VALID")
SPECIMENS = (
    Specimen(
        "all are missing",
        f"{_DROP.format('v_code, DROP CONSTRAINT v_site, DROP CONSTRAINT v_day')}; DROP INDEX v_lower",
        contract=visits,
        setup=VISITED,
    ),
    Specimen("NULL goes in", 'ALTER TABLE "Visits 1" ALTER site DROP NOT NULL', contract=visits, setup=VISITED),
    Specimen(
        "NULL went in",
        'ALTER TABLE "Visits 1" ALTER site DROP NOT NULL; UPDATE visits SET site = NULL WHERE day < 3',
        rows=2,
        manual=True,
        contract=visits,
        setup=VISITED,
    ),
    Specimen("a key is missing", "ALTER TABLE shop_a DROP CONSTRAINT shop_a_pkey", contract=keyed, setup=""),
    Specimen("NULL goes in, above others", "ALTER TABLE shop_b ALTER id DROP NOT NULL", contract=keyed, setup=""),
    Specimen("a foreign key is NOT VALID", _LATER, contract=visits, setup=VISITED),
    Specimen(
        "a foreign key deletes nothing",
        _DROP.format("v_site, ADD CONSTRAINT v_site FOREIGN KEY (site) REFERENCES sites"),
        hazards=frozenset({"replaces-constraint"}),
        contract=visits,
        setup=VISITED,
    ),
    Specimen(
        "a check is NOT VALID, and rows break it",
        _DROP.format("v_day; INSERT INTO sites VALUES (0);")
        + 'UPDATE "Visits 1" SET site = 0; ALTER TABLE "Visits 1" ADD CONSTRAINT v_day CHECK (site > day) NOT VALID',
        rows=2,
        manual=True,
        contract=visits,
        setup=VISITED,
    ),
    Specimen(
        "rows repeat",
        f"{_DROP.format('v_code')}; UPDATE visits SET \"co%de\" = 'a'",
        rows=1,
        manual=True,
        contract=visits,
        setup=VISITED,
    ),
    Specimen(
        "an index is invalid",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'v_lower'::regclass",
        superuser=True,
        contract=visits,
        setup=VISITED,
    ),
)
NEAR_MISSES = (
    Specimen(
        "under other names",
        'ALTER TABLE "Visits 1" RENAME CONSTRAINT v_site TO odd; ALTER INDEX v_lower RENAME TO "odd %"',
        contract=visits,
        setup=VISITED,
    ),
    Specimen(
        "other partitions lack them", "ALTER TABLE visits DETACH PARTITION visits_2", contract=visits, setup=VISITED
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
