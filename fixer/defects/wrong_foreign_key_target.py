"""A foreign key references the wrong target: a table that was renamed, a backup, another schema or other columns.

Costs: good rows are refused with 23503, and bad rows are accepted.
Cure: drop it and add the right one in one transaction, which proves that every row has its parent; online, the new one
is validated before the old one is dropped. The other table stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import LOAN_ROWS, loans
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import Misdirected
from fixer.model.table import QName, Table
from fixer.repair.constraints.foreign_keys import arrow, best, ends_at, exchange
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable

SLUG = "wrong-foreign-key-target"
POINT = 2
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Misdirected]]:
    """Yield the columns whose foreign keys all reference the wrong target."""
    for key, found in walk.foreign_keys(actual, contract):
        if found and best(key, found) is None:
            elsewhere = ends_at(found[0], qualified=found[0].target.schema != key.target.schema)
            yield Finding(SLUG, POINT, Misdirected(key, found), f"{arrow(key)}, references {elsewhere}")


def repair(finding: Finding[Misdirected], actual: Schema, contract: Contract) -> Repair:
    """Replace them by the wanted foreign key."""
    return Repair.of(exchange(finding.about.wanted, finding.about.found, "it points elsewhere", actual))


SPECIMENS = (
    Specimen(
        "at the table of before a rename",
        "CREATE TABLE books_old (LIKE books INCLUDING ALL); INSERT INTO books_old SELECT * FROM books;"
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE reviews ADD FOREIGN KEY (book_id) REFERENCES books_old (id) ON DELETE CASCADE",
        hazards=frozenset({"replaces-constraint"}),
    ),
    Specimen(
        "at another schema",
        "CREATE SCHEMA attic; CREATE TABLE attic.books (id integer PRIMARY KEY);"
        "INSERT INTO attic.books SELECT id FROM books; ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE reviews ADD FOREIGN KEY (book_id) REFERENCES attic.books (id) ON DELETE CASCADE",
        hazards=frozenset({"replaces-constraint"}),
    ),
    Specimen(
        "at another column",
        "ALTER TABLE books ADD COLUMN number integer UNIQUE; UPDATE books SET number = id;"
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE reviews ADD FOREIGN KEY (book_id) REFERENCES books (number) ON DELETE CASCADE",
        hazards=frozenset({"replaces-constraint"}),
    ),
    Specimen(
        "one of two on one column",
        "CREATE TABLE places_old (LIKE places INCLUDING ALL); INSERT INTO places_old SELECT * FROM places;"
        "ALTER TABLE loans DROP CONSTRAINT to_places;"
        "ALTER TABLE loans ADD CONSTRAINT to_places FOREIGN KEY (place_id) REFERENCES places_old",
        hazards=frozenset({"replaces-constraint"}),
        contract=loans,
        setup=LOAN_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "the target was renamed back and forth",
        "ALTER TABLE books RENAME TO b; ALTER TABLE b RENAME TO books",
    ),
    Specimen("it uses a unique index", "CREATE UNIQUE INDEX odd ON books (id)"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a foreign key reference a copy of its table."""
    for key in table.foreign_keys:
        old = QName(key.target.schema, f"{key.target.name} old")
        yield plant.block(
            SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(q.name(old), q.name(key.target)),
            SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM {}").format(q.name(old), q.name(key.target)),
            plant.without(table.name, key.name),
            ddl.altered(table.name, SQL("ADD {}").format(ddl.foreign_key_clause(key.name, replace(key, target=old)))),
        )
