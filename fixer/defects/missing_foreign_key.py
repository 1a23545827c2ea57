"""A foreign key of the contract is missing.

Costs: rows lose their parent, and nobody notices.
Cure: add it, after the orphans under it have been repaired (see orphan-rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import LOAN_ROWS, TENANCY_ROWS, loans, tenancy
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfForeignKey
from fixer.model.table import Table
from fixer.repair.constraints.foreign_keys import add_foreign_key, arrow
from fixer.sql import ddl
from fixer.sql.compose import Composable

SLUG = "missing-foreign-key"
POINT = 2
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfForeignKey]]:
    """Yield the wanted foreign keys for which no foreign key on their columns stands."""
    for key, found in walk.foreign_keys(actual, contract):
        if not found:
            others = [k.name for k in actual.tables[key.table].foreign_keys if set(k.columns) == set(key.columns)]
            deletes = f" ON DELETE {ddl.ACTIONS[key.on_delete]} beside {', '.join(others)}, does not"
            missing = deletes if others else ", references nothing"
            yield Finding(SLUG, POINT, OfForeignKey(key), f"{arrow(key)}{missing}")


def repair(finding: Finding[OfForeignKey], actual: Schema, contract: Contract) -> Repair:
    """Add the foreign key; refuse if something else stands where the table should that it references."""
    key = finding.about.wanted
    if key.target in actual.tables and not actual.tables[key.target].is_table:
        return refuse(f"{key.target.name} is no table, and nothing else can be referenced")
    return Repair.of([add_foreign_key(key, actual)])


SPECIMENS = (
    Specimen("dropped", "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey"),
    Specimen(
        "dropped together with the key it used",
        "ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE",
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "over two columns",
        "ALTER TABLE tasks DROP CONSTRAINT tasks_tenant_id_member_id_fkey",
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "another stands over one of its columns",
        "ALTER TABLE tasks DROP CONSTRAINT tasks_tenant_id_member_id_fkey; CREATE UNIQUE INDEX odd ON members (id);"
        "ALTER TABLE tasks ADD FOREIGN KEY (member_id) REFERENCES members (id)",
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "another of the contract stands over its column",
        "ALTER TABLE loans DROP CONSTRAINT cascading, DROP CONSTRAINT to_copies",
        contract=loans,
        setup=LOAN_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("it has another name", "ALTER TABLE reviews RENAME CONSTRAINT reviews_book_id_fkey TO odd"),
    Specimen(
        "a foreign key that the contract does not know is missing",
        "ALTER TABLE reviews ADD COLUMN author_id integer",
    ),
    Specimen(
        "its columns stand in another order",
        "ALTER TABLE tasks DROP CONSTRAINT tasks_tenant_id_member_id_fkey;"
        "CREATE UNIQUE INDEX odd ON members (id, tenant_id);"
        "ALTER TABLE tasks ADD FOREIGN KEY (member_id, tenant_id) REFERENCES members (id, tenant_id)",
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a foreign key."""
    for key in table.foreign_keys:
        yield plant.without(table.name, key.name)
