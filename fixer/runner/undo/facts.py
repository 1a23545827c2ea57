"""Restores what definitions of indexes, constraints, columns and statistics do not include, such as comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.model.expression.patterns import pattern
from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Detail, Item
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

Titled = tuple[str, Composable]
STORED = ("storage", "compression", "statistics")  # facts of a column: how its cells are stored and sampled
_COMPRESSION = {"": "default", "p": "pglz", "l": "lz4"}
_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_ONLY = pattern(r'^(CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")+"|\w+) ON )ONLY ')  # of one that partitions have, too
SWITCH = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}


def stored(column: Identifier, fact: str, was: Detail) -> Composable:
    """Return the action of ALTER TABLE that restores one of these facts of a column."""
    words = {
        "storage": lambda: f"STORAGE {_STORAGE[was['storage']]}",
        "compression": lambda: f"COMPRESSION {_COMPRESSION[was['compression']]}",
        "statistics": lambda: f"STATISTICS {-1 if was['statistics'] is None else int(was['statistics'])}",
    }
    return SQL(f"ALTER COLUMN {{}} SET {words[fact]()}").format(column)


def constraint(then: Definitions, key: Item, *, only: bool = False) -> Iterator[Titled]:
    """Yield the statements that add a constraint as it was, with its comment and the marks of its index.

    With `only`, heirs do not get the NOT NULLs of a primary key.
    """
    add = SQL("ADD CONSTRAINT {} {}").format(Identifier(key.name), SQL(key.detail["definition"]))
    yield f"add the constraint {key.name}", alter(then, key.of, add, only=only)
    yield from comment(then, key)
    if key.detail.get("index"):
        yield from marks(then, key, key.detail["index"])


def index(then: Definitions, item: Item) -> Iterator[Titled]:
    """Yield the statements that create an index as it was, also on partitions, with its marks."""
    yield f"create the index {item.name}", SQL(_ONLY.sub(r"\1", item.detail["definition"]))
    yield from marks(then, item, item.detail)


def comment(then: Definitions, key: Item) -> Iterator[Titled]:
    """Yield the statement that restores the comment on a constraint, if it had one."""
    if key.detail["comment"]:
        name, table = Identifier(key.name), q.name(then.table(key.of))
        yield "", SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(name, table, Literal(key.detail["comment"]))


def marks(then: Definitions, index: Item, marks: Detail) -> Iterator[Titled]:
    """Yield the statements that restore options, comment, statistics, cluster mark, replica identity of an index."""
    name = Identifier(then.table(index.of).schema, index.name)
    if marks.get("options"):
        yield "", SQL("ALTER INDEX {} SET ({})").format(name, options(marks["options"]))
    if marks.get("comment"):
        yield "", SQL("COMMENT ON INDEX {} IS {}").format(name, Literal(marks["comment"]))
    for number, target in marks.get("statistics") or ():
        column = SQL("ALTER INDEX {} ALTER COLUMN {} SET STATISTICS {}")
        yield "", column.format(name, Literal(number), Literal(target))
    if marks.get("clustered"):
        yield "", alter(then, index.of, SQL("CLUSTER ON {}").format(Identifier(index.name)))
    if marks.get("identity"):
        yield "", alter(then, index.of, SQL("REPLICA IDENTITY USING INDEX {}").format(Identifier(index.name)))


def options(said: Iterable[str]) -> Composable:
    """Return options of a table or an index, given as the catalogue has them: fillfactor=70."""
    pairs = [option.partition("=") for option in said]
    return SQL(", ").join(SQL("{} = {}").format(Identifier(name), Literal(value)) for name, _, value in pairs)


def same_statistics(item: Item, is_: Item | None) -> Iterator[Titled]:
    """Yield the statements that restore extended statistics: a dropped column takes them, a new type their target."""
    name, old = full(item), item.detail
    new = is_.detail if is_ else {"owner": None, "target": None, "comment": None}
    if is_ is None:
        yield f"create the statistics {item.name}", SQL(old["definition"])
    if old["owner"] != new["owner"]:
        title = f"give the statistics {item.name} back to {old['owner']}"
        yield title, SQL("ALTER STATISTICS {} OWNER TO {}").format(name, Identifier(old["owner"]))
    if old["target"] != new["target"]:
        target = Literal(-1 if old["target"] is None else old["target"])
        yield "", SQL("ALTER STATISTICS {} SET STATISTICS {}").format(name, target)
    if old["comment"] != new["comment"]:
        yield "", SQL("COMMENT ON STATISTICS {} IS {}").format(name, Literal(old["comment"]))


def switched(table: QName, trigger: str, enabled: str) -> Composable:
    """Return the statement that enables or disables a trigger as before; ONLY leaves partitions as they are."""
    action = SQL(f"{SWITCH[enabled]} TRIGGER {{}}").format(Identifier(trigger))
    return SQL("ALTER TABLE ONLY {} {}").format(q.name(table), action)


def full(item: Item) -> Identifier:
    """Return the qualified name of a sequence, a type or statistics."""
    return Identifier(item.detail["schema"], item.detail["name"])


def alter(where: Definitions, oid: int, action: Composable, *, only: bool = False) -> Composable:
    """Return the statement; `only` spares partitions and heirs, which keep their defaults unless a type changed."""
    return SQL("ALTER TABLE ONLY {} {}" if only else "ALTER TABLE {} {}").format(q.name(where.table(oid)), action)
