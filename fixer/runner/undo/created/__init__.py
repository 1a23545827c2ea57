"""Statements that restore what a run dropped or changed, composed from definitions alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.runner.undo.created.bases import domains
from fixer.runner.undo.dropped import changed
from fixer.runner.undo.facts import (
    STORED,
    SWITCH,
    Titled,
    alter,
    constraint,
    full,
    index,
    marks,
    options,
    same_statistics,
    stored,
)
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal


def renamed(now: Definitions, then: Definitions, inherited: Collection[tuple[int, str]]) -> Iterator[Composable]:
    """Yield the statements that restore names; columns get temporary names first, because two may swap theirs.

    Columns that are `inherited`, each given as (oid, name), get theirs with the column of the table above.
    """
    columns = (c for c in changed(now, then, "column") if (c.of, c.name) not in inherited)
    moved = [c for c in columns if c.key in then.items and then.items[c.key].name != c.name]
    for number, column in enumerate(moved):
        yield alter(now, column.of, _rename(column.name, f"pgmend_{number}"))
    for number, column in enumerate(moved):
        yield alter(now, column.of, _rename(f"pgmend_{number}", then.items[column.key].name))
    for table in changed(now, then, "table"):
        if table.key in then.items and then.items[table.key].name != table.name:
            yield alter(now, table.of, SQL("RENAME TO {}").format(Identifier(then.items[table.key].name)))


def _rename(old: str, new: str) -> Composable:
    return SQL("RENAME COLUMN {} TO {}").format(Identifier(old), Identifier(new))


def created(now: Definitions, then: Definitions, made: Definitions, alone: Collection[Key]) -> Iterator[Titled]:
    """Yield the statements that restore everything else and drop tables that are not in `then`.

    `made` is what the run left. `alone` are the primary keys that set no NOT NULL in heirs.
    """
    yield from _tables(now, then)
    yield from domains(now, then, made)
    yield from _sequences(now, then, made)
    yield from _columns(now, then, made)
    yield from _options(now, then)
    yield from _constraints(now, then, alone)
    for statistics in then.of_kind("statistics"):
        yield from same_statistics(statistics, now.items.get(statistics.key))
    for kind, word in (("trigger", "TRIGGER"), ("rule", "RULE")):
        for item in then.of_kind(kind):
            is_ = now.items.get(item.key)
            if is_ and is_.detail["enabled"] != item.detail["enabled"]:
                action = SQL(f"{SWITCH[item.detail['enabled']]} {word} {{}}").format(Identifier(item.name))
                yield f"{kind} {item.name} as it was", alter(then, item.of, action)


def _tables(now: Definitions, then: Definitions) -> Iterator[Titled]:
    """Yield the one statement that drops the tables of the run, of which some may count by sequences of others."""
    new = [table for table in now.of_kind("table") if table.key not in then.items]
    if new:
        words = "tables" if len(new) > 1 else "table"
        title = f"drop the {words} {', '.join(table.name for table in new)}"
        yield title, SQL("DROP TABLE {}").format(SQL(", ").join(q.name(now.table(table.of)) for table in new))


def _options(now: Definitions, then: Definitions) -> Iterator[Titled]:
    """Yield the statements that restore the options of tables, such as their fillfactor, in their order."""
    for key in {item.key: None for each in (then, now) for item in each.of_kind("options")}:
        old, new = (each.items[key].detail["options"] if key in each.items else [] for each in (then, now))
        table = (then.items.get(key) or now.items[key]).of
        if old == new or table not in then.relations:
            continue
        names, title = [each.partition("=")[0] for each in new], f"bring the options of {then.table(table)} back"
        if names:
            yield title, alter(then, table, SQL("RESET ({})").format(SQL(", ").join(map(Identifier, names))))
        if old:
            yield title, alter(then, table, SQL("SET ({})").format(options(old)))


def _columns(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    # PostgreSQL 18: every NOT NULL is a constraint, of its own table or of one above, with which it comes back.
    named = any(key.detail["type"] == "n" for key in then.of_kind("constraint"))
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
            yield f"bring the default of {column.name} back", alter(then, column.of, default, only=only)
        if old["generated"] and old["default"] != new["default"] and old["generated"] == new["generated"]:
            expression = SQL("ALTER COLUMN {} SET EXPRESSION AS ({})").format(name, SQL(old["default"]))
            yield f"let {column.name} be computed as before", alter(then, column.of, expression)
        if old["identity"] and old["identity"] != new["identity"] and new["identity"]:
            how = "ALWAYS" if old["identity"] == "a" else "BY DEFAULT"
            actions.append(SQL(f"ALTER COLUMN {{}} SET GENERATED {how}").format(name))
        if old["not_null"] and not new["not_null"] and not named:
            actions.append(SQL("ALTER COLUMN {} SET NOT NULL").format(name))
        if actions:
            yield f"bring the column {column.name} back", alter(then, column.of, SQL(", ").join(actions))


def _constraints(now: Definitions, then: Definitions, alone: Collection[Key]) -> Iterator[Titled]:
    """Yield the statements that add constraints and indexes; foreign keys come last, because they need unique ones.

    What others made since is left alone, even if a changed type makes its definition read differently.
    """
    for key in changed(now, then, "constraint"):
        new = _same_column(key, then) if key.detail["type"] == "n" and key.key not in then.items else None
        if new:  # PostgreSQL 18: a column has one NOT NULL constraint, here under another name
            rename = SQL("RENAME CONSTRAINT {} TO {}").format(Identifier(key.name), Identifier(new.name))
            yield f"bring the name {new.name} back", alter(then, key.of, rename)
    named = {(k.of, tuple(k.detail["columns"] or ())) for k in now.of_kind("constraint") if k.detail["type"] == "n"}
    lacking = [key for key in then.of_kind("constraint") if key.key not in now.items]
    order = {"n": 0, "p": 1, "u": 1, "x": 1, "c": 2}
    own = [key for key in lacking if key.detail["type"] != "f"]
    for key in sorted(own, key=lambda key: order.get(key.detail["type"], 4)):
        if not (key.detail["type"] == "n" and (key.of, tuple(key.detail["columns"])) in named):
            yield from constraint(then, key, only=key.key in alone)
    for lost in (i for i in then.of_kind("index") if i.key not in now.items):
        yield from index(then, lost)
    yield from _sampled(now, then)
    for key in sorted((key for key in lacking if key.detail["type"] == "f"), key=_named_by_itself):
        yield from constraint(then, key)


def _named_by_itself(key: Item) -> tuple[bool, int]:
    """Return what sorts foreign keys so that none has its name taken when another comes back.

    Up to 17, PostgreSQL calls the constraints of a foreign key to single partitions as it would call any key of these
    columns: by the first such name that is free.
    """
    stem = key.name.rstrip("0123456789")
    return not stem.endswith("_fkey"), len(key.name)


def _sampled(now: Definitions, then: Definitions) -> Iterator[Titled]:
    """Yield the statements that restore statistics targets of indexes, which a column takes with its old type."""
    for kind in ("index", "constraint"):
        for item in (item for item in then.of_kind(kind) if item.key in now.items):
            old, new = ((each.detail if kind == "index" else each.detail["index"] or {}).get("statistics")
                        for each in (item, now.items[item.key]))  # fmt: skip
            if old and old != new:
                yield from marks(then, item, {"statistics": old})


def _same_column(key: Item, then: Definitions) -> Item | None:
    return next(
        (
            other
            for other in then.of_kind("constraint")
            if other.detail["type"] == "n" and other.of == key.of and other.detail["columns"] == key.detail["columns"]
        ),
        None,
    )


def replaced(cursor: Cursor, now: Definitions, then: Definitions) -> Iterator[Titled]:
    """Yield the statements that enable or disable triggers of constraints as before; only a superuser may run them."""
    for key in then.of_kind("constraint"):
        is_ = now.items.get(key.key)
        if is_ is None or is_.detail["asleep"] == key.detail["asleep"]:
            continue
        cursor.execute(
            "WITH RECURSIVE below AS ("
            " SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = %s AND k.conname = %s UNION ALL"
            " SELECT k.oid FROM below b JOIN pg_catalog.pg_constraint k ON k.conparentid = b.oid)"
            " SELECT g.tgrelid::bigint, g.tgtype, g.tgname, n.nspname, c.relname FROM pg_catalog.pg_trigger g"
            " JOIN below b ON b.oid = g.tgconstraint"
            " JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
            (key.of, key.name),
        )
        wanted = {(oid, type_): state for oid, type_, state in key.detail["asleep"] or ()}
        for oid, type_, name, *table in cursor.fetchall():
            action = SQL(f"{SWITCH[wanted.get((oid, type_), 'O')]} TRIGGER {{}}").format(Identifier(name))
            alter = SQL("ALTER TABLE ONLY {} {}").format(Identifier(*table), action)
            yield f"switch triggers of {key.name}", alter


def _sequences(now: Definitions, then: Definitions, made: Definitions) -> Iterator[Titled]:
    for sequence in now.of_kind("sequence"):
        was = then.items.get(sequence.key)
        if was is None:
            continue
        given, wanted = made.positions.get(sequence.id), then.positions.get(sequence.id)
        stands = now.positions.get(sequence.id)
        # A sequence that gave numbers since stays where it is, or as near to it as its old bounds allow.
        back = wanted if stands == given != wanted else _used_up(was, stands)
        yield from _sequence(then, was, sequence, back)
        if back:
            last, called = back
            # ALTER SEQUENCE has given it new storage in this transaction, so that a rollback undoes setval too.
            name = Literal(q.quoted(QName(sequence.detail["schema"], sequence.name)))
            set_ = SQL("SELECT setval({}::regclass, {}, {})").format(name, Literal(last), Literal(called))
            yield f"set {sequence.name} back to {last}", set_


def _used_up(was: Item, stands: tuple[int, bool] | None) -> tuple[int, bool] | None:
    """Return the end of the old range if a sequence is beyond it: from there it gives no number twice."""
    if stands is None or was.detail["minimum"] <= stands[0] <= was.detail["maximum"]:
        return None
    return was.detail["maximum" if was.detail["increment"] > 0 else "minimum"], True


def _sequence(then: Definitions, was: Item, is_: Item, back: tuple[int, bool] | None) -> Iterator[Titled]:
    """Yield the statements that restore a sequence, with its old position `back`: the new one may be out of bounds."""
    title, name, old, new = f"bring the sequence {was.name} back", full(was), was.detail, is_.detail
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
    if old.get("unlogged") != new.get("unlogged"):
        yield title, SQL("ALTER SEQUENCE {} SET {}").format(name, SQL("UNLOGGED" if old.get("unlogged") else "LOGGED"))
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
