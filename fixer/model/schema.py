"""What a database looks like, as frozen values: the one language of both sides, contract and actual.

Nothing here touches a database. A value may describe today (as the catalogue reader found it) or the
future (as the repairs planned so far will leave it): then ``stored_as`` and ``now`` say where a table or
a column of the future is found today, so that rows can be counted before anything is changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from psycopg2.sql import Composable

from fixer.model.obstacle import Bound, Obstacle, PartitionKey, View


class QName(NamedTuple):
    """A schema-qualified name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


Spellings = Mapping[tuple[str, tuple[str, ...]], str]  # of checks, by the digest of their trees and their columns


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
    home: str = ""  # the schema of its type, where the type's name does not say it
    equality: str = "="  # the operator by which its cells are compared, as SQL spells it
    # Of a contract: whether its default may give each row another value, so that to add it writes all rows anew.
    volatile: bool = field(default=False, compare=False)
    stored_as: str | None = None  # today's name, where the plan renames it
    now: Composable | None = None  # its future value as an expression over today's row `t`
    mapped: str = ""  # the column whose texts the plan maps to these numbers: not countable today
    numbered: bool = False  # the plan numbers its rows anew: nothing can have pointed at them
    added: bool = False  # the plan adds it: there is none today

    @property
    def full_type(self) -> str:
        """Its type as SQL spells it under any search_path."""
        return f"{_quoted(self.home)}.{self.type}" if self.home else self.type

    @property
    def generates(self) -> bool:
        """Whether the database fills this column by counting."""
        return bool(self.sequence or self.identity)


@dataclass(frozen=True, slots=True)
class Index:
    """An index, and the key constraint that stands on it, if any (pg_index, pg_constraint)."""

    name: str
    columns: tuple[str, ...]  # key columns; empty strings stand for expressions
    tail: str  # all that follows the table's name in its definition: USING btree (…) WHERE …
    unique: bool = False
    primary: bool = False
    constraint: bool = False
    valid: bool = True
    deferrable: bool = False
    deferred: bool = False
    partial: bool = False
    nulls_not_distinct: bool = False
    exclusion: str = ""  # the definition of the exclusion constraint that stands on it

    @property
    def is_plain_key(self) -> bool:
        """Whether it proves uniqueness of its columns at once, so a foreign key may point at them."""
        return self.unique and self.valid and not (self.partial or self.deferrable or "" in self.columns)


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
    emptied: tuple[str, ...] = ()  # the columns that ON DELETE SET NULL or SET DEFAULT sets; none: all of them
    inherited: bool = False  # whether a partition has it from its root, with which it comes and goes
    equalities: tuple[str, ...] = ()  # the operators by which it compares, where they are not PostgreSQL's own

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The column pairs, whatever their order."""
        return frozenset(zip(self.columns, self.target_columns, strict=True))

    @property
    def behaviour(self) -> tuple[object, ...]:
        """What it does, its name and its proof aside."""
        return (self.on_delete, frozenset(self.emptied), self.on_update, self.match, self.deferrable, self.deferred)

    @property
    def holds(self) -> bool:
        """Whether the catalogue vouches for every row under it."""
        return self.validated and self.enforced and not self.disabled_triggers

    def points_as(self, wanted: ForeignKey) -> bool:
        """Tell whether it points at the wanted table and columns."""
        return self.target == wanted.target and self.pairs == wanted.pairs


@dataclass(frozen=True, slots=True)
class Told:
    """A table that a publication publishes, or will once it is made."""

    table: QName
    made: bool  # whether it is there by now
    publication: str
    heard: bool  # whether a subscriber of this database is known


@dataclass(frozen=True, slots=True)
class Mute:
    """A table, or a partition, that cannot tell a publication which row was changed or deleted."""

    oid: int
    table: QName
    publication: str
    told_by: str  # as relreplident: a key (d), an index (i), or nothing (n)
    owned: bool  # whether the session may alter it


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
    readable: bool = True  # whether its own row may be read, which alone tells where a restart put it
    last_value: int | None = None  # only where the sequence cannot be read itself, and the role may know


@dataclass(frozen=True, slots=True)
class Table:
    """A relation that holds rows, or stands where one should."""

    name: QName
    kind: str = "r"  # r table, p partitioned, v view, m materialized view, f foreign
    owner: str = ""
    owned: bool = True  # whether the session may alter it
    readable: bool = True
    persistence: str = "p"
    inherits: bool = False
    heirs: bool = False  # whether others INHERIT from it: their rows show in it, and its keys do not bind them
    row_security: bool = False
    forced_row_security: bool = False
    bytes: int = 0  # as last measured by VACUUM or ANALYZE
    estimated_rows: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    stored_as: QName | None = None  # today's name, where the plan renames it
    created: bool = False  # the plan creates it: no rows today
    legacy_key: str | None = None  # the column that was its key before the plan gives it a new one
    unproved: Mapping[str, str] = field(default_factory=dict)  # NOT NULL constraints that are NOT VALID, by column
    leaving: tuple[Composable, ...] = ()  # rows (conditions over the future row) that the plan moves away

    @property
    def primary_key(self) -> Index | None:
        """Its primary key, valid or not."""
        return next((index for index in self.indexes if index.primary), None)

    @property
    def plain_keys(self) -> tuple[Index, ...]:
        """The keys that prove uniqueness at once."""
        return tuple(index for index in self.indexes if index.is_plain_key)

    def has_key_on(self, columns: tuple[str, ...]) -> bool:
        """Tell whether the catalogue proves that no two rows agree in exactly these columns."""
        return any(set(key.columns) == set(columns) for key in self.plain_keys)

    def tells_all_apart(self, columns: tuple[str, ...]) -> bool:
        """Tell whether the catalogue proves that no two rows agree in exactly these columns, NULLs being alike."""
        filled = all(column in self.columns and self.columns[column].not_null for column in columns)
        return any(set(k.columns) == set(columns) and (filled or k.nulls_not_distinct) for k in self.plain_keys)

    def tells_apart(self, columns: tuple[str, ...]) -> bool:
        """Tell whether the catalogue proves that no two rows agree in these columns, NULLs aside."""
        return any(set(key.columns) <= set(columns) for key in self.plain_keys)

    def binds(self, column: str) -> str | None:
        """Return what forbids that the type of a column changes, if anything does."""
        views = (f"view {o.name}" for o in self.obstacles if isinstance(o, View) and column in o.columns)
        others = (o.name for o in self.obstacles if isinstance(o, Bound | PartitionKey) and column in o.columns)
        made = (c for c in self.columns.values() if c.generated and c.default and c.name != column)
        generated = (f"generated column {c.name}" for c in made if _says(str(c.default), column))
        return next(chain(views, others, generated), None)

    def checks_over(self, column: str) -> tuple[Check, ...]:
        """Return the checks that speak of a column."""
        return tuple(check for check in self.checks if column in check.columns)

    def before_mapping(self) -> Table:
        """Return this table as it is until the texts of references are mapped: under the names that they have today."""
        texts = {column.mapped: column.name for column in self.columns.values() if column.mapped}
        columns = (
            replace(column, name=texts.get(column.name, column.name))
            for column in self.columns.values()
            if not column.mapped
        )
        return replace(self, columns={column.name: column for column in columns}) if texts else self

    def with_column(self, column: Column) -> Table:
        """Return this table with a column added or replaced."""
        return replace(self, columns={**self.columns, column.name: column})


COUNTED = 1_000_000  # rows of a twin, at the most


@dataclass(frozen=True, slots=True)
class Twin:
    """A relation that is called like a missing table, but for its schema, or for capitals, blanks and underscores."""

    missing: QName
    name: QName
    kind: str  # as that of a table
    readable: bool = True
    rows: int | None = None  # None where they were not counted; one more than COUNTED where they are more


@dataclass(frozen=True, slots=True)
class Session:
    """Who looks at the database, and what they may do."""

    role: str
    superuser: bool
    database: str
    version: int  # major
    can_create: bool  # schemas in this database
    journaled: bool = False  # whether it may create tables in both of our own schemas
    standby: bool = False
    read_only: bool = False
    search_path: tuple[str, ...] = ()
    schemas: frozenset[str] = frozenset()  # of the wanted ones, those that exist
    creatable: frozenset[str] = frozenset()  # of the wanted ones, those in which the role may create
    visible: Mapping[str, QName] = field(default_factory=dict)  # names that stand in several schemas of the path


@dataclass(frozen=True, slots=True)
class Schema:
    """All that the fixer knows of one side."""

    tables: Mapping[QName, Table] = field(default_factory=dict)
    sequences: Mapping[QName, Sequence] = field(default_factory=dict)
    outside: tuple[ForeignKey, ...] = ()  # foreign keys of tables elsewhere that point into this schema
    names: frozenset[QName] = frozenset()  # every relation's name, so that new names stay clear of them
    session: Session | None = None
    spellings: Spellings = field(default_factory=dict)  # of its checks, so that another reading need not ask
    twins: tuple[Twin, ...] = ()  # of tables that are missing
    user_tables: int = 0  # in all schemas; only counted where a table of the contract is missing

    def with_table(self, table: Table) -> Schema:
        """Return this schema with a table added or replaced."""
        return replace(self, tables={**self.tables, table.name: table})

    def foreign_keys(self) -> Iterator[ForeignKey]:
        """Yield every foreign key that starts or ends here, those of partitions once: with their roots."""
        for table in self.tables.values():
            yield from (key for key in table.foreign_keys if not key.inherited)
        yield from (key for key in self.outside if not key.inherited)

    def incoming(self, target: QName) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that point at a table."""
        return tuple(key for key in self.foreign_keys() if key.target == target)

    def keys_over(self, table: QName, column: str) -> tuple[ForeignKey, ...]:
        """Return the foreign keys in which a column takes part, at either end."""
        return tuple(
            key
            for key in self.foreign_keys()
            if (key.table == table and column in key.columns) or (key.target == table and column in key.target_columns)
        )

    def without_foreign_keys(self, unwanted: frozenset[tuple[QName, str]]) -> Schema:
        """Return this schema without the foreign keys of these tables and names."""
        schema = self
        for table in self.tables.values():
            kept = tuple(k for k in table.foreign_keys if (k.table, k.name) not in unwanted)
            if len(kept) != len(table.foreign_keys):
                schema = schema.with_table(replace(table, foreign_keys=kept))
        return replace(schema, outside=tuple(k for k in self.outside if (k.table, k.name) not in unwanted))

    def with_renamed_column(self, table: QName, old: str, new: str) -> Schema:
        """Return this schema with a column renamed wherever it is named, as PostgreSQL renames it."""
        tables = {name: _renamed_in(each, table, old, new) for name, each in self.tables.items()}
        outside = tuple(_renamed_key(key, table, old, new) for key in self.outside)
        return replace(self, tables=tables, outside=outside)

    @property
    def version(self) -> int:
        """The server's major version."""
        return self.session.version if self.session else 18

    @property
    def fingerprint(self) -> str:
        """What ties a plan to the schema it was made for: figures that rows move are left out."""
        digest = hashlib.sha256()
        for name in sorted(self.tables):
            digest.update(repr(_settled(self.tables[name])).encode())
        for name in sorted(self.sequences):
            digest.update(repr(replace(self.sequences[name], last_value=None, readable=True)).encode())
        digest.update(repr(sorted(self.outside, key=lambda key: (key.table, key.name))).encode())
        return digest.hexdigest()


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


def _renamed_in(each: Table, table: QName, old: str, new: str) -> Table:
    keys = tuple(_renamed_key(key, table, old, new) for key in each.foreign_keys)
    if each.name != table:
        return replace(each, foreign_keys=keys)
    columns = {
        new if name == old else name: replace(column, name=new, stored_as=column.stored_as or old)
        if name == old
        else column
        for name, column in each.columns.items()
    }
    names = {old: new}
    indexes = tuple(
        replace(i, columns=tuple(names.get(c, c) for c in i.columns), tail=_respelt(i.tail, old, new))
        for i in each.indexes
    )
    checks = tuple(
        replace(c, columns=tuple(names.get(n, n) for n in c.columns), expression=_respelt(c.expression, old, new))
        if old in c.columns
        else c
        for c in each.checks
    )
    return replace(each, columns=columns, indexes=indexes, checks=checks, foreign_keys=keys)


def _renamed_key(key: ForeignKey, table: QName, old: str, new: str) -> ForeignKey:
    names = {old: new}
    columns, targets, emptied = key.columns, key.target_columns, key.emptied
    if key.table == table:
        columns, emptied = (tuple(names.get(c, c) for c in each) for each in (columns, emptied))
    if key.target == table:
        targets = tuple(names.get(c, c) for c in targets)
    return replace(key, columns=columns, target_columns=targets, emptied=emptied)


def _respelt(text: str, old: str, new: str) -> str:
    return re.sub(_word(old), lambda _: new, text)


def _says(text: str, column: str) -> bool:
    """Tell whether an expression names a column."""
    return re.search(_word(column), text) is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _word(name: str) -> str:
    return rf'(?<![\w"\']){re.escape(name)}(?![\w"\'])|"{re.escape(name)}"'


def in_full(text: str, types: Mapping[str, str], sequences: Mapping[str, str]) -> str:
    """Return an expression, as PostgreSQL spells it, in which these types and sequences bear the names of schemas."""

    def full(found: re.Match[str]) -> str:
        if found["type"]:
            home = types.get(_unquoted(found["type"]))
            return f"::{as_needed(home)}.{found['type']}" if home else found[0]
        if found["sequence"]:
            home = sequences.get(_unquoted(found["sequence"].replace("''", "'")))
            return f"'{as_needed(home)}.{found['sequence']}'::regclass" if home else found[0]
        return found[0]

    return _NAMES.sub(full, text)


_NAMES = re.compile(
    r"""'(?P<sequence>(?:[^']|'')*)'::regclass\b|'(?:[^']|'')*'|(?<!::)"(?:[^"]|"")*"|"""
    r"""::(?P<type>"(?:[^"]|"")+"|\w+)(?![\w.])"""
)
_PLAIN_NAME = re.compile("[a-z_][a-z0-9_]*")


def bare_type(type_: str) -> str:
    """Return the name of a type without quotes, and of an array that of its elements."""
    return _unquoted(re.sub(r"(\[\])+$", "", type_))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def as_needed(name: str) -> str:
    """Return a name, quoted where PostgreSQL would quote it, reserved words aside."""
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


@lru_cache(maxsize=65536)  # the same few are compared again and again
def canonical(expression: str) -> str:
    """Return an expression in a form in which spelling does not count: without casts and idle parentheses.

    PostgreSQL spells one check differently over varchar, over text, and after a dump and restore; where
    only a type differs, that shows in the column's own type.
    """
    bare = _CAST.sub("", expression).replace('"', "")
    bare = _NOW.sub("now()", bare)
    before = ""
    while bare != before:
        before = bare
        bare = _IDLE.sub(r"\1", _DOUBLE.sub(r"(\1)", bare))
    bare = " ".join(bare.split())
    return bare[1:-1] if _OUTER.fullmatch(bare) else bare


@lru_cache(maxsize=65536)  # as `canonical`
def plain(expression: str) -> str:
    """Return an expression as a person would write it: without casts, in one pair of parentheses."""
    bare = re.sub(r"(?<!\w)\((\w+|'[^']*')\)", r"\1", _CAST.sub("", expression))
    bare = re.sub(r"\(\((ARRAY\[[^]]*\])\)\)", r"(\1)", bare)
    while _enclosed(bare):
        bare = bare[1:-1]
    return f"({bare})"


def _enclosed(text: str) -> bool:
    """Tell whether the first parenthesis of a text closes with its last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place > 0 and place == len(text) - 1
    return False


_CAST = re.compile(
    r"::(?:(?:\"[^\"]+\"|\w+)\.)?(?:\"[^\"]+\"|character varying|double precision|timestamp with(?:out)? time zone|"
    r"time with(?:out)? time zone|bit varying|[\w.]+)(?:\(\d+(?:,\s*-?\d+)?\))?(?:\[\])*"
)
_NOW = re.compile(r"(?i)\b(CURRENT_TIMESTAMP\b|transaction_timestamp\(\)|LOCALTIMESTAMP\b)")
_ATOM = r"'(?:[^']|'')*'|ARRAY\[[^\[\]]*\]|-?[\w.]+(?:\([^()]*\))?"
_IDLE = re.compile(rf"(?<!\w)\(\s*({_ATOM})\s*\)")
_DOUBLE = re.compile(r"\(\(([^()]*)\)\)")
_OUTER = re.compile(r"\([^()]*\)")
