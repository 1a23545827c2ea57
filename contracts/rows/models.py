"""Models of a contract that comes from no models: what rows are generated from, made of the schema as it was read."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import NullType

from contracts.rows.laws.references import APART
from contracts.rows.tables import AnyColumn, AnyType, columns_of, takes_null
from fixer.model.contract import Contract
from fixer.model.expression import column_of, compared, quoted, tail_of
from fixer.model.table import Column, ForeignKey, Index, QName, Table

_ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
# As format_type spells it: character varying(20), timestamp(3) with time zone, numeric(10,2).
_TYPE = re.compile(r"(?P<name>[^(\[]+?)\s*(?:\((?P<size>-?\d+(?:,-?\d+)?)\))?(?P<zone> with(?:out)? time zone)?")
_GUARD = re.compile(r"CHECK \((.*)\)(?: NOT VALID)?", re.DOTALL)


def models_of(contract: Contract) -> sa.MetaData:
    """Return models of the tables of a contract: columns, keys, checks, indexes and foreign keys."""
    metadata, models = sa.MetaData(), _models(contract)
    for name, table in contract.tables.items():
        made = sa.Table(name.name, metadata, *_parts(table), schema=name.schema)
        if name in models:
            _keep_info(made, models[name])
    for target, columns in _apart(contract).items():
        sa.Table(target.name, metadata, *columns.values(), schema=target.schema, info={APART: True})
    return metadata


def say_less(contract: Contract) -> bool:
    """Return whether the models of a contract say less than was made of them: a listener may add rules to a table."""
    return any(_says_less(model, contract.tables[name]) for name, model in _models(contract).items())


def _models(contract: Contract) -> dict[QName, sa.Table]:
    """Return the tables of a contract that come from models, each with its model."""
    tables = contract.metadata.tables.values() if contract.metadata is not None else ()
    models: dict[tuple[str | None, str], sa.Table] = {(model.schema, model.name): model for model in tables}
    found = ((name, models.get(name, models.get((None, name.name)))) for name in contract.tables)
    return {name: model for name, model in found if model is not None}


def _says_less(model: sa.Table, table: Table) -> bool:
    """Return whether a table has more columns, NOT NULLs, keys, checks or references than its model."""
    needs_value = {column.name for column in model.columns if not takes_null(column)}
    if any(column.not_null and column.name not in needs_value for column in table.columns.values()):
        return True
    keys = [each for each in model.constraints if isinstance(each, _KEYS) and each != _no_key(model)]
    rules = [len(columns_of(model)), len([*keys, *(each for each in model.indexes if each.unique)])]
    rules += [_count(model, sa.CheckConstraint), _count(model, sa.ForeignKeyConstraint)]
    made = [len(table.columns), len([each for each in table.indexes if each.unique or each.exclusion])]
    made += [len(table.checks), len(table.foreign_keys)]
    return any(there > said for there, said in zip(made, rules, strict=True))


def _no_key(model: sa.Table) -> sa.Constraint | None:
    """Return what SQLAlchemy has in place of a primary key where there is none."""
    return None if len(model.primary_key.columns) else model.primary_key


_KEYS = (sa.PrimaryKeyConstraint, sa.UniqueConstraint, pg.ExcludeConstraint)


def _count(model: sa.Table, kind: type[sa.Constraint]) -> int:
    """Return how many constraints of a kind a table has, with those that stand at its columns."""
    at_columns = (each for column in model.columns for each in column.constraints)
    return sum(isinstance(each, kind) for each in (*model.constraints, *at_columns))


def _keep_info(made: sa.Table, model: sa.Table) -> None:
    """Give the columns the hints of the models."""
    there = columns_of(model)
    for column in made.columns:
        column.info |= there[column.name].info if column.name in there else {}


def _apart(contract: Contract) -> dict[QName, dict[str, AnyColumn]]:
    """Return the tables that others reference and the contract leaves out, with the columns that are known of them."""
    found = dict[QName, dict[str, AnyColumn]]()
    for key in contract.foreign_keys():
        for column, local in zip(key.target_columns, key.columns, strict=True):
            if key.target not in contract.tables:
                type_ = _type(contract.tables[key.table].columns[local])
                found.setdefault(key.target, {})[column] = sa.Column(column, type_, nullable=False)
    return found


def _parts(table: Table) -> Iterator[SchemaItem]:
    columns = {name: _column(column) for name, column in table.columns.items()}
    yield from columns.values()
    for check in table.checks:
        yield sa.CheckConstraint(_sql(check.expression), name=check.name)
    for index in table.indexes:
        yield from _index(index, columns)
    for key in table.foreign_keys:
        yield _foreign_key(key)


def _column(column: Column) -> AnyColumn:
    fills: list[SchemaItem] = []
    default = None
    if column.generated:
        fills = [sa.Computed(_sql(column.default or "NULL"), persisted=column.generated == "s")]
    elif column.identity:
        fills = [sa.Identity(always=column.identity == "a")]
    elif column.default is not None:
        default = _sql(column.default)
    return sa.Column(
        column.name,
        _type(column),
        *fills,
        nullable=not column.not_null,
        server_default=default,
        autoincrement=bool(column.identity),
    )


def _type(column: Column) -> AnyType:
    """Return the type of a column; NullType where SQLAlchemy has none."""
    labels = column.labels or column.items
    if labels:
        enum = pg.ENUM(*labels, name="enum")
        return pg.ARRAY(enum) if column.items else enum
    if column.base:
        of_items = column.type.endswith("[]")  # and so is the base
        checks = [found[1] for guard in column.guards if (found := _GUARD.fullmatch(guard))]
        check = " AND ".join(f"({each})" for each in checks).replace(":", r"\:") or None
        filled = "NOT NULL" in column.guards
        base = _plain(column.base.removesuffix("[]") if of_items else column.base)
        domain = pg.DOMAIN(column.type.removesuffix("[]"), base, check=check, not_null=filled)
        return pg.ARRAY(domain) if of_items else domain
    return _plain(column.type)


def _plain(spelt: str) -> AnyType:
    found = _TYPE.fullmatch(spelt.removesuffix("[]"))
    known = ischema_names.get(_name(found)) if found else None
    if found is None or known is None:
        return NullType()
    sizes = [int(size) for size in (found["size"] or "").split(",") if size]
    try:
        if found["zone"]:
            made = known(timezone=found["zone"] == " with time zone", precision=sizes[0] if sizes else None)
        elif found["name"] == "interval":
            made = known(precision=sizes[0] if sizes else None)
        else:
            made = known(*sizes)
    except TypeError:  # of an extension, whose sizes mean something else
        return NullType()
    return pg.ARRAY(made) if spelt.endswith("[]") else made


def _name(found: re.Match[str]) -> str:
    return f"{found['name']}{found['zone'] or ''}"


def _index(index: Index, columns: dict[str, AnyColumn]) -> Iterator[SchemaItem]:
    """Yield what an index means for rows: which may not be alike, and what it computes of each."""
    loose = index.nulls_not_distinct
    if index.overlaps_not:
        *same, period = index.columns
        alike = (*((columns[name], "=") for name in same), (columns[period], "&&"))
        yield sa.CheckConstraint(f"NOT isempty({quoted(period)})", name=f"{index.name} of {period}")
        yield pg.ExcludeConstraint(*alike, name=index.name)
    elif index.primary:
        yield sa.PrimaryKeyConstraint(*index.columns, name=index.name)
    elif index.exclusion:
        tail = tail_of(index.exclusion.removeprefix("EXCLUDE "))
        elements = [compared(element) for element in tail.elements]
        where = _sql(tail.condition) if tail.condition else None
        yield pg.ExcludeConstraint(*((_sql(text), by) for text, by in elements), where=where, name=index.name)
    elif index.constraint:
        yield sa.UniqueConstraint(*index.columns, name=index.name, postgresql_nulls_not_distinct=loose)
    elif index.unique or index.partial or "" in index.columns:
        tail = tail_of(index.tail)
        elements = [(column_of(each)[0], compared(each)[0]) for each in tail.elements]
        over = (columns[name] if name in columns else _sql(text) for name, text in elements)
        where, one = _sql(tail.condition) if tail.condition else None, index.unique
        yield sa.Index(index.name, *over, unique=one, postgresql_where=where, postgresql_nulls_not_distinct=loose)


def _foreign_key(key: ForeignKey) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        key.columns,
        [f"{_dotted(key.target)}.{column}" for column in key.target_columns],
        name=key.name,
        ondelete=_ACTIONS.get(key.on_delete),
        onupdate=_ACTIONS.get(key.on_update),
        deferrable=key.deferrable or None,
        initially="DEFERRED" if key.deferred else None,
        match="FULL" if key.match == "f" else None,
    )


def _dotted(name: QName) -> str:
    return f"{name.schema}.{name.name}"


def _sql(text: str) -> sa.ColumnClause[object]:
    """Return SQL as it is: a colon in it begins no parameter."""
    return sa.literal_column(text)
