"""Rows share values that the contract wants unique.

Costs: the unique constraint cannot be added, and a login or an order number may mean two rows.
Cure: keep the row that others reference, else the oldest, and move the others to quarantine; rows that reference
those are treated like orphans (see orphan-rows). The hint `oldest_by` names the column that tells the oldest; without
it, a date or time says so whose name tells that the row was created then, such as created_at, and without that the
lowest primary key. A row that goes for another fault, such as an orphan, is not the one that is kept if another can be.
Rows are not merged, because only a person knows whether two accounts are the same.
Under a partial unique or one over expressions, a person decides.
Hint: `oldest_by` on the table names the column that tells which of the rows is the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import names_column
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfIndex
from fixer.model.table import Index, Table
from fixer.repair.probe import ordered, shown
from fixer.repair.quarantine import Mover
from fixer.repair.quarantine.faults import following, late, weighed, with_own
from fixer.repair.quarantine.keepers import keeper
from fixer.repair.quarantine.repeats import is_proved, is_special, numbered, of_its_own
from fixer.repair.rows import Rivals
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed
from fixer.sql.uniques import bound_by, compared, versions_of

SLUG = "duplicate-values"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted uniques that no index proves, with the probe for repeats."""
    for wanted, table, key in walk.indexes(actual, contract):
        if not key.unique or table.created or is_proved(key, table):
            continue
        named = [c for c in table.columns if names_column(key.tail, c)] if is_special(key) else key.columns
        there = [table.columns.get(column) for column in named]
        if all(there) and _has_all(key, wanted, table):
            what = key.tail.removeprefix("USING btree ") if is_special(key) else f"({', '.join(key.columns)})"
            yield Finding(
                SLUG,
                POINT,
                OfIndex(table.name, key),
                f"{table.name.name} has rows that repeat {what}",
                only_with_rows=True,
                asks=partial(_probe, key, named, table, actual, contract),
            )


def _probe(key: Index, named: Iterable[str], table: Table, actual: Schema, contract: Contract) -> Probe:
    """Return the question which rows repeat others, all but the one of each group that stays."""
    if is_special(key):
        source = _special(key, table)
    else:
        source = numbered(_own(table), key, table, keeper(actual, contract, table.name, probing=True))
    show = (*shown(table), *(ordered(table, c) for c in named))
    return Probe(source, SQL("t.pgmend_repeat > 1"), show, costly=True)


def _own(table: Table) -> Composable:
    return q.rows_of(table, own=True)


def _has_all(key: Index, wanted: Table, table: Table) -> bool:
    """Return whether the table has all columns that a special unique names."""
    return not is_special(key) or all(c in table.columns for c in wanted.columns if names_column(key.tail, c))


def _special(key: Index, table: Table) -> Composed:
    """Return the rows that a partial unique or one over expressions binds, numbered among those that repeat."""
    values, bound = compared(key, table), bound_by(key, table)
    filled = [] if key.nulls_not_distinct else [SQL("{} IS NOT NULL").format(value) for value in values]
    return SQL("(SELECT t.*, row_number() OVER (PARTITION BY {}) AS pgmend_repeat FROM {} WHERE {}) AS t").format(
        SQL(", ").join(values), _own(table), q.all_of([*bound, *filled, SQL("true")])
    )


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Move all but the first row of each group to quarantine; refuse for a partial unique or one over expressions."""
    name, key = finding.table, finding.about.wanted
    if versions := versions_of(actual.tables[name], key.columns):
        return refuse(f"they are versions of one thing, which {versions.name} tells apart by {versions.columns[-1]}")
    if is_special(key):
        return refuse(
            "only a person can tell which of these rows is meant: change or remove the others, and plan again"
        )
    mover, table, first = Mover(actual, contract), actual.tables[name], keeper(actual, contract, name)
    own = weighed(mover, name, key)
    wrong, last = with_own(mover, name, own), late(mover, name, own)
    rows = SQL("{} AS t").format(q.name(name))
    losers = q.among(numbered(rows, key, table, first, last), SQL("t.pgmend_repeat > 1"))
    source = numbered(rows, key, table, first, last, following(mover, name, losers))
    pairs = (q.not_distinct(table, column, "k", "t") for column in key.columns)
    reason = first.told(key.columns, sound=bool(wrong))
    told = of_its_own(wrong, reason) if wrong else None
    rivals = Rivals(source, SQL("t.pgmend_repeat > 1"), "pgmend_first", q.all_of(pairs), told=told)
    return Repair.of(mover.quarantine(Phase.VALUES, name, rivals.condition, reason, rows=finding.rows, rivals=rivals))


SPECIMENS = (
    Specimen(
        "two accounts of one name",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key;"
        "INSERT INTO authors (name, country) VALUES ('author 5', 'FR'), ('author 6', 'FR')",
        hazards=frozenset({"moves-rows", "rewrites-values"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-unique"}),
    ),
    Specimen(
        "with what hangs on them",
        "ALTER TABLE authors DROP CONSTRAINT authors_name_key; UPDATE authors SET name = 'author 4' WHERE id = 12",
        hazards=frozenset({"moves-rows", "rewrites-values"}),
        rows=1,
        quarantined=7,
        also=frozenset({"missing-unique"}),
    ),
)
NEAR_MISSES = (
    Specimen("alike but for case", "UPDATE authors SET name = 'AUTHOR 4' WHERE id = 5"),
    Specimen("NULL repeats nothing", "UPDATE books SET pages = NULL"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a unique, and give one row the values of another."""
    for index in table.indexes:
        if index.unique and not index.primary and "" not in index.columns:
            yield plant.block(plant.without_index(table.name, index), plant.repeated(table.name, index.columns))
