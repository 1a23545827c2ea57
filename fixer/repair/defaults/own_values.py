"""A missing column in which each row gets a value of its own, added while others read and write.

Adding it with its default would rewrite the whole table, under ACCESS EXCLUSIVE. So it has another name at first: a
trigger gives new rows their value, batches give old rows theirs, and a check proves that no row was missed. Then it
gets its own name, to which nobody can have written before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.expression import as_texts, names_column, parts_of_name
from fixer.model.expression.patterns import pattern
from fixer.model.schema.code import Coded
from fixer.model.step import Added, Effect, Fill, Hazard, Lock, Part, Phase, RefusalError, Shape, Step
from fixer.model.table import Column, QName, Table
from fixer.repair import sync_triggers
from fixer.repair.constraints import online
from fixer.repair.constraints.domains import coming, refusing
from fixer.repair.conversion.values import as_converted
from fixer.repair.rows import filling
from fixer.repair.shadow import dropped_beside, guard_of
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.conversions import conversion
from fixer.sql.types import family, shape

_NAME = r'(?:"(?:[^"]|"")*"|\w+)'
_CAST = pattern(rf"::\s*{_NAME}(?:\.{_NAME})?")
# Calls that give all rows of a statement one value, and types that are written like a call.
_SETTLED = pattern(
    "now|(statement|transaction)_timestamp|to_(timestamp|date|char)|date_trunc|make_(date|interval)|age|timezone|extract"
    "|coalesce|nullif|greatest|least|concat|lower|upper|md5|cast|array|row|jsonb?_build_(object|array)"
    "|numeric|decimal|(var)?char|character|varying|bit|time|timestamp|interval",
    re.IGNORECASE,
)
_DRAWS = pattern(r"\bnextval\(", re.IGNORECASE)
_CALL = pattern(r"(\w+)\"?\s*\(")


def may_differ(column: Column, table: QName, contract: Contract, stands: Column | None = None) -> bool:
    """Return whether the value of the contract for rows without one may differ from row to row, or their domain's.

    A backfill that PostgreSQL did not understand when the contract was read is judged by its text alone.
    """
    value, volatile = contract.value_for(table, column), contract.hints[table].of(column.name).volatile
    if value is None:
        own = stands is not None and given(table, column, stands, contract) is not None
        return own and _calls_anew(stands.supplied if stands else "")
    if value == SQL(column.default or ""):
        return column.volatile
    if volatile is not None or not isinstance(value, SQL):
        return bool(volatile)
    return _calls_anew(value.string)


def _calls_anew(text: str) -> bool:
    """Return whether an expression calls what may give each row another value."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", text)
    return any(not _SETTLED.fullmatch(name) for name in _CALL.findall(bare))


def added(
    table: Table, column: Column, value: Composable, add: Step, of_new: Composable | None = None
) -> Iterator[Step]:
    """Yield the steps that replace online the step `add`, which adds a column with a value for each row.

    `of_new` is the value over the row `new`, if it differs from row to row because of other columns.
    """
    name, beside = table.name, online.beside(column.name)
    guard, empty = guard_of(name, beside), q.is_null(beside)
    there = table.columns.get(beside)
    if there and there.type != column.type:
        yield dropped_beside(name, beside)
    type_ = SQL(f"{column.full_type} COLLATE {column.collation}" if column.collation else column.full_type)
    sync = sync_triggers.synced(Phase.SHADOWS, name, beside, of_new or value, reads_others=False, once=True)
    new = [
        SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(q.name(name), Identifier(beside), type_),
        sync.sql,
        SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}, ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID").format(
            q.name(name), Identifier(guard), Identifier(guard), Identifier(beside)
        ),
    ]
    yield Step(Phase.SHADOWS, name, f"add {beside} to {name.name}, with a value for each new row", SQL(";\n").join(new))
    fill = Step(
        Phase.FILLS,
        name,
        f"{add.title}, in {beside}",
        SQL(""),
        hazard=add.hazard,
        effect=Effect(rows=table.estimated_rows),
    )
    yield filling(fill, (Fill(beside, value, empty),))
    proof = online.validate(Phase.FILL_PROOFS, name, guard, f"prove that {beside} is filled in every row")
    yield replace(proof, action=None, shape=replace(proof.shape, added=(Added(column.name, beside=beside),)))
    title = f"rename {beside} to {name.name}.{column.name}"
    noted = (Added(column.name, beside=column.name),)
    yield Step(Phase.EXCHANGES, name, title, SQL(";\n").join(_named(table, column)), shape=Shape(added=noted))


def _named(table: Table, column: Column) -> Iterator[Composable]:
    """Yield the statements that give the column its name, its default and its NOT NULL, which the check proves."""
    name, beside = table.name, online.beside(column.name)
    change = SQL("ALTER TABLE {} {}")
    rename = SQL("RENAME COLUMN {} TO {}").format(Identifier(beside), Identifier(column.name))
    yield sync_triggers.unsynced(name, beside)
    yield change.format(q.name(name), rename)
    if column.default is not None:
        default = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default))
        yield change.format(q.name(name), default)
    if column.not_null:
        yield change.format(q.name(name), SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column.name)))
    yield change.format(q.name(name), SQL("DROP CONSTRAINT {}").format(Identifier(guard_of(name, beside))))


# --- columns whose value is computed from other columns of the row


def read_by(value: Composable | None, columns: Iterable[str]) -> list[str]:
    """Return those of the columns that a value of the contract names; a type may have the name of one."""
    said = _CAST.sub("", value.string) if isinstance(value, SQL) else ""
    return [each for each in columns if names_column(said, each)]


def in_order(columns: Iterable[tuple[Column, Composable | None]]) -> Iterator[Column]:
    """Yield columns, given with their values, so that each comes after those that its value names."""
    waiting = {column.name: (column, value) for column, value in columns}
    while waiting:
        ready = [n for n, (_, value) in waiting.items() if not set(read_by(value, waiting)) - {n}] or list(waiting)
        yield from (waiting.pop(name)[0] for name in ready)


def foreseen(
    column: Column, value: Composable | None, table: Table, wanted: Table, code: Coded | None = None
) -> Column:
    """Return a column that the plan adds, with the value that it will have in today's row `t`.

    What functions give that the plan creates among this `code` is not known.
    """
    now: Composable = SQL("({})::{}").format(value or SQL("NULL"), SQL(column.full_type))
    if column.enum:  # the plan may also be the one that creates its type
        now = SQL(f"NULL::{column.read_as}")
    elif _draws(value) or (isinstance(value, SQL) and code and code.brings(value.string)):
        now = SQL("NULL::{}").format(SQL(column.full_type))
    elif names := read_by(value, wanted.columns):
        type_ = SQL(column.full_type)
        known = can_be_foreseen(value, table, wanted)
        read = [table.columns[name] for name in names] if known else []
        now = over_row(value, type_, read) if known else SQL("NULL::{}").format(type_)
    return replace(column, now=now, added=True)


def _draws(value: Composable | None) -> bool:
    """Return whether a value takes a number of a sequence, which to look must not."""
    return isinstance(value, SQL) and bool(_DRAWS.search(value.string))


def unfit(after: Column, value: Composable | None, table: Table, wanted: Table, stands: Column) -> Composable | None:
    """Return the condition for rows in which a column to come cannot hold its value; None if all can.

    It computes the value in every row of the table, which is one `as_shown`, so that an error of it is found as well:
    one that is computed from others, or that the domain of the column may not take, as it stands or as it is to be.
    """
    read, demands = read_by(value, wanted.columns), coming(after, stands)
    if demands and not read and not _draws(value):
        return refusing(demands, value or SQL("NULL"), stands.base)
    if not read and set(stands.guards) - set(after.guards) and not _draws(value):
        return SQL("pg_column_size(({})::{}) < 0").format(value or SQL("NULL"), SQL(after.full_type))
    if value is None or not read or after.enum or not can_be_foreseen(value, table, wanted):
        return None
    there = [table.columns[each] for each in read]
    future = over_row(value, SQL(after.full_type), there)
    long = too_long(over_row(value, SQL("text"), there), after)
    null = SQL("{} IS NULL").format(future) if after.not_null else None
    computed = SQL("pg_column_size({}) < 0").format(future)  # it never is
    odd = q.any_of([each for each in (long, null) if each is not None] or [computed])
    # Rows with values that do not convert leave the table before it is computed.
    stay = [SQL("({} IS NULL OR {} IS NOT NULL)").format(q.column(c.name), c.now) for c in there if c.now is not None]
    return q.all_of([*stay, SQL("({})").format(odd)]) if stay else odd


def as_wanted(value: Composable | None, table: Table, contract: Contract, version: int) -> Table:
    """Return a table in which the columns that a value names are as the plan converts them, where it can."""
    wanted, hints = contract.tables[table.name], contract.hints[table.name]
    for name in read_by(value, wanted.columns):
        found, right = table.columns.get(name), wanted.columns[name]
        if found and not found.added and family(found.type) != family(right.type):
            way = conversion(found, right, hints.of(name), version)
            table = table if isinstance(way, str) else table.with_column(as_converted(found, right, way))
    return table


def as_shown(table: Table) -> Table:
    """Return a table over whose rows `q.rows_of` is laid, which shows each column under its name."""
    return replace(table, columns={n: replace(c, now=None, stored_as=None) for n, c in table.columns.items()})


def can_be_foreseen(value: Composable | None, table: Table, wanted: Table) -> bool:
    """Return whether all columns that a value names hold today what the plan leaves in them, by `now` at least."""
    read = [(table.columns.get(name), wanted.columns[name]) for name in read_by(value, wanted.columns)]
    return all(
        found and not (found.numbered or found.mapped) and family(found.type) == family(right.type)
        for found, right in read
    )


def too_long(value: Composable, column: Column) -> Composable | None:
    """Return the condition that a value is a text with more characters than the column takes; None if it takes all."""
    size = shape(column.type).size if family(column.type) == "text" else None
    if size is None:
        return None
    return SQL("char_length(rtrim(({})::text, ' ')) > {}").format(value, Literal(size))


def over_row(value: Composable | None, type_: Composable, columns: Iterable[Column], alias: str = "t") -> Composable:
    """Return a value that names columns, as an expression over the row `alias`, which today may lack them."""
    columns = list(columns)
    enums = {c.name: c for c in columns if c.enum and c.now is not None}  # read as texts
    if enums and isinstance(value, SQL):
        types = {parts_of_name(c.full_type.removesuffix("[]")) for c in enums.values()}
        value = SQL(as_texts(value.string, {name: c.read_as for name, c in enums.items()}, types))
    cells = SQL(", ").join(
        SQL("{} AS {}").format(q.today(c) if alias == "t" else q.column(c.name, alias), Identifier(c.name))
        for c in columns
    )
    return SQL("(SELECT ({})::{} FROM (SELECT {}) AS t)").format(value or SQL("NULL"), type_, cells)


def filled(table: Table, wanted: Table, column: Column, value: Composable, definition: Composable) -> Iterator[Part]:
    """Yield the steps that add a NOT NULL column and fill it from other columns of the row."""
    name, read = table.name, [wanted.columns[each] for each in read_by(value, wanted.columns)]
    if late := [each.name for each in read if each.name not in table.columns and each.generated]:
        raise RefusalError(f"the backfill of {column.name} reads {late[0]}, which is missing and generated")
    title = f"add {column.name} to {name.name}"
    same = SQL("{} IS NOT DISTINCT FROM ({})::{}").format(q.column(column.name), value, SQL(column.full_type))
    kept = Added(column.name, kept=same)
    action = SQL("ADD COLUMN {}").format(definition)
    add = alter(Phase.CONVERT, name, title, action, merge=True, added=(kept,))
    fill = Step(
        phase=Phase.COPY,
        table=name,
        title=f"fill {name.name}.{column.name} from other columns of its row",
        sql=SQL("UPDATE {} AS t SET {} = {}").format(q.name(name), Identifier(column.name), value),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.REWRITES_TABLE,
        effect=Effect(rows=table.estimated_rows, changes=(column.name,)),
    )
    of_new = over_row(value, SQL(column.full_type), read, alias="new")
    lightly = added(table, column, value, replace(add, hazard=fill.hazard), of_new)
    there = (table.columns.get(each.name) for each in read)
    if [each and each.full_type for each in there] != [each.full_type for each in read]:
        lightly = (replace(step, phase=Phase.EXCHANGE_PROOFS) for step in lightly)  # by then they are as wanted
    yield add.online_as(lightly)
    yield fill.online_as(())
    if column.default is not None:
        default = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), SQL(column.default))
        yield alter(
            Phase.DEFAULTS, name, f"set the default of {name.name}.{column.name} to {column.default}", default
        ).online_as(())
    forbid = SQL("ALTER COLUMN {} SET NOT NULL").format(Identifier(column.name))
    yield alter(Phase.RULES, name, f"forbid NULL in {name.name}.{column.name}", forbid, merge=True).online_as(())


def given(table: QName, column: Column, stands: Column, contract: Contract) -> Composable | None:
    """Return what rows get in a column to come: the contract's value, else the default of its domain as it stands."""
    value = contract.value_for(table, column)
    if value is None and stands.supplied and column.default is None and not (column.generates or column.generated):
        return SQL(stands.supplied)
    return value


def refused(table: QName, column: Column, stands: Column, contract: Contract, rows: str) -> str:
    """Return what a person does about a value that the domain of a column is to refuse; empty if it refuses none."""
    value, demands = given(table, column, stands, contract), coming(column, stands)
    if not demands or read_by(value, contract.tables[table].columns):
        return ""
    what = value.string if isinstance(value, SQL) else "NULL" if value is None else "the backfill"
    domain = column.full_type
    way = f"run ALTER DOMAIN {domain} SET DEFAULT …; then plan again, or " if column.default is None else ""
    will = f"which the domain {domain} is to refuse by {' and '.join(demands)}"
    return f"{rows} of {table.name} would get {what} in {column.name}, {will}: {way}declare another value"


def untold(table: QName, column: Column, rows: str) -> str:
    """Return why rows get no value in a column that is computed."""
    what = "the expression" if column.generated else "the backfill"
    gives = ["NULL"] if column.not_null else []
    gives += ["more characters than fit"] if too_long(SQL("NULL"), column) else []
    way = f", or let {column.name} be nullable in the contract" if column.not_null else ""
    given = f"{what} of {column.name} gives {' or '.join(gives)} in {rows} of {table.name}"
    return f"{given}: correct the values that it reads{way}"
