"""Restores what partitions and heirs have of their own, and lose as their roots are changed.

A new type of a root's column resets how theirs is stored; a constraint or index that is dropped at the root goes below
as well, and comes again under another name, without its comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.undo.facts import (
    STORED,
    Titled,
    alter,
    comment,
    constraint,
    index,
    marks,
    same_statistics,
    stored,
    switched,
)
from fixer.runner.undo.past import Past
from fixer.runner.undo.session import Session
from fixer.runner.undo.spellings import as_read
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier

Enabled = Mapping[tuple[QName, str], str]  # how triggers of partitions are enabled, by table and name
_TRIGGERS_BELOW = """
WITH RECURSIVE tree AS (
     SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = ANY (%s::oid[])
      UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON t.inhrelid = i.inhparent)
SELECT n.nspname, c.relname, g.tgname, g.tgenabled
  FROM tree
  JOIN pg_catalog.pg_trigger g ON g.tgrelid = tree.inhrelid AND g.tgconstraint = 0
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY 1, 2, 3
"""
# Partitions among these tables, those below others first, each with the foreign keys that it has from its root.
_PARTS = """
SELECT n.nspname, c.relname, m.nspname, p.relname,
       ARRAY (SELECT k.conname::text FROM pg_catalog.pg_constraint k
               WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid <> 0 ORDER BY k.conname)
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  JOIN pg_catalog.pg_namespace m ON m.oid = p.relnamespace
 WHERE i.inhrelid = ANY (%s::oid[])
 ORDER BY (SELECT count(*) FROM pg_catalog.pg_partition_ancestors(c.oid)) DESC, c.oid
"""


def inherited(session: Session, tables: list[int]) -> set[tuple[int, str]]:
    """Return the columns that tables have from those above them, where alone their types can be changed."""
    session.cursor.execute(
        "SELECT a.attrelid::bigint, a.attname::text FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = ANY (%s::oid[]) AND a.attinhcount > 0 AND NOT a.attisdropped",
        (tables,),
    )
    return set(session.cursor.fetchall())


def detach(session: Session, past: Past) -> None:
    """Detach the partitions that the run made: none can be dropped while a foreign key references its root.

    What was the root's foreign key stays with them, and would need the key that it references.
    """
    made = sorted(past.after.relations - past.then.relations)
    if not made:
        return
    session.cursor.execute(_PARTS, (made,))
    for schema, name, *above, keys in session.cursor.fetchall():
        part, whole = q.name(QName(schema, name)), q.name(QName(*above))
        session.do(SQL("ALTER TABLE {} DETACH PARTITION {}").format(whole, part), f"detach the partition {name}")
        for key in keys:
            # To detach it takes some away: those for partitions of a table that references itself.
            session.do(SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(part, Identifier(key)), "")


def name_not_nulls(session: Session, past: Past) -> None:
    """Add the NOT NULL constraints below that have another name than at the root, where the root has not had it yet.

    PostgreSQL 18 gives those that come from a root its name, and renames none of them.
    """
    before, left = past.ran.below
    above = {key.name for key in past.then.of_kind("constraint")}
    for key in before.of_kind("constraint"):
        own = key.detail["type"] == "n" and key.name not in above and _is_ours(past, left, key.key)
        if own and key.of in past.below.relations and key.key not in past.below.items:
            for title, statement in constraint(past.below, key):
                session.do(statement, title)


def bring_below_back(session: Session, past: Past) -> None:
    """Restore what is not as it was before the run, unless others have changed it since."""
    before, left = past.ran.below
    mine = {key: item for key, item in before.items.items() if _is_ours(past, left, key)}
    if not mine:
        return
    now = past.ran.read_below(session.cursor)
    then = Definitions({**mine, **{table.key: table for table in now.of_kind("table")}})
    anew = frozenset(key for key in mine if _goes(then.items[key], now))
    for title, statement in _recreated(as_read(session.cursor, then, anew), now, anew):
        session.do(statement, title)
    now = past.ran.read_below(session.cursor)
    for title, statement in (*kept_below(then, now, exclusive=True), *_without_null(then, now)):
        session.do(statement, title)


def switch_below(session: Session, past: Past) -> None:
    """Enable triggers of partitions as they were before the run, where those of their roots are enabled otherwise."""
    before, left = past.ran.below
    mine = [item for item in before.of_kind("trigger") if _is_ours(past, left, item.key)]
    now = past.ran.read_below(session.cursor) if mine else Definitions()
    for item in mine:
        if item.of in now.relations and now.items.get(item.key) != item:
            title = f"trigger {item.name} of {now.table(item.of)} as it was"
            session.do(switched(now.table(item.of), item.name, item.detail["enabled"]), title)


def triggers_below(session: Session, tables: list[int]) -> Enabled:
    """Return how the triggers of the partitions of these tables are enabled."""
    session.cursor.execute(_TRIGGERS_BELOW, (tables,))
    return {(QName(schema, table), name): enabled for schema, table, name, enabled in session.cursor.fetchall()}


def _without_null(then: Definitions, now: Definitions) -> Iterator[Titled]:
    """Yield the statements that forbid NULL below where the root, which the run made NOT NULL, allows it again."""
    for column in then.of_kind("column"):
        is_ = now.items.get(column.key)
        if column.detail.get("own_not_null") and not (is_ and is_.detail["own_not_null"]):
            action = SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column.name))
            yield f"forbid NULL in {column.name}", alter(now, column.of, action)


def _is_ours(past: Past, left: Definitions | None, key: Key) -> bool:
    """Return whether nobody has changed an item since the run ended, as far as that is known."""
    return key[0] != "table" and (left is None or left.items.get(key) == past.below.items.get(key))


def _goes(item: Item, now: Definitions) -> bool:
    """Return whether a constraint or an index of a partition or heir alone has to be made again."""
    if item.kind not in ("constraint", "index") or item.detail["inherited"] or item.of not in now.relations:
        return False
    if item.kind == "constraint" and item.detail["type"] == "n":
        return False
    is_ = now.items.get(item.key)
    return is_ is None or is_.detail["definition"] != item.detail["definition"]


def _recreated(then: Definitions, now: Definitions, anew: frozenset[Key]) -> Iterator[Titled]:
    for item in (then.items[key] for key in sorted(anew, key=lambda key: _order(then.items[key]))):
        there = item.key in now.items
        if item.kind == "constraint":
            if there:
                yield "", alter(now, item.of, SQL("DROP CONSTRAINT {}").format(Identifier(item.name)), only=True)
            yield from constraint(then, item)
        else:
            if there:
                yield "", SQL("DROP INDEX {}").format(Identifier(now.table(item.of).schema, item.name))
            yield from index(then, item)


def _order(item: Item) -> tuple[bool, str]:
    return item.kind == "constraint" and item.detail["type"] == "f", item.id


def kept_below(was: Definitions, now: Definitions, *, exclusive: bool) -> Iterator[Titled]:
    """Yield the statements that restore names, comments and marks of what is below now; `exclusive` as in `marks`."""
    where = replace(was, items={**was.items, **{table.key: table for table in now.of_kind("table")}})
    for item in was.items.values():
        is_ = now.items.get(item.key) or _successor(item, was, now)
        if item.of not in now.relations or is_ == item:
            continue
        if item.kind == "column" and exclusive:
            yield from _stored(where, item, is_)
        elif item.kind == "statistics" and is_ and exclusive:
            yield from same_statistics(item, is_)
        elif item.kind in ("constraint", "index") and is_:
            yield from _marked(where, item, is_, exclusive=exclusive)


def _successor(item: Item, was: Definitions, now: Definitions) -> Item | None:
    """Return the only new constraint over the columns of one that came from a root, where another has replaced that."""
    if item.kind != "constraint" or not item.detail["inherited"]:
        return None
    facts = [item.detail[fact] for fact in ("type", "over")]
    anew = (key for key in now.of_table("constraint", item.of) if key.key not in was.items)
    new = [key for key in anew if [key.detail[fact] for fact in ("type", "over")] == facts]
    return new[0] if len(new) == 1 else None


def _stored(where: Definitions, column: Item, is_: Item | None) -> Iterator[Titled]:
    was, now = column.detail, is_.detail if is_ else {}
    chosen = {**was, "storage": was["own_storage"], "statistics": was["statistics"] is not None}
    lost = (fact for fact in STORED if chosen[fact] and was[fact] != now.get(fact))
    actions = [stored(Identifier(column.name), fact, was) for fact in lost]
    if actions:
        yield f"store the column {column.name} as it was", alter(where, column.of, SQL(", ").join(actions), only=True)


def _marked(where: Definitions, item: Item, is_: Item, *, exclusive: bool) -> Iterator[Titled]:
    """Yield the statements that give a constraint or index its name, its comment and the marks of its index."""
    old, new = ((each.detail["index"] if item.kind == "constraint" else each.detail) or {} for each in (item, is_))
    if item.name != is_.name and exclusive:
        yield f"bring the name {item.name} back", _renamed(where, item, is_)
    called = item if exclusive else replace(is_, detail=item.detail)
    if item.kind == "constraint" and item.detail["comment"] != is_.detail["comment"]:
        yield from comment(where, called)
    weak = ("comment", "options", "statistics", "clustered")
    names = (*weak, "identity") if exclusive else weak
    yield from marks(where, called, {name: old.get(name) for name in names if old.get(name) != new.get(name)})


def _renamed(where: Definitions, item: Item, is_: Item) -> Composable:
    names = Identifier(is_.name), Identifier(item.name)
    if item.kind == "constraint":
        return alter(where, item.of, SQL("RENAME CONSTRAINT {} TO {}").format(*names))
    home = Identifier(where.table(item.of).schema, is_.name)
    return SQL("ALTER INDEX {} RENAME TO {}").format(home, names[1])
