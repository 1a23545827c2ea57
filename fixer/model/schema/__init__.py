"""A schema as frozen values, the same for contract and actual.

The values of a single table are in fixer.model.table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from fixer.model.expression.digest import sha256_of
from fixer.model.schema.application import Application, Lack
from fixer.model.schema.code import Broken, Caller, Coded, Key
from fixer.model.schema.renaming import moved_in, moved_key, old_key_of, renamed_in, renamed_key
from fixer.model.schema.session import Given, Rights, Session, Shut
from fixer.model.schema.storage import Stored
from fixer.model.table import PERMANENT, Check, Column, ForeignKey, Index, QName, Sequence, Table
from fixer.model.values import dataclass

__all__ = [
    "COUNTED",
    "Application",
    "Broken",
    "Caller",
    "Calls",
    "Check",
    "Column",
    "ForeignKey",
    "Function",
    "Given",
    "Index",
    "Lack",
    "Mute",
    "Partition",
    "QName",
    "Rights",
    "Schema",
    "Sequence",
    "Session",
    "Shut",
    "Spellings",
    "Table",
    "Told",
    "Twin",
]

Spellings = Mapping[tuple[str, tuple[str, ...]], str]  # of checks, by the digest of their parse tree, and their columns
COUNTED = 1_000_000  # rows of a twin that are counted at most


@dataclass(frozen=True, slots=True)
class Twin:
    """A relation named like a missing table, but for schema, case and signs; or a table beside it with its columns."""

    missing: QName
    name: QName
    kind: str  # as Table.kind
    readable: bool = True
    named: bool = True
    alike: bool = False  # whether it has the columns of the missing one, and no others
    rows: int | None = None  # None if not counted; COUNTED + 1 if there are more than COUNTED


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition that a contract declares."""

    name: QName
    of: QName  # the table that it is a part of, which may be a partition too
    bound: str  # as pg_get_expr spells it: FOR VALUES …, or DEFAULT
    parted_by: str = ""  # its own partition key
    persistence: str = PERMANENT


@dataclass(frozen=True, slots=True)
class Told:
    """A table that a publication publishes, or will publish once the table exists."""

    table: QName
    made: bool  # whether the table exists
    publication: str
    heard: bool  # whether a subscriber of this database is known


@dataclass(frozen=True, slots=True)
class Mute:
    """A published table or partition without a replica identity for the rows that are changed or deleted."""

    oid: int
    table: QName
    publication: str
    told_by: str  # relreplident: the primary key (d), an index (i), or nothing (n)
    owned: bool  # whether the session may alter it


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the database's own."""

    name: str
    volatile: bool  # whether it may give each row another value
    body: str | None = None  # without texts and comments, if it is written in SQL or PL/pgSQL


@dataclass(frozen=True, slots=True)
class Calls:
    """What an expression calls."""

    settled: bool = False  # whether that is PostgreSQL's own alone, changes nothing, and asks no setting of a session
    own: tuple[Function, ...] = ()
    default: str | None = None  # of a domain


@dataclass(frozen=True, slots=True)
class Schema:
    """All that the fixer knows about one side, contract or actual."""

    tables: Mapping[QName, Table] = field(default_factory=dict)
    sequences: Mapping[QName, Sequence] = field(default_factory=dict)
    outside: tuple[ForeignKey, ...] = ()  # foreign keys of tables elsewhere that point into this schema
    names: frozenset[QName] = frozenset()  # the name of every relation, so that new names differ
    session: Session | None = None
    application: Application | None = None  # if the caller names its role
    spellings: Spellings = field(default_factory=dict)  # of its checks, so that another reading need not ask for them
    twins: Mapping[QName, tuple[Twin, ...]] = field(default_factory=dict)  # by missing table
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of enums that columns to come will have
    standing: Mapping[str, Column] = field(default_factory=dict)  # columns to come, as types that stand make them
    closed: frozenset[str] = frozenset()  # enums that columns have, and that only another role may alter
    lacking: frozenset[str] = frozenset()  # types that columns to come need, or that these types need; and functions
    types: Mapping[QName, tuple[str, ...]] = field(default_factory=dict)  # as wanted: its statement, what that calls
    made: frozenset[QName] = frozenset()  # types that the plan creates
    # What expressions call, by their kind (default, check, index, domain), table and name; asked for only where it
    # matters.
    calls: Mapping[tuple[str, QName, str], Calls] = field(default_factory=dict)
    partitions: tuple[Partition, ...] = ()  # that a contract declares, those above others first
    alone: Mapping[QName, Table] = field(default_factory=dict)  # what a partition shall have that its root has not
    user_tables: int = 0  # in all schemas; only counted where a table of the contract is missing
    stored: tuple[Stored, ...] = ()  # what the contract says of it, and what there is of the tables that it names so
    code: Coded | None = None  # functions, views and more; None where the contract has none, as that of models
    broken: tuple[Broken, ...] = ()  # functions that tables call, and that fail
    beyond: frozenset[Key] = frozenset()  # what a target has of the kinds that are not compared, if a contract has some

    @property
    def is_bare(self) -> bool:
        """Whether it has nothing that is compared: neither a table, a sequence nor a type, nor anything beside them."""
        coded = self.code is not None and bool(self.code.parts or self.code.beyond)
        return not (self.tables or self.sequences or self.types or coded)

    def seen_again(self, session: Session) -> bool:
        """Return whether a session sees the very same rows of the catalogue from which this schema was read.

        Where two snapshots are written alike, no transaction ended between them (PostgreSQL manual, 9.27.7).
        """
        then = self.session
        if then is None or not then.moment:
            return False
        return (then.moment, then.wanted) == (session.moment, session.wanted)

    def owner_of_most(self, names: Iterable[QName]) -> str:
        """Return the role that owns most of these tables, as far as they exist; empty if none does."""
        owners = Counter(self.tables[name].owner for name in names if name in self.tables)
        return owners.most_common(1)[0][0] if owners else ""

    def with_table(self, table: Table) -> Schema:
        """Return this schema with a table added or replaced."""
        return replace(self, tables={**self.tables, table.name: table})

    def foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield every foreign key from or to these tables; one that partitions inherit comes once, with their root."""
        for table in self.tables.values():
            yield from (key for key in table.foreign_keys if not key.inherited)
        yield from (key for key in self.outside if not key.inherited)

    def incoming(self, target: QName) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that point at a table, or at a partition of it."""
        return tuple(key for key in self.foreign_keys() if target in self.wholes(key.target))

    def wholes(self, table: QName) -> tuple[QName, ...]:
        """Return a table, and after it the partitioned tables of which it is a partition, up to the root."""
        found = self.tables.get(table)
        return (table, *self.wholes(found.part_of)) if found and found.part_of else (table,)

    def keys_over(self, table: QName, column: str) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that contain a column, at either end; also those at a partition of the table."""
        return tuple(
            key
            for key in self.foreign_keys()
            if (key.table == table and column in key.columns)
            or (column in key.target_columns and table in self.wholes(key.target))
        )

    def without_foreign_keys(self, unwanted: frozenset[tuple[QName, str]]) -> Schema:
        """Return this schema without some foreign keys, each given as (table, name)."""
        schema = self
        for table in self.tables.values():
            kept = tuple(k for k in table.foreign_keys if (k.table, k.name) not in unwanted)
            if len(kept) != len(table.foreign_keys):
                schema = schema.with_table(replace(table, foreign_keys=kept))
        return replace(schema, outside=tuple(k for k in self.outside if (k.table, k.name) not in unwanted))

    def with_renamed_column(self, table: QName, old: str, new: str) -> Schema:
        """Return this schema with a column renamed wherever it is named, as PostgreSQL renames it."""
        tables = {name: renamed_in(each, table, old, new) for name, each in self.tables.items()}
        schema = replace(self, tables=tables, outside=tuple(renamed_key(key, table, old, new) for key in self.outside))
        for below in (*self.heirs(table), *(each for each in self.tables.values() if each.part_of == table)):
            schema = schema.with_renamed_column(below.name, old, new) if old in below.columns else schema
        return schema

    def with_nullable(self, table: QName, column: str) -> Schema:
        """Return this schema with a column that takes NULL, in its table and so in partitions and heirs."""
        schema = self
        for each in self.family(table):
            if column in each.columns:
                schema = schema.with_table(each.with_column(replace(each.columns[column], not_null=False)))
        return schema

    def before_numbering(self) -> Schema:
        """Return this schema as steps see it that online come before new keys take the names of old ones."""
        schema = self
        for table in self.tables.values():
            for column in table.columns.values():
                if aside := old_key_of(column, table):
                    old = {
                        name: each for name, each in schema.tables[table.name].columns.items() if name != column.name
                    }
                    schema = schema.with_table(replace(schema.tables[table.name], columns=old))
                    schema = schema.with_renamed_column(table.name, aside, column.name)
        return schema

    def heirs(self, table: QName) -> Iterator[Table]:
        """Yield the tables that INHERIT from a table."""
        yield from (each for each in self.tables.values() if table in each.parents)

    @property
    def maker(self) -> str:
        """The role that makes what is created: that of the session, empty if there is none."""
        return self.session.role if self.session else ""

    def above(self, table: QName) -> set[QName]:
        """Return the tables from which a table INHERITs, up to the highest."""
        known, near = set[QName](), {table}
        while near := {parent for each in near if each in self.tables for parent in self.tables[each].parents} - known:
            known |= near
        return known

    def below(self, table: QName) -> Iterator[Table]:
        """Yield the tables that INHERIT from a table, down to the lowest."""
        yield from (each for name, each in self.tables.items() if each.parents and table in self.above(name))

    def family(self, table: QName) -> Iterator[Table]:
        """Yield a table, its partitions and its heirs, down to the lowest."""
        yield from (each for name, each in self.tables.items() if table in self.wholes(name))
        yield from self.below(table)

    def with_renamed_table(self, old: QName, new: QName) -> Schema:
        """Return this schema with a table renamed, in heirs, partitions, foreign keys and sequences too."""
        tables = {name: table for name, table in self.tables.items() if name != old}
        tables[new] = replace(self.tables[old], name=new, stored_as=old)  # another may have been renamed meanwhile
        sequences = {
            name: replace(each, owned_by=(new, each.owned_by[1])) if each.owned_by and each.owned_by[0] == old else each
            for name, each in self.sequences.items()
        }
        return replace(
            self,
            tables={name: moved_in(table, old, new) for name, table in tables.items()},
            outside=tuple(moved_key(key, old, new) for key in self.outside),
            sequences=sequences,
            code=self.code and self.code.moved(old, new),
        )

    @property
    def version(self) -> int:
        """The server's major version; 18 if no session is known."""
        return self.session.version if self.session else 18

    @property
    def fingerprint(self) -> str:
        """A digest that ties a plan to its schema; it leaves out sizes, counters and the session's rights."""
        counters = (self.sequences[name] for name in sorted(self.sequences))
        sequences = (replace(each, last_value=None, readable=True, owned=True) for each in counters)
        outside = sorted(self.outside, key=lambda key: (key.table, key.name))
        code = [(c.key, c.definition, c.enabled) for c in self.code.parts] if self.code else None
        told = (*(_settled(self.tables[name]) for name in sorted(self.tables)), *sequences, outside)
        return sha256_of(map(repr, told if code is None else (*told, code)))


def _settled(table: Table) -> Table:
    return replace(
        table,
        bytes=0,
        estimated_rows=0,
        readable=True,
        owned=True,
        columns=dict(sorted(table.columns.items())),
        indexes=tuple(sorted(table.indexes, key=lambda index: index.name)),
        checks=tuple(sorted(table.checks, key=lambda check: check.name)),
        foreign_keys=tuple(sorted(table.foreign_keys, key=lambda key: key.name)),
        obstacles=tuple(sorted(table.obstacles, key=lambda obstacle: obstacle.rank)),
    )
