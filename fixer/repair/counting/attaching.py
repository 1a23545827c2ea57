"""Steps that let a column count by a sequence: attach it, make it the default, and let roles use it."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.step import Lock, Phase, Step
from fixer.model.table import QName
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal


def own(name: QName, table: QName, column: str) -> Step:
    """Return the step that attaches a sequence to its column, so that they are dropped and moved together."""
    action = SQL("ALTER SEQUENCE {} OWNED BY {}").format(q.name(name), Identifier(*table, column))
    return Step(Phase.GENERATORS, table, f"attach the sequence {name.name} to {table.name}.{column}", action)


def let_count(table: QName, column: str, name: QName | None = None) -> Step:
    """Return the step that grants USAGE on the sequence of a column to roles that may insert into its table."""
    return _count(table, q.generator_of(table, column), name.name if name else f"the sequence of {table.name}.{column}")


def let_count_by(name: QName, table: QName) -> Step:
    """Return the step that grants USAGE on a sequence that no column owns to roles that may insert into a table."""
    return _count(table, Literal(q.quoted(name)), name.name)


def _count(table: QName, generator: Composable, spelt: str) -> Step:
    grant = q.block("rights/count", table=Literal(q.quoted(table)), generator=generator)
    title = f"grant USAGE on {spelt} to roles that may insert into {table.name}"
    return Step(Phase.GENERATORS, table, title, grant, Lock.NONE)


def wire(name: QName, table: QName, column: str, *, only: bool) -> Step:
    """Return the step that makes nextval of a sequence the default of a column."""
    action = SQL("ALTER COLUMN {} SET DEFAULT nextval({}::regclass)").format(
        Identifier(column), Literal(q.quoted(name))
    )
    return alter(
        Phase.GENERATORS, table, f"make nextval('{name.name}') the default of {table.name}.{column}", action, only=only
    )


def count_by(name: QName, part: QName, column: str) -> Iterator[Step]:
    """Yield the steps that let a partition count by a sequence of its table, which has only one for all."""
    yield let_count_by(name, part)
    yield wire(name, part, column, only=True)
