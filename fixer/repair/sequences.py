"""Steps that give a column a sequence: create, attach and advance it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression import as_needed, quoted
from fixer.model.schema import Schema
from fixer.model.step import Added, Batches, Effect, Hazard, Lock, Part, Phase, RefusalError, Repair, Step, refuse
from fixer.model.table import Column, QName, Sequence
from fixer.repair.counting.attaching import count_by, let_count, let_count_by, own, wire
from fixer.repair.counting.options import as_declared, fresh, reach
from fixer.repair.counting.users import Users, counting_with
from fixer.repair.numbers import Held, advance, is_spent, last_number
from fixer.repair.owners import belonging
from fixer.repair.rows import IN_BATCH, places
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.types import MAXIMA


def is_borrowed(table: QName, column: str, actual: Schema, contract: Contract) -> bool:
    """Return whether a column counts by a sequence of others, and the contract gives it one of its own."""
    found, wanted = actual.tables[table].columns[column], contract.tables[table].columns[column]
    shared = Users(actual).share(table, found) and not Users(contract.schema).share(table, wanted)
    return bool(shared and found.sequence and not declared(found.sequence, table, wanted, contract))


def ask_for(sequence: Sequence, table: QName, actual: Schema) -> None:
    """Raise RefusalError if this role may alter a table, but not the sequence that numbers it."""
    session = actual.session
    if session and not sequence.owned:
        owner = actual.tables[table].owner if table in actual.tables else session.role
        (home, name), whose = map(as_needed, sequence.name), as_needed(sequence.owner)
        give = f"ALTER SEQUENCE {home}.{name} OWNER TO {as_needed(owner)}"
        raise RefusalError(
            f"{home}.{name}, which numbers {table.name}, is owned by the role {whose},"
            f" and {as_needed(session.role)} may not move it past the rows: let {whose} say {give}"
        )


def unknown(sequence: Sequence, actual: Schema) -> Repair:
    """Return the refusal that asks for the right to read a sequence."""
    schema, role = as_needed(sequence.name.schema), as_needed(actual.maker)
    grant = f"GRANT SELECT ON SEQUENCE {schema}.{as_needed(sequence.name.name)} TO {role}"
    return refuse(f"{grant}; GRANT USAGE ON SCHEMA {schema} TO {role}; then check again")


def give_generator(
    table: QName, column: Column, actual: Schema, held: Held = (), *, like: Sequence | None = None
) -> Iterator[Part]:
    """Yield the steps that give a column its own sequence, past the highest id; online it avoids `held` numbers too.

    It counts `like` a sequence of the contract: from its start on, with the options that are declared. No identity
    comes beside a sequence that the column owns already: pg_get_serial_sequence would name the older one.
    """
    there = actual.tables[table].columns[column.name]
    left_over = any(s.owned_by == (table, column.name) for s in actual.sequences.values())
    if column.identity and there.not_null and there.default is None and not left_over:
        yield _identity(table, column, fresh(table, column.type, like, column.type))
        yield advance(table, column.name, None, held)
        return
    counted = _widest(column.type, there.type, *([like.type] if like else ()))
    name, exists = choose(table, column, actual, like)
    if exists:
        yield from let_go_on(name, table, column, counted, like, actual)
    else:
        create = ddl.create_sequence(fresh(name, counted, like, column.type))
        step = Step(Phase.GENERATORS, table, f"create the sequence {name.name}", create, Lock.NONE)
        # OWNED BY requires the owner of the table. If that is out of reach, nothing can be done: the run says so first.
        owner = actual.tables[table].owner if actual.tables[table].owned else ""
        yield from belonging(step, "SEQUENCE", name, owner, actual)
    if exists and _stays_apart(name, table, actual):
        yield let_count_by(name, table)
    else:
        yield own(name, table, column.name)
        yield let_count(table, column.name, name)
    yield advance(table, column.name, name, held)
    yield wire(name, table, column.name, only=actual.tables[table].inherits)
    for part in counting_with(table, column.name, actual):
        yield from count_by(name, part, column.name)


def let_go_on(
    name: QName, table: QName, column: Column, type_: str, like: Sequence | None, actual: Schema
) -> Iterator[Step]:
    """Yield the step that lets a sequence of old count as far as its column, and as the contract declares."""
    found = actual.sequences[name]
    ask_for(found, table, actual)
    if found.created:
        return
    type_ = _widest(type_, found.type)
    wide, (lowest, highest) = replace(found, type=type_, cycle=False), reach(type_)
    wide = replace(wide, maximum=highest) if found.increment > 0 else replace(wide, minimum=lowest)
    meant = as_declared(like, column.type, wide) if like else wide
    stands = found.start if found.last_value is None else found.last_value
    if not meant.minimum <= stands <= meant.maximum:
        told_ = f"from {meant.minimum} to {meant.maximum}"
        raise RefusalError(f"{name} stands at {stands}, and should count {told_}: drop it, or set it by ALTER SEQUENCE")
    title = f"let {name.name} count as far as {table.name}.{column.name}"
    yield Step(Phase.GENERATORS, table, title, ddl.alter_sequence(meant))


def _identity(table: QName, column: Column, counter: Sequence) -> Step:
    options = ddl.sequence_options(counter)
    action = SQL("ALTER COLUMN {} ADD GENERATED {} AS IDENTITY{}").format(
        Identifier(column.name),
        SQL("ALWAYS" if column.identity == "a" else "BY DEFAULT"),
        SQL(" ({})").format(options) if options else SQL(""),
    )
    return alter(Phase.GENERATORS, table, f"make {table.name}.{column.name} an identity column", action)


def _stays_apart(name: QName, table: QName, actual: Schema) -> bool:
    """Return whether no column is to own a sequence: the contract lets none own it, or none of another schema may."""
    sequence = actual.sequences[name]
    return sequence.apart or sequence.created or name.schema != table.schema  # missing-sequence creates it


def _is_declared(sequence: Sequence) -> bool:
    """Return whether the contract itself declares a sequence, so that its options are as meant."""
    return sequence.apart or sequence.created


def given(table: QName, column: Column, actual: Schema) -> Composable:
    """Return what names the sequence that a column gets, once it has it."""
    name, exists = (None, False) if column.identity else choose(table, column, actual)
    apart = name is not None and exists and _stays_apart(name, table, actual)
    return Literal(q.quoted(name)) if name and apart else q.generator_of(table, column.name)


def numbered_in_batches(
    table: QName,
    column: Column,
    actual: Schema,
    *,
    under: str | None = None,
    like: Sequence | None = None,
    by: QName | None = None,
) -> tuple[Step, ...]:
    """Return the steps that add a numbered column to a table that others write to, and number its rows.

    `under` is another name for the column, if it gets its own name only later. `by` is the sequence of another table by
    which it counts, if not by one of its own.
    """
    name = under or column.name
    bare = replace(column, name=name, default=None, sequence=None, identity="", not_null=False)
    there = actual.with_table(actual.tables[table].with_column(bare))
    counting = replace(bare, sequence=column.sequence)
    add = SQL("ADD COLUMN IF NOT EXISTS {} {}").format(Identifier(name), SQL(column.full_type))
    first = alter(Phase.CONVERT, table, f"add {name} to {table.name}", add, added=(Added(column.name, counts=True),))
    generator = Literal(q.quoted(by)) if by else given(table, counting, there)
    fill = Step(
        phase=Phase.KEYS,
        table=table,
        title=f"number the rows of {table.name}",
        sql=SQL(""),
        batches=Batches(
            batch=SQL("UPDATE {} AS t SET {} = nextval({}) WHERE {} AND {}").format(
                q.name(table), Identifier(name), generator, IN_BATCH, q.is_null(name)
            ),
            find=places(table, q.is_null(name)),
            pages=True,
        ),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_TABLE,
        effect=Effect(rows=actual.tables[table].estimated_rows, changes=(column.name,)),
    )
    if by:
        return first, let_count_by(by, table), wire(by, table, name, only=True), fill
    return (first, *(part.atomic for part in give_generator(table, counting, there, like=like)), fill)


def _widest(*types: str) -> str:
    """Return the type of a sequence whose numbers reach as far as those of all the types."""
    return max((each if each in MAXIMA else "bigint" for each in types), key=MAXIMA.__getitem__)


def end_of(column: Column, there: Column, like: Sequence | None) -> tuple[int, int]:
    """Return the last number that a new sequence may give to a column, and by how much it counts."""
    types = (column.type, there.type)
    counter = fresh(QName("", ""), _widest(*types, *([like.type] if like else ())), like, column.type)
    return last_number(counter, like, widest_number(*types)), counter.increment


def widest_number(*types: str) -> int:
    """Return the largest number of the widest of these types."""
    return MAXIMA[_widest(*types)]


def choose(
    table: QName, wanted_column: Column, actual: Schema, like: Sequence | None = None, *, owner: str = ""
) -> tuple[QName, bool]:
    """Return the sequence to use, which has numbers left, and whether it exists: its own, or a free one so named.

    The column may be to come, and so may the table, which then belongs to `owner`. A column can own a sequence only if
    both belong to one role.
    """
    column, there = wanted_column.name, actual.tables.get(table)
    owner = there.owner if there else owner or actual.maker
    found = there.columns.get(column) if there else None
    end = widest_number(wanted_column.type, *([found.type] if found else ()))
    wanted = wanted_column.sequence or QName(table.schema, f"{table.name}_{column}_seq")
    own = [s.name for s in actual.sequences.values() if s.owned_by == (table, column)]
    for name in (*own, wanted):
        sequence = actual.sequences.get(name)
        others = sequence and Users(actual).others(sequence, table, column)
        free = sequence and sequence.owned_by in (None, (table, column)) and not others
        kept = sequence and (_stays_apart(name, table, actual) or not owner or sequence.owner == owner)
        same_way = sequence and (sequence.increment > 0) == (like is None or like.increment > 0)
        fits = sequence and (same_way or _is_declared(sequence)) and (name == wanted or name.schema == table.schema)
        if sequence and free and kept and fits and not is_spent(sequence, end if sequence.increment > 0 else -end - 1):
            return name, True
    return QName(table.schema, ddl.free_relation_name(actual, table, wanted.name)), False


def declared(sequence: QName, table: QName, column: Column, contract: Contract) -> bool:
    """Return whether the contract itself names the sequence of a column, or lets columns share one."""
    spelt = contract.hints[table].of(column.name).counter
    names = (sequence.name, as_needed(sequence.name), quoted(sequence.name))
    homes = (f"{home}." for home in (sequence.schema, as_needed(sequence.schema), quoted(sequence.schema)))
    if spelt in {f"{home}{name}" for home in ("", *homes) for name in names}:
        return True
    return column.sequence == sequence and sequence not in contract.schema.sequences


def as_meant(found: Sequence, contract: Contract) -> Sequence:
    """Return a sequence with the options that it will have, where the contract knows it (see different-sequence)."""
    meant = contract.schema.sequences.get(found.name, found)
    bounds = replace(found, minimum=meant.minimum, maximum=meant.maximum)
    return replace(bounds, increment=meant.increment, cycle=meant.cycle)
