"""A foreign key that the contract lacks refuses rows that the contract allows.

Costs: inserts and updates by code that follows the contract fail with 23503 violates foreign key constraint.
Cure: a person decides, because somebody may have meant it; the refusal gives the statement that drops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import TENANCY_ROWS, tenancy
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import StrayForeignKey
from fixer.model.table import ForeignKey, QName, Table
from fixer.repair.constraints.foreign_keys import ends_at
from fixer.repair.defaults.left_out import LeftOut, is_refilled
from fixer.sql import compose as q
from fixer.sql.alter import dropping
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "rogue-foreign-key"
POINT = 5
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[StrayForeignKey]]:
    """Yield the foreign keys on columns on which the contract has none."""
    whole = ((wanted, table, table) for wanted, table in walk.tables(actual, contract))
    for wanted, table, part in (*whole, *walk.parts(actual, contract)):
        alone = contract.schema.alone.get(part.name)
        known = (*wanted.foreign_keys, *(alone.foreign_keys if alone else ()))
        for key in part.foreign_keys:
            if not any(_covers(meant, key, wanted) for meant in known) and _may_refuse(key, wanted, table):
                yield _finding(key, LeftOut(part, wanted, actual))


def _finding(key: ForeignKey, row: LeftOut) -> Finding[StrayForeignKey]:
    """Return the finding; with a probe, if what its columns get is known: then each row has a parent, or none has."""
    name, about = row.table.name, StrayForeignKey(row.table.name, key)
    what, asks = f"{', '.join(key.columns)} references {ends_at(key)}", row.fatherless(key)
    how = "refuses each row" if asks else "may refuse some of it"
    message = f"{name.name} should take all that the contract allows, {key.name} {how}: {what}"
    if not asks:
        return Finding(SLUG, POINT, about, message, severity="warning")
    severity = "warning" if is_refilled(row.table) else "error"
    return Finding(SLUG, POINT, about, message, severity, asks=asks, of_values=True)


def _covers(meant: ForeignKey, key: ForeignKey, wanted: Table) -> bool:
    """Return whether a foreign key of the contract is on the same columns, or demands what another one does."""
    if set(meant.columns) == set(key.columns):
        return True
    others = set(meant.columns) - set(key.columns)  # a NULL there would let a row in
    filled = meant.match == "f" or all(wanted.columns[column].not_null for column in others)
    return filled and meant.target == key.target and key.pairs <= meant.pairs


def _may_refuse(key: ForeignKey, wanted: Table, table: Table) -> bool:
    """Return whether code that follows the contract writes values that it compares.

    A row goes in with one NULL, under MATCH FULL with NULLs alone (PostgreSQL manual, CREATE TABLE, REFERENCES).
    """
    written = [column in wanted.columns or table.columns[column].fills for column in key.columns]
    return key.enforced and not key.inherited and (any(written) if key.match == "f" else all(written))


def repair(finding: Finding[StrayForeignKey], actual: Schema, contract: Contract) -> Repair:
    """Refuse, with the statement that drops it."""
    statement = dropping(finding.table, finding.about.found.name)
    return refuse(f"if it is meant, add it to the contract; if not, run: {statement}")


SPECIMENS = (
    Specimen(
        "a default that has no parent",
        'CREATE TABLE "odd %" ("a.b" bigint PRIMARY KEY); ALTER TABLE reviews ADD COLUMN n integer,'
        ' ADD CONSTRAINT odd FOREIGN KEY (n) REFERENCES "odd %"; ALTER TABLE reviews ALTER COLUMN n SET DEFAULT 1',
        manual=True,
    ),
    Specimen(
        "to a table that the contract does not know",
        "CREATE TABLE sizes (pages integer PRIMARY KEY); INSERT INTO sizes SELECT DISTINCT pages FROM books"
        " WHERE pages IS NOT NULL; ALTER TABLE books ADD FOREIGN KEY (pages) REFERENCES sizes",
        manual=True,
    ),
    Specimen(
        "on another column than the contract's",
        "ALTER TABLE books ADD CONSTRAINT odd FOREIGN KEY (id) REFERENCES authors (id) NOT VALID",
        manual=True,
    ),
    Specimen(
        "on more columns than the contract's",
        "ALTER TABLE books ADD UNIQUE (author_id, id); ALTER TABLE reviews ADD COLUMN n integer DEFAULT 0;"
        "ALTER TABLE reviews ADD CONSTRAINT odd FOREIGN KEY (n, book_id) REFERENCES books (author_id, id) NOT VALID",
        manual=True,
    ),
    Specimen(
        "with an unknown column, whose NULL does not let a row in",
        "ALTER TABLE books ADD UNIQUE (author_id, id); ALTER TABLE reviews ADD COLUMN n integer;"
        "ALTER TABLE reviews ADD FOREIGN KEY (n, book_id) REFERENCES books (author_id, id) MATCH FULL NOT VALID",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "on one column, where the contract has two",
        "CREATE UNIQUE INDEX odd ON members (id);"
        "ALTER TABLE tasks ADD CONSTRAINT odd FOREIGN KEY (member_id) REFERENCES members (id)",
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "on an unknown column",
        "ALTER TABLE reviews ADD COLUMN n integer REFERENCES books (id)",
    ),
    Specimen(
        "on an unknown column with one of the contract",
        "ALTER TABLE books ADD UNIQUE (author_id, id); ALTER TABLE reviews ADD COLUMN n integer;"
        "ALTER TABLE reviews ADD FOREIGN KEY (n, book_id) REFERENCES books (author_id, id)",
    ),
    Specimen(
        "a default that has its parent",
        "CREATE TABLE odd (id bigint PRIMARY KEY); INSERT INTO odd VALUES (1);"
        "ALTER TABLE reviews ADD COLUMN n integer NOT NULL DEFAULT 1 REFERENCES odd (id)",
    ),
    Specimen(
        "from an unknown table",
        "CREATE TABLE shelves (book_id integer REFERENCES books (id))",
    ),
    Specimen(
        "not enforced",
        "ALTER TABLE books ADD FOREIGN KEY (pages) REFERENCES authors (id) NOT ENFORCED",
        minimum_version=18,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a column reference a table that holds what it holds."""
    for column in plant.bare(table):
        other = q.name(QName(table.name.schema, f"all {table.name.name} {column.name}"))
        words = {"other": other, "table": q.name(table.name), "column": Identifier(column.name)}
        yield plant.block(
            SQL("CREATE TABLE {other} AS SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL").format(
                **words
            ),
            SQL("ALTER TABLE {other} ADD PRIMARY KEY ({column})").format(**words),
            SQL("ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {other}").format(**words),
        )
