"""The labels of an enum differ from the contract's: one is missing, is spelt in other letters, or is unknown to it.

Costs: a missing label refuses every write of it; a row with a label that the contract lacks breaks every read of it.
Cure: ALTER TYPE … ADD VALUE for a label that is missing, where nothing else in the repair can use it: PostgreSQL lets
no transaction use a label that it added, and undo cannot remove it. Otherwise a person decides: the refusal gives this
statement, RENAME VALUE for labels that differ in case only, which loses nothing, and the UPDATE for rows that hold a
label that the contract lacks. A label that no row holds is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _labels as labels
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, literal
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, Table
from fixer.model.values import dataclass
from fixer.repair.probe import rows_where
from fixer.repair.rows import counted
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "different-labels"
POINT = 4
STAGE = Stage.COLUMNS


@dataclass(frozen=True)
class Labels(OfColumn):
    """A column of an enum, or of arrays of one, with the statements that a person may run."""

    ways: tuple[str, ...]
    unknown: bool = False  # whether it is about rows that hold labels which the contract lacks
    type_: str = ""  # the enum that lacks labels
    lacking: tuple[tuple[str, str], ...] = ()  # each with its place, unless one is spelt in other letters
    order: tuple[str, ...] = ()  # of the labels, once those are there


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Labels]]:
    """Yield the enums that lack labels or spell them in other letters, and those whose rows may hold unknown ones."""
    for table, wanted, found in walk.typed_columns(actual, contract):
        if _labels(wanted) and _labels(found) and wanted.type == found.type and wanted.home == found.home:
            yield from _differing(table, wanted, found, actual)
    for name, meant in contract.tables.items() if actual.labels else ():
        there = actual.tables.get(name)
        for column in meant.columns.values():
            known = actual.labels.get(column.full_type)
            if known and _is_to_come(there, column):
                yield from _lacking(meant, column, replace(column, labels=known, items=()))


def _labels(column: Column) -> tuple[str, ...]:
    """Return the labels of a column's enum, or of that of its elements."""
    return column.labels or column.items


def _is_to_come(table: Table | None, wanted: Column) -> bool:
    """Return whether a column gets its type by the plan, which takes a type of this name as it stands."""
    found = table.columns.get(wanted.name) if table and not table.created else None
    return found is None or found.added or found.now is not None or found.full_type != wanted.full_type


def _differing(table: Table, wanted: Column, found: Column, actual: Schema) -> Iterator[Finding[Labels]]:
    yield from _lacking(table, wanted, found)
    _, extra, twins = _compared(wanted, found)
    if unknown := [label for label in extra if label not in twins.values()]:
        yield _held(table, wanted, unknown, actual)


def _compared(wanted: Column, found: Column) -> tuple[list[str], list[str], dict[str, str]]:
    """Return the labels that lack, those that are extra, and by label that lacks the one spelt in other letters."""
    lacking = [label for label in _labels(wanted) if label not in _labels(found)]
    extra = [label for label in _labels(found) if label not in _labels(wanted)]
    return lacking, extra, {label: twin for label in lacking if (twin := _twin(label, extra)) and _twin(label, lacking)}


def _lacking(table: Table, wanted: Column, found: Column) -> Iterator[Finding[Labels]]:
    here, type_ = f"{table.name.name}.{wanted.name}", found.full_type.removesuffix("[]")
    lacking, _, twins = _compared(wanted, found)
    if lacking:
        places = {label: _place(label, wanted, found, twins) for label in lacking}
        ways = [
            f"ALTER TYPE {type_} RENAME VALUE {literal(twins[label])} TO {literal(label)};"
            if label in twins
            else f"ALTER TYPE {type_} ADD VALUE {literal(label)}{places[label]};"
            for label in lacking
        ]
        adds = () if twins else tuple(places.items())
        about = Labels(table.name, wanted.name, tuple(ways), False, type_, adds, _labels(wanted))
        spelt = f"; it spells {', '.join(map(repr, twins.values()))}" if twins else ""
        message = f"{here} should take {', '.join(map(repr, lacking))}, {wanted.enum} does not{spelt}"
        yield Finding(SLUG, POINT, about, message)


def _place(label: str, wanted: Column, found: Column, twins: dict[str, str]) -> str:
    """Return where a label that is added stands, beside one that is there by then."""
    order = _labels(wanted)
    at = order.index(label)
    if at:
        return f" AFTER {literal(order[at - 1])}"
    later = (twins.get(other, other) for other in order if other in _labels(found) or other in twins)
    return next((f" BEFORE {literal(other)}" for other in later), "")


def _held(table: Table, wanted: Column, unknown: list[str], actual: Schema) -> Finding[Labels]:
    """Return the finding that rows hold labels which the contract lacks, with the probe for them."""
    name = as_needed(wanted.name)
    of = f"{as_needed(table.name.schema)}.{as_needed(table.name.name)}"
    new, known = ("…", "{1} = {0}") if wanted.labels else ("array_replace({0}, {1}, …)", "{1} = ANY ({0})")
    update = f"UPDATE {of} SET {{0}} = {new} WHERE {known};"
    ways = tuple(update.format(name, literal(label)) for label in unknown)
    listed = ", ".join(map(repr, unknown))
    message = f"rows of {table.name.name} hold {listed} in {table.name.name}.{wanted.name}, which the contract lacks"
    asks = partial(_holding, actual, table, wanted, tuple(unknown))
    about = Labels(table.name, wanted.name, ways, unknown=True)
    return Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, of_rows=True, aspect="rows")


def _holding(actual: Schema, table: Table, column: Column, unknown: tuple[str, ...]) -> Probe:
    listed = SQL(", ").join(map(Literal, unknown))
    hold = SQL("{}::text IN ({})" if column.labels else "{}::text[] && ARRAY[{}]::text[]")
    return rows_where(actual, table.name, hold.format(q.column(column.name), listed))


def _twin(label: str, others: list[str]) -> str | None:
    """Return the one label among others that differs from this one in case only."""
    twins = [other for other in others if other.casefold() == label.casefold()]
    return twins[0] if len(twins) == 1 else None


def repair(finding: Finding[Labels], actual: Schema, contract: Contract) -> Repair:
    """Add the labels that lack; refuse where that cannot be, with the statements that a person may run."""
    about = finding.about
    ways = " ".join(about.ways)
    if about.unknown:
        return refuse(
            f"only a person knows what {counted(finding.rows)} should hold: add the label to the models, or {ways}"
        )
    if not about.lacking:
        return refuse(f"a label cannot be removed again; run {ways}")
    if why := labels.hindrance(about.type_, [label for label, _ in about.lacking], actual, contract):
        return refuse(f"{why}; run {ways} then plan again")
    return Repair.of(labels.adding(about.table, about.type_, label, SQL(place)) for label, place in about.lacking)


def foresee(finding: Finding[Labels], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the labels."""
    about = finding.about
    taken = {about.type_: about.order, f"{about.type_}[]": about.order}
    tables = {name: replace(each, columns=_with(each, about)) for name, each in actual.tables.items()}
    there = {type_: taken.get(type_, each) for type_, each in actual.labels.items()}
    return replace(actual, tables=tables, labels=there)


def _with(table: Table, about: Labels) -> dict[str, Column]:
    """Return the columns of a table, those of the enum with its labels."""

    def lacks(column: Column) -> bool:
        return bool(column.enum) and column.full_type.removesuffix("[]") == about.type_

    def given(column: Column) -> Column:
        return replace(column, labels=about.order) if column.labels else replace(column, items=about.order)

    return {name: given(each) if lacks(each) else each for name, each in table.columns.items()}


def _moods(many: bool = False, default: str | None = None) -> sa.MetaData:
    import sqlalchemy as sa

    metadata = sa.MetaData()
    mood = sa.Enum("ok", "sad", name="mood")
    moods = sa.Table("moods", metadata, sa.Column("id", sa.Integer, primary_key=True))
    moods.append_column(sa.Column("mood", sa.ARRAY(mood) if many else mood, server_default=default))
    return metadata


def _of(*known: str, many: str = "") -> str:
    """Return the statements that give the column an enum of these labels, or arrays of one."""
    listed = ", ".join(map(literal, known))
    return (
        f"CREATE TYPE other AS ENUM ({listed});"
        f"ALTER TABLE moods ALTER COLUMN mood TYPE other{many} USING mood::text{many}::other{many};"
        "DROP TYPE mood; ALTER TYPE other RENAME TO mood;"
    )


_ROWS = "INSERT INTO moods (mood) VALUES ('ok'), ('ok'), (NULL)"
_LISTS = "INSERT INTO moods (mood) VALUES ('{ok,sad}'), ('{ok,NULL}'), ('{}'), (NULL)"
_MANY = partial(_moods, many=True)
SPECIMENS = (
    Specimen(
        "in other letters", "ALTER TYPE mood RENAME VALUE 'ok' TO 'OK'", contract=_moods, setup=_ROWS, manual=True
    ),
    Specimen("a label is missing", _of("ok"), contract=_moods, setup=_ROWS),
    Specimen("the first label is missing", _of("sad"), contract=_moods),
    Specimen(
        "a label that a default names is missing",
        f"ALTER TABLE moods ALTER mood DROP DEFAULT; {_of('ok')}",
        also=frozenset({"missing-default"}),
        contract=partial(_moods, default="sad"),
        setup=_ROWS,
        manual=True,
    ),
    Specimen(
        "rows hold one that the contract lacks",
        _of("ok", "sad", "gone") + "UPDATE moods SET mood = 'gone' WHERE id < 3",
        contract=_moods,
        setup=_ROWS,
        rows=2,
        manual=True,
    ),
    Specimen(
        "of a column that is to come",
        f"{_of('OK', 'sad')} ALTER TABLE moods DROP COLUMN mood",
        also=frozenset({"missing-column"}),
        contract=_moods,
        manual=True,
    ),
    Specimen(
        "of a table that is to come",
        f"{_of('ok')} DROP TABLE moods",
        also=frozenset({"missing-table"}),
        contract=_moods,
    ),
    Specimen(
        "of texts that are to be labels",
        f"{_of('ok')} ALTER TABLE moods ALTER COLUMN mood TYPE text USING mood::text",
        also=frozenset({"wrong-type"}),
        contract=_moods,
        manual=True,
    ),
    Specimen("of arrays", "ALTER TYPE mood RENAME VALUE 'ok' TO 'OK'", contract=_MANY, setup=_LISTS, manual=True),
    Specimen(
        "arrays hold one that the contract lacks",
        _of("ok", "sad", "gone", many="[]") + "UPDATE moods SET mood = '{{ok},{gone}}' WHERE id < 3",
        contract=_MANY,
        setup=_LISTS,
        rows=2,
        manual=True,
    ),
    Specimen(
        "of arrays that are to come",
        f"{_of('OK', 'sad', many='[]')} ALTER TABLE moods DROP COLUMN mood",
        also=frozenset({"missing-column"}),
        contract=_MANY,
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("one that no row holds", _of("ok", "gone", "sad"), contract=_moods, setup=_ROWS),
    Specimen("one that no array holds", _of("ok", "gone", "sad", many="[]"), contract=_MANY, setup=_LISTS),
    Specimen("in another order", _of("sad", "ok"), contract=_moods, setup=_ROWS),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: spell a label of an enum otherwise."""
    for column in table.columns.values():
        for label in _labels(column)[-1:]:
            names = SQL(column.full_type.removesuffix("[]")), Literal(label), Literal(label.upper())
            yield SQL("ALTER TYPE {} RENAME VALUE {} TO {}").format(*names)
