"""Rows share values that the contract wants unique.

Costs: the unique constraint cannot be added, and a login or an order number may mean two rows.
Cure: keep the row with the lowest primary key, and move the others to quarantine; rows that reference them are treated
like orphans (see orphan-rows). Rows are not merged, because only a person knows whether two accounts are the same.
Under a partial unique or one over expressions, a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import canonical, names_column, tail_of
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, refuse
from fixer.model.subject import OfIndex
from fixer.model.table import Index, Table
from fixer.repair.probe import shown
from fixer.repair.quarantine import Mover
from fixer.repair.rows import Rivals
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed

SLUG = "duplicate-values"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfIndex]]:
    """Yield the wanted uniques that no index proves, with the probe for repeats."""
    for wanted, table, key in walk.indexes(actual, contract):
        if not key.unique or table.created or _is_proved(key, table):
            continue
        named = [c for c in table.columns if names_column(key.tail, c)] if _is_special(key) else key.columns
        there = [table.columns.get(column) for column in named]
        if all(column and not column.mapped for column in there) and _has_all(key, wanted, table):
            source = _special(key, table) if _is_special(key) else _numbered(_own(table), key, table, wanted)
            show = (*shown(table), *(q.column(c) for c in named))
            what = key.tail.removeprefix("USING btree ") if _is_special(key) else f"({', '.join(key.columns)})"
            yield Finding(
                SLUG,
                POINT,
                OfIndex(table.name, key),
                f"{table.name.name} should have each {what} once, has it repeatedly",
                only_with_rows=True,
                asks=partial(Probe, source, SQL("t.pgmend_repeat > 1"), show, costly=True),
            )


def _own(table: Table) -> Composable:
    return q.rows_of(table, own=True)


def _is_special(key: Index) -> bool:
    """Return whether a unique is partial or over expressions, so that its definition says what repeats."""
    return key.partial or "" in key.columns


def _has_all(key: Index, wanted: Table, table: Table) -> bool:
    """Return whether the table has all columns that a special unique names."""
    return not _is_special(key) or all(c in table.columns for c in wanted.columns if names_column(key.tail, c))


def _special(key: Index, table: Table) -> Composed:
    """Return the rows that a partial unique or one over expressions binds, numbered among those that repeat."""
    tail = tail_of(key.tail)
    values = [SQL("({})").format(SQL(_ORDER.sub("", each.strip()))) for each in tail.elements]
    bound = [SQL("({})").format(SQL(tail.condition.strip()))] if tail.condition.strip() else []
    filled = [] if key.nulls_not_distinct else [SQL("{} IS NOT NULL").format(value) for value in values]
    return SQL("(SELECT t.*, row_number() OVER (PARTITION BY {}) AS pgmend_repeat FROM {} WHERE {}) AS t").format(
        SQL(", ").join(values), _own(table), q.all_of([*bound, *filled, SQL("true")])
    )


_ORDER = re.compile(r"( \w+_ops)?( DESC| ASC)?( NULLS (FIRST|LAST))?$")


def _is_proved(key: Index, table: Table) -> bool:
    """Return whether an index proves that no two rows agree in these columns, or in what a special unique says."""
    if _is_special(key):
        return any(i.unique and i.valid and canonical(i.tail) == canonical(key.tail) for i in table.indexes)
    return table.tells_all_apart(key.columns) if key.nulls_not_distinct else table.tells_apart(key.columns)


def _numbered(rows: Composable, key: Index, table: Table, wanted: Table) -> Composed:
    """Return the rows that share values with others, numbered within each group; identical copies count once."""
    primary = wanted.primary_key.columns if wanted.primary_key else ()
    identity = tuple(column for column in primary if column in table.columns)
    signs = q.equalities(table, key.columns)
    repeating = q.repeating(rows, key.columns, signs, nulls_repeat=key.nulls_not_distinct)
    if identity and not table.has_key_on(identity):
        copies = q.numbered_copies(repeating, table, identity)
        repeating = SQL("(SELECT t.* FROM {} WHERE t.pgmend_copy = 1) AS t").format(copies)
    order = SQL(", ").join([*(q.column(column) for column in identity), SQL("t.pgmend_part, t.pgmend_place")])
    return SQL(
        "(SELECT t.*, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS pgmend_repeat,"
        " first_value(t.pgmend_place) OVER (PARTITION BY {keys} ORDER BY {order}) AS pgmend_first FROM {rows}) AS t"
    ).format(keys=q.columns(key.columns), order=order, rows=repeating)


def repair(finding: Finding[OfIndex], actual: Schema, contract: Contract) -> Repair:
    """Move all but the first row of each group to quarantine; refuse for a partial unique or one over expressions."""
    name, key = finding.table, finding.about.wanted
    if versions := actual.tables[name].versions_by(key.columns):
        return refuse(f"they are versions of one thing, which {versions.name} tells apart by {versions.columns[-1]}")
    if _is_special(key):
        return refuse(
            "only a person can tell which of these rows is meant: change or remove the others, and plan again"
        )
    source = _numbered(SQL("{} AS t").format(q.name(name)), key, actual.tables[name], contract.tables[name])
    pairs = (q.not_distinct(actual.tables[name], column, "k", "t") for column in key.columns)
    rivals = Rivals(source, SQL("t.pgmend_repeat > 1"), "pgmend_first", q.all_of(pairs))
    primary = contract.tables[name].primary_key
    known = ", ".join(c for c in primary.columns if c in actual.tables[name].columns) if primary else ""
    keeper = f"the row with the lowest {known}" if known else "the row that is stored first"
    reason = f"{keeper} has its ({', '.join(key.columns)}), and stays"
    mover = Mover(actual, contract)
    moves = mover.quarantine(Phase.VALUES, name, rivals.condition, reason, rows=finding.rows, rivals=rivals)
    return Repair.of(moves)


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
