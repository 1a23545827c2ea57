"""Applies what a project says to a contract: tables that are excluded, findings that are accepted, hints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import rolled_back
from fixer.connect.settings import SAFELY
from fixer.contract.project.reading import Project
from fixer.contract.source import Source
from fixer.errors import ContractError
from fixer.model.contract import Contract, Hints, covers
from fixer.model.table import QName
from fixer.model.values import dataclass

# Tables, views and foreign tables that a person may mean (PostgreSQL manual, pg_class).
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""

log = logging.getLogger("pgmend.contract")


@dataclass(frozen=True)
class Under:
    """A source of contracts, under what a project says."""

    source: Source
    project: Project

    @property
    def name(self) -> str:
        """What the source is called."""
        return self.source.name

    def prepare(self, connection: Connection, schema: str) -> Contract:
        """Return the contract without tables that are excluded, with the hints and what is accepted."""
        made, project = self.source.prepare(connection, schema), self.project
        kept = _without(made, project)
        if project.hints:
            from fixer.contract.project.hinted import hinted

            kept = hinted(kept, made, project, connection, schema)
        notes = tuple(_in_vain(project, made, connection))
        for note in notes:
            log.warning(note)
        return replace(kept, excluded=project.exclude, accepted=project.accept, notes=notes)


def _without(contract: Contract, project: Project) -> Contract:
    """Return the contract without the tables that are excluded, and what belongs to these."""
    if not project.exclude:
        return contract
    out = {name for name in contract.tables if any(covers(each, name) for each in project.exclude)}
    if out == contract.tables.keys():
        raise ContractError(f"{project.file}: exclude in [tool.pgmend] leaves no table of {contract.name}.")
    schema, alone = contract.schema, {n for n, each in contract.schema.sequences.items() if not each.owned_by}
    callers = {name: {c.sequence for c in table.columns.values()} for name, table in contract.tables.items()}
    theirs = set[QName | None]().union(*(callers[name] for name in out))
    others = set[QName | None]().union(*(called for name, called in callers.items() if name not in out))
    sequences = {
        name: each
        for name, each in schema.sequences.items()
        if (name not in theirs - others if name in alone else not (each.owned_by and each.owned_by[0] in out))
    }
    tables = {name: table for name, table in schema.tables.items() if name not in out}
    hints = Hints({name: each for name, each in contract.hints.items() if name not in out})
    code = schema.code and schema.code.without(lambda home: any(covers(each, home) for each in project.exclude))
    refused = tuple(e for e in contract.refused if not any(covers(each, e.table) for each in project.exclude))
    schema = replace(schema, tables=tables, sequences=sequences, code=code)
    return replace(contract, schema=schema, hints=hints, refused=refused)


def _in_vain(project: Project, contract: Contract, connection: Connection) -> Iterator[str]:
    """Yield a sentence for each glob that covers no table, neither of the contract nor of the database."""
    known = {*contract.tables, *(each.table for each in contract.refused)}
    left = [each for each in project.exclude if not any(covers(each, name) for name in known)]
    if not left:
        return
    with rolled_back(connection) as cursor:
        cursor.execute(f"BEGIN READ ONLY;\n{SAFELY}")
        cursor.execute(_TABLES)
        there = [QName(*row) for row in cursor.fetchall()]
    for each in left:
        if not any(covers(each, name) for name in there):
            yield f"{project.file}: exclude in [tool.pgmend] covers no table by {each}."
