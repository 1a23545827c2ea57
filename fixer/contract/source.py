"""What every source of a contract has: models, SQL, a database, and each of these under what a project says."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.model.contract import Contract


@runtime_checkable
class Source(Protocol):
    """What a contract is made of."""

    @property
    def name(self) -> str:
        """What it is called, without passwords."""

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return the contract as the server behind the connection spells it; `schema` is for what names none."""
