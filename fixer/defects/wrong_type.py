"""A column has a type of another kind: 0/1 for boolean, text for timestamps, float for money.

Costs: comparisons fail or round, and code meets values that it does not expect.
Cure: convert it; rows whose value the new type cannot hold exactly go to quarantine first. Floats are converted through
text, to a numeric that holds all their digits: nothing is rounded. A person decides if timestamps have no declared time
zone, if different texts would become equal under a unique index, or if an index or a view needs the old type. Where no
row holds a value, nothing is left to decide. What a domain refuses does not fit; one that calls code of others, or that
the plan creates, is for a person.
Hint: `timezone` on the column is the time zone of timestamps that name none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._guarded import RATED, SCORED, ratings, scores
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import OfColumn
from fixer.model.table import Table
from fixer.repair.conversion.steps import converted, foresee_conversion
from fixer.repair.conversion.values import misfits
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable
from fixer.sql.types import family

SLUG = "wrong-type"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns of another type family, with the probe for inconvertible values."""
    referencing = {(key.table, column) for key in contract.differing_foreign_keys() for column in key.columns}
    for table, wanted, found in walk.typed_columns(actual, contract):
        about, here = OfColumn(table.name, wanted.name), f"{table.name.name}.{wanted.name}"
        if (table.name, wanted.name) in referencing:
            continue
        if not walk.takes(found, wanted):
            finding = Finding(SLUG, POINT, about, f"{here} should be {wanted.type}, is {found.type}")
            yield from misfits(finding, actual, contract)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Convert the column."""
    return converted(finding, actual, contract)


def foresee(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column converted."""
    return foresee_conversion(finding, actual, contract)


BOTH = frozenset({"rewrites-values"})
SPECIMENS = (
    Specimen(
        "0 and 1 for boolean",
        "ALTER TABLE authors ALTER COLUMN active DROP DEFAULT,"
        " ALTER COLUMN active TYPE integer USING active::integer, ALTER COLUMN active SET DEFAULT 1",
        hazards=BOTH,
    ),
    Specimen(
        "words for boolean",
        "ALTER TABLE authors ALTER COLUMN active DROP DEFAULT,"
        " ALTER COLUMN active TYPE text USING CASE WHEN id % 2 = 0 THEN 'yes' ELSE 'no' END",
        hazards=BOTH,
        also=frozenset({"missing-default"}),
    ),
    Specimen(
        "texts for moments",
        "ALTER TABLE authors ALTER COLUMN joined TYPE text USING to_char(joined, 'YYYY-MM-DD HH24:MI:SS.MS')",
        hazards=BOTH,
    ),
    Specimen(
        "moments without a zone",
        "ALTER TABLE authors ALTER COLUMN joined TYPE timestamp USING joined AT TIME ZONE 'UTC'",
        hazards=BOTH,
    ),
    Specimen("floats for money", "ALTER TABLE books ALTER COLUMN price TYPE double precision", hazards=BOTH),
    Specimen(
        "not a number among floats",
        "ALTER TABLE authors ALTER COLUMN rating TYPE double precision;UPDATE authors SET rating = 'NaN' WHERE id = 12",
        hazards=BOTH | {"moves-rows"},
        rows=1,
        quarantined=7,
    ),
    Specimen(
        "texts that are no moments",
        "ALTER TABLE authors ALTER COLUMN joined TYPE text;"
        "INSERT INTO authors (name, joined) VALUES ('x', 'last week')",
        hazards=BOTH | {"moves-rows"},
        rows=1,
        quarantined=1,
    ),
    Specimen(
        "floats for money, with a default, under a check and an index",
        "ALTER TABLE books ALTER COLUMN price TYPE real, ALTER COLUMN price SET DEFAULT 9.99;"
        "CREATE INDEX odd ON books (price, title); UPDATE books SET price = 1.1 WHERE id < 5",
        hazards=BOTH,
    ),
    Specimen(
        "a view shows the column",
        "ALTER TABLE authors ALTER COLUMN rating TYPE double precision; CREATE VIEW best AS SELECT rating FROM authors;"
        'CREATE VIEW "the best %" WITH (security_barrier) AS SELECT max(rating) * 2 AS most FROM best;'
        "COMMENT ON VIEW \"the best %\" IS '%s'; GRANT SELECT ON best TO PUBLIC",
        hazards=BOTH,
    ),
    Specimen(
        "a policy reads the column",
        "ALTER TABLE books ALTER COLUMN pages TYPE text, ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON books"
        " USING (true); CREATE POLICY few ON books AS RESTRICTIVE FOR UPDATE USING (pages IS NOT NULL)",
        hazards=BOTH,
    ),
    Specimen(
        "a materialized view holds the column",
        "ALTER TABLE books ALTER COLUMN pages TYPE text; CREATE MATERIALIZED VIEW held AS SELECT pages FROM books",
        manual=True,
    ),
    Specimen(
        "a moment with more digits than the type keeps",
        "ALTER TABLE authors ALTER COLUMN joined TYPE text USING to_char(joined, 'YYYY-MM-DD HH24:MI:SSOF');"
        "INSERT INTO authors (name, joined) VALUES ('x', '2026-01-01T00:00:00.123456789Z')",
        hazards=BOTH | {"moves-rows"},
        rows=1,
        quarantined=1,
    ),
    Specimen(
        "texts that are unique and one number",
        "ALTER TABLE books ALTER COLUMN pages TYPE text USING id, ADD UNIQUE (pages);"
        "UPDATE books SET pages = '07' WHERE id = 8",
        rows=2,
        also=frozenset({"rogue-unique"}),
        manual=True,
    ),
    Specimen(
        "an index needs the old type",
        "ALTER TABLE books ALTER COLUMN pages TYPE text; CREATE INDEX odd ON books (pages text_pattern_ops)",
        manual=True,
    ),
    Specimen("numbers for text", "ALTER TABLE reviews ALTER COLUMN body TYPE integer USING id", hazards=BOTH),
    Specimen(
        "texts for a domain of numbers",
        "ALTER TABLE shows ALTER seen DROP DEFAULT, ALTER seen TYPE text, ALTER seen SET DEFAULT '3';"
        "INSERT INTO shows VALUES (2, '-1'), (3, 'many'), (4, '9'), (5, NULL)",
        contract=ratings,
        setup=RATED,
        hazards=BOTH | {"moves-rows"},
        rows=2,
        quarantined=2,
    ),
    Specimen(
        "numbers for a domain, above partitions",
        "ALTER TABLE days ALTER best TYPE bigint; INSERT INTO days VALUES ('2026-03-04', 10), ('2026-03-05', NULL)",
        contract=ratings,
        setup=RATED,
        hazards=BOTH | {"moves-rows"},
        rows=1,
        quarantined=1,
    ),
    Specimen(
        "numbers for moments, of which there are none",
        "ALTER TABLE games ALTER at DROP DEFAULT, ALTER at TYPE bigint USING NULL",
        contract=scores,
        setup=SCORED,
        hazards=BOTH,
        also=frozenset({"missing-default"}),
    ),
)
NEAR_MISSES = (
    Specimen("a wider integer", "ALTER TABLE books ALTER COLUMN pages TYPE bigint"),
    Specimen("text for varchar", "ALTER TABLE books ALTER COLUMN title TYPE text"),
    Specimen("a numeric without bounds", "ALTER TABLE books ALTER COLUMN price TYPE numeric"),
    Specimen("a column that the contract does not know", "ALTER TABLE books ADD COLUMN weight double precision"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: give a column another type, or a key with the reference to it."""
    for column in plant.writable(table):
        if family(column.type) in _PLANTED and not table.checks_over(column.name) and not column.generates:
            other = "double precision" if family(column.type) == "numeric" else "text"
            drop = plant.altered(table.name, "ALTER COLUMN {} DROP DEFAULT", column.name)
            turn = f"ALTER COLUMN {{0}} TYPE {other} USING {{0}}::{other}"
            yield plant.block(drop, plant.altered(table.name, turn, column.name))
    for key in table.foreign_keys:
        texts = "ALTER COLUMN {0} DROP DEFAULT, ALTER COLUMN {0} DROP IDENTITY IF EXISTS, ALTER COLUMN {0} TYPE text"
        yield plant.block(
            plant.without(table.name, key.name),
            *(plant.altered(table.name, texts, name) for name in key.columns),
            *(plant.altered(key.target, texts, name) for name in key.target_columns),
            ddl.altered(table.name, SQL("ADD {}").format(ddl.foreign_key_clause(key.name, key))),
        )


_PLANTED = ("numeric", "integer", "boolean", "timestamptz", "date", "uuid", "interval", "json", "jsonb", "bytea")
