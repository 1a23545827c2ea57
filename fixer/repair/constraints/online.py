"""Steps that add constraints and indexes in online mode, in which no session waits long, for the defect classes.

A constraint first binds new rows (NOT VALID, under a strong lock for a moment), then old rows are proved
(VALIDATE, under a lock that lets others write). An index is built CONCURRENTLY and then becomes the key. The
locks are those in the PostgreSQL manual (ALTER TABLE, CREATE INDEX), seen on versions 13 to 18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.expression.digest import sha256
from fixer.model.obstacle import Trigger
from fixer.model.schema import Schema
from fixer.model.step import Effect, Lock, Part, Phase, RefusalError, Step
from fixer.model.table import Check, Index, QName, Table
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal

# Phases of a proof that a column holds no NULL: guard, proof, NOT NULL.
FOR_KEYS = (Phase.KEY_GUARDS, Phase.KEY_PROOFS, Phase.KEY_COLUMNS)
FOR_COLUMNS = (Phase.RULES, Phase.PROOFS, Phase.PROMOTED)

BESIDE = "pgmend_new_"  # prefix of temporary names, such as that of a second column
SYNC = "~pgmend_sync_"  # prefix of trigger names; triggers fire in the order of their names, and ~ comes last


def beside(name: str) -> str:
    """Return the temporary name of what is built beside a column, a constraint or an index of this name."""
    return q.fitting(f"{BESIDE}{name}")


def index_beside(index: str, column: str) -> str:
    """Return the temporary name of the index that is built beside another, over the second column of `column`."""
    digest = sha256(f"{column} {index}")[:8]
    return beside(f"{index}_{digest}")


def numbers_index(table: QName) -> str:
    """Return the name of the temporary index that keeps new numbers of a table from being taken twice."""
    return beside(f"{table.name}_numbers")


def helper(column: str) -> str:
    """Return the name of the temporary check that proves a column NOT NULL (PostgreSQL 17 and older)."""
    return beside(f"{column}_not_null")


def not_null(table: Table, column: str, actual: Schema, phases: tuple[Phase, Phase, Phase]) -> Iterator[Step]:
    """Yield the steps that forbid NULL in a column; they go on where an interrupted run stopped."""
    guard, proof, promote = phases
    name, where = table.name, f"{table.name.name}.{column}"
    if actual.version >= 18:
        if column not in table.unproved:
            # Without a name, so that PostgreSQL gives it the usual one.
            add = SQL("ADD NOT NULL {} NOT VALID").format(Identifier(column))
            yield alter(guard, name, f"refuse new NULLs in {where}", add, merge=True)
        yield _prove_all(proof, name)
        return
    constraint = helper(column)
    there = next((check for check in table.checks if check.name == constraint), None)
    if there is None:
        names = Identifier(constraint), Identifier(column)
        add = SQL("ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID").format(*names)
        yield alter(guard, name, f"refuse new NULLs in {where}", add, merge=True)
    if there is None or not there.validated:
        yield validate(proof, name, constraint, f"prove that {where} holds no NULL")
    # In two statements: if the check that proves it were dropped in the same one, SET NOT NULL would read the table.
    forbid = SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column))
    yield alter(promote, name, f"forbid NULL in {where}", forbid, merge=True)
    if there is None or not _is_above(constraint, table, actual):
        yield _used(name, constraint)


def _used(table: QName, constraint: str) -> Step:
    drop = SQL("DROP CONSTRAINT {}").format(Identifier(constraint))
    return alter(Phase.REPLACED, table, f"drop {constraint}, whose proof is used", drop, merge=True)


def _is_above(check: str, table: Table, actual: Schema) -> bool:
    """Return whether a table above this one has a check of this name, with which that of this one goes."""
    above = (actual.above(table.name) | {*actual.wholes(table.name)[1:]}) & actual.tables.keys()
    return any(each.name == check for name in above for each in actual.tables[name].checks)


def left_proof(table: Table, column: str, actual: Schema) -> Iterator[Part]:
    """Yield the step that drops a check left by an interrupted run; online before PostgreSQL 18, `not_null` does."""
    left = any(check.name == helper(column) for check in table.checks) and column in table.columns
    if left and not table.columns[column].not_null and not _is_above(helper(column), table, actual):
        yield _used(table.name, helper(column)).online_as(() if actual.version < 18 else None)


def proved_at_once(table: Table, wanted: Index, actual: Schema) -> Iterator[Part]:
    """Yield the steps of atomic mode that let the NOT NULLs of a key's columns be as a primary key requires.

    They are valid, and heirs have them too. Those of partitions alone are validated in both modes, because such a key
    is added at once.
    """
    in_place = None if table.inherits else ()  # such a table gets its key in place online too
    for step in _inherited(table, wanted):
        yield step.online_as(in_place)
    for column in wanted.columns if wanted.primary else ():
        yield from left_proof(table, column, actual)
        if column in table.columns and not table.columns[column].not_null:
            yield from (replace(step.atomic, phase=Phase.VALUES) for step in proved_below(table, column))
        if column in table.unproved:
            title = f"prove that {table.name.name}.{column} holds no NULL"
            yield validate(Phase.INDEXES, table.name, table.unproved[column], title).online_as(in_place)


def proved_below(table: Table, column: str) -> Iterator[Part]:
    """Yield the steps that validate the NOT NULLs of a column that are NOT VALID in partitions or heirs alone."""
    for part, constraint in table.unproved_below.get(column, ()):
        if not constraint:
            continue  # an heir that has none, as its owner wants
        title = f"prove that {part.name}.{column} holds no NULL"
        step = validate(Phase.RULES, part, constraint, title, touches=(table.name,))
        yield step.online_as((replace(step, phase=Phase.PROOFS),))


def see_that_heirs_inherit(table: Table, columns: Iterable[str], actual: Schema) -> None:
    """Raise RefusalError if an heir has a NOT NULL that is NO INHERIT, beside which none can come from above."""
    for column in columns:
        for heir in actual.tables.values() if table.heirs else ():
            name = heir.uninherited.get(column)
            if name and table.name in actual.above(heir.name):
                why = f"{heir.name.name} would have its NOT NULL from {table.name.name}, and keeps one from its heirs"
                way = f"ALTER TABLE {q.quoted(heir.name)} ALTER CONSTRAINT {q.quoted([name])} INHERIT"
                raise RefusalError(f"{why}: run {way}; then plan again")


def _inherited(table: Table, wanted: Index) -> Iterator[Step]:
    """Yield the steps that let heirs have the NOT NULLs of a primary key that are NO INHERIT."""
    for column in wanted.columns if wanted.primary else ():
        if (name := table.uninherited.get(column)) and table.heirs:
            raise RefusalError(
                f"heirs of {table.name.name} would have its NOT NULL too: see that their {column} holds no NULL,"
                f" and run ALTER TABLE {q.quoted(table.name)} ALTER CONSTRAINT {q.quoted([name])} INHERIT"
            )
        if name:
            action = SQL("ALTER CONSTRAINT {} INHERIT").format(Identifier(name))
            title = f"extend NOT NULL of {table.name.name}.{column} to the tables that INHERIT it"
            yield alter(Phase.RELEASE, table.name, title, action)


def _prove_all(phase: Phase, table: QName) -> Step:
    """Return the step that proves all NOT NULLs of a table that are NOT VALID, in one scan."""
    body = q.block("columns/prove_not_nulls", table=Literal(q.quoted(table)))
    title = f"prove that columns of {table.name} hold no NULL"
    return Step(phase, table, title, body, Lock.SHARE_UPDATE_EXCLUSIVE)


def validate(phase: Phase, table: QName, constraint: str, title: str, touches: tuple[QName, ...] = ()) -> Step:
    """Return the step that proves a constraint for old rows, while others write."""
    action = SQL("VALIDATE CONSTRAINT {}").format(Identifier(constraint))
    lock = Lock.SHARE_UPDATE_EXCLUSIVE
    return alter(phase, table, title, action, lock=lock, merge=not touches, touches=touches)


def check(table: QName, name: str, wanted: Check, title: str, *, instead_of: str | None = None) -> tuple[Step, ...]:
    """Return the steps that add a check; it takes the place of the check `instead_of`, if that is given."""
    action: Composable = SQL("ADD {} NOT VALID").format(ddl.check_clause(name, wanted))
    if instead_of:
        action = SQL("DROP CONSTRAINT {},\n    {}").format(Identifier(instead_of), action)
    add = alter(Phase.RULES, table, f"{title}, for new rows", action, merge=True)
    return add, validate(Phase.PROOFS, table, name, f"{title}, for old rows")


def index(name: str, table: Table, wanted: Index, title: str) -> tuple[Step, ...] | None:
    """Return the step that builds an index while others write; None for a table with partitions or inheritance."""
    if table.inherits:
        return None
    statement = SQL("CREATE {}INDEX CONCURRENTLY {} ON {} {}").format(
        SQL("UNIQUE " if wanted.unique else ""), Identifier(name), q.name(table.name), SQL(wanted.tail)
    )
    rows, lock = table.estimated_rows, Lock.SHARE_UPDATE_EXCLUSIVE
    return (Step(Phase.INDEXES, table.name, title, statement, lock, effect=Effect(rows=rows), concurrent=True),)


def apart(table: Table, wanted: Index, column: str, *, given: bool) -> Iterator[Step]:
    """Yield the steps that build and later drop an index, which keeps new numbers of a key from being taken twice.

    The index holds numbers from the first reserved one on, if numbers are reserved (`given`), else those above the
    highest. So it can be built although old rows repeat a key: it holds none of them.
    """
    name = numbers_index(table.name)
    if table.tells_apart(wanted.columns):
        return
    if not any(index.name == name and index.valid for index in table.indexes):
        bound: Composable = SQL("current_setting('pgmend.bottom')")
        order = SQL("CASE WHEN current_setting('pgmend.pace')::bigint > 0 THEN '>=' ELSE '<=' END")
        if not given:
            bound = SQL("(SELECT coalesce(max({}), 0) FROM {} AS t)").format(q.column(column), q.name(table.name))
            order = SQL("'>'")
        shape = f"CREATE UNIQUE INDEX {'' if table.inherits else 'CONCURRENTLY '}%I ON %s (%s) WHERE %I %s %s"
        keys = ", ".join(q.quoted([each]) for each in wanted.columns)
        parts = map(Literal, (shape, name, q.quoted(table.name), keys, column))
        statement = SQL("SELECT format({}, {}, {})").format(SQL(", ").join(parts), order, bound)
        title = f"build a temporary unique index over new values of {table.name.name}.{column}"
        lock = Lock.SHARE if table.inherits else Lock.SHARE_UPDATE_EXCLUSIVE
        rows, concurrent = table.estimated_rows, not table.inherits
        yield Step(
            Phase.APART,
            table.name,
            title,
            statement,
            lock,
            effect=Effect(rows=rows),
            concurrent=concurrent,
            composes=True,
        )
    yield from no_longer_apart(table).online


def no_longer_apart(table: Table) -> Part:
    """Return the step that drops the index that kept new numbers from being taken twice."""
    index = QName(table.name.schema, numbers_index(table.name))
    step = Step(Phase.REPLACED, table.name, f"drop the index {index.name}", SQL("DROP INDEX {}").format(q.name(index)))
    if table.inherits:
        return step
    lightly = SQL("DROP INDEX CONCURRENTLY {}").format(q.name(index))
    lock = Lock.SHARE_UPDATE_EXCLUSIVE
    return step.online_as((replace(step, sql=lightly, lock=lock, concurrent=True),))


def ready_index(wanted: Index, table: Table) -> str | None:
    """Return the name of an index that already proves a key and backs no constraint; None without one."""
    ready = (i for i in table.plain_keys if i.columns == wanted.columns and not i.constraint and i.tail == wanted.tail)
    return next((index.name for index in ready if not table.inherits), None)


def key(
    name: str, table: Table, wanted: Index, actual: Schema, title: str, *, ready: str | None = None
) -> tuple[Step, ...] | None:
    """Return the steps that add a key on an index that is `ready` or built first; None if none can be built.

    PostgreSQL builds that of a key WITHOUT OVERLAPS under the lock: there is no CONCURRENTLY for it.
    """
    if table.inherits:
        return None
    steps: list[Step] = []
    if ready is None and not wanted.overlaps_not:
        built = index(name, table, replace(wanted, unique=True), f"build the index of {name}")
        steps += built or ()
    steps += _inherited(table, wanted)
    open_ = [c for c in wanted.columns if wanted.primary and not _holds_value(table, c)]
    for column in open_:
        steps += not_null(table, column, actual, FOR_KEYS)
    clause = using(name, wanted, ready)
    if wanted.overlaps_not:
        title, clause = f"{title} (all others wait until it is built)", ddl.key_clause(name, wanted)
    steps.append(alter(Phase.KEYS_PROMOTED, table.name, title, SQL("ADD {}").format(clause)))
    return tuple(steps)


def unique(wanted: Index, name: QName, actual: Schema) -> Part:
    """Return the step that adds a wanted unique."""
    table = actual.tables[name]
    free = ddl.free_constraint_name(table, actual, name, wanted.name, index=True)
    title = f"add {'PRIMARY KEY' if wanted.primary else 'UNIQUE'} {wanted.what} to {name.name}"
    if wanted.constraint:
        add = alter(Phase.INDEXES, name, title, SQL("ADD {}").format(ddl.key_clause(free, wanted)))
        return add.online_as(key(free, table, wanted, actual, title))
    create = Step(Phase.INDEXES, name, title, ddl.create_index(free, name, wanted), Lock.SHARE)
    return create.online_as(index(free, table, wanted, title))


def _holds_value(table: Table, column: str) -> bool:
    """Return whether a column is NOT NULL already; a new column that batches number is not."""
    there = table.columns.get(column)
    return bool(there and there.not_null and not (there.added and there.numbered))


def using(name: str, wanted: Index, ready: str | None = None) -> Composable:
    """Return a key's clause for ADD, on an index that exists."""
    kind = "PRIMARY KEY" if wanted.primary else "UNIQUE"
    late = SQL(ddl.deferral(wanted.deferrable, wanted.deferred))
    return SQL("CONSTRAINT {} {} USING INDEX {}{}").format(Identifier(name), SQL(kind), Identifier(ready or name), late)


def syncing(table: QName, column: str) -> str:
    """Return the name of the trigger that fills a column."""
    digest = sha256(f"{table} {column}")[:12]
    return f"{SYNC}{digest}"


def is_outrun(table: Table, column: str) -> bool:
    """Return whether a user trigger fires after the one that fills a column, and so may change what it has read."""
    last = syncing(table.name, column).encode()
    return any(isinstance(o, Trigger) and o.name.encode() > last and not is_syncing(o.name) for o in table.obstacles)


def is_syncing(trigger: str) -> bool:
    """Return whether a trigger is one of those that fill a column."""
    return trigger.startswith(SYNC)
