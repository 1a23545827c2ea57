"""Rows have NULL in a column of the primary key.

Costs: the primary key cannot be added, and nothing can reference these rows.
Cure: give them new numbers, clear of all that references hold; nothing can have referenced NULL. Where the contract's
default makes a value for each row, such as gen_random_uuid(), they get that. If the contract has neither, move them to
quarantine. If the key has too few numbers left for them, a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import COMPANY_ROWS, TENANCY_ROWS, company, tenancy
from fixer.defects._rekeyed import STAFF, UNTIED, staff
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfColumn
from fixer.model.table import Index, Table
from fixer.model.values import dataclass
from fixer.repair.counting.new_numbers import new_numbers
from fixer.repair.numbers import giver, held, numbers_itself, own_value, see_that_none_gives
from fixer.repair.probe import ordered
from fixer.repair.quarantine import Mover
from fixer.repair.rows import counted, rewrite, settled, untaken
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "null-key"
POINT = 1
STAGE = Stage.PARTS


@dataclass(frozen=True)
class KeyColumn(OfColumn):
    """A column of the primary key that the contract wants."""

    key: Index


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[KeyColumn]]:
    """Yield the key columns that may hold NULL, with the probe for rows that do."""
    for _, table, key in walk.primary_keys(actual, contract):
        for column in key.columns:
            if column in table.columns and not table.columns[column].not_null:
                show = tuple(ordered(table, c) for c in list(table.columns)[:3] if c != column)
                asks = partial(Probe, q.rows_of(table), q.is_null(column), show)
                message = f"{table.name.name}.{column} should be a key, is NULL"
                about = KeyColumn(table.name, column, key)
                yield Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True)


def repair(finding: Finding[KeyColumn], actual: Schema, contract: Contract) -> Repair:
    """Number the rows, or fill them by the default; move them to quarantine if the contract gives them no value."""
    column, wanted = finding.about.column, contract.tables[finding.table]
    numbered = numbers_itself(wanted, column)
    if not numbered and (value := _own_value(wanted, column, actual, contract)):
        return Repair.of([_filled(finding, actual.tables[finding.table], value, "fill")])
    if not numbered:
        mover, reason = Mover(actual, contract), f"its key {column} is NULL"
        condition = q.is_null(column)
        phase = settled(actual.tables[finding.table], (column,))
        return Repair.of(mover.quarantine(phase, finding.table, condition, reason, rows=finding.rows))
    numbers = new_numbers(finding.table, column, finding.about.key, actual, contract)
    step = _filled(finding, actual.tables[finding.table], numbers.value)
    lightly = _filled(finding, actual.tables[finding.table], numbers.beside)
    return Repair.of((numbers.room(finding.rows), step.online_as((lightly,))))


def _own_value(wanted: Table, column: str, actual: Schema, contract: Contract) -> Composable | None:
    """Return the contract's default if it gives each row a value that no reference can hold by chance.

    Not where the row itself references another by it.
    """
    made = own_value(wanted.columns[column])
    if made is None or giver(column, wanted):
        return None
    see_that_none_gives(actual.tables[wanted.name], column)
    if "uuid" not in repr(made) and held(wanted.name, column, actual, contract.schema):
        return None
    return untaken(made, wanted.name, wanted.columns[column])


def _filled(finding: Finding[KeyColumn], table: Table, number: Composable, how: str = "number") -> Step:
    column = finding.about.column
    return rewrite(
        Phase.KEYS,
        table,
        f"{how} {counted(finding.rows)} of {finding.table.name} whose {column} is NULL",
        {column: number},
        q.is_null(column),
        rows=finding.rows,
        known_by=(column,),  # no other row has its new number
        hazard=None,  # nothing can have referenced NULL
    )


def vouchers() -> sa.MetaData:
    """Return a contract whose key is a text that its default makes of a sequence."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence("voucher_numbers", metadata=metadata)
    made = sa.Column("code", sa.Text, primary_key=True, server_default=sa.text("'V' || nextval('voucher_numbers')"))
    sa.Table("vouchers", metadata, made, sa.Column("name", sa.Text))
    return metadata


def tokens() -> sa.MetaData:
    """Return a contract whose key is made by its default."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    made = sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()"))
    sa.Table("tokens", metadata, made, sa.Column("name", sa.Text))
    return metadata


SPECIMENS = (
    Specimen(
        "keys that the default makes",
        "ALTER TABLE tokens DROP CONSTRAINT tokens_pkey; ALTER TABLE tokens ALTER COLUMN id DROP NOT NULL;"
        "UPDATE tokens SET id = NULL WHERE name <> 'a'",
        rows=2,
        also=frozenset({"missing-primary-key"}),
        contract=tokens,
        setup="INSERT INTO tokens (name) VALUES ('a'), ('b'), ('c')",
    ),
    Specimen(
        "keys that the default makes of a sequence that is behind",
        "ALTER TABLE vouchers DROP CONSTRAINT vouchers_pkey; ALTER TABLE vouchers ALTER COLUMN code DROP NOT NULL;"
        "UPDATE vouchers SET code = NULL WHERE name > 'b'; SELECT setval('voucher_numbers', 1, false)",
        rows=2,
        also=frozenset({"missing-primary-key", "code-behind"}),
        contract=vouchers,
        setup="INSERT INTO vouchers (name) VALUES ('a'), ('b'), ('c'), ('d')",
    ),
    Specimen(
        "no key where it is a reference",
        f"{UNTIED} ALTER TABLE managers DROP CONSTRAINT managers_pkey; ALTER TABLE managers ALTER id DROP NOT NULL;"
        "UPDATE managers SET id = NULL WHERE id = 6",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=staff,
        setup=STAFF,
    ),
    Specimen(
        "no key where it is a reference that the contract does not know",
        "ALTER TABLE tokens DROP CONSTRAINT tokens_pkey; ALTER TABLE tokens ALTER id DROP NOT NULL;"
        "CREATE TABLE known AS SELECT id FROM tokens; ALTER TABLE known ADD PRIMARY KEY (id);"
        "ALTER TABLE tokens ADD FOREIGN KEY (id) REFERENCES known; UPDATE tokens SET id = NULL WHERE name = 'a'",
        rows=1,
        manual=True,
        also=frozenset({"missing-primary-key", "rogue-foreign-key"}),
        contract=tokens,
        setup="INSERT INTO tokens (name) VALUES ('a'), ('b'), ('c')",
    ),
    Specimen(
        "two rows without a number",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; ALTER TABLE reviews ALTER COLUMN id DROP NOT NULL;"
        "UPDATE reviews SET id = NULL WHERE id IN (5, 6)",
        rows=2,
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "a function numbers what others reference",
        "CREATE SEQUENCE next_books START 25;"
        "CREATE FUNCTION next_book() RETURNS integer LANGUAGE sql AS 'SELECT nextval(''next_books'')::integer';"
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE books DROP CONSTRAINT books_pkey;"
        "ALTER TABLE books ALTER COLUMN id DROP NOT NULL, ALTER COLUMN id SET DEFAULT next_book();"
        "INSERT INTO books SELECT NULL, author_id, editor_id, NULL, 'another', price, pages FROM books WHERE id = 2;"
        "UPDATE reviews SET book_id = 25 WHERE id < 4",
        rows=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "orphan-rows"}),
        manual=True,
    ),
    Specimen(
        "the next number stands in an orphan",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE books DROP CONSTRAINT books_pkey;"
        "ALTER TABLE books ALTER COLUMN id DROP NOT NULL; ALTER TABLE reviews ALTER COLUMN book_id TYPE text;"
        "INSERT INTO books SELECT NULL, author_id, editor_id, NULL, 'another', price, pages FROM books WHERE id = 2;"
        "UPDATE reviews SET book_id = 24 + id WHERE id < 4; UPDATE reviews SET book_id = '2147483647' WHERE id = 4",
        hazards=frozenset({"moves-rows", "rewrites-values"}),
        rows=1,
        quarantined=4,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "orphan-rows", "incompatible-foreign-key-type"}),
    ),
    Specimen(
        "a natural key",
        "ALTER TABLE departments DROP CONSTRAINT departments_pkey CASCADE;"
        "ALTER TABLE departments ALTER COLUMN code DROP NOT NULL; INSERT INTO departments VALUES (NULL, 'nowhere')",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=company,
        setup=COMPANY_ROWS,
    ),
    Specimen(
        "the number of a key of two columns",
        "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE; ALTER TABLE members ALTER tenant_id DROP NOT NULL,"
        " ALTER id DROP NOT NULL; INSERT INTO members VALUES (1, NULL, 'nobody')",
        rows=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "the other of a key of two columns",
        "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE; ALTER TABLE members ALTER tenant_id DROP NOT NULL,"
        " ALTER id DROP NOT NULL; INSERT INTO members VALUES (NULL, nextval('members_id_seq'), 'nowhere')",
        hazards=frozenset({"moves-rows", "rewrites-values"}),
        rows=1,
        quarantined=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "more rows than there are numbers left",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; ALTER TABLE reviews ALTER COLUMN id DROP NOT NULL;"
        "UPDATE reviews SET id = NULL WHERE id IN (5, 6); UPDATE reviews SET id = 2147483646 WHERE id = 7",
        rows=2,
        manual=True,
        also=frozenset({"missing-primary-key", "sequence-behind"}),
    ),
)
NEAR_MISSES = (Specimen("NULL in another column", "UPDATE reviews SET body = NULL WHERE id = 5"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop the primary key, and set a column of it to NULL in two rows."""
    if not table.primary_key:
        return
    for column in table.primary_key.columns:
        what = "DROP IDENTITY IF EXISTS, ALTER COLUMN {0} DROP NOT NULL"
        yield plant.block(
            plant.without(table.name, table.primary_key.name),
            plant.altered(table.name, f"ALTER COLUMN {{0}} {what}", column),
            plant.set_first(table.name, column, SQL("NULL"), 2),
        )
