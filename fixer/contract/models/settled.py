"""A contract that was read in a scratch place, as it will stand where it is wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from fixer.contract.places import Places
from fixer.model.expression import as_needed, bare_type, in_full
from fixer.model.schema import Schema
from fixer.model.table import PERMANENT, UNLOGGED, Column, QName, Sequence, Table
from fixer.model.values import dataclass


def settled(
    wanted: Schema,
    places: Places,
    types: Mapping[str, str],
    counters: Mapping[str, str],
    unlogged: Collection[str] = frozenset(),
) -> Schema:
    """Return the schema as it will stand in the target.

    `types` and `counters` have the schema of each type and sequence that is made with it; `unlogged` names tables that
    a scratch place made logged.
    """
    owned = [s for s in wanted.sequences.values() if not s.owned_by or s.owned_by[0].name in places.named]
    sequences = {s.name: s for s in (_sequence(each, places, counters) for each in owned)}
    homes = {s.name.name: _home(s, places, counters) for s in wanted.sequences.values()}
    move = _Move(places, types, homes, unlogged)
    tables = (move.table(table) for table in wanted.tables.values() if table.name.name in places.named)
    return Schema(tables={t.name: t for t in tables}, sequences=sequences, spellings=wanted.spellings)


def _home(sequence: Sequence, places: Places, counters: Mapping[str, str]) -> str:
    """Return the schema where a sequence will stand: that of the table that owns it, else that of the models."""
    if sequence.owned_by:
        return places.of(sequence.owned_by[0].name).schema
    return counters.get(sequence.name.name, places.schema)


def _sequence(sequence: Sequence, places: Places, counters: Mapping[str, str]) -> Sequence:
    owned_by = sequence.owned_by and (places.of(sequence.owned_by[0].name), sequence.owned_by[1])
    name = QName(_home(sequence, places, counters), sequence.name.name)
    return replace(sequence, name=name, owned_by=owned_by, persistence=PERMANENT)


@dataclass(frozen=True)
class _Move:
    """The way of tables out of the scratch place, and of the types and sequences that their expressions name."""

    places: Places
    types: Mapping[str, str]
    sequences: Mapping[str, str]
    unlogged: Collection[str]

    def table(self, table: Table) -> Table:
        """Return a table where it is wanted, as large as a table that is made anew."""
        name = self.places.of(table.name.name)
        return replace(
            table,
            name=name,
            columns={c.name: self._column(c, name.schema) for c in table.columns.values()},
            checks=tuple(replace(c, expression=self._in_full(c.expression)) for c in table.checks),
            indexes=tuple(
                replace(i, tail=self._in_full(i.tail), exclusion=self._in_full(i.exclusion)) for i in table.indexes
            ),
            foreign_keys=tuple(
                replace(k, table=self.places.of(k.table.name), target=self.places.of(k.target.name))
                for k in table.foreign_keys
            ),
            persistence=UNLOGGED if table.persistence == UNLOGGED or table.name.name in self.unlogged else PERMANENT,
            parted_by=self._in_full(table.parted_by),
            parents=tuple(self.places.of(parent.name) for parent in table.parents),
            bytes=0,
        )

    def _column(self, found: Column, home: str) -> Column:
        sequence, scratch = found.sequence, found.home.startswith("pg_temp")
        if sequence and sequence.schema.startswith("pg_temp"):  # else it stands in the target already
            sequence = QName(self.sequences.get(sequence.name, home), sequence.name)
        type_ = self.types.get(bare_type(found.type), self.places.schema) if scratch else found.home
        default = found.default and in_full(found.default, self.types, self.sequences)
        if scratch and type_ not in self.places.all:  # of a schema without tables, which its name says then
            return replace(found, sequence=sequence, type=f"{as_needed(type_)}.{found.type}", home="", default=default)
        return replace(found, sequence=sequence, home=type_, default=default)

    def _in_full(self, expression: str) -> str:
        return in_full(expression, self.types, {})
