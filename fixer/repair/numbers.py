"""The numbers of sequences: move one past the highest id, and reserve numbers that a repair gives to rows.

A dangling reference may hold the very number that comes next. The row that got it would become its parent, and a
relation would appear that never existed. Nor may an old row get a number that an application takes at the same time,
if that counts by itself (max(id) + 1). So online, numbers are reserved beyond those that come next, and an index keeps
each from being taken twice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from fixer.model.schema import Schema
from fixer.model.step import Lock, Part, Phase, RefusalError, Room, Step
from fixer.model.table import Column, ForeignKey, QName, Sequence, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import family

OF_SEQUENCE = Lock.SHARE_ROW_EXCLUSIVE  # which ALTER SEQUENCE takes; the table is only read
Held = tuple[Composable, ...]  # SELECTs for the numbers that references to a key hold
_Search = tuple[Composable, Composable]  # statements that find the gaps between them, and that choose one
# How many numbers are left to sessions that count without the sequence while a repair runs: a tenth of the numbers so
# far, within bounds, and at most an eighth of those that the type has left.
_LEAP = SQL("greatest(least(greatest(start / 10, 10000), 1000000, (last - start) / 8), 0)")
# The last one first: once it is visible, a session that takes max(id) + 1 goes on beyond all reserved numbers.
SET_ASIDE = SQL(
    "set_config('pgmend.number', (current_setting('pgmend.number')::bigint"
    " - current_setting('pgmend.pace')::bigint)::text, true)::bigint"
)


def advance(table: QName, column: str, name: QName | None, held: Held = ()) -> Part:
    """Return the step that moves a sequence past the highest id, never back; online it also avoids `held` numbers.

    Online, others draw numbers from now on, while dangling references still exist. A sequence that is behind
    goes further there: a session that counts without it may go on while the repair runs.
    """
    generator = Literal(q.quoted(name)) if name else q.generator_of(table, column)
    above = SQL("(SELECT CASE WHEN pace > 0 THEN max({0})::bigint + 1 ELSE 1 - min({0})::bigint END FROM {1} AS t)")
    top = above.format(q.column(column), q.name(table))
    spelt = name.name if name else f"the sequence of {table.name}.{column}"
    title = f"move {spelt} past the highest {column if name else 'value'}"
    step = Step(Phase.GENERATORS, table, title, _moved_on(table, column, generator, top))
    further = _moved_on(table, column, generator, top, _room(table, column, held), leaps=True)
    return step.online_as((replace(step, sql=further, lock=OF_SEQUENCE),))


def anchor(table: QName, column: str, generator: Composable | None, held: Held, *, rows: int) -> Part:
    """Return the step that finds numbers of a sequence for so many rows, none of which a dangling reference holds.

    Without a `generator`, a function numbers them.

    After it, a rollback also takes back the numbers drawn. nextval alone survives a rollback, but RESTART, even at the
    same number, gives the sequence new storage in this transaction. Online, nothing is rolled back as a whole.
    """
    title = f"make a rollback restore the sequence of {table.name}.{column}"
    if held:
        title = f"skip values of {table.name}.{column} that dangling references still mention"

    def block(rows: int, *, anchored: bool) -> q.Block:
        room = _room(table, column, held, rows)
        return _moved_on(table, column, generator or SQL("NULL"), SQL("NULL"), room, anchored=anchored)

    fixed, loose = partial(block, anchored=True), partial(block, anchored=False)
    step = Step(Phase.ANCHOR, table, title, fixed(rows), room=Room(rows, fixed, column if generator else ""))
    lightly = replace(step, sql=loose(rows), room=Room(rows, loose), lock=OF_SEQUENCE)
    return step.online_as((lightly,) if held else ())


def numbers_itself(wanted: Table, column: str) -> bool:
    """Return whether new rows get a number of their own in a column: not where they reference others by it."""
    return wanted.columns[column].generates and giver(column, wanted) is None


def giver(column: str, *tables: Table) -> ForeignKey | None:
    """Return the foreign key by which a column gets its values from another, if one of these forms of its table has it.

    A new number of its own would reference no row.
    """
    itself = (column, column)
    keys = (key for table in tables for key in table.foreign_keys if key.enforced and column in key.columns)
    return next((key for key in keys if not (key.target == key.table and itself in key.pairs)), None)


def see_that_none_gives(table: Table, column: str) -> None:
    """Raise RefusalError if a foreign key of a table, as found, would refuse a new number or other key in a column."""
    if key := giver(column, table):
        drop = f"ALTER TABLE {q.quoted(table.name)} DROP CONSTRAINT {q.quoted([key.name])}"
        raise RefusalError(
            f"its foreign key {key.name} would refuse a new {column}, which no row of {key.target.name} has: correct"
            f" these rows by hand, or let the key go: {drop}"
        )


def own_value(wanted: Column) -> Composable | None:
    """Return the contract's default if it may give each row a value of its own, such as gen_random_uuid()."""
    if wanted.default is None or not wanted.volatile:
        return None
    return q.Own(wanted.default, wanted.full_type) if q.Own.is_call(wanted.default) else SQL(wanted.default)


def held(table: QName, column: str, actual: Schema, wanted: Schema) -> Held:
    """Return the SELECTs for the numbers from `start` to `last` that references to a key hold."""
    references = {
        (key.table, here)
        for key in (*wanted.incoming(table), *actual.incoming(table))
        for here, there in key.pairs
        if there == column and _holds(actual.tables.get(key.table), here)
    }
    return tuple(_held_by(*reference, actual) for reference in sorted(references))


def _holds(table: Table | None, column: str) -> bool:
    """Return whether a table holds values in a column: one that is missing, or to come, has none."""
    return bool(table and not table.created and column in table.columns)


def _held_by(table: QName, column: str, actual: Schema) -> Composable:
    there = actual.tables.get(table)
    found = there.columns.get(column) if there else None
    number: Composable = q.column(column)
    if not (found and family(found.type) == "integer" and found.now is None and not found.mapped):
        # Online, a column that is converted or mapped may still hold texts then.
        number = SQL("(CASE WHEN {text} ~ {digits} THEN {text}::bigint END)").format(
            text=SQL("{}::text").format(number), digits=Literal(r"^\d{1,18}$")
        )
    return SQL("SELECT way * {} FROM {} AS t WHERE {} BETWEEN lowest AND highest").format(number, q.name(table), number)


def _room(table: QName, column: str, held: Held, rows: int = 0) -> _Search | None:
    """Return the statements that find the gaps between `held` numbers and choose the first ample one, else the widest.

    Ample, because more rows may come than the plan counted; a gap, because one high number must not use up an integer.
    Without `rows`, the sequence stays where it is if there is no gap.
    """
    if not held:
        return None
    choice = q.written(
        "numbers/choose_gap",
        rows=Literal(rows),
        ample=Literal(2 * rows + 1000),
        otherwise=SQL("NULL" if rows else "start"),
        complaint=_no_room(table, column, rows),
    )
    return _gaps(held), choice


def _gaps(held: Held) -> Composable:
    """Return the statements that find the gaps between `held` numbers, from `start` to `last`."""
    each = SQL(" UNION\n                        ").join([SQL("SELECT start - 1"), *held])
    return q.written("numbers/find_gaps", held=each)


def _no_room(table: QName, column: str, rows: int) -> Composable:
    return Literal(f"no room for {rows} new numbers of {table.name}.{column} between those that references hold")


def set_aside(
    table: QName, column: str, generator: Composable, held: Held, rows: int, *, by_itself: bool
) -> tuple[Step]:
    """Return the step that reserves numbers for so many rows, and moves the sequence past them.

    The sequence keeps the lead that it had over the data, because sessions without it go on in between. If it numbers
    the rows `by_itself` (GENERATED ALWAYS), it moves to the first of these numbers instead.
    """
    title = f"reserve values of {table.name}.{column} that nobody takes and no dangling reference mentions"
    block = partial(_aside, table, column, generator, held, by_itself=by_itself)
    return (Step(Phase.ANCHOR, table, title, block(rows), OF_SEQUENCE, room=Room(rows, block)),)


def _aside(table: QName, column: str, generator: Composable, held: Held, rows: int, *, by_itself: bool) -> q.Block:
    """Return the block that chooses the numbers: `bottom` is the first, `number` the one after the last.

    They follow the increment of the sequence, because other sequences may give the numbers in between.
    """
    return q.block(
        "numbers/set_aside",
        generator=generator,
        reach=_reach(table, column),
        column=q.column(column),
        table=q.name(table),
        leap=_LEAP,
        gaps=_gaps(held),
        found=q.written("numbers/gaps_with_room"),
        rows=Literal(rows),
        ample=Literal(2 * rows + 1000),
        by_itself=Literal(by_itself),
        complaint=_no_room(table, column, rows),
    )


def _reach(table: QName, column: str) -> Composable:
    """Return the statement that reads increment and direction of a sequence, and the last number it can give."""
    return q.written("numbers/reach", table=Literal(q.quoted(table)), column=Literal(column))


def _moved_on(
    table: QName,
    column: str,
    generator: Composable,
    above: Composable,
    room: _Search | None = None,
    *,
    anchored: bool = False,
    leaps: bool = False,
) -> q.Block:
    """Return the block that moves a sequence forward if it is behind; if `anchored`, it restarts it in any case.

    If it `leaps`, it leaves numbers to sessions that count without the sequence. A descending sequence is handled by
    multiplying every number by `way`, which is -1 then.
    """
    leap = SQL("    IF start > next THEN\n        start := start + {};\n    END IF;").format(_LEAP)
    choice = room[1] if room else SQL("")
    parts = [*([leap] if leaps else []), *(room or ())]
    return q.block(
        "numbers/move_on",
        generator=generator,
        reach=_reach(table, column),
        above=above,
        room=SQL("\n").join(parts),
        choice=choice,
        anchored=Literal(anchored),
    )


def last_number(sequence: Sequence, model: Sequence | None, top: int) -> int:
    """Return the last number that a sequence gives and its column takes, once they are as wide as in the contract.

    `model` is the sequence of the contract, `top` the largest number of the column's type.
    """
    if sequence.increment > 0:
        return min(max(sequence.maximum, model.maximum if model else 0), top)
    return max(min(sequence.minimum, model.minimum if model else 0), -top - 1)


def is_spent(sequence: Sequence, end: int) -> bool:
    """Return whether a sequence gave its last number, as far as the role may know: `end`, or the last before it."""
    if sequence.last_value is None:
        return False
    following = sequence.last_value + sequence.increment
    return following > end if sequence.increment > 0 else following < end
