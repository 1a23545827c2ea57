"""Uniques that a partition has alone, and what they demand where a bound lets it hold one value of a column.

What is unique in a partition of one value is so in the whole table together with that value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from fixer.model.expression import as_needed, canonical, column_of, tail_of, unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Probe
from fixer.model.obstacle import ApartIndex, PartitionKey
from fixer.model.table import Index, QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal, all_of, any_of
from fixer.sql.types import family
from fixer.sql.uniques import Claim, keys_if

_NAMES = pattern(r'(?:("(?:[^"]|"")+"|[^".]+)\.)?("(?:[^"]|"")+"|[^".]+)')
_UNIQUE = ("p", "u", "unique")  # kinds of indexes that are apart
# A partition, or one above it, whose bound allows one value of a column: a list of one, or a range that is no longer.
_SINGLE = SQL(
    "EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors({part}::text::regclass) AS a"
    " JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.relid"
    " JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent AND p.partnatts = 1"
    " JOIN pg_catalog.pg_attribute k ON k.attrelid = p.partrelid AND k.attnum = p.partattrs[0]"
    " JOIN pg_catalog.pg_class c ON c.oid = a.relid,"
    " pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS b (said) WHERE k.attname = {column} AND ({one}))"
)
_LISTED = SQL(r"b.said ~ '^FOR VALUES IN \((?!NULL)(''([^'']|'''')*''|[^'',]+)\)$'")
_RANGE = SQL(r"substring(b.said FROM 'FROM \(''?({0})\M')::{1} + 1 = substring(b.said FROM 'TO \(''?({0})\M')::{1}")
_STEPS = {"integer": (SQL(r"-?\d+"), SQL("numeric")), "date": (SQL(r"\d{4}-\d\d-\d\d"), SQL("date"))}


def is_apart(index: Index, part: QName, root: Table) -> bool:
    """Return whether a partition has an index alone: it is no part of one of the tables above it."""
    spelt = {f"index {name}".replace('"', "") for name in (index.name, f"{part.schema}.{index.name}")}
    return any(isinstance(each, ApartIndex) and each.name.replace('"', "") in spelt for each in root.obstacles)


def elsewhere(root: Table, known: Collection[QName]) -> Iterator[tuple[QName, Index]]:
    """Yield the uniques that partitions in schemas beyond the `known` tables have alone, each after its partition."""
    for each in root.obstacles:
        part = _named(each.part) if isinstance(each, ApartIndex) else None
        if isinstance(each, ApartIndex) and part and part not in known and each.kind in _UNIQUE:
            yield part, _index(_named(each.name.removeprefix("index ")).name, each)


def _index(name: str, apart: ApartIndex) -> Index:
    tail = tail_of(apart.tail)
    return Index(
        name,
        tuple(column_of(element)[0] for element in tail.elements),
        apart.tail,
        unique=True,
        constraint=apart.kind != "unique",
        partial=bool(tail.condition),
        nulls_not_distinct="NULLS NOT DISTINCT" in tail.options,
    )


def _named(spelt: str) -> QName:
    found = _NAMES.fullmatch(spelt)
    return QName(unquoted(found[1] or ""), unquoted(found[2])) if found else QName("", spelt)


def choices(claim: Claim, root: Table, wanted: Table) -> list[tuple[str, ...]]:
    """Return the columns of partition keys that would make a claim a wanted one, if a partition had one value of each.

    There is a choice for each wanted unique.
    """
    bounds = {column for each in root.obstacles if isinstance(each, PartitionKey) for column in each.columns}
    spelt = {canonical(as_needed(column)): column for column in sorted(bounds & root.columns.keys())}
    return [tuple(spelt[each] for each in sorted(more)) for more in keys_if(claim, wanted, spelt.keys())]


def probe(part: QName, root: Table, choices: Sequence[tuple[str, ...]]) -> Probe:
    """Return the probe that finds a row unless a partition holds one value of each column of a choice."""
    single = any_of(all_of(_single(part, root, column) for column in choice) for choice in choices)
    return Probe(SQL("(SELECT) AS t"), SQL("NOT ({})").format(single))


def _single(part: QName, root: Table, column: str) -> Composable:
    """Return the condition that the bounds of a partition allow one value of a column."""
    step = _STEPS.get(family(root.columns[column].type))
    one = any_of([_LISTED, *([_RANGE.format(*step)] if step else ())])
    return _SINGLE.format(part=Literal(q.quoted(part)), column=Literal(column), one=one)
