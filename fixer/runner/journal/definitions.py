"""Definitions of everything that a run may change, read before and after it, so that undo can restore them.

They are PostgreSQL's own texts, each under an identifier that survives a change: for a table its oid, for a column its
number. So undo only needs to know what was there and what is there now, and not what the repair did.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from functools import cache, cached_property
from typing import Any  # psycopg2 reads jsonb
from zlib import crc32

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer import introspect
from fixer.introspect import coded
from fixer.model.schema.code import Code
from fixer.model.schema.code import Key as CodeKey
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.sql.compose import SQL, Identifier, Literal

CODE = "code"  # the kind of functions, views, triggers, policies and grants that a run creates or replaces
BELOW = "below "  # begins the kinds of what partitions and heirs have of their own
UNPROVED = "NOT VALID"  # ends the definition of a constraint that old rows may break
Key = tuple[str, str]  # the kind, and the identifier within that kind
Detail = Mapping[str, Any]  # as psycopg2 gives jsonb; definitions.sql says what each kind has
DefinitionsJson = Mapping[str, Any]  # likewise


@dataclass(frozen=True, slots=True)
class Item:
    """One definition: of a table, column, constraint, index, statistics, trigger, rule, view, sequence or type."""

    kind: str
    id: str
    of: int  # the oid of its table, 0 where it has none
    name: str
    detail: Detail
    by: str = field(default="", compare=False)  # the index behind a foreign key; not compared, since any other would do

    @property
    def key(self) -> Key:
        """What identifies it before and after a change."""
        return self.kind, self.id

    @property
    def number(self) -> int:
        """The attribute number of a column."""
        return int(self.id.rpartition(".")[2])


@dataclass(frozen=True)
class Definitions:
    """All definitions that were read at one moment."""

    items: Mapping[Key, Item] = field(default_factory=dict)
    positions: Mapping[str, tuple[int, bool]] = field(default_factory=dict)  # of sequences: last_value, is_called

    @cached_property
    def relations(self) -> frozenset[int]:
        """The oids of the tables that were read."""
        return frozenset(item.of for item in self.of_kind("table"))

    @cached_property
    def _sorted(self) -> dict[str, list[Item]]:
        """The items by kind, sorted by identifier."""
        found: dict[str, list[Item]] = {}
        for item in sorted(self.items.values(), key=lambda item: item.id):
            found.setdefault(item.kind, []).append(item)
        return found

    @cached_property
    def _by_table(self) -> dict[tuple[str, int], list[Item]]:
        """The items by kind and table, sorted by identifier."""
        found: dict[tuple[str, int], list[Item]] = {}
        for kind, items in self._sorted.items():
            for item in items:
                found.setdefault((kind, item.of), []).append(item)
        return found

    @cached_property
    def _oids(self) -> dict[str, int]:
        """The oids of the tables by their names."""
        return {str(self.table(item.of)): item.of for item in self.of_kind("table")}

    @cached_property
    def above(self) -> Definitions:
        """These definitions without those of partitions and heirs."""
        return replace(self, items={key: item for key, item in self.items.items() if not key[0].startswith(BELOW)})

    @cached_property
    def below(self) -> Definitions:
        """What partitions and heirs have of their own."""
        found = (replace(i, kind=i.kind.removeprefix(BELOW)) for i in self.items.values() if i.kind.startswith(BELOW))
        return Definitions({item.key: item for item in found})

    @property
    def code(self) -> list[CodeKey]:
        """The keys of the code that was read, and of that which was looked for."""
        return [CodeKey(*json.loads(item.id)) for item in self.of_kind(CODE)]

    def of_kind(self, kind: str) -> Iterator[Item]:
        """Yield the items of one kind, sorted by identifier."""
        yield from self._sorted.get(kind, ())

    def of_table(self, kind: str, oid: int) -> Iterator[Item]:
        """Yield the items of one kind and one table, sorted by identifier."""
        yield from self._by_table.get((kind, oid), ())

    def with_more(self, others: Definitions) -> Definitions:
        """Return these definitions, and those of `others` about tables that are unknown here.

        The rest of `others`, about known tables and about what belongs to no table, is newer and is left out.
        """
        if not self.items:
            return others
        known = {0, *self.relations}
        items = {key: item for key, item in others.items.items() if item.of not in known or key[0] == CODE}
        positions = {name: place for name, place in others.positions.items() if ("sequence", name) in items}
        return Definitions({**items, **self.items}, {**positions, **self.positions})

    def without(self, relations: Collection[int]) -> Definitions:
        """Return these definitions without those of the given tables."""
        items = {key: item for key, item in self.items.items() if item.of not in relations}
        return Definitions(items, {name: at for name, at in self.positions.items() if ("sequence", name) in items})

    def without_items(self, keys: Iterable[Key]) -> Definitions:
        """Return these definitions without the items of the given keys."""
        return replace(self, items={key: self.items[key] for key in self.items.keys() - set(keys)})

    def followed_by(self, later: Definitions) -> Definitions:
        """Return these definitions, in which those of `later` replace all that these say about the same tables."""
        known = later.relations | later.below.relations
        kept = {key: item for key, item in self.items.items() if item.of not in known}
        return Definitions({**kept, **later.items}, {**self.positions, **later.positions})

    def table(self, oid: int) -> QName:
        """Return the name of a table."""
        detail = self.items["table", str(oid)].detail
        return QName(detail["schema"], detail["name"])

    def oid(self, name: str) -> int | None:
        """Return the oid of a table by its name, `schema.name` without quotes; None if there is no such table."""
        return self._oids.get(name)

    def columns(self, oid: int) -> dict[str, Item]:
        """Return the columns of a table, by name."""
        found = sorted(self.of_table("column", oid), key=lambda item: item.number)
        return {item.name: item for item in found}

    def to_json(self) -> DefinitionsJson:
        """Return the definitions as the journal keeps them."""
        items = [[item.kind, item.id, item.of, item.name, item.detail, item.by] for item in self.items.values()]
        return {"items": items, "positions": {name: list(place) for name, place in self.positions.items()}}


def from_json(kept: DefinitionsJson) -> Definitions:
    """Return the definitions that the journal kept."""
    items = [Item(*parts) for parts in kept["items"]]
    positions = {name: (last, called) for name, (last, called) in kept["positions"].items()}
    return Definitions({item.key: item for item in items}, positions)


def is_unproved(key: Item) -> bool:
    """Return whether a constraint is NOT VALID: old rows may break it."""
    return str(key.detail["definition"]).endswith(f" {UNPROVED}")


def prepare(cursor: Cursor) -> None:
    """Prepare the query for definitions once a session, because to plan it takes longer than to run it."""
    cursor.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE name = %s)", (_prepared(),))
    if not (cursor.fetchone() or (False,))[0]:
        cursor.execute(f"PREPARE {_prepared()} AS\n{introspect.query('definitions')}")


@contextmanager
def prepared(cursor: Cursor) -> Iterator[None]:
    """Prepare the query for definitions for as long as one transaction works: so it may go through a pooler as well."""
    prepare(cursor)
    yield
    cursor.execute(f"DEALLOCATE {_prepared()}")


@cache
def _prepared() -> str:
    """Return the name of the prepared query, which that of no other version bears."""
    return f"pgmend_definitions_{crc32(introspect.query('definitions').encode()):08x}"


_CHOOSE = (
    "SELECT set_config('pgmend.relations', %s::oid[]::text, true),"
    " set_config('pgmend.schemas', %s::text[]::text, true);\n"
)


def read(
    cursor: Cursor,
    relations: Collection[int],
    schemas: Iterable[str],
    *,
    prepared: bool = False,
    below: bool = False,
    code: Iterable[Sequence[str]] = (),
) -> Definitions:
    """Read the definitions of these tables and of all that belongs to them, with every name qualified.

    Enum types and unowned sequences of the `schemas` are read as well, and the `code` of these keys; with `below`, also
    what partitions and heirs have of their own. `prepared` uses what `prepare` has prepared.
    """
    query = f"EXECUTE {_prepared()}" if prepared else introspect.query("definitions")
    cursor.execute(_CHOOSE + query, (list(relations), list(schemas)))
    items = [Item(*row) for row in cursor.fetchall()]
    items += _below(cursor) if below else []
    items += _code(cursor, {CodeKey(*key) for key in code})
    return Definitions({item.key: item for item in items}, _positions(cursor, items))


def _code(cursor: Cursor, keys: Collection[CodeKey]) -> Iterator[Item]:
    """Yield an item for the code of each key, without details where there is none."""
    if not keys:
        return
    found = coded.read(cursor, {key.schema for key in keys}, {key.kind for key in keys})
    there = {each.key: each for each in found}
    for key in sorted(keys):
        detail = _detail(there[key]) if key in there else {}
        yield Item(CODE, json.dumps(key), 0, ".".join(filter(None, key[1:])), detail)


def _detail(code: Code) -> Detail:
    return {
        "definition": code.definition,
        "create": [*code.create],
        "drop": code.drop,
        "enabled": code.enabled,
        "closed": code.closed,
        "owner": code.owner,
        "rest": [*code.rest],
    }


def read_below(cursor: Cursor, relations: Collection[int]) -> Definitions:
    """Read what partitions and heirs of these tables have of their own."""
    cursor.execute(_CHOOSE, (list(relations), []))
    return Definitions({item.key: item for item in _below(cursor)}).below


def _below(cursor: Cursor) -> list[Item]:
    """Return what partitions and heirs of the chosen tables have of their own; most tables have none of them."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits"
        " WHERE inhparent = ANY (current_setting('pgmend.relations')::oid[]))"
    )
    if not (cursor.fetchone() or (False,))[0]:
        return []
    cursor.execute(introspect.query("below"))
    return [Item(*row) for row in cursor.fetchall()]


def read_columns(cursor: Cursor, oid: int) -> dict[str, Item]:
    """Return the columns of a table, by name: of their details, only what values in them are like."""
    cursor.execute(
        "SELECT 'column', attrelid || '.' || attnum, attrelid::bigint, attname::text, jsonb_build_object("
        "'type', pg_catalog.format_type(atttypid, atttypmod), 'generated', attgenerated)"
        " FROM pg_catalog.pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (oid,),
    )
    return {item.name: item for item in (Item(*row) for row in cursor.fetchall())}


def _positions(cursor: Cursor, items: Iterable[Item]) -> dict[str, tuple[int, bool]]:
    """Read last_value and is_called of the sequences: last_value alone does not show whether it was given."""
    names = {i.id: (i.detail["schema"], i.detail["name"]) for i in items if i.kind == "sequence"}
    parts = [
        SQL("SELECT {}, last_value, is_called FROM {}").format(Literal(key), Identifier(*name))
        for key, name in names.items()
    ]
    if not parts:
        return {}
    cursor.execute(SQL(" UNION ALL ").join(parts))
    return {name: (last, called) for name, last, called in cursor.fetchall()}


def oids(cursor: Cursor, names: Iterable[QName]) -> frozenset[int]:
    """Return the oids of the tables with these names that exist."""
    pairs = sorted(set(names))
    cursor.execute(
        "SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND (n.nspname::text, c.relname::text) IN"
        " (SELECT * FROM unnest(%s::text[], %s::text[]))",
        ([name.schema for name in pairs], [name.name for name in pairs]),
    )
    return frozenset(oid for (oid,) in cursor.fetchall())
