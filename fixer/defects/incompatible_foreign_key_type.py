"""A referencing column has a type that cannot be compared with its parent's key.

Costs: the foreign key cannot be added: 42804 foreign key constraint cannot be implemented.
Cure: convert the column; rows whose value cannot be converted go to quarantine first. A column that holds the texts
of an old key is mapped instead (see text-reference).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import OfColumn
from fixer.model.table import ForeignKey, Table
from fixer.model.values import dataclass
from fixer.repair.conversion.steps import converted, foresee_conversion
from fixer.repair.conversion.values import misfits
from fixer.sql.compose import Composable

SLUG = "incompatible-foreign-key-type"
POINT = 2
STAGE = Stage.COLUMNS


@dataclass(frozen=True)
class Referencing(OfColumn):
    """A column, with the foreign key of the contract that it is to hold."""

    key: ForeignKey

    @property
    def part(self) -> ForeignKey:
        """The foreign key."""
        return self.key


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the referencing columns whose type is of another family than the contract's."""
    seen = set()
    for key, table, wanted, found in walk.referencing_columns(actual, contract):
        if (key.table, wanted.name) in seen or table.created or found.now is not None:
            continue
        seen.add((key.table, wanted.name))
        if not walk.takes(found, wanted):
            should = f"{key.table.name}.{wanted.name} should be {wanted.type} to reference {key.target.name}"
            about = Referencing(key.table, wanted.name, key)
            yield from misfits(Finding(SLUG, POINT, about, f"{should}, is {found.type}"), actual, contract)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Convert the column."""
    return converted(finding, actual, contract)


def foresee(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column converted."""
    return foresee_conversion(finding, actual, contract)


BREAK = (
    "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
    "ALTER TABLE reviews ALTER COLUMN book_id TYPE varchar(20);"
)
SPECIMENS = (
    Specimen(
        "numbers as texts",
        BREAK,
        hazards=frozenset({"rewrites-values"}),
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "a text that is no number",
        f"{BREAK} UPDATE reviews SET book_id = 'none' WHERE id < 3",
        hazards=frozenset({"rewrites-values", "moves-rows"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "a text that is no number, in a reference that may be emptied",
        "ALTER TABLE books DROP CONSTRAINT books_reviewer_id_fkey; ALTER TABLE books ALTER reviewer_id TYPE text;"
        "UPDATE books SET reviewer_id = 'n/a' WHERE id < 3",
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=frozenset({"missing-foreign-key"}),
    ),
    Specimen(
        "a text that points at no row",
        f"{BREAK} UPDATE reviews SET book_id = '99' WHERE id < 3",
        hazards=frozenset({"rewrites-values", "moves-rows"}),
        quarantined=2,
        also=frozenset({"missing-foreign-key", "orphan-rows"}),
    ),
    Specimen(
        "floats",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE reviews ALTER COLUMN book_id TYPE double precision",
        hazards=frozenset({"rewrites-values"}),
        also=frozenset({"missing-foreign-key"}),
    ),
)
NEAR_MISSES = (
    Specimen("a wider integer", "ALTER TABLE reviews ALTER COLUMN book_id TYPE bigint"),
    Specimen("a domain", "CREATE DOMAIN book AS integer; ALTER TABLE reviews ALTER COLUMN book_id TYPE book"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a reference to numbers be of texts."""
    for key in table.foreign_keys:
        if len(key.columns) == 1:
            turn = "ALTER COLUMN {0} DROP DEFAULT, ALTER COLUMN {0} TYPE text"
            yield plant.block(plant.without(table.name, key.name), plant.altered(table.name, turn, key.columns[0]))
