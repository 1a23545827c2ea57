"""How far a generator has counted: bring it ahead of the data, and find room for the numbers that a repair gives.

A reference that points at nothing may hold the very number that comes next. The row that got it would be taken for
its parent, and a relation would appear that never existed. Nor may an old row get a number that an application takes
at the same time, which counts by itself: online, numbers are set aside beyond those that come next, and an index lets
none of them be taken twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from fixer.model.schema import Schema
from fixer.model.step import Lock, Part, Phase, RefusalError, Room, Step
from fixer.model.table import Index, QName
from fixer.repair.constraints_online import apart
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import family

OF_SEQUENCE = Lock.SHARE_ROW_EXCLUSIVE  # by ALTER SEQUENCE; the table is only read
Held = tuple[Composable, ...]  # questions for the numbers that references to a key hold
_Search = tuple[Composable, Composable]  # statements that find the gaps between them, and that choose one
# Numbers that are left to others while a repair lasts, where somebody counts without the generator: a tenth of all that
# there ever were, within bounds, and never much of what the type has left.
_LEAP = SQL("greatest(least(greatest(start / 10, 10000), 1000000, (last - start) / 8), 0)")
_BY_ITSELF = SQL("DEFAULT")  # nothing else may be written into what is GENERATED ALWAYS
# The furthest first: who takes max(id) + 1 goes on beyond all that are set aside as soon as the first can be seen.
_SET_ASIDE = SQL(
    "set_config('pgmend.number', (current_setting('pgmend.number')::bigint"
    " - current_setting('pgmend.pace')::bigint)::text, true)::bigint"
)


@dataclass(frozen=True)
class Numbers:
    """What gives rows of a key other numbers: in one transaction, and while others write; `room` is found first."""

    value: Composable
    beside: Composable
    room: Callable[[int], Part]  # for so many rows


def new_numbers(table: QName, column: str, key: Index, actual: Schema, wanted: Schema) -> Numbers:
    """Return what gives rows other numbers of a key; they are clear of those that references hold.

    Online, they are set aside beyond those that others take meanwhile who count by themselves, and an index over the
    key lets none of them be taken twice until the key itself does. Raises RefusalError where nothing can give them.
    """
    taken = held(table, column, actual, wanted)
    value = next_number(table, column, taken, actual)
    given = value in (q.next_value(table, column), _BY_ITSELF)
    kept_apart = tuple(apart(actual.tables[table], key, column, given=given))

    def room(rows: int) -> Part:
        aside = _set_aside(table, column, taken, rows, by_itself=value == _BY_ITSELF) if given else ()
        return anchor(table, column, taken, rows=rows).atomic.online_as((*aside, *kept_apart))

    return Numbers(value, _SET_ASIDE if value == q.next_value(table, column) else value, room)


def advance(table: QName, column: str, name: QName | None, held: Held = ()) -> Part:
    """Return the step that brings a generator ahead of the data, never back; online past what is `held` as well.

    There others get their numbers from now on, while rows still point at nothing. One that is behind goes further
    online: somebody counts without it, and goes on while the repair lasts.
    """
    generator = Literal(q.quoted(name)) if name else q.generator_of(table, column)
    top = SQL("(SELECT max({}) + 1 FROM {} AS t)").format(q.column(column), q.name(table))
    title = f"bring the numbers of {table.name}.{column} ahead of the data"
    step = Step(Phase.GENERATORS, table, title, _moved_on(table, column, generator, top))
    further = _moved_on(table, column, generator, top, _room(table, column, held), leaps=True)
    return step.online_as((replace(step, sql=further, lock=OF_SEQUENCE),))


def anchor(table: QName, column: str, held: Held, *, rows: int) -> Part:
    """Return the step that finds room for the numbers of so many rows: what points at nothing must not point at them.

    After it a rollback takes back what the generator gives. nextval alone survives one; a sequence that is restarted,
    if only where it stands, lives in storage of this transaction's own. Online, nothing is rolled back as a whole.
    """
    title = f"let a rollback reach the numbers of {table.name}.{column}"
    if held:
        title = f"find room for new numbers of {table.name}.{column}, clear of those that references hold"

    def block(rows: int, *, anchored: bool) -> q.Block:
        room = _room(table, column, held, rows)
        return _moved_on(table, column, q.generator_of(table, column), SQL("NULL"), room, anchored=anchored)

    fixed, loose = partial(block, anchored=True), partial(block, anchored=False)
    step = Step(Phase.ANCHOR, table, title, fixed(rows), room=Room(rows, fixed))
    lightly = replace(step, sql=loose(rows), room=Room(rows, loose), lock=OF_SEQUENCE)
    return step.online_as((lightly,) if held else ())


def next_number(table: QName, column: str, held: Held, actual: Schema) -> Composable:
    """Return what gives a row its next number: the generator that the column owns by then, or else its own default.

    Raises RefusalError where references hold numbers, and nobody can bring that default past them.
    """
    found = actual.tables[table].columns[column]
    if found.identity == "a":
        return _BY_ITSELF
    seen = found.identity or found.sequence in actual.sequences
    if seen or found.default is None or "(" not in found.default:
        return q.next_value(table, column)
    if held:
        raise RefusalError(f"{found.default} may give numbers of {table.name}.{column} that references hold already")
    return q.Own(found.default, found.full_type) if q.Own.is_call(found.default) else SQL(found.default)


def held(table: QName, column: str, actual: Schema, wanted: Schema) -> Held:
    """Return the questions which numbers references to a key hold, of those from `start` to `last`."""
    references = {
        (key.table, here)
        for key in (*wanted.incoming(table), *actual.incoming(table))
        for here, there in key.pairs
        if there == column and (key.table in actual.tables or key.table in wanted.tables)
    }
    return tuple(_held_by(*reference, actual) for reference in sorted(references))


def _held_by(table: QName, column: str, actual: Schema) -> Composable:
    there = actual.tables.get(table)
    found = there.columns.get(column) if there else None
    number: Composable = q.column(column)
    if not (found and family(found.type) == "integer" and found.now is None and not found.mapped):
        # Online, what is to be converted or mapped may still hold texts then.
        number = SQL("(CASE WHEN {text} ~ {digits} THEN {text}::bigint END)").format(
            text=SQL("{}::text").format(number), digits=Literal(r"^\d{1,18}$")
        )
    return SQL("SELECT way * {} FROM {} AS t WHERE {} BETWEEN lowest AND highest").format(number, q.name(table), number)


def _room(table: QName, column: str, held: Held, rows: int = 0) -> _Search | None:
    """Return the statements that find the gaps in what is held, and that choose one: the first ample, else the widest.

    More rows may come by than the plan counted; one number held far up must not use up an integer. Where none is
    wanted at once, it stays where no gap is.
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
    """Return the statements that find the gaps in what is held, from `start` to `last`."""
    each = SQL(" UNION\n                        ").join([SQL("SELECT start - 1"), *held])
    return q.written("numbers/find_gaps", held=each)


def _no_room(table: QName, column: str, rows: int) -> Composable:
    return Literal(f"no room for {rows} new numbers of {table.name}.{column} between those that references hold")


def _set_aside(table: QName, column: str, held: Held, rows: int, *, by_itself: bool) -> tuple[Step]:
    """Return the step that sets numbers aside for so many rows, and lets the generator count on beyond them.

    The lead that it had over the data it has after them as well: those who count without it go on there. What numbers
    rows `by_itself` counts from the first of these numbers.
    """
    title = f"set new numbers of {table.name}.{column} aside, clear of those that others take or references hold"
    block = partial(_aside, table, column, held, by_itself=by_itself)
    return (Step(Phase.ANCHOR, table, title, block(rows), OF_SEQUENCE, room=Room(rows, block)),)


def _aside(table: QName, column: str, held: Held, rows: int, *, by_itself: bool) -> q.Block:
    """Return the block that chooses the numbers: `number` is the one beyond the furthest, `bottom` the first.

    They keep the pace of the generator, since others may give those in between.
    """
    return q.block(
        "numbers/set_aside",
        generator=q.generator_of(table, column),
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
    """Return the statement that asks how, which way and how far a generator counts: as far as its column holds."""
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
    """Return the block that restarts a generator further on, where it is not there yet, or `anchored` in any case.

    Where it `leaps`, it leaves numbers to sessions that count without it. A descending sequence is handled by
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
