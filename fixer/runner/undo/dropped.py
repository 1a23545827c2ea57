"""Statements that drop what a run added or changed, in an order that works, composed from definitions alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from fixer.model.step import JOURNAL
from fixer.runner.journal.definitions import Definitions, Item
from fixer.runner.undo.facts import alter, full
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal


def dropped(now: Definitions, then: Definitions, wholes: Iterable[Composable]) -> Iterator[Composable]:
    """Yield the statements that drop views, triggers, constraints, indexes and defaults that are new or changed.

    `wholes` drop the NOT NULLs that partitions have theirs from: after keys, and before those of partitions.
    """
    yield from _views(now, then)
    yield from _heirs(now, then)
    yield from _triggers(now, then)
    yield from _constraints(now, then, wholes)
    for index in changed(now, then, "index"):
        yield SQL("DROP INDEX {}").format(Identifier(now.table(index.of).schema, index.name))
    yield from _unlogged(now, then)
    yield from _sequences(now, then)
    for column in changed(now, then, "column"):
        yield from _column(now, then, column)


def _views(now: Definitions, then: Definitions) -> Iterator[Composable]:
    for view in (view for view in now.of_kind("view") if view.key not in then.items):
        yield SQL("DROP VIEW {}").format(Identifier(view.detail["schema"], view.detail["name"]))


def _heirs(now: Definitions, then: Definitions) -> Iterator[Composable]:
    """Yield the statements that end what tables INHERIT by the run: no constraint of theirs can go before."""
    for parent in (parent for parent in now.of_kind("parent") if parent.key not in then.items):
        yield alter(now, parent.of, SQL("NO INHERIT {}").format(full(parent)))


def _triggers(now: Definitions, then: Definitions) -> Iterator[Composable]:
    for trigger in (trigger for trigger in now.of_kind("trigger") if trigger.key not in then.items):
        # That of a partition which the run made is gone with its root's, once the partition is detached.
        yield SQL("DROP TRIGGER IF EXISTS {} ON {}").format(Identifier(trigger.name), q.name(now.table(trigger.of)))
        yield SQL("DROP FUNCTION IF EXISTS {}()").format(Identifier(JOURNAL, trigger.name))


def _constraints(now: Definitions, then: Definitions, wholes: Iterable[Composable]) -> Iterator[Composable]:
    """Yield the statements that drop constraints: foreign keys first, then the keys behind them, then NOT NULLs.

    A foreign key over columns that change type is dropped too, because types are restored one table at a time; and
    one in a circle of tables that become UNLOGGED; and a key that slept, of a table that is written anew.
    """
    going = [key for key in changed(now, then, "constraint") if _goes(key, then)]
    names = {key.name for key in going} | {index.name for index in changed(now, then, "index")}
    retyped = {(column.of, column.number) for column in now.of_kind("column") if is_retyped(column, then)}
    others = (key for key in now.of_kind("constraint") if key not in going)
    _, circles = _in_order(now, then)
    anew = {oid for oid, _ in retyped}
    leaning = [
        key for key in others if key.by in names or _ends(key) & retyped or key in circles or _slept(key, anew, then)
    ]
    ordered = sorted([*going, *leaning], key=lambda item: item.detail["type"] != "f")
    drops = [(key.detail["type"], alter(now, key.of, _dropping(key))) for key in ordered if key.of in now.relations]
    yield from (drop for type_, drop in drops if type_ != "n")
    yield from wholes
    yield from (drop for type_, drop in drops if type_ == "n")


def _slept(key: Item, anew: Collection[int], then: Definitions) -> bool:
    """Return whether a key of one of these tables slept: its rows may repeat, over which no index can be built."""
    was = then.items.get(key.key)
    return key.of in anew and key.detail["type"] in ("p", "u") and was is not None and bool(was.detail["asleep"])


def _dropping(key: Item) -> Composable:
    return SQL("DROP CONSTRAINT {}").format(Identifier(key.name))


def _goes(key: Item, then: Definitions) -> bool:
    """Return whether a constraint that changed is to be dropped."""
    was = then.items.get(key.key)
    # PostgreSQL 18: a NOT NULL that was NOT VALID or NO INHERIT, and no longer is, can only be recreated.
    stronger = was is not None and was.detail["definition"].startswith(f"{key.detail['definition']} ")
    return (key.detail["type"] != "n" or stronger) and (was is None or differs(key, was))


def _unlogged(now: Definitions, then: Definitions) -> Iterator[Composable]:
    """Yield the statements that make tables UNLOGGED again, those that reference others before these."""
    order, _ = _in_order(now, then)
    for oid in order:
        yield alter(now, oid, SQL("SET UNLOGGED"))


def _in_order(now: Definitions, then: Definitions) -> tuple[list[int], list[Item]]:
    """Return the tables that become UNLOGGED, and the foreign keys among them that form circles."""
    was = {table.of: table.detail["persistence"] for table in then.of_kind("table")}
    going = {t.of for t in now.of_kind("table") if was.get(t.of) == "u" != t.detail["persistence"]}
    keys = [key for key in now.of_kind("constraint") if {key.of, key.detail["target"]} <= going] if going else []
    keys, circles = [key for key in keys if key.of != key.detail["target"]], list[Item]()
    while True:
        order: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(going, ()))
        for key in keys:
            order.add(key.detail["target"], key.of)
        try:
            return list(order.static_order()), circles
        except CycleError as error:
            links = set(pairwise(error.args[1]))
            circles += [key for key in keys if (key.of, key.detail["target"]) in links]
            keys = [key for key in keys if (key.of, key.detail["target"]) not in links]


def _sequences(now: Definitions, then: Definitions) -> Iterator[Composable]:
    """Yield the statements that detach older sequences from columns of the run, which are to be dropped."""
    for sequence in now.of_kind("sequence"):
        owner, internal = sequence.detail["owned_by"], sequence.detail["internal"]
        leaving = ("column", owner or "") in now.items.keys() - then.items.keys()
        if sequence.key in then.items and leaving and not internal:
            yield SQL("ALTER SEQUENCE {} OWNED BY NONE").format(full(sequence))


def _column(now: Definitions, then: Definitions, column: Item) -> Iterator[Composable]:
    """Yield the statements that drop identity, default and NOT NULL of a column, if it did not have them before."""
    was = then.items.get(column.key)
    name, is_ = Identifier(column.name), column.detail
    if was is None:  # it is dropped later, after rows are back that may have no value for it
        if is_["default"] is not None and not is_["generated"]:  # which may call the sequence of another such column
            yield _without_default(now, column)
        if is_["not_null"] and not is_["identity"] and column.of in now.relations & then.relations:
            yield _null_allowed(now, column)
        return
    old = was.detail
    if is_["identity"] and not old["identity"]:
        yield alter(now, column.of, SQL("ALTER COLUMN {} DROP IDENTITY").format(name))
    if is_["default"] is not None and is_["default"] != old["default"] and not is_["generated"]:
        only = is_["type"] == old["type"]
        yield alter(now, column.of, SQL("ALTER COLUMN {} DROP DEFAULT").format(name), only=only)
    if is_["not_null"] and not old["not_null"]:
        yield _null_allowed(now, column)


def _without_default(now: Definitions, column: Item) -> Composable:
    table = Literal(q.quoted(now.table(column.of)))
    return q.block("columns/default_dropped", table=table, column=Literal(column.name))


def _null_allowed(now: Definitions, column: Item) -> Composable:
    table = Literal(q.quoted(now.table(column.of)))
    return q.block("columns/null_allowed", table=table, column=Literal(column.name))


def is_retyped(column: Item, then: Definitions) -> bool:
    """Return whether a column had another type, or another collation."""
    was = then.items.get(column.key)
    return was is not None and type_of(was) != type_of(column)


def type_of(column: Item) -> str:
    """Return the type of a column, with its collation where that is not the type's own."""
    type_, collation = column.detail["type"], column.detail["collation"]
    return f"{type_} COLLATE {collation}" if collation else str(type_)


def type_at_first(old: Item, back: Composable) -> str:
    """Return the type that a column gets before its old one: `text` if the text of a new value may be too long."""
    bounded = re.fullmatch(r"character( varying)?\(\d+\)", old.detail["type"])
    return "text" if bounded and isinstance(back, SQL) and back.string.endswith("::text") else type_of(old)


def _ends(key: Item) -> set[tuple[int, int]]:
    """Return the columns at both ends of a foreign key, by table and number; none for other constraints."""
    if key.detail["type"] != "f":
        return set()
    here, there = key.detail["numbers"]
    return {(key.of, number) for number in here} | {(key.detail["target"], number) for number in there}


def differs(key: Item, other: Item) -> bool:
    """Return whether two constraints differ in more than disabled triggers."""
    return {**key.detail, "asleep": None} != {**other.detail, "asleep": None}


def changed(now: Definitions, then: Definitions, kind: str) -> list[Item]:
    """Return the items of a kind that are new since `then`, or have changed."""
    return [item for item in now.of_kind(kind) if then.items.get(item.key) != item]
