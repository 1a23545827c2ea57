"""What a table of the models is made of, told faster than its DDL: the key by which a kept contract is found.

A shape holds all from which SQLAlchemy spells the DDL of a table. It is told only of what is known through and through:
objects of SQLAlchemy's own classes, without attributes that are unknown here, without listeners, compiled by nobody
else's code. Of any other table there is none, and its DDL is its key.
"""

from __future__ import annotations

import contextlib
import marshal
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from pathlib import Path
from types import FunctionType
from typing import Any  # what SQLAlchemy's objects hold, which is looked at before it is used

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import base as compilers
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import AddConstraint, CreateColumn, CreateIndex, CreateTable, SetColumnComment, SetTableComment
from sqlalchemy.sql import schema, sqltypes
from sqlalchemy.sql.elements import ClauseElement, TextClause
from sqlalchemy.util import HasMemoized, memoized_property

from fixer.contract.models.typeless import DIALECT


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


Shape = tuple[Any, ...]  # of texts, numbers, truths and tuples of these
# What an object may have: what its shape tells, and after that what no DDL depends on.
_TABLE = _names(
    "dispatch name schema metadata _columns primary_key foreign_keys indexes constraints comment _prefixes "
    "_creator_ddl dialect_options fullname c columns info description implicit_returning _sentinel_column "
    "_dropper_ddl _extra_dependencies _autoincrement_column _sorted_constraints foreign_key_constraints"
)
_COLUMN = _names(
    "name table type nullable primary_key system autoincrement comment constraints foreign_keys default "
    "server_default computed identity dialect_options key is_literal index unique doc info onupdate "
    "server_onupdate dispatch _insert_sentinel _omit_from_statements _user_defined_nullable _creation_order "
    "_proxies proxy_set base_columns"
)
_CONSTRAINT = _names(
    "name deferrable initially comment _create_rule _type_bound _implicit_generated _columns sqltext elements "
    "onupdate ondelete use_alter match dialect_options dispatch parent columns info link_to_name _creation_order "
    "_column_flag _pending_colargs"
)
_INDEX = _names(
    "name table unique expressions dialect_options dispatch columns _columns info _column_flag _pending_colargs "
    "_table_bound_expressions"
)
_COMPUTED = _names("sqltext persisted column dispatch for_update dialect_options")
_IDENTITY = _names(
    "always on_null start increment minvalue maxvalue nominvalue nomaxvalue cycle cache order column dispatch "
    "for_update dialect_options"
)
_OF_PYTHON = (schema.ScalarElementColumnDefault, schema.CallableColumnDefault, schema.ColumnElementColumnDefault)
_KINDS = (sa.PrimaryKeyConstraint, sa.UniqueConstraint, sa.CheckConstraint, sa.ForeignKeyConstraint)
_ELEMENTS = (CreateTable, CreateColumn, CreateIndex, AddConstraint, SetTableComment, SetColumnComment)
_PARTS = (sa.Table, sa.Column, sa.Identity, sa.Computed, sa.DefaultClause, sa.ForeignKey, sa.Index, TextClause, *_KINDS)
_HELD = (str, int, float, bool, type(None), tuple)
_of_column = attrgetter("nullable", "primary_key", "system", "autoincrement", "comment")
_of_key = attrgetter("onupdate", "ondelete", "use_alter", "match")
_of_identity = attrgetter(
    "always", "on_null", "start", "increment", "minvalue", "maxvalue", "nominvalue", "nomaxvalue", "cycle", "cache"
)  # fmt: skip
_KEPT = (memoized_property, HasMemoized.memoized_attribute)
_HOMES = (str(Path(sa.__file__).parent), contextlib.__file__)
_place = attrgetter("_creation_order")


class _UnknownError(Exception):
    """Something is there of which nobody here knows what DDL it brings."""


def teller_of(metadata: sa.MetaData) -> Callable[[sa.Table], bytes | None]:
    """Return what tells the shape of a table of the models, as bytes; None of a table that has none."""
    if not (_is_plain(metadata) and _is_sqlalchemy_its_own()):
        return lambda table: None
    teller = _Teller()

    def shape(table: sa.Table) -> bytes | None:
        try:
            return marshal.dumps(teller.table(table), 2)  # in this form equal values are equal bytes
        except (_UnknownError, SQLAlchemyError, AttributeError, LookupError, TypeError, ValueError):
            return None

    return shape


def common(metadata: sa.MetaData) -> str:
    """Return what the shapes of all tables of the models depend on."""
    conventions = sorted((str(key), str(words)) for key, words in metadata.naming_convention.items())
    return repr((sa.__version__, metadata.schema, conventions))


def _is_plain(metadata: sa.MetaData) -> bool:
    """Return whether nothing is made beside the tables, and nobody listens while they are made."""
    return (
        type(metadata) is sa.MetaData
        and not metadata._sequences
        and not vars(metadata).get("_objects")  # types of the models
        and all(type(key) in (str, type) or key in _KINDS for key in metadata.naming_convention)
        and all(type(words) is str for words in metadata.naming_convention.values())
        and not _is_heard(metadata)
    )


def _is_heard(made: Any) -> bool:
    """Return whether somebody listens while something is made."""
    return bool(made.dispatch.before_create or made.dispatch.after_create)


def _is_sqlalchemy_its_own() -> bool:
    """Return whether nobody else's code spells what shapes are told of: neither by `@compiles` nor by other means."""
    all_ = (compilers.PGDDLCompiler, compilers.PGCompiler, compilers.PGTypeCompiler, compilers.PGIdentifierPreparer)
    parts = (part for one in all_ for each in one.__mro__[:-1] for part in vars(each).values())
    return all(map(_is_its_own, parts)) and not any(map(_is_compiled, (*_ELEMENTS, *_PARTS)))


def _is_its_own(part: object) -> bool:
    """Return whether a part of a class is no function, or one that SQLAlchemy or Python brings along."""
    function = part.__func__ if isinstance(part, staticmethod | classmethod) else part
    if isinstance(function, FunctionType):
        return function.__code__.co_filename.startswith(_HOMES)
    return not callable(function) or isinstance(function, type | attrgetter)


def _is_compiled(kind: type) -> bool:
    """Return whether somebody said by `@compiles` how a class is spelt."""
    return hasattr(kind, "_compiler_dispatcher")


class _Teller:
    """Tells shapes; a type is spelt once for all columns that have its like."""

    def __init__(self) -> None:
        self._types: dict[Shape, str] = {}

    def table(self, table: sa.Table) -> Shape:
        """Return the shape of a table; raise _UnknownError where it has none."""
        _see(type(table) is sa.Table and _has_only(table, _TABLE))
        _see(vars(table).get("_creator_ddl") is None and not _is_heard(table))
        return (
            *_named(table.name),
            *_named(table.schema),
            tuple(table._prefixes),
            table.comment,
            _options(table),
            tuple([self._column(column) for column in table.columns]),
            tuple([_constraint(each) for each in sorted(table.constraints, key=_place)]),
            tuple(sorted([_index(index) for index in table.indexes], key=repr)),
        )

    def _column(self, column: sa.Column[Any]) -> Shape:
        _see(type(column) is sa.Column and _has_only(column, _COLUMN))
        _see(column.default is None or type(column.default) in _OF_PYTHON)
        facts = (str(column.key), column.default is None, len(column.foreign_keys), *_of_column(column))
        default = () if column.server_default is None else _default(column.server_default)
        checks = tuple([_constraint(each) for each in sorted(column.constraints, key=_place)])
        return (*_named(column.name), self._type(column.type), default, checks, _options(column), *facts)

    def _type(self, found: Any) -> Shape:
        """Return the class of a type and how it is spelt: SQLAlchemy's own are known by what they hold."""
        kind: Any = type(found)
        held = {
            name: self._type(each) if isinstance(each, sqltypes.TypeEngine) else each
            for name, each in vars(found).items()
            if name != "dispatch" and name not in _derived(kind)
        }
        state = (kind, *held.items(), *map(type, held.values()))
        text = self._types.get(state)
        if text is None:
            _see(kind.__module__.startswith("sqlalchemy.") and not _is_compiled(kind))
            _see(kind is sa.Boolean or not isinstance(found, sqltypes.SchemaType | sa.TypeDecorator))
            _see(all(type(each) in _HELD for each in held.values()))
            text = self._types[state] = str(found.compile(dialect=DIALECT))
        return (kind.__qualname__, text)


def _see(known: bool) -> None:
    if not known:
        raise _UnknownError


def _has_only(part: Any, known: frozenset[str]) -> bool:
    """Return whether a part has no attributes but the known ones, and those that are made of these."""
    held = vars(part)
    return known.issuperset(held) or known.issuperset(held.keys() - _derived(part.__class__))


@cache
def _derived(kind: Any) -> frozenset[str]:
    """Return the names of attributes that SQLAlchemy makes of others, and keeps; options are given."""
    names = (name for each in kind.__mro__ for name, part in vars(each).items() if isinstance(part, _KEPT))
    return frozenset(names) - {"dialect_options"} | {"_memoized_keys"}


def _named(name: Any) -> Shape:
    """Return a name, and whether somebody said if it is to be quoted; a convention makes names of other classes."""
    return (type(name).__name__, None if name is None else str(name), getattr(name, "quote", None))


def _options(part: Any) -> Shape:
    """Return what was said for PostgreSQL or another dialect alone."""
    said = vars(part).get("dialect_options")
    found = [(name, each._non_defaults) for name, each in said.items() if each._non_defaults] if said else ()
    return tuple([(name, _flat(values)) for name, values in sorted(found)])


def _flat(value: Any) -> Shape:
    """Return a value of an option as plain values."""
    if isinstance(value, ClauseElement):
        return ("sql", str(value.name) if type(value) is sa.Column else _spelt(value))
    if isinstance(value, list | tuple):
        return ("list", *map(_flat, value))
    if isinstance(value, dict):
        return ("dict", *((_flat(key), _flat(each)) for key, each in value.items()))
    _see(type(value) in _HELD)
    return (type(value).__name__, value)


def _spelt(said: Any) -> str:
    """Return an expression in SQL, with its values."""
    if type(said) is TextClause and not said._bindparams:
        return said.text
    _see(isinstance(said, ClauseElement))
    return str(said.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def _default(default: Any) -> Shape:
    """Return what fills a column on the server: a value, an expression, an identity, or what is computed."""
    if type(default) is sa.Identity:
        _see(_has_only(default, _IDENTITY))
        return ("identity", *_of_identity(default), _options(default))
    if type(default) is sa.Computed:
        _see(_has_only(default, _COMPUTED))
        return ("computed", _spelt(default.sqltext), default.persisted)
    _see(type(default) is sa.DefaultClause)
    return ("text", default.arg) if type(default.arg) is str else ("sql", _spelt(default.arg))


def _constraint(found: Any) -> Shape:
    _see(type(found) in _KINDS and _has_only(found, _CONSTRAINT))
    altered = isinstance(found, sa.ForeignKeyConstraint) and found.use_alter  # which no rule keeps from being made
    _see((found._create_rule is None or altered) and not found._type_bound and not _is_heard(found))
    shape = (
        type(found).__name__,
        *_named(found.name),
        found.deferrable,
        found.initially,
        found.comment,
        _options(found),
    )
    if isinstance(found, sa.CheckConstraint):
        return (*shape, _spelt(found.sqltext))
    if isinstance(found, sa.ForeignKeyConstraint):
        return (*shape, *_of_key(found), *[_reference(element) for element in found.elements])
    return (*shape, *[_named(column.name) for column in found.columns])


def _reference(element: Any) -> Shape:
    """Return a column of a foreign key and the one that it points at."""
    _see(type(element) is sa.ForeignKey)
    target = element.column
    return (
        *_named(element.parent.name),
        *_named(target.table.name),
        *_named(target.table.schema),
        *_named(target.name),
    )


def _index(index: Any) -> Shape:
    _see(type(index) is sa.Index and _has_only(index, _INDEX) and not _is_heard(index))
    return (*_named(index.name), index.unique, _options(index), *[_key(each) for each in index.expressions])


def _key(said: Any) -> Shape:
    """Return a column of an index, or an expression."""
    return (str(said.key), *_named(said.name)) if type(said) is sa.Column else ("sql", _spelt(said))
