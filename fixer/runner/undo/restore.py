"""From definitions as they are to definitions as they were: the statements, in an order in which they work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.step import JOURNAL
from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Item
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

Titled = tuple[str, Composable]
UNPROVED = "NOT VALID"  # ends the definition of a constraint that old rows may break
_CHECK = re.compile(r"CHECK \((.*)\)(?: NO INHERIT)? NOT VALID", re.DOTALL)


def dropped(now: Definitions, then: Definitions) -> Iterator[Composable]:
    """Yield the statements that drop what was not there, or not so: views, triggers, constraints, indexes, defaults."""
    for view in (view for view in now.of_kind("view") if view.key not in then.items):
        yield SQL("DROP VIEW {}").format(Identifier(view.detail["schema"], view.detail["name"]))
    for trigger in (trigger for trigger in now.of_kind("trigger") if trigger.key not in then.items):
        yield SQL("DROP TRIGGER {} ON {}").format(Identifier(trigger.name), q.name(now.table(trigger.of)))
        yield SQL("DROP FUNCTION IF EXISTS {}()").format(Identifier(JOURNAL, trigger.name))
    changed = (key for key in _changed(now, then, "constraint") if key.detail["type"] != "n" or _is_proved(key, then))
    constraints = [key for key in changed if key.key not in then.items or differs(key, then.items[key.key])]
    going = {key.name for key in constraints} | {index.name for index in _changed(now, then, "index")}
    retyped = {(column.of, column.number) for column in now.of_kind("column") if is_retyped(column, then)}
    leaning = [
        key for key in now.of_kind("constraint") if key not in constraints and (key.by in going or _ends(key) & retyped)
    ]
    # Foreign keys before the keys that they lean on, and those before the NOT NULL of their columns. No foreign key
    # stands while the types of its columns go back one table after the other.
    for key in sorted([*constraints, *leaning], key=lambda item: {"f": 0, "n": 2}.get(item.detail["type"], 1)):
        if key.of in now.relations:
            yield _alter(now, key.of, SQL("DROP CONSTRAINT {}").format(Identifier(key.name)))
    for index in _changed(now, then, "index"):
        yield SQL("DROP INDEX {}").format(Identifier(now.table(index.of).schema, index.name))
    for sequence in now.of_kind("sequence"):
        owner, internal = sequence.detail["owned_by"], sequence.detail["internal"]
        leaving = ("column", owner or "") in now.items.keys() - then.items.keys()
        if sequence.key in then.items and leaving and not internal:
            # It is not the run's as the column is that owns it now, and must not go with that one.
            yield SQL("ALTER SEQUENCE {} OWNED BY NONE").format(_full(sequence))
    for column in _changed(now, then, "column"):
        was = then.items.get(column.key)
        name, is_ = Identifier(column.name), column.detail
        if was is None:  # it goes as a whole, once rows are back that may have had no value for it
            if is_["not_null"] and not is_["identity"] and column.of in now.relations & then.relations:
                yield _alter(now, column.of, SQL("ALTER COLUMN {} DROP NOT NULL").format(name))
            continue
        old = was.detail
        if is_["identity"] and not old["identity"]:
            yield _alter(now, column.of, SQL("ALTER COLUMN {} DROP IDENTITY").format(name))
        if is_["default"] is not None and is_["default"] != old["default"] and not is_["generated"]:
            only = is_["type"] == old["type"]
            yield _alter(now, column.of, SQL("ALTER COLUMN {} DROP DEFAULT").format(name), only=only)
        if is_["not_null"] and not old["not_null"]:
            yield _alter(now, column.of, SQL("ALTER COLUMN {} DROP NOT NULL").format(name))


def is_retyped(column: Item, then: Definitions) -> bool:
    """Tell whether a column had another type, or another collation."""
    was = then.items.get(column.key)
    return was is not None and type_of(was) != type_of(column)


def type_of(column: Item) -> str:
    """Return the type of a column, with its collation where that is not the type's own."""
    type_, collation = column.detail["type"], column.detail["collation"]
    return f"{type_} COLLATE {collation}" if collation else str(type_)


def _ends(key: Item) -> set[tuple[int, int]]:
    """Return the columns at both ends of a foreign key; none of another constraint."""
    if key.detail["type"] != "f":
        return set()
    here, there = key.detail["numbers"]
    return {(key.of, number) for number in here} | {(key.detail["target"], number) for number in there}


def renamed(now: Definitions, then: Definitions) -> Iterator[Composable]:
    """Yield the statements that bring the names of columns and tables back; by way of others where they swap."""
    moved = [c for c in _changed(now, then, "column") if c.key in then.items and then.items[c.key].name != c.name]
    for number, column in enumerate(moved):
        yield _alter(now, column.of, _rename(column.name, f"pgmend_{number}"))
    for number, column in enumerate(moved):
        yield _alter(now, column.of, _rename(f"pgmend_{number}", then.items[column.key].name))
    for table in _changed(now, then, "table"):
        if table.key in then.items and then.items[table.key].name != table.name:
            yield _alter(now, table.of, SQL("RENAME TO {}").format(Identifier(then.items[table.key].name)))


def _rename(old: str, new: str) -> Composable:
    return SQL("RENAME COLUMN {} TO {}").format(Identifier(old), Identifier(new))


def created(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    """Yield what brings all the rest back as it was; what the run `made`, and only that, is dropped."""
    for table in now.of_kind("table"):
        if table.key not in then.items:
            yield f"drop the table {table.name}", SQL("DROP TABLE {}").format(q.name(now.table(table.of)))
    yield from _sequences(now, then, made)
    for type_ in now.of_kind("type"):
        if type_.key not in then.items:
            yield f"drop the type {type_.name}", SQL("DROP TYPE {}").format(_full(type_))
    yield from _columns(now, then, made)
    yield from _constraints(now, then)
    for statistics in then.of_kind("statistics"):
        yield from same_statistics(statistics, now.items.get(statistics.key))
    for kind, word in (("trigger", "TRIGGER"), ("rule", "RULE")):
        for item in then.of_kind(kind):
            is_ = now.items.get(item.key)
            if is_ and is_.detail["enabled"] != item.detail["enabled"]:
                action = SQL(f"{_SWITCH[item.detail['enabled']]} {word} {{}}").format(Identifier(item.name))
                yield f"{kind} {item.name} as it was", _alter(then, item.of, action)


def switched(table: QName, trigger: str, enabled: str) -> Composable:
    """Return the statement that enables a trigger as it was, and no other of its name."""
    action = SQL(f"{_SWITCH[enabled]} TRIGGER {{}}").format(Identifier(trigger))
    return SQL("ALTER TABLE ONLY {} {}").format(q.name(table), action)


_SWITCH = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}


def _columns(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    for column in then.of_kind("column"):
        is_ = now.items.get(column.key)
        if is_ is None or is_ == column:
            continue
        name, old, new = Identifier(column.name), column.detail, is_.detail
        actions = [stored(name, fact, old) for fact in STORED if old[fact] != new[fact]]
        if old["default"] is not None and old["default"] != new["default"] and not old["generated"]:
            default = SQL("ALTER COLUMN {} SET DEFAULT {}").format(name, SQL(old["default"]))
            left = made.items.get(column.key)
            only = left is None or left.detail["type"] == old["type"]
            yield f"bring the default of {column.name} back", _alter(then, column.of, default, only=only)
        if old["identity"] and old["identity"] != new["identity"] and new["identity"]:
            how = "ALWAYS" if old["identity"] == "a" else "BY DEFAULT"
            actions.append(SQL(f"ALTER COLUMN {{}} SET GENERATED {how}").format(name))
        if old["not_null"] and not new["not_null"] and not _named_not_null(then, column):
            actions.append(SQL("ALTER COLUMN {} SET NOT NULL").format(name))
        if actions:
            yield f"bring the column {column.name} back", _alter(then, column.of, SQL(", ").join(actions))


STORED = ("storage", "compression", "statistics")  # facts of a column that say how its cells are kept


def stored(column: Identifier, fact: str, was: Mapping[str, Any]) -> Composable:
    """Return the action that lets the cells of a column be kept as they were."""
    words = {
        "storage": lambda: f"STORAGE {_STORAGE[was['storage']]}",
        "compression": lambda: f"COMPRESSION {_COMPRESSION[was['compression']]}",
        "statistics": lambda: f"STATISTICS {-1 if was['statistics'] is None else int(was['statistics'])}",
    }
    return SQL(f"ALTER COLUMN {{}} SET {words[fact]()}").format(column)


_COMPRESSION = {"": "default", "p": "pglz", "l": "lz4"}
_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}


def _named_not_null(then: Definitions, column: Item) -> bool:
    """Tell whether a NOT NULL comes back as a constraint, as of PostgreSQL 18."""
    return any(
        key.detail["type"] == "n" and key.of == column.of and key.detail["columns"] == [column.name]
        for key in then.of_kind("constraint")
    )


def _constraints(now: Definitions, then: Definitions) -> Iterator[Titled]:
    for key in _changed(now, then, "constraint"):
        # NOT NULL of PostgreSQL 18 under another name: one column has one.
        if key.detail["type"] == "n" and key.key not in then.items and _same_column(key, then):
            new = _same_column(key, then)
            assert new is not None
            rename = SQL("RENAME CONSTRAINT {} TO {}").format(Identifier(key.name), Identifier(new.name))
            yield f"bring the name {new.name} back", _alter(then, key.of, rename)
    names = {(k.of, tuple(k.detail["columns"] or ())) for k in now.of_kind("constraint") if k.detail["type"] == "n"}
    lacking = [key for key in then.of_kind("constraint") if now.items.get(key.key) != key]
    order = {"n": 0, "p": 1, "u": 1, "x": 1, "c": 2}
    for key in sorted(lacking, key=lambda key: order.get(key.detail["type"], 4)):
        if key.key in now.items:  # what others made since is spelt by another type now, and stands
            continue
        if key.detail["type"] == "n" and (key.of, tuple(key.detail["columns"])) in names:
            continue
        if key.detail["type"] == "f":
            continue
        yield from constraint(then, key)
    for index in (i for i in then.of_kind("index") if i.key not in now.items):
        yield f"create the index {index.name}", SQL(index.detail["definition"])
        yield from marks(then, index, index.detail)
    for key in lacking:
        if key.detail["type"] == "f" and key.key not in now.items:
            yield from constraint(then, key)


def constraint(then: Definitions, key: Item) -> Iterator[Titled]:
    """Yield what adds a constraint as it was."""
    add = SQL("ADD CONSTRAINT {} {}").format(Identifier(key.name), SQL(key.detail["definition"]))
    yield f"add the constraint {key.name}", _alter(then, key.of, add)
    yield from comment(then, key)
    if key.detail.get("index"):
        yield from marks(then, key, key.detail["index"])


def comment(then: Definitions, key: Item) -> Iterator[Titled]:
    """Yield what comments on a constraint as it was commented upon."""
    if key.detail["comment"]:
        name, table = Identifier(key.name), _name(then, key.of)
        yield "", SQL("COMMENT ON CONSTRAINT {} ON {} IS {}").format(name, table, Literal(key.detail["comment"]))


def marks(then: Definitions, index: Item, marks: Mapping[str, Any]) -> Iterator[Titled]:
    """Yield what the definition of an index, or of a constraint on one, does not say."""
    name = Identifier(then.table(index.of).schema, index.name)
    if marks.get("options"):
        pairs = [option.partition("=") for option in marks["options"]]
        options = SQL(", ").join(SQL("{} = {}").format(Identifier(o), Literal(value)) for o, _, value in pairs)
        yield "", SQL("ALTER INDEX {} SET ({})").format(name, options)
    if marks.get("comment"):
        yield "", SQL("COMMENT ON INDEX {} IS {}").format(name, Literal(marks["comment"]))
    if marks.get("clustered"):
        yield "", _alter(then, index.of, SQL("CLUSTER ON {}").format(Identifier(index.name)))
    if marks.get("identity"):
        yield "", _alter(then, index.of, SQL("REPLICA IDENTITY USING INDEX {}").format(Identifier(index.name)))


def same_statistics(item: Item, is_: Item | None) -> Iterator[Titled]:
    """Yield what brings statistics back that went with a column; PostgreSQL forgets a target with the old type."""
    name, old = _full(item), item.detail
    new = is_.detail if is_ else {"owner": None, "target": None, "comment": None}
    if is_ is None:
        yield f"create the statistics {item.name}", SQL(old["definition"])
    if old["owner"] != new["owner"]:
        yield "", SQL("ALTER STATISTICS {} OWNER TO {}").format(name, Identifier(old["owner"]))
    if old["target"] != new["target"]:
        target = Literal(-1 if old["target"] is None else old["target"])
        yield "", SQL("ALTER STATISTICS {} SET STATISTICS {}").format(name, target)
    if old["comment"] != new["comment"]:
        yield "", SQL("COMMENT ON STATISTICS {} IS {}").format(name, Literal(old["comment"]))


def _same_column(key: Item, then: Definitions) -> Item | None:
    return next(
        (
            other
            for other in then.of_kind("constraint")
            if other.detail["type"] == "n" and other.of == key.of and other.detail["columns"] == key.detail["columns"]
        ),
        None,
    )


def is_unproved(key: Item) -> bool:
    """Tell whether a constraint is NOT VALID: old rows may break it."""
    return str(key.detail["definition"]).endswith(f" {UNPROVED}")


def condition_of(check: Item) -> str:
    """Return the condition of a check, as its definition says it."""
    found = _CHECK.match(check.detail["definition"])
    assert found is not None
    return found[1]


def _is_proved(key: Item, then: Definitions) -> bool:
    """Tell whether a NOT NULL of PostgreSQL 18 that was NOT VALID is proved by now."""
    was = then.items.get(key.key)
    return was is not None and was.detail["definition"] == f"{key.detail['definition']} {UNPROVED}"


def differs(key: Item, other: Item) -> bool:
    """Tell whether two constraints differ in more than the triggers that are asleep."""
    return {**key.detail, "asleep": None} != {**other.detail, "asleep": None}


def replaced(cursor: Cursor, now: Definitions, then: Definitions) -> Iterator[Titled]:
    """Yield what puts the triggers of foreign keys to sleep again, as they were; a superuser's affair."""
    for key in then.of_kind("constraint"):
        is_ = now.items.get(key.key)
        if is_ is None or is_.detail["asleep"] == key.detail["asleep"]:
            continue
        cursor.execute(
            "SELECT g.tgrelid::bigint, g.tgtype, g.tgname, n.nspname, c.relname FROM pg_catalog.pg_trigger g"
            " JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint"
            " JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE k.conrelid = %s AND k.conname = %s",
            (key.of, key.name),
        )
        wanted = {(oid, type_): state for oid, type_, state in key.detail["asleep"] or ()}
        for oid, type_, name, *table in cursor.fetchall():
            action = SQL(f"{_SWITCH[wanted.get((oid, type_), 'O')]} TRIGGER {{}}").format(Identifier(name))
            alter = SQL("ALTER TABLE {} {}").format(Identifier(*table), action)
            yield f"disable triggers of the foreign key {key.name}", alter


def _sequences(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    for sequence in now.of_kind("sequence"):
        was = then.items.get(sequence.key)
        if was is None:
            if not sequence.detail["internal"]:
                yield f"drop the sequence {sequence.name}", SQL("DROP SEQUENCE IF EXISTS {}").format(_full(sequence))
            continue
        given, wanted = made.positions.get(sequence.id), then.positions.get(sequence.id)
        # Numbers that were given since stay given.
        back = wanted if now.positions.get(sequence.id) == given != wanted else None
        yield from _sequence(then, was, sequence, back)
        if back:
            last, called = back
            # ALTER SEQUENCE has given it storage of this transaction's own: a rollback reaches what is set there.
            name = Literal(q.quoted(QName(sequence.detail["schema"], sequence.name)))
            set_ = SQL("SELECT setval({}::regclass, {}, {})").format(name, Literal(last), Literal(called))
            yield f"set {sequence.name} back to {last}", set_


def _sequence(then: Definitions, was: Item, is_: Item, back: tuple[int, bool] | None) -> Iterator[Titled]:
    """Yield what brings a sequence back, with the position that it may have left the old bounds for."""
    title, name, old, new = f"bring the sequence {was.name} back", _full(was), was.detail, is_.detail
    restart = SQL(" RESTART WITH {}").format(Literal(back[0])) if back else SQL("")
    facts = ("type", "increment", "minimum", "maximum", "start", "cache", "cycle")
    if any(old[fact] != new[fact] for fact in facts):
        yield (
            title,
            SQL("ALTER SEQUENCE {} AS {} INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {}{}").format(
                name,
                SQL(old["type"]),
                *(Literal(old[fact]) for fact in ("increment", "minimum", "maximum", "start", "cache")),
                SQL("CYCLE" if old["cycle"] else "NO CYCLE"),
                restart,
            ),
        )
    elif back:
        yield title, SQL("ALTER SEQUENCE {}{}").format(name, restart)
    if old["owned_by"] != new["owned_by"]:
        owner: Composable = SQL("NONE")
        if column := then.items.get(("column", old["owned_by"] or "")):
            owner = Identifier(*then.table(column.of), column.name)
        yield title, SQL("ALTER SEQUENCE {} OWNED BY {}").format(name, owner)
    if old["owner"] != new["owner"]:
        yield title, SQL("ALTER SEQUENCE {} OWNER TO {}").format(name, Identifier(old["owner"]))
    before = {tuple(grant) for grant in old["grants"] or ()}
    for role, right in sorted({tuple(grant) for grant in new["grants"] or ()} - before):
        grantee = SQL("PUBLIC") if role == "public" else Identifier(role)
        yield title, SQL("REVOKE {} ON SEQUENCE {} FROM {}").format(SQL(right), name, grantee)


def _changed(now: Definitions, then: Definitions, kind: str) -> list[Item]:
    """Return what of a kind was not there then, or not so."""
    return [item for item in now.of_kind(kind) if then.items.get(item.key) != item]


def _full(item: Item) -> Identifier:
    return Identifier(item.detail["schema"], item.detail["name"])


def _name(where: Definitions, oid: int) -> Composable:
    return q.name(where.table(oid))


def _alter(where: Definitions, oid: int, action: Composable, *, only: bool = False) -> Composable:
    """Return the statement; `only` where partitions and heirs keep their own, as defaults unless a type changed."""
    return SQL("ALTER TABLE ONLY {} {}" if only else "ALTER TABLE {} {}").format(_name(where, oid), action)
