"""The new numbers that rows get: from the sequence by which their column counts once the plan is done."""

from __future__ import annotations

from collections.abc import Callable

from fixer.model.contract import Contract
from fixer.model.schema import Schema
from fixer.model.step import Part, RefusalError
from fixer.model.table import Column, Index, QName
from fixer.model.values import dataclass
from fixer.repair.constraints.online import apart
from fixer.repair.counting.heirs import is_heirs, leader_of
from fixer.repair.defaults.drawing import Draws, draws
from fixer.repair.numbers import SET_ASIDE, Held, anchor, held, see_that_none_gives, set_aside
from fixer.repair.sequences import ask_for, given, is_borrowed
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal

_BY_ITSELF = SQL("DEFAULT")  # GENERATED ALWAYS accepts nothing else


@dataclass(frozen=True)
class Numbers:
    """The new numbers of rows: `value` in one transaction, `beside` while others write, once `room` is made."""

    value: Composable
    beside: Composable
    room: Callable[[int], Part]  # the step that finds numbers for so many rows


def new_numbers(table: QName, column: str, key: Index | None, actual: Schema, contract: Contract) -> Numbers:
    """Return what gives rows new numbers of a key, or of a column under none, other than those that references hold.

    Online, they are reserved beyond those that sessions without the sequence take meanwhile, and an index keeps each
    from being taken twice until the key itself does. Raises RefusalError if nothing can give such numbers, or if a
    foreign key would refuse them.
    """
    see_that_none_gives(actual.tables[table], column)
    found, taken = actual.tables[table].columns[column], held(table, column, actual, contract.schema)
    generator = generator_then(table, column, actual, contract)
    by_itself, given = found.identity == "a", generator is not None
    number = SQL("nextval({})").format(generator) if generator else _own_number(table, found, taken)
    value = _BY_ITSELF if by_itself else number
    kept_apart = tuple(apart(actual.tables[table], key, column, given=given)) if key else ()

    def room(rows: int) -> Part:
        aside = set_aside(table, column, generator, taken, rows, by_itself=by_itself) if generator else ()
        return anchor(table, column, generator, taken, rows=rows).atomic.online_as((*aside, *kept_apart))

    return Numbers(value, SET_ASIDE if given and not by_itself else value, room)


def generator_then(table: QName, column: str, actual: Schema, contract: Contract) -> Composable | None:
    """Return what names the sequence by which a column counts once the plan is done; None if a function numbers it.

    A sequence that the plan leaves to others may give numbers that the table has. Raises RefusalError if this role may
    not move the one that stays.
    """
    found = actual.tables[table].columns.get(column) if table in actual.tables else None
    wanted = contract.tables[table].columns[column]
    if name := _of_another(table, wanted, found, actual, contract):
        return Literal(q.quoted(name))
    sequence = actual.sequences.get(found.sequence) if found and found.sequence else None
    if found is None or sequence is None:
        if found and not found.identity and draws(table, found, actual) is not Draws.NEVER:
            return None
        return given(table, wanted, actual) if found and wanted.sequence else q.generator_of(table, column)
    if sequence.owned_by == (table, column):
        return q.generator_of(table, column)
    if is_borrowed(table, column, actual, contract):
        return given(table, wanted, actual)
    ask_for(sequence, table, actual)
    return Literal(q.quoted(sequence.name))


def _of_another(table: QName, wanted: Column, found: Column | None, actual: Schema, contract: Contract) -> QName | None:
    """Return the sequence of another table by which the plan makes a column count, as the contract says.

    See missing-generator and shared-sequence, which makes heirs alone count otherwise than they do.
    """
    like = leader_of(table, wanted, actual, contract)
    if like is None or like.sequence is None or (found and (found.identity or like.is_followed_by(found))):
        return None
    numbered = found and (found.generates or draws(table, found, actual) is not Draws.NEVER)
    if numbered and not is_heirs(table, wanted, contract):
        return None
    like.see_that_it_moves(table)
    return like.sequence


def _own_number(table: QName, found: Column, taken: Held) -> Composable:
    """Return what gives a row its number by the default of its column, a function.

    Raises RefusalError if references hold numbers, because a function cannot be moved past them.
    """
    default = found.default or "NULL"
    if taken:
        raise RefusalError(f"{default} may give numbers of {table.name}.{found.name} that references hold already")
    number = q.Own(default, found.full_type) if q.Own.is_call(default) else SQL(default)
    behind = f"{default} gives {table.name}.{found.name} numbers that other rows have: let it go on beyond them"
    return q.Drawn(number, behind)
