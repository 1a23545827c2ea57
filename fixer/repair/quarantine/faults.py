"""Rows of a table that leave it for a fault of their own, and the reason that each is kept with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.model.table import ForeignKey, Index, QName
from fixer.repair.constraints.checks import over_row, spelt, stands
from fixer.repair.constraints.foreign_keys import best, retyped_in
from fixer.repair.numbers import numbers_itself
from fixer.repair.quarantine import Mover
from fixer.repair.quarantine.repeats import Fault, of_key, repeats
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.following import orphaned, reason_under, with_descendants
from fixer.sql.types import fits

_ROOM = 12_000  # characters: each step repeats these conditions, and PostgreSQL needs some 4 kB to plan each character
_HIGH = 2  # tables above each other that are asked whether their rows go: what they say grows with each


def weighed(mover: Mover, table: QName, key: Index | None) -> list[Fault]:
    """Return why rows of a table will go, other than for what they repeat in `key`, as far as there is room to say so.

    If there is none, for what each row holds and references alone: which row stays is then chosen without the rest.
    """
    alone = [*own_faults(mover, table)]
    every = [*faults(mover, table), *repeats(mover, table, key, [condition for condition, _ in alone])]
    return every if sum(_size(condition) for condition, _ in every) <= _ROOM else alone


def _size(statement: Composable) -> int:
    """Return about how long a statement is."""
    if isinstance(statement, Composed):
        return sum(map(_size, statement.seq))
    return len(statement.string if isinstance(statement, SQL) else repr(statement))


def faults(mover: Mover, table: QName, below: tuple[QName, ...] = ()) -> Iterator[Fault]:
    """Yield why rows of a table will go, other than for what they repeat; `below` are tables that ask on its behalf."""
    yield from own_faults(mover, table)
    for key in _followed(mover, table):
        around = key.target in (table, *below) or len(below) >= _HIGH
        if above := [] if around else _leaving(mover, key.target, (table, *below)):
            gone = q.any_of(SQL("({})").format(condition) for condition in above)
            yield orphaned(key, _staying(key, gone)), reason_under(key)


def own_faults(mover: Mover, table: QName) -> Iterator[Fault]:
    """Yield why rows of a table will go, whatever becomes of their parents."""
    yield from _in_themselves(mover, table)
    for key in _followed(mover, table):
        if not _is_proved(mover, key):
            reason = f"its {', '.join(key.columns)} points at no row of {key.target.name}"
            yield orphaned(key), Literal(reason)


def _in_themselves(mover: Mover, table: QName) -> Iterator[Fault]:
    """Yield why rows of a table will go for what their cells hold."""
    wanted, found = mover.contract.tables[table], mover.actual.tables[table]
    for check in wanted.checks:
        there = stands(check, found)
        stays = check.name in found.kept_faults or (there and there.validated)
        if not stays and all(_is_final(mover, table, column) for column in check.columns):
            yield SQL("({}) IS FALSE").format(over_row(check, found)), Literal(f"it breaks CHECK {spelt(check)}")
    for column in wanted.columns.values():
        judged = column.name in found.columns and column.name not in found.kept_faults
        open_ = column.not_null and judged and not found.columns[column.name].not_null
        in_key = wanted.primary_key and column.name in wanted.primary_key.columns  # null-key numbers these
        numbered = in_key or numbers_itself(wanted, column.name)  # as null-rows does those
        if open_ and not numbered and mover.contract.value_for(table, column) is None:
            why = f"its {column.name} is NULL, and the contract declares no value for it"
            yield q.is_null(column.name), Literal(why)


def _followed(mover: Mover, table: QName) -> list[ForeignKey]:
    keys, kept = mover.contract.tables[table].foreign_keys, mover.actual.tables[table].kept_faults
    return [key for key in keys if key.columns not in kept and _can_follow(mover, key)]


def _leaving(mover: Mover, table: QName, below: tuple[QName, ...]) -> list[Composable]:
    """Return the conditions for rows of a parent that will go: for faults, or, unless far up, for what they repeat."""
    wrong = late(mover, table, faults(mover, table, below))
    if below[1:]:
        return wrong
    own = [condition for condition, _ in _in_themselves(mover, table)]  # no more, or it grows with every level
    return [*wrong, *(condition for condition, _ in (*of_key(mover, table, own), *repeats(mover, table, None, own)))]


def late(mover: Mover, table: QName, own: Iterable[Fault]) -> list[Composable]:
    """Return the conditions for rows with one of these faults, and for those below them within the table, if any."""
    found = [SQL("({})").format(condition) for condition, _ in own]
    if not found:
        return []
    keys, apart = _to_itself(mover, table), mover.actual.tables[table].tells_apart
    proved = [key for key in keys if apart(key.target_columns)]
    whole = with_descendants(proved, q.any_of(found))
    return [whole, *(orphaned(key, _staying(key, whole)) for key in keys if key not in proved)]


def following(mover: Mover, table: QName, losers: Composable) -> list[Composable]:
    """Return the conditions for rows that would go because the one above them in the table is among the `losers`."""
    return [orphaned(key, _staying(key, losers)) for key in _to_itself(mover, table)]


def _staying(key: ForeignKey, gone: Composable) -> Composable:
    """Return a FROM item `p`: the rows of the target of a foreign key that are not `gone`."""
    return SQL("(SELECT t.* FROM {} AS t WHERE ({}) IS NOT TRUE) AS p").format(q.name(key.target), gone)


def _to_itself(mover: Mover, table: QName) -> list[ForeignKey]:
    return [key for key in _followed(mover, table) if key.target == table]


def with_own(mover: Mover, table: QName, own: Iterable[Fault]) -> list[Fault]:
    """Return these faults, and that of rows below such ones within the table."""
    found = [*own]
    keys, whole = _to_itself(mover, table), late(mover, table, found)[:1]
    return [*found, *((orphaned(key, _staying(key, each)), reason_under(key)) for key in keys for each in whole)]


def _can_follow(mover: Mover, key: ForeignKey) -> bool:
    """Return whether rows go after those that they reference by a wanted key, and both ends can be compared by now."""
    parent = mover.actual.tables.get(key.target)
    ends = [*((key.table, c) for c in key.columns), *((key.target, c) for c in key.target_columns)]
    comes = any(set(key.target_columns) <= set(row) for row in mover.contract.hints[key.target].default_rows)
    usual = parent and parent.is_table and not (parent.heirs or key.period or comes)
    return bool(usual) and mover.policy(key) == "quarantine" and all(_is_final(mover, *end) for end in ends)


def _is_final(mover: Mover, table: QName, column: str) -> bool:
    """Return whether a column holds values of its final type, which the plan does not map or number anew."""
    found, wanted = mover.actual.tables[table].columns.get(column), mover.contract.tables[table].columns.get(column)
    if not (found and wanted):
        return False
    wide = not (found.home or wanted.home) and fits(found.type, wanted.type)  # the plan leaves it as wide as it is
    return (found.full_type == wanted.full_type or wide) and not (found.mapped or found.numbered)


def _is_proved(mover: Mover, key: ForeignKey) -> bool:
    there = best(key, mover.actual.tables[key.table].foreign_keys)
    return bool(there and there.holds and not retyped_in(there, mover.actual))
