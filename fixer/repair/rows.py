"""Steps that write rows, all in the same way.

A row that leaves its table goes to quarantine in the same statement; if a cell is rewritten, an image of its row goes
to the journal. Rows are found first, and then written by their place, online a batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from fixer.model.step import QUARANTINE, Effect, Fill, Hazard, Lock, Phase, Shape, Step
from fixer.model.table import Column, ForeignKey, QName, Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier
from fixer.sql.row_statements import assignment_list, rewrite_statement

SEEN = 2_000  # places that one condition names: with more, it takes longer to read than to search
IN_BATCH = SQL("t.ctid = ANY (current_setting('pgmend.places')::tid[])")
_IS_KEEPER = SQL("t.ctid = ANY (current_setting('pgmend.keepers')::tid[])")
MANY = 50_000  # rows: beyond these, the table is read by ranges of pages instead of searched first


@dataclass(frozen=True)
class Rivals:
    """Rows that have to go because of another: those rows of `source` that fulfil `where`.

    The column of `source` named by `keeper` is the place of the row `k` that stays; `same` is the condition that `k`
    is still a reason for the row `t` to go.
    """

    source: Composable
    where: Composable
    keeper: str
    same: Composable
    search: Composable | None = None  # SELECT for place, keeper and kind of these rows and of others
    kind: str = ""  # the kind of these rows in that search
    told: Composable | None = None  # the reason that is kept with each of these rows, if it differs from row to row

    @property
    def condition(self) -> Composed:
        """The condition that a row is one of those that go."""
        return q.among(self.source, self.where)


@dataclass(frozen=True)
class Going:
    """Rows that leave their table: those that fulfil `condition`, for a reason."""

    condition: Composable
    reason: str
    rows: int = 0
    rivals: Rivals | None = None
    find: Composable | None = None  # SELECT for their places, if that is faster
    told: Composable | None = None  # the reason that is kept with each row, if it differs from row to row
    expects: Composable | None = None  # the condition that they fulfil before anything moves, if it is another
    follows: bool = False  # whether some of them go only after others of the table
    repeats: bool = False  # whether they go because another row, which stays, has the same values
    after: tuple[QName, ...] = ()  # the tables whose rows they go after

    @property
    def expected(self) -> Composable:
        """The condition that they fulfil before anything moves."""
        return self.condition if self.expects is None else self.expects


def places(table: QName, condition: Composable) -> Composed:
    """Return the SELECT for the places of the rows that fulfil a condition."""
    return SQL("SELECT t.ctid FROM {} AS t WHERE {}").format(q.name(table), condition)


def in_batches(
    step: Step,
    table: Table,
    statement: Callable[[Composable], Composable],
    condition: Composable,
    *,
    rivals: Rivals | None = None,
    guards: Iterable[ForeignKey] = (),
    find: Composable | None = None,
) -> Step:
    """Return a step that runs `statement` on the rows of a condition at once, and online a batch at a time.

    `find` is the SELECT for their places, if it is faster than the condition. Each batch checks the condition again,
    because others write meanwhile. No row goes while rows reference it under `guards`, the foreign keys that point at
    its table, because a DELETE would silently cascade to them.
    """
    if rivals:
        find = _search(rivals)
        step = replace(step, batches=replace(step.batches, kind=rivals.kind)) if rivals.search is not None else step
    step = replace(step, sql=statement(condition))
    if table.inherits:  # the same place is another row in each partition
        return step
    children = [
        SQL("NOT EXISTS (SELECT FROM {} AS c WHERE {})").format(q.name(key.table), q.referencing(key, "c", "t"))
        for key in guards
    ]
    again = _still_rivals(table, rivals) if rivals else condition
    once_more = q.all_of([IN_BATCH, SQL("({})").format(again), *children])
    return replace(
        step,
        batches=replace(
            step.batches,
            find=find or places(table.name, condition),
            batch=statement(once_more),
            hold=_held(table.name, keepers=rivals is not None, rows=bool(children)),
            pages=step.effect.rows > MANY and not rivals,
        ),
        at_places=statement(IN_BATCH),
    )


def _search(rivals: Rivals) -> Composable:
    """Return the SELECT for the places of rivals, each with the place of its keeper."""
    if rivals.search is not None:
        return rivals.search
    keeper = q.column(rivals.keeper)
    return SQL("SELECT t.pgmend_place, {} FROM {} WHERE {}").format(keeper, rivals.source, rivals.where)


def _still_rivals(table: Table, rivals: Rivals) -> Composable:
    """Return the condition that the row of a batch still has to go because of its keeper."""
    return SQL(
        "EXISTS (SELECT FROM unnest(current_setting('pgmend.places')::tid[],"
        " current_setting('pgmend.keepers')::tid[]) AS b (place, keeper)"
        " JOIN {} AS k ON k.ctid = b.keeper WHERE b.place = t.ctid AND {})"
    ).format(q.name(table.name), rivals.same)


def _held(table: QName, *, keepers: bool, rows: bool) -> Composable | None:
    """Return the statements that lock what must not change while a batch is written: its keepers, its rows.

    They are statements of their own, so that the next one sees every child that came in before the lock was taken.
    """
    keep = SQL("SELECT FROM {} AS t WHERE {} FOR KEY SHARE;\n").format(q.name(table), _IS_KEEPER)
    lock = SQL("SELECT FROM {} AS t WHERE {} FOR UPDATE").format(q.name(table), IN_BATCH)
    if keepers:
        return keep + lock if rows else keep
    return lock if rows else None


def filling(step: Step, fills: tuple[Fill, ...]) -> Step:
    """Return the step that fills columns of a table to which others write, in one pass over it."""
    wrong = q.any_of(SQL("({})").format(fill.wrong) for fill in fills)
    values = [fill.value for fill in fills]
    if len(fills) > 1:  # CASE, because a value that does not convert may be an error
        values = [SQL("CASE WHEN {} THEN {} ELSE {} END").format(f.wrong, f.value, q.column(f.column)) for f in fills]
    cells_ = assignment_list({fill.column: value for fill, value in zip(fills, values, strict=True)})
    batch = SQL("UPDATE {} AS t SET {} WHERE {} AND ({})").format(q.name(step.table), cells_, IN_BATCH, wrong)
    return replace(
        step,
        sql=SQL(""),
        batches=replace(step.batches, batch=batch, find=places(step.table, wrong), pages=True),
        lock=Lock.ROW_EXCLUSIVE,
        fills=fills,
        effect=replace(step.effect, changes=tuple(fill.column for fill in fills)),
    )


def quarantine_table(table: QName) -> QName:
    """Return the name of the quarantine table of a table."""
    wanted = table.name if table.schema == "public" else f"{table.schema}__{table.name}"
    return QName(QUARANTINE, q.fitting(wanted))


def rewrite(
    phase: Phase,
    table: Table,
    title: str,
    assignments: Mapping[str, Composable],
    condition: Composable,
    *,
    rows: int,
    known_by: tuple[str, ...],
    hazard: Hazard | None = Hazard.REWRITES_VALUES,
    rivals: Rivals | None = None,
    find: Composable | None = None,
    reason: str = "",
) -> Step:
    """Return the step that rewrites cells of rows; afterwards, the columns `known_by` identify those rows.

    Each image contains the `reason`, or else the title, which may include the number of rows.
    """
    step = Step(
        phase=phase,
        table=table.name,
        title=title,
        sql=SQL(""),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=hazard,
        effect=Effect(rows=rows, changes=tuple(assignments)),
        shape=Shape(restores=tuple(assignments), known_by=known_by),
        repeats=rivals is not None,
    )

    made = [each.made + SQL(";\n") for each in _own(assignments.values())]

    def statement(where: Composable) -> Composable:
        whole = rewrite_statement(table, assignments, where, reason or title, known_by, early=phase < Phase.CONVERT)
        return SQL("").join([*made, whole])

    return in_batches(step, table, statement, condition, rivals=rivals, find=find)


def _own(values: Iterable[Composable]) -> list[q.Own | q.Drawn]:
    """Return the values, and parts of them, that need something created first, each once."""
    parts = (part for value in values for part in (value.seq if isinstance(value, Composed) else (value,)))
    return list({repr(part): part for part in parts if isinstance(part, q.Own | q.Drawn)}.values())


def untaken(value: Composable, table: QName, column: Column) -> Composable:
    """Return the first value of a default that no row has yet, such as a code made of a sequence that is behind."""
    if "uuid" in repr(value):
        return value
    return q.written(
        "columns/untaken",
        value=value,
        type=SQL(column.full_type),
        column=q.column(column.name),
        table=q.name(table),
        name=Identifier(column.name),
    )


def settled(table: Table, key: Iterable[str]) -> Phase:
    """Return the phase in which rows under one key are told apart: late where it is a reference that is mapped."""
    return Phase.VALUES if any(c in table.columns and table.columns[c].mapped for c in key) else Phase.KEYS


def identity(table: Table, wanted: Table | None, phase: Phase) -> tuple[str, ...]:
    """Return the columns that identify rows of a table in a phase; empty if no key proves any."""
    proved = [
        key.columns
        for key in sorted(table.plain_keys, key=lambda key: (not key.primary, key.name))
        if all(c in table.columns and table.columns[c].not_null and not table.columns[c].added for c in key.columns)
    ]
    if proved:
        return proved[0]
    primary = wanted.primary_key if wanted and phase > Phase.KEYS and not table.keyless else None
    if primary and {*primary.columns} <= table.columns.keys():
        return primary.columns  # by now, no two rows share them
    return ()


def announcing(step: Step, rows: int, *, at_most: bool = False) -> Step:
    """Return the step with the number of rows that it will write, or the highest number, also in its title."""
    said = f"{counted(step.effect.rows)} of"
    told = f"at most {counted(rows)} of" if at_most and rows else f"{counted(rows)} of"
    title = step.title.replace(f"at most {said}" if f"at most {said}" in step.title and not rows else said, told, 1)
    return replace(step, title=title, effect=replace(step.effect, rows=rows))


def counted(rows: int) -> str:
    """Return a number of rows in words."""
    if not rows:
        return "the rows"
    return "one row" if rows == 1 else f"{rows} rows"
