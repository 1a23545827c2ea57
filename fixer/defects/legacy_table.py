"""A table of the contract exists only under one of the legacy names that the contract declares.

Costs: the code finds no table, although the rows exist.
Cure: rename it, and leave a view under the old name, with the table's privileges, for code that still uses it. From
PostgreSQL 15 on it is a security_invoker view; before, a table with row level security needs a person.
Hint: `legacy_names` on the table names it; without that, see missing-table and renamed-table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.model.contract import Contract, TableHints
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OtherTable
from fixer.model.table import QName, Table
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal

SLUG = "legacy-table"
POINT = 4
STAGE = Stage.TABLES
INVOKER = 15  # the first version with security_invoker views, which run with the rights of the caller


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OtherTable]]:
    """Yield the tables that exist only under a legacy name."""
    for name, hints in contract.hints.items():
        if name in actual.tables:
            continue
        for legacy in hints.legacy_names:
            old = name._replace(name=legacy)
            if old in actual.tables and actual.tables[old].is_table and old not in contract.tables:
                message = f"{name.name} should be a table, stands under its legacy name {legacy}"
                yield Finding(SLUG, POINT, OtherTable(name, actual.tables[old]), message)
                break


def repair(finding: Finding[OtherTable], actual: Schema, contract: Contract) -> Repair:
    """Rename the table and leave a view under its old name."""
    old, new = finding.about.found.name, finding.table
    if finding.about.found.row_security and actual.version < INVOKER:
        return refuse(
            f"{old} has row level security, which a view under its old name would pass by before PostgreSQL {INVOKER}:"
            f" rename it to {new.name}, and let the code say so"
        )
    rename = alter(
        Phase.TABLES,
        old,
        f"rename {old.name} to {new.name}",
        SQL("RENAME TO {}").format(Identifier(new.name)),
    )
    view = Step(
        Phase.FINISH,
        new,
        f"keep the name {old.name} alive as a view",
        SQL(";\n").join(_view(old, new, actual.version)),
        Lock.NONE,
    )
    # Online, both in one transaction, so that the old name is never missing.
    both = replace(rename, sql=rename.sql + SQL(";\n") + view.sql, title=f"{rename.title}, and {view.title}")
    exchange = replace(both, touches=(new,), action=None)
    return Repair.of((replace(rename, touches=(new,)).online_as((exchange,)), view.online_as(())))


def _view(name: QName, table: QName, version: int) -> Iterator[Composable]:
    """Yield the statements that create a view of a table and give it the table's privileges."""
    options = SQL(" WITH (security_invoker = true)" if version >= INVOKER else "")
    yield SQL("CREATE VIEW {}{} AS SELECT * FROM {}").format(q.name(name), options, q.name(table))
    yield q.block("rights/view", table=Literal(q.quoted(table)), view=Literal(q.quoted(name)))


def foresee(finding: Finding[OtherTable], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the table under its new name."""
    return actual.with_renamed_table(finding.about.found.name, finding.table)


SPECIMENS = (
    Specimen("renamed", "ALTER TABLE authors RENAME TO writers"),
    Specimen(
        "renamed, with triggers of foreign keys that are disabled",
        "ALTER TABLE authors DISABLE TRIGGER ALL; ALTER TABLE authors RENAME TO writers",
        also=frozenset({"disabled-foreign-key"}),
        superuser=True,
    ),
)
NEAR_MISSES = (
    Specimen("both stand", "CREATE TABLE writers (id integer)"),
    Specimen("a view under the old name", "CREATE VIEW writers AS SELECT id FROM authors"),
)


def mutate_hinted(table: Table, hints: TableHints) -> Iterator[Composable]:
    """Yield statements that plant it in a table: rename a table to its legacy name."""
    for legacy in hints.legacy_names:
        yield plant.altered(table.name, "RENAME TO {}", legacy)
