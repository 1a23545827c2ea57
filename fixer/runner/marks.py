"""Restores what users had set on constraints, indexes and columns that a repair has recreated.

These marks are comments, storage parameters and statistics targets of indexes, cluster marks, replica identities, the
storage, compression and statistics targets of columns, and owners and targets of extended statistics. No step of a plan
restores them: what the replacement lacks is copied to it here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.runner.journal.definitions import Definitions, Detail, Item
from fixer.runner.locking.transaction import TRANSIENT
from fixer.runner.undo.below import kept_below
from fixer.runner.undo.facts import STORED, comment, marks, same_statistics, stored
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

_ONE_EACH = ("clustered", "identity")  # marks that only one index of a table can have
log = logging.getLogger("pgmend.apply")


def kept(cursor: Cursor, was: Definitions, now: Definitions, *, exclusive: bool = False) -> bool:
    """Copy marks from the definitions before a change to what replaced them; return whether any were missing.

    Marks that need an ACCESS EXCLUSIVE lock are copied only if `exclusive`.
    """
    statements = [*_lacking(was, now, exclusive=exclusive)]
    statements += _untitled(kept_below(was.below, now.below, exclusive=exclusive))
    for statement in statements:
        cursor.execute("SAVEPOINT pgmend_mark")
        try:
            cursor.execute(statement)
        except TRANSIENT:
            raise
        except psycopg2.Error as error:  # e.g. the new index cannot be a replica identity
            log.info("not kept: %s", told(error))
            cursor.execute("ROLLBACK TO SAVEPOINT pgmend_mark")
        cursor.execute("RELEASE SAVEPOINT pgmend_mark")
    return bool(statements)


def _lacking(was: Definitions, now: Definitions, *, exclusive: bool) -> Iterator[Composable]:
    for item in was.above.items.values():
        if now.items.get(item.key) == item:
            continue
        if exclusive and _is_key(item) and item.detail["index"]["identity"]:
            yield from _known_by_key(item, now)
        is_ = _successor(item, was, now)
        if is_ is not None:
            yield from _lacked(item, is_, now, exclusive=exclusive)


def _known_by_key(item: Item, now: Definitions) -> Iterator[Composable]:
    """Yield what makes the present primary key the replica identity, if no index of the table is that now."""
    if not _is_taken(now, item.of, "identity"):
        for key in filter(_is_key, now.of_table("constraint", item.of)):
            yield from _untitled(marks(now, key, {"identity": True}))


def _lacked(item: Item, is_: Item, now: Definitions, *, exclusive: bool) -> Iterator[Composable]:
    """Yield the statements that copy the marks of an item to its successor `is_`."""
    if item.kind == "constraint":
        if is_.detail["comment"] is None:
            yield from _untitled(comment(now, replace(is_, detail=item.detail)))
        if item.detail["index"] and is_.detail["index"]:
            old = {**item.detail["index"], **({"identity": False} if _is_key(item) else {})}
            yield from _on_index(now, is_, old, is_.detail["index"], exclusive=exclusive)
    elif item.kind == "index":
        yield from _on_index(now, is_, item.detail, is_.detail, exclusive=exclusive)
    elif item.kind == "column" and exclusive:
        yield from _on_column(now, item, is_)
    elif item.kind == "statistics" and exclusive:
        yield from _untitled(same_statistics(item, is_))


def _untitled(statements: Iterator[tuple[str, Composable]]) -> Iterator[Composable]:
    yield from (statement for _, statement in statements)


def _on_index(now: Definitions, is_: Item, old: Detail, new: Detail, *, exclusive: bool) -> Iterator[Composable]:
    names = ["comment", "options", "statistics"] + [mark for mark in _ONE_EACH if not _is_taken(now, is_.of, mark)]
    if not exclusive:
        names = [name for name in names if name != "identity"]
    yield from _untitled(marks(now, is_, {name: old.get(name) for name in names if not new.get(name)}))


def _is_key(item: Item) -> bool:
    return item.kind == "constraint" and item.detail["type"] == "p"


def _is_taken(now: Definitions, table: int, mark: str) -> bool:
    """Return whether an index of a table has this mark already, which only one can have."""
    return any(index[mark] for index in _indexes(now, table))


def _indexes(now: Definitions, table: int) -> Iterator[Detail]:
    yield from (index.detail for index in now.of_table("index", table))
    yield from (key.detail["index"] for key in now.of_table("constraint", table) if key.detail["index"])


def _on_column(now: Definitions, item: Item, is_: Item) -> Iterator[Composable]:
    """Yield what gives a column back that is at the server's default now: what is not, a step of the plan has set."""
    was, has = (_chosen(each.detail) for each in (item, is_))
    for fact in STORED:
        if was[fact] and not has[fact]:
            action = stored(Identifier(is_.name), fact, item.detail)
            yield SQL("ALTER TABLE {} {}").format(q.name(now.table(is_.of)), action)


def _chosen(column: Detail) -> dict[str, bool]:
    """Return of each fact whether somebody set it."""
    return {
        "storage": column["own_storage"],
        "compression": bool(column["compression"]),
        "statistics": column["statistics"] is not None,
    }


def _successor(item: Item, was: Definitions, now: Definitions) -> Item | None:
    """Return what replaces an item: what has its name now, or else the only new constraint over the same columns."""
    if item.of not in now.relations:
        return None
    if item.kind == "column":
        return now.columns(item.of).get(item.name)
    same = now.items.get(item.key)
    if item.kind != "constraint":
        return same
    if same:
        return same if same.detail["type"] == item.detail["type"] else None
    anew = (key for key in now.of_table("constraint", item.of) if key.key not in was.items)
    new = [key for key in anew if _over(key) == _over(item)]
    return new[0] if len(new) == 1 else None


def _over(key: Item) -> tuple[object, ...]:
    """Return the kind, table and columns of a constraint; a primary key and a unique constraint count as one kind."""
    kind = "key" if key.detail["type"] in ("p", "u") else key.detail["type"]
    return kind, key.of, *(key.detail[fact] for fact in ("columns", "target", "target_columns"))
