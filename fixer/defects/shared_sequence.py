"""The key is numbered by a sequence that belongs to another column, or that other columns use as well.

Costs: it is dropped with the other table, and a reset to the highest id of that table breaks this one.
Cure: give the key a sequence of its own, set past its highest id; the shared one stays for the others. This needs
permission, because columns may share one on purpose. A sequence that the models themselves name or share stays shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Part, Repair, Step
from fixer.model.subject import WantedColumn
from fixer.model.table import QName, Table
from fixer.repair.numbers import held
from fixer.repair.sequences import Users, declared, give_generator
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, Literal

SLUG = "shared-sequence"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield the columns numbered by a sequence that is not theirs alone, unless the contract shares it as well."""
    users, meant = Users(actual), Users(contract.schema)
    for table, wanted, found in walk.numbered_columns(actual, contract):
        name = table.name
        if found.sequence and users.share(name, found) and not meant.share(name, wanted):
            sequence = actual.sequences[found.sequence]
            if declared(sequence.name, name, wanted, contract):
                continue
            others = sequence.owned_by or next(user for user in users.of(sequence) if user != (name, wanted.name))
            message = (
                f"{name.name}.{wanted.name} should have a sequence of its own,"
                f" counts by {_spelt(sequence.name, name)} of {_spelt(others[0], name)}.{others[1]}"
            )
            yield Finding(SLUG, POINT, WantedColumn(name, wanted), message)


def _spelt(name: QName, beside: QName) -> str:
    return name.name if name.schema == beside.schema else str(name)


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Give the column a sequence of its own."""
    table, column = finding.table, finding.about.wanted
    parts = give_generator(table, column, actual, held(table, column.name, actual, contract.schema))
    return Repair.of(_asking(part) for part in parts)


def _asking(part: Part) -> Part:
    """Return a part that needs permission where it changes the default."""
    return replace(part, hazard=Hazard.REPLACES_CONSTRAINT) if isinstance(part, Step) else part


PERMITTED = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "the default points at another table's sequence",
        "ALTER TABLE reviews ALTER COLUMN id SET DEFAULT nextval('books_id_seq'); DROP SEQUENCE reviews_id_seq",
        hazards=PERMITTED,
    ),
    Specimen(
        "the default points at a sequence of another schema",
        "CREATE SCHEMA apart; CREATE TABLE apart.reviews (id serial PRIMARY KEY); ALTER TABLE reviews ALTER COLUMN id"
        " SET DEFAULT nextval('apart.reviews_id_seq'); DROP SEQUENCE reviews_id_seq",
        hazards=PERMITTED,
    ),
    Specimen(
        "the default points at a sequence of another schema that no column owns",
        "CREATE SCHEMA apart; CREATE SEQUENCE apart.numbers START 1000; CREATE TABLE others (id bigint DEFAULT"
        " nextval('apart.numbers')); ALTER TABLE reviews ALTER COLUMN id SET DEFAULT nextval('apart.numbers')",
        hazards=PERMITTED,
    ),
)
NEAR_MISSES = (
    Specimen(
        "a column that the contract does not know uses it too",
        "ALTER TABLE reviews ADD COLUMN n bigint DEFAULT nextval('reviews_id_seq')",
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let the sequence of another table number a column."""
    other = QName(table.name.schema, "pgmend other")
    for column in plant.writable(table):
        if column.sequence and not column.identity:
            yield plant.block(
                SQL("CREATE TABLE {} (id serial PRIMARY KEY)").format(q.name(other)),
                SQL("SELECT setval({0}, 5000)").format(q.generator_of(other, "id")),
                SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT nextval({})").format(
                    q.name(table.name),
                    Identifier(column.name),
                    Literal(q.quoted(QName(other.schema, "pgmend other_id_seq"))),
                ),
            )
