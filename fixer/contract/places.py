"""Where the tables of a contract are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from fixer.errors import ContractError
from fixer.model.table import QName
from fixer.model.values import dataclass

if TYPE_CHECKING:
    from sqlalchemy import Table as SATable


@dataclass(frozen=True)
class Places:
    """Where tables without a schema are wanted, where each table is, and which expressions the hints of each say."""

    schema: str
    tables: Mapping[str, QName]  # by their keys in the models
    said: Mapping[QName, tuple[str, ...]]

    @cached_property
    def named(self) -> Mapping[str, QName]:
        """Where the tables are wanted, by their names, if no two have one name."""
        return {place.name: place for place in self.tables.values()}

    @property
    def ambiguous(self) -> bool:
        """Whether two tables have one name, in different schemas."""
        return len(self.named) < len(self.tables)

    def of(self, name: str) -> QName:
        """Return where a relation is wanted: a table of the models, or what is made along with them."""
        return self.named.get(name) or QName(self.schema, name)

    @property
    def schemas(self) -> list[str]:
        """The schemas in which tables are wanted, and that of tables without one."""
        return sorted({self.schema, *(name.schema for name in self.tables.values())})

    @property
    def all(self) -> tuple[str, ...]:
        """The schemas in which names without one are looked for, and those of the tables."""
        return tuple(dict.fromkeys([self.schema, "public", *(name.schema for name in self.tables.values())]))


def wanted_at(tables: Iterable[SATable], name: str, schema: str) -> dict[str, QName]:
    """Return where each table of a contract is wanted, by its key in the models: each place once."""
    places = {table.key: QName(table.schema or schema, table.name) for table in tables}
    if not places:
        raise ContractError(f"The contract {name} has no tables.")
    if len(set(places.values())) < len(places):
        raise ContractError(f"The contract {name} has two tables of one name in the schema {schema}.")
    return places
