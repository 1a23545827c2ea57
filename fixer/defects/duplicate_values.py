"""Rows share values that the contract wants unique.

Costs: the unique constraint cannot be added, and a login or an order number may mean two rows.
Cure: keep the row with the lowest primary key, and move the others to quarantine; rows that reference them are treated
like orphans (see orphan-rows). A row that goes for another fault, such as an orphan, is not the one that is kept if
another can be. Rows are not merged, because only a person knows whether two accounts are the same.
Under a partial unique or one over expressions, a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from fixer.repair.quarantine.faults import Fault, faults, with_own
from fixer.repair.rows import Rivals
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.uniques import compared

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
    values = compared(key)
    bound = [SQL("({})").format(SQL(tail.condition.strip()))] if tail.condition.strip() else []
    filled = [] if key.nulls_not_distinct else [SQL("{} IS NOT NULL").format(value) for value in values]
    return SQL("(SELECT t.*, row_number() OVER (PARTITION BY {}) AS pgmend_repeat FROM {} WHERE {}) AS t").format(
        SQL(", ").join(values), _own(table), q.all_of([*bound, *filled, SQL("true")])
    )


def _is_proved(key: Index, table: Table) -> bool:
    """Return whether an index proves that no two rows agree in these columns, or in what a special unique says."""
    if _is_special(key):
        return any(i.unique and i.valid and canonical(i.tail) == canonical(key.tail) for i in table.indexes)
    return table.tells_all_apart(key.columns) if key.nulls_not_distinct else table.tells_apart(key.columns)


def _numbered(rows: Composable, key: Index, table: Table, wanted: Table, last: Sequence[Composable] = ()) -> Composed:
    """Return the rows that share values with others, numbered within each group; identical copies count once.

    Rows that fulfil one of the conditions `last` come after the others of their group.
    """
    primary = wanted.primary_key.columns if wanted.primary_key else ()
    identity = tuple(column for column in primary if column in table.columns)
    signs = q.equalities(table, key.columns)
    repeating = q.repeating(rows, key.columns, signs, nulls_repeat=key.nulls_not_distinct)
    if identity and not table.has_key_on(identity):
        copies = q.numbered_copies(repeating, table, identity)
        repeating = SQL("(SELECT t.* FROM {} WHERE t.pgmend_copy = 1) AS t").format(copies)
    there = SQL("(t.pgmend_part, t.pgmend_place) IN (SELECT t.tableoid, t.ctid FROM {} WHERE {})")
    late = [there.format(rows, q.any_of(SQL("({})").format(each) for each in last))] if last else []
    order = SQL(", ").join([*late, *(q.column(column) for column in identity), SQL("t.pgmend_part, t.pgmend_place")])
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
    mover, table, wanted = Mover(actual, contract), actual.tables[name], contract.tables[name]
    wrong = with_own(mover, name, [*faults(mover, name), *_other_repeats(key, table, wanted)])
    source = _numbered(SQL("{} AS t").format(q.name(name)), key, table, wanted, [condition for condition, _ in wrong])
    pairs = (q.not_distinct(table, column, "k", "t") for column in key.columns)
    reason = _reason(key, table, wanted, sound=bool(wrong))
    told = _told(wrong, reason) if wrong else None
    rivals = Rivals(source, SQL("t.pgmend_repeat > 1"), "pgmend_first", q.all_of(pairs), told=told)
    return Repair.of(mover.quarantine(Phase.VALUES, name, rivals.condition, reason, rows=finding.rows, rivals=rivals))


def _reason(key: Index, table: Table, wanted: Table, *, sound: bool) -> str:
    """Return why a row that repeats another goes; `sound` where rows with other faults come last."""
    primary = wanted.primary_key.columns if wanted.primary_key else ()
    known = ", ".join(column for column in primary if column in table.columns)
    keeper = f"the row with the lowest {known}" if known else "the row that is stored first"
    return f"{keeper}{' and no other fault' if sound else ''} has its ({', '.join(key.columns)}), and stays"


def _told(wrong: Iterable[Fault], reason: str) -> Composed:
    """Return the reason that is kept with each row: its own fault, if it has one, for all rows of its group may."""
    ways = [SQL("WHEN {} THEN {}").format(condition, why) for condition, why in wrong]
    return SQL("CASE {} ELSE {} END").format(SQL(" ").join(ways), Literal(reason))


def _other_repeats(key: Index, table: Table, wanted: Table) -> Iterator[Fault]:
    """Yield the condition for rows that repeat others in another unique of the table, and so go for that."""
    for other in wanted.indexes:
        special = other.primary or not other.unique or _is_special(other) or _is_proved(other, table)
        there = all(c in table.columns and not table.columns[c].mapped for c in other.columns)
        if there and not special and other.columns != key.columns:
            source = _numbered(SQL("{} AS t").format(q.name(table.name)), other, table, wanted)
            reason = _reason(other, table, wanted, sound=False)
            yield q.among(source, SQL("t.pgmend_repeat > 1")), Literal(reason)


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
