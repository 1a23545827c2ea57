"""A table of the contract is not there.

Costs: every statement that names it fails with 42P01 undefined_table.
Cure: create it as the contract has it; keys, indexes and references follow as for any other table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer import ddl
from fixer.contract import Contract
from fixer.findings import Finding, Specimen, Stage
from fixer.schema import QName, Schema
from fixer.sqltext import SQL, Identifier
from fixer.steps import Lock, Phase, Repair, Step, alter, refuse

SLUG = "missing-table"
POINT = 4
STAGE = Stage.TABLES


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the tables that are neither there nor under a legacy name."""
    for name, wanted in contract.tables.items():
        olds = [name._replace(name=old) for old in contract.hints[name].legacy_names]
        legacy = [actual.tables[old] for old in olds if old in actual.tables and old not in contract.tables]
        if name not in actual.tables and not any(table.kind in "rp" for table in legacy):
            columns = f"{len(wanted.columns)} columns" if len(wanted.columns) > 1 else "one column"
            message = f"{name.name} should be a table of {columns}, is missing"
            if legacy:
                message += f"; {legacy[0].name.name}, its legacy name, is {KINDS[legacy[0].kind]}"
            yield Finding(SLUG, POINT, str(name), message, name, found=legacy[0] if legacy else None)
        elif name in actual.tables and actual.tables[name].kind not in "rp":
            yield Finding(
                SLUG,
                POINT,
                str(name),
                f"{name.name} should be a table, is {KINDS[actual.tables[name].kind]}",
                name,
                found=actual.tables[name],
            )


KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Create the table."""
    if finding.found:
        return refuse(f"{finding.message}; pgmend does not replace what stands there")
    wanted = contract.tables[finding.table]
    types = [
        Step(Phase.TABLES, finding.table, f"create the type {c.type}", ddl.create_type(c), Lock.NONE)
        for c in wanted.columns.values()
        if c.labels
    ]
    create = Step(
        Phase.TABLES,
        finding.table,
        f"create the table {finding.table.name}",
        ddl.create_table(wanted, contract.schema.sequences),
        Lock.NONE,
    )
    return Repair((*types, create, *_handed_over(finding.table, actual, contract)))


def _handed_over(name: QName, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the step that gives the new table to the role that owns the others."""
    owners = Counter(actual.tables[other].owner for other in contract.tables if other in actual.tables)
    owner = owners.most_common(1)[0][0] if owners else ""
    if actual.session and owner and owner != actual.session.role:
        action = SQL("OWNER TO {}").format(Identifier(owner))
        yield alter(Phase.TABLES, name, f"give the table {name.name} to {owner}", action)


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the table, its keys and references still to come."""
    wanted = contract.tables[finding.table]
    bare = replace(wanted, indexes=(), foreign_keys=(), created=True, owned=True)
    return actual.with_table(bare)


SPECIMENS = (
    Specimen("a leaf is missing", "DROP TABLE reviews"),
    Specimen("all are missing", "DROP TABLE reviews, books, authors", also=frozenset({"missing-default-row"})),
)
NEAR_MISSES = (
    Specimen("another table is missing", "CREATE TABLE extra (id integer); DROP TABLE extra"),
    Specimen("a view stands beside it", "CREATE VIEW review_list AS SELECT id, body FROM reviews"),
)
