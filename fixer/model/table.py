"""Tables and their parts, as frozen values: columns, indexes, constraints, sequences.

A value describes today, or the future as the repairs planned so far will leave it; there, ``stored_as`` and ``now`` say
where a table or a column is found today, so that its rows can be counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from itertools import repeat
from typing import Any, NamedTuple  # an empty mapping for all

from psycopg2.sql import Composable

from fixer.model.expression import quoted
from fixer.model.obstacle import Obstacle, Standing
from fixer.model.values import dataclass

_nothing = repeat(dict[str, Any]()).__next__  # one empty mapping for all of many thousands; nobody changes it
PERMANENT, UNLOGGED, TABLES = "p", "u", ("r", "p")  # as relpersistence; as relkind, partitioned or not


class QName(NamedTuple):
    """A schema-qualified name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column (PostgreSQL manual, pg_attribute)."""

    name: str
    type: str  # as format_type spells it
    not_null: bool = False
    default: str | None = None  # as pg_get_expr spells it
    identity: str = ""  # '' none, 'a' ALWAYS, 'd' BY DEFAULT
    generated: str = ""  # '' none, 's' STORED, 'v' VIRTUAL
    collation: str | None = None  # as PostgreSQL spells it, only where it differs from the type's own
    sequence: QName | None = None  # the sequence behind its default or identity
    labels: tuple[str, ...] = ()  # of its enum type
    items: tuple[str, ...] = ()  # the labels of its elements, if its type is an array of an enum
    home: str = ""  # the schema of its type, if the name of the type lacks it
    equality: str = "="  # the operator that compares its cells, as SQL spells it
    base: str = ""  # if its type is a domain, or an array of one, the type that this is made of
    guards: tuple[str, ...] = ()  # what this domain demands of its values: NOT NULL, CHECK (…)
    loose: bool = False  # whether its collation is nondeterministic, so that texts are equal that are not the same
    supplied: str = ""  # the default of its domain
    aged: tuple[str | None, ...] = field(default=(), compare=False, repr=False)  # its collation's versions, if two
    # In a contract: its default may give each row another value, so adding the column rewrites the table.
    volatile: bool = field(default=False, compare=False, repr=False)
    stored_as: str | None = None  # today's name, if the plan renames it
    now: Composable | None = None  # its future value as an expression over today's row `t`
    mapped: str = ""  # the column whose texts the plan maps to these numbers, which do not exist today
    rekeyed: bool = False  # the plan maps its old keys to new ones, and its type stays
    numbered: bool = False  # the plan numbers its rows anew: nothing can reference the numbers yet
    added: bool = False  # the plan adds it: it does not exist today
    retyped_in: tuple[str, ...] = ()  # the modes in which the plan changes its type in place: keys are proved anew

    @property
    def enum(self) -> str:
        """The name of the enum that it needs, as its type or as that of its elements; empty without one."""
        return self.type.removesuffix("[]") if self.labels or self.items else ""

    @property
    def read_as(self) -> str:
        """The type in which its values can be read even while its enum is missing: text, or an array of texts."""
        return f"text{self.type.removeprefix(self.enum)}" if self.enum else self.full_type

    @property
    def full_type(self) -> str:
        """Its type in SQL, correct under any search_path."""
        return f"{quoted(self.home)}.{self.type}" if self.home else self.type

    @property
    def generates(self) -> bool:
        """Whether a sequence or an identity numbers this column."""
        return bool(self.sequence or self.identity)

    @property
    def fills(self) -> bool:
        """Whether a row that leaves it out gets a value."""
        return self.default is not None or self.generates or bool(self.generated or self.supplied)


@dataclass(frozen=True, slots=True)
class Index:
    """An index, and the key constraint that it backs, if any (pg_index, pg_constraint)."""

    name: str
    columns: tuple[str, ...]  # key columns; empty strings mean expressions
    tail: str  # what follows the table's name in its definition: USING btree (…) WHERE …
    unique: bool = False
    primary: bool = False
    constraint: bool = False
    valid: bool = True
    deferrable: bool = False
    deferred: bool = False
    partial: bool = False
    nulls_not_distinct: bool = False
    exclusion: str = ""  # the definition of the exclusion constraint that it backs
    disabled_triggers: tuple[tuple[QName, str], ...] = ()  # (table, trigger) of those that do not fire, if deferrable

    @property
    def what(self) -> str:
        """What it holds, in words: its columns, or all that its definition says of expressions and of rows."""
        return f"({self.listed})" if all(self.columns) and not self.partial else self.tail.removeprefix("USING btree ")

    @property
    def listed(self) -> str:
        """Its columns, in words: id, valid WITHOUT OVERLAPS."""
        return ", ".join(self.columns) + (" WITHOUT OVERLAPS" if self.overlaps_not else "")

    @property
    def overlaps_not(self) -> bool:
        """Whether it is WITHOUT OVERLAPS in its last column: no other unique index is of this kind."""
        return self.unique and self.tail.startswith("USING gist")

    @property
    def is_plain_key(self) -> bool:
        """Whether it proves at once that its columns are unique, so that a foreign key may point at them."""
        return self.unique and self.valid and not (self.partial or self.deferrable or "" in self.columns)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a unique index fails, although the catalogue calls it valid."""

    repeats: int  # rows that repeat what others hold
    lacks: int  # rows that the index does not show


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK constraint."""

    name: str
    expression: str
    columns: tuple[str, ...]
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key, with the state of the triggers that enforce it (pg_constraint, pg_trigger)."""

    name: str
    table: QName
    columns: tuple[str, ...]
    target: QName
    target_columns: tuple[str, ...]
    on_delete: str = "a"
    on_update: str = "a"
    match: str = "s"
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True
    enforced: bool = True
    disabled_triggers: tuple[tuple[QName, str], ...] = ()  # (table, trigger) of those that do not fire
    emptied: tuple[str, ...] = ()  # the columns that ON DELETE SET NULL or SET DEFAULT sets; empty: all
    inherited: bool = False  # whether a partition has it from its root, which adds and drops it
    equalities: tuple[str, ...] = ()  # the operators that compare its columns, if not PostgreSQL's own
    period: bool = False  # whether its last column is a PERIOD, which several rows of the target may cover together
    beside: tuple[str, ...] = field(default=(), compare=False, repr=False)  # names that its table's keys bring along

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The column pairs, in no order."""
        return frozenset(zip(self.columns, self.target_columns, strict=True))

    @property
    def behaviour(self) -> tuple[object, ...]:
        """What it does: actions, match and deferral, without its name and validity."""
        return (self.on_delete, frozenset(self.emptied), self.on_update, self.match, self.deferrable, self.deferred)

    @property
    def holds(self) -> bool:
        """Whether PostgreSQL guarantees it for every row: it is valid, enforced, and its triggers fire."""
        return self.validated and self.enforced and not self.disabled_triggers

    def points_as(self, wanted: ForeignKey) -> bool:
        """Return whether it points at the table and columns of the wanted one."""
        ends = (self.columns, self.target_columns) == (wanted.columns, wanted.target_columns)
        return self.target == wanted.target and (ends or self.pairs == wanted.pairs)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence (pg_sequence)."""

    name: QName
    type: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cycle: bool
    owner: str
    owned_by: tuple[QName, str] | None = None
    readable: bool = True  # whether its own row may be read, which alone shows the effect of a RESTART
    last_value: int | None = field(default=None, compare=False)  # that it gave; None if none, or the role may not know
    persistence: str = PERMANENT  # UNLOGGED from PostgreSQL 15 on: a crash of the server sets it back to its start
    owned: bool = field(default=True, compare=False)  # whether the session may alter it
    cache: int = 1  # how many numbers a session takes at a time
    created: bool = field(default=False, compare=False, repr=False)  # the plan creates it: it stands nowhere today
    apart: bool = field(default=False, compare=False, repr=False)  # the contract lets no column own it


@dataclass(frozen=True, slots=True)
class Table:
    """A relation that holds rows, or is found where a table should be."""

    name: QName
    kind: str = "r"  # r table, p partitioned, v view, m materialized view, f foreign
    owner: str = ""
    owned: bool = True  # whether the session may alter it
    readable: bool = True
    persistence: str = PERMANENT
    inherits: bool = False
    heirs: bool = False  # whether others INHERIT from it: it shows their rows, but its keys do not bind them
    row_security: bool = False
    forced_row_security: bool = False
    bytes: int = 0  # as last measured by VACUUM or ANALYZE
    estimated_rows: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    stored_as: QName | None = None  # today's name, if the plan renames it
    created: bool = False  # the plan creates it: no rows today
    legacy_key: str | None = None  # the column that was its key before the plan gives it a new one
    unproved: Mapping[str, str] = field(default_factory=_nothing)  # NOT NULL constraints that are NOT VALID, by column
    # Those of partitions and heirs, by column, after their tables; empty for an heir without one (17 and older).
    unproved_below: Mapping[str, tuple[tuple[QName, str], ...]] = field(default_factory=_nothing)
    unlogged_parts: tuple[QName, ...] = ()  # its partitions that are UNLOGGED
    part_of: QName | None = None  # the partitioned table, in one of the schemas, of which it is a partition
    uninherited: Mapping[str, str] = field(default_factory=_nothing)  # NOT NULLs that are NO INHERIT, by column
    leaving: tuple[Composable, ...] = ()  # conditions over the future row: rows that the plan moves away
    parted_by: str = ""  # its partition key, as pg_get_partkeydef spells it: RANGE (at)
    bound: str = ""  # of a partition: FOR VALUES …, or DEFAULT
    rest: QName | None = None  # its DEFAULT partition, in whatever schema
    parents: tuple[QName, ...] = ()  # the tables, in one of the schemas, from which it INHERITs
    populated: bool = field(default=True, compare=False, repr=False)  # of a materialized view, whether it holds rows
    # Valid unique indexes that fail, by name. Rows are read around all indexes then: they may not show every row.
    failing: Mapping[str, Failure] = field(default_factory=_nothing, compare=False, repr=False)
    keyless: bool = field(default=False, compare=False, repr=False)  # no primary key is to come: left out
    # Left out: columns, checks, and the columns of foreign keys.
    kept_faults: frozenset[str | tuple[str, ...]] = field(default=frozenset(), compare=False, repr=False)
    # What stands over columns that findings are about, the lowest first; asked for only where something does.
    standing: Mapping[str, tuple[Standing, ...]] = field(default_factory=_nothing, compare=False, repr=False)

    @property
    def is_table(self) -> bool:
        """Whether it is a table, partitioned or not; else a view or the like stands in its place."""
        return self.kind in TABLES

    @property
    def primary_key(self) -> Index | None:
        """Its primary key, valid or not."""
        return next((index for index in self.indexes if index.primary), None)

    @property
    def plain_keys(self) -> tuple[Index, ...]:
        """The keys that prove at once that their columns are unique."""
        return tuple(index for index in self.indexes if index.is_plain_key)

    def has_key_on(self, columns: tuple[str, ...]) -> bool:
        """Return whether a key over exactly these columns proves that no two rows agree in them, NULLs aside."""
        return any(set(key.columns) == set(columns) for key in self.plain_keys)

    def tells_all_apart(self, columns: tuple[str, ...]) -> bool:
        """Return whether a key over exactly these columns proves that no two rows agree in them, NULLs being equal."""
        filled = all(column in self.columns and self.columns[column].not_null for column in columns)
        return any(set(k.columns) == set(columns) and (filled or k.nulls_not_distinct) for k in self.plain_keys)

    def tells_apart(self, columns: tuple[str, ...]) -> bool:
        """Return whether a key proves that no two rows agree in these columns, NULLs aside."""
        return any(set(key.columns) <= set(columns) for key in self.plain_keys)

    def checks_over(self, column: str) -> tuple[Check, ...]:
        """Return the checks that name a column."""
        return tuple(check for check in self.checks if column in check.columns)

    def before_mapping(self) -> Table:
        """Return this table as it is before texts are mapped to numbers: these columns have the names of today."""
        texts = {column.mapped: column.name for column in self.columns.values() if column.mapped}
        cells = (replace(c, name=texts.get(c.name, c.name)) for c in self.columns.values() if not c.mapped)
        return replace(self, columns={c.name: c for c in cells}) if texts else self

    def with_column(self, column: Column) -> Table:
        """Return this table with a column added or replaced."""
        return replace(self, columns={**self.columns, column.name: column})
