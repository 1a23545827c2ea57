"""A column of the primary key that the database should number is missing.

Costs: no row can be identified or referenced.
Cure: add it. If an integer key exists under another name, copy its numbers, so that references stay valid; else number
the rows in the order in which they are stored. A person decides if rows elsewhere hold values of a lost key, numbers or
others, because nobody else knows which rows they mean, if the key is a reference itself, or if a column holds values
whose name differs only in capitals, blanks, hyphens or underscores.
Hint: `legacy_keys` on the column names those that were the key before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, boxed
from fixer.defects._databases import TENANCY_ROWS, tenancy
from fixer.defects._rekeyed import DESKS, desks
from fixer.defects.duplicate_key import badges
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Added, Effect, Hazard, Lock, Part, Phase, RefusalError, Repair, Step, refuse
from fixer.model.subject import StrandedColumn, WantedColumn
from fixer.model.table import Column, QName, Sequence, Table
from fixer.model.values import dataclass
from fixer.repair.columns import counter_of, unmade
from fixer.repair.constraints.foreign_keys import STRANDED, stranded
from fixer.repair.constraints.online import beside
from fixer.repair.counting.attaching import let_count, let_count_by
from fixer.repair.counting.coming import Coming, as_counted_in_rows, coming, coming_below, numbered_beside
from fixer.repair.defaults.own_values import may_differ
from fixer.repair.numbers import Held, giver, held
from fixer.repair.probe import rows_where
from fixer.repair.rekeying.held import by_old_keys
from fixer.repair.sequences import give_generator
from fixer.repair.shadow import Shadow, filled, named
from fixer.repair.twins import column_twin, taken_for
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import family

SLUG = "missing-key-column"
POINT = 1
STAGE = Stage.KEYS


@dataclass(frozen=True)
class MissingKeyColumn(WantedColumn):
    """A missing key column, and the column that may hold its numbers, if there is one.

    That is the `old` key, or else a `twin` whose name is only spelt otherwise.
    """

    old: str | None
    twin: str | None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[MissingKeyColumn | StrandedColumn]]:
    """Yield the missing key columns that should be numbered, and columns elsewhere that hold values of a lost key."""
    for wanted, table, key in walk.primary_keys(actual, contract):
        for column in (wanted.columns[each] for each in key.columns):
            if column.name not in table.columns and column.generates:
                name, hints = table.name, contract.hints[table.name].of(column.name)
                old = _old_numbers(name, column.name, actual, contract)
                twin = None if old else column_twin(table, wanted, column.name, hints)
                given = giver(column.name, wanted) if old is None and twin is None else None
                asks = partial(rows_where, actual, name, q.not_null([twin])) if twin else None
                asks = partial(rows_where, actual, name, SQL("true")) if given else asks
                message = f"{name.name} should have the key column {column.name} {column.type}, has none"
                message += f', but "{twin}" is there' if twin else ""
                yield Finding(SLUG, POINT, MissingKeyColumn(name, column, old, twin), message, asks=asks)
                if old is None:
                    yield from stranded(SLUG, POINT, name, column.name, actual, contract)
    for _, table, column in walk.missing_columns(actual, contract):
        if not column.generates and _is_new_everywhere(table.name, column, contract):
            yield from stranded(SLUG, POINT, table.name, column.name, actual, contract)


def _is_new_everywhere(table: QName, column: Column, contract: Contract) -> bool:
    """Return whether all rows get NULL or a value that was never there, so that no reference can find its row."""
    if column.generated:
        return False
    if contract.value_for(table, column) is None:
        return not column.not_null  # else missing-column asks for a value
    return may_differ(column, table, contract)


def _old_numbers(name: QName, column: str, actual: Schema, contract: Contract) -> str | None:
    """Return the integer column that was the key: a declared one, one that children reference, or the primary key."""
    table = actual.tables[name]
    declared = contract.hints[name].of(column).legacy_keys
    referenced = (
        old.target_columns[0]
        for key in contract.foreign_keys()
        if key.target == name
        for old in actual.incoming(name)
        if key.table == old.table and key.columns == old.columns and len(old.columns) == 1
    )
    primary = table.primary_key.columns if table.primary_key and len(table.primary_key.columns) == 1 else ()
    candidates = (c for c in (*declared, *referenced, *primary) if c in table.columns)
    return next((c for c in candidates if family(table.columns[c].base or table.columns[c].type) == "integer"), None)


def repair(finding: Finding[MissingKeyColumn | StrandedColumn], actual: Schema, contract: Contract) -> Repair:
    """Add the column and number the rows, or copy the numbers of the old key."""
    about = finding.about
    if isinstance(about, StrandedColumn):
        return refuse(STRANDED)
    if finding.rows and about.twin:
        return refuse(taken_for(finding.table, about.column, about.twin, finding.rows, contract))
    given = giver(about.column, contract.tables[finding.table])
    if finding.rows and given and not about.old:
        parent = given.target.name
        return refuse(f"only a person knows which row of {parent} each of these is: add {about.column} by hand")
    steps = _taken_over(about, about.old, actual, contract) if about.old else _numbered(about, actual, contract)
    return Repair.of(steps)


def _numbered(about: MissingKeyColumn, actual: Schema, contract: Contract) -> Iterator[Part]:
    column, name = about.wanted, about.table
    title = f"add {column.name} to {name.name} and number its rows"
    added = Added(column.name, counts=True)
    if why := unmade(name, column, actual, contract):
        raise RefusalError(why)
    below = coming_below(name, column, actual, contract)
    counted = below or coming(name, column, actual.tables[name].owner, actual, contract)
    action = SQL("ADD COLUMN {}").format(ddl.column_definition(counted.column, sequences=contract.schema.sequences))
    step = alter(
        Phase.CONVERT,
        name,
        title,
        action,
        hazard=Hazard.REWRITES_TABLE,
        rows=actual.tables[name].estimated_rows,
        merge=True,
        added=(added,),
    )
    lightly = None if column.identity else (*_numbered_beside(name, column, actual, contract, below),)
    beside = None if lightly is None else ()
    yield from (each.online_as(beside) for each in counted.before)
    yield step.online_as(lightly)
    yield from (each.online_as(beside) for each in counted.after)
    count = let_count_by(counted.apart, name) if counted.apart else let_count(name, column.name)
    yield count.online_as(beside)


def _numbered_beside(
    name: QName, column: Column, actual: Schema, contract: Contract, below: Coming | None
) -> Iterator[Step]:
    """Yield the steps that number rows while others write; the column gets its name once each row has a number.

    Before that, an application that takes max(id) + 1 could take a number that a row gets at the same time.
    """
    under = beside(column.name)
    yield from numbered_beside(name, column, under, below, actual, contract)
    action = SQL("RENAME COLUMN {} TO {}").format(Identifier(under), Identifier(column.name))
    yield alter(Phase.KEYS, name, f"rename {under} to {name.name}.{column.name}", action)


def _taken_over(about: MissingKeyColumn, old: str, actual: Schema, contract: Contract) -> Iterator[Part]:
    name, column, table = about.table, about.wanted, actual.tables[about.table]
    add = SQL("ADD COLUMN {} {}").format(Identifier(column.name), SQL(column.full_type))
    same = SQL("{} IS NOT DISTINCT FROM {}").format(q.column(column.name), q.column(old))
    added = Added(column.name, kept=same)
    first = alter(Phase.CONVERT, name, f"add {column.name} to {name.name}", add, merge=True, added=(added,))
    copy = Step(
        phase=Phase.COPY,
        table=name,
        title=f"take the numbers of {name.name}.{old} over into {column.name}",
        sql=SQL("UPDATE {} AS t SET {} = {}").format(q.name(name), Identifier(column.name), q.column(old)),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_TABLE,
        effect=Effect(rows=table.estimated_rows, changes=(column.name,)),
    )
    bare = replace(column, default=None, sequence=None, identity="", not_null=False)
    like, taken = counter_of(column, contract), held(name, column.name, actual, contract.schema)
    counting = tuple(give_generator(name, column, actual.with_table(table.with_column(bare)), like=like))
    lightly = _taken_over_beside(old, column, copy, actual, taken, like)
    yield first.online_as(())
    yield copy.online_as(lightly)
    yield from (part.atomic.online_as(()) for part in counting)


def _taken_over_beside(
    old: str, column: Column, copy: Step, actual: Schema, taken: Held, like: Sequence | None
) -> tuple[Step, ...]:
    """Return the steps that copy numbers while others write, into a shadow column that gets its name at the end.

    The generator is attached before the column gets its name, so that no new row lacks a number.
    """
    name, table, value = copy.table, actual.tables[copy.table], q.column(old)
    old_column, home = table.columns[old], column.home
    shadow = Shadow(table, old_column, column.type, value, SQL("true"), back=value, name=column.name, home=home)
    under = replace(column, name=shadow.beside, default=None, identity="", not_null=False)
    there = actual.with_table(table.with_column(replace(under, sequence=None)))
    steps = (each for part in give_generator(name, under, there, taken, like=like) for each in part.online)
    counting = (replace(each, phase=Phase.FITTINGS, action=None) for each in steps)
    swap = named(shadow, f"rename {shadow.beside} to {name.name}.{column.name}")
    return (*filled(shadow, copy, actual.version), *counting, swap)


def foresee(finding: Finding[MissingKeyColumn | StrandedColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column."""
    about = finding.about
    if isinstance(about, StrandedColumn):
        return actual
    table, column = actual.tables[about.table], as_counted_in_rows(about.table, about.wanted, actual, contract)
    if about.old:
        taken = replace(column, not_null=False, now=q.today(table.columns[about.old]), added=True)
        return actual.with_table(table.with_column(taken))
    numbered = replace(column, now=SQL("row_number() OVER ()"), numbered=True, added=True)
    return actual.with_table(table.with_column(by_old_keys(about.table, numbered, actual, contract)))


SPECIMENS = (
    Specimen(
        "dropped",
        "ALTER TABLE reviews DROP COLUMN id",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "dropped under references that still hold its numbers",
        "ALTER TABLE books DROP COLUMN id CASCADE",
        manual=True,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
    ),
    Specimen(
        "dropped under references that hold its numbers as texts",
        "ALTER TABLE books DROP COLUMN id CASCADE; ALTER TABLE reviews ALTER COLUMN book_id TYPE text",
        manual=True,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "incompatible-foreign-key-type"}),
    ),
    Specimen(
        "one of two columns is gone",
        "ALTER TABLE members DROP COLUMN id CASCADE",
        manual=True,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "of uuids, dropped under references that still hold them",
        "ALTER TABLE badges DROP COLUMN id CASCADE",
        manual=True,
        also=frozenset({"missing-column", "missing-primary-key", "missing-foreign-key", "orphan-rows"}),
        contract=badges,
        setup="INSERT INTO badges (name) VALUES ('a'), ('b'); INSERT INTO worn (badge_id) SELECT id FROM badges",
    ),
    Specimen(
        "its numbers stand in other letters, under no key",
        'ALTER TABLE reviews RENAME id TO "ID"; ALTER TABLE reviews DROP CONSTRAINT reviews_pkey',
        rows=48,
        manual=True,
        also=frozenset({"missing-primary-key", "missing-column"}),
    ),
    Specimen(
        "its numbers stand under another name",
        "ALTER TABLE books RENAME id TO number; ALTER TABLE books ALTER number DROP DEFAULT",
        hazards=frozenset({"rewrites-table", "replaces-constraint"}),
        also=frozenset({"wrong-primary-key", "wrong-foreign-key-target", "rogue-not-null"}),
    ),
    Specimen(
        "one that counts within bounds",
        "ALTER TABLE boxes DROP COLUMN id",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-primary-key"}),
        contract=boxed,
        setup=BOXES,
    ),
    Specimen(
        "dropped, and the key of another table",
        "ALTER TABLE desks DROP COLUMN id",
        manual=True,
        rows=2,
        also=frozenset({"missing-column", "missing-primary-key", "missing-foreign-key"}),
        contract=desks,
        setup=DESKS,
    ),
)
NEAR_MISSES = (
    Specimen("another column is added", "ALTER TABLE reviews ADD COLUMN number serial"),
    Specimen("another in other letters is added", 'ALTER TABLE reviews ADD COLUMN "ID" serial'),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a column of the key with all that depends on it."""
    for column in table.primary_key.columns if table.primary_key else ():
        yield plant.altered(table.name, "DROP COLUMN {} CASCADE", column)
