"""Finds the tables whose foreign keys form a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fixer.model.table import ForeignKey, QName

Pointing = Callable[[QName], Iterable[ForeignKey]]  # the foreign keys that point at a table


def around(start: QName, following: Pointing, all_: Pointing) -> tuple[QName, ...]:
    """Return a table, and those that it shares a circle of foreign keys with, if rows of these follow its own.

    Rows follow by the keys `following`; a circle may contain any of the keys `all_`.
    """
    reached = _reached(start, lambda name: [key.table for key in following(name)])
    below = {name: {key.table for key in (*following(name), *all_(name))} & reached for name in reached}
    back = {name for name in reached if name != start and start in _reached(name, lambda each: below[each])}
    return (start, *sorted(back))


def _reached(start: QName, further: Callable[[QName], Iterable[QName]]) -> set[QName]:
    """Return all that can be reached from a table, with that table."""
    reached, open_ = {start}, [start]
    while open_:
        new = set(further(open_.pop())) - reached
        reached |= new
        open_ += new
    return reached
