"""Different rows share one primary key.

Costs: the primary key cannot be added, and a reference may mean any of these rows.
Cure: the oldest row keeps the key and the references to it (see duplicate-values), or, where nothing tells the oldest,
the one that is stored first (by ctid); the others get new numbers, or a UUID where the contract's default makes one.
If nothing makes new keys, the others go to quarantine; rows that reference them by another key are treated like orphans
(see orphan-rows). Then a row that goes for another fault, such as an orphan, is not the one that stays if another can.
If the key has too few numbers left for them, a person decides.
Hint: `oldest_by` on the table names the column that tells which of the rows is the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import COMPANY_ROWS, TENANCY_ROWS, company, tenancy
from fixer.defects._rekeyed import STAFF, staff
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Part, Phase, Repair, Step, refuse
from fixer.model.subject import OfPrimaryKey
from fixer.model.table import Index, Table
from fixer.repair.counting.new_numbers import new_numbers
from fixer.repair.numbers import giver, numbers_itself, own_value, see_that_none_gives
from fixer.repair.probe import rivals_where, shown
from fixer.repair.quarantine import Mover, unreferenced
from fixer.repair.quarantine.copies import standing
from fixer.repair.quarantine.faults import following, late, weighed, with_own
from fixer.repair.quarantine.keepers import Age, age
from fixer.repair.quarantine.repeats import of_its_own, rivals_of
from fixer.repair.rows import Rivals, counted, rewrite, settled
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.types import family
from fixer.sql.uniques import versions_of

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "duplicate-key"
POINT = 1
STAGE = Stage.PARTS

_RIVAL = SQL("t.pgmend_rival > 1")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfPrimaryKey]]:
    """Yield the primary keys that no index proves unique, with the probe for different rows that share a key."""
    for wanted, table, key in walk.unproved_keys(actual, contract):
        asks = partial(rivals_where, table, key.columns, age(table, contract).order, _RIVAL, shown(wanted))
        message = f"{table.name.name} should have each ({', '.join(key.columns)}) once, has different rows under it"
        yield Finding(SLUG, POINT, OfPrimaryKey(table.name, key), message, asks=asks, only_with_rows=True)


def repair(finding: Finding[OfPrimaryKey], actual: Schema, contract: Contract) -> Repair:
    """Give all rows but the first of each key a new one; move them to quarantine if nothing makes new keys."""
    table = actual.tables[finding.table]
    if versions := versions_of(table, finding.about.wanted.columns):
        return refuse(f"they are versions of one thing, which {versions.name} tells apart by {versions.columns[-1]}")
    key, wanted = finding.about.wanted, contract.tables[finding.table]
    first = age(table, contract)
    numbered = next((c for c in key.columns if numbers_itself(wanted, c)), None)
    if numbered is None and (made := _made(wanted, key)):
        see_that_none_gives(table, *made)
        unreferenced(actual, finding.table, made)
        beside_it = _numbered(finding, table.before_mapping(), made, first).before_mapping()
        return Repair.of((_numbered(finding, table, made, first).online_as((beside_it,)),))
    if numbered is None and settled(table, key.columns) is not Phase.KEYS:
        return Repair.of(_moved(finding, table, actual, contract))
    if numbered is None:
        at_once, beside = (_moved(finding, each, actual, contract) for each in (table, table.before_mapping()))
        return Repair(steps=Repair.of(at_once).steps, online=Repair.of(beside).online)
    numbers = new_numbers(finding.table, numbered, key, actual, contract)
    unreferenced(actual, finding.table, {numbered: numbers.value})
    lightly = _numbered(finding, table.before_mapping(), {numbered: numbers.beside}, first).before_mapping()
    step = _numbered(finding, table, {numbered: numbers.value}, first).online_as((lightly,))
    return Repair.of((numbers.room(finding.rows), step))


def _made(wanted: Table, key: Index) -> dict[str, Composable]:
    """Return the value that tells apart the rows of a key: the UUID of a column that references nothing."""
    for column in (wanted.columns[name] for name in key.columns if giver(name, wanted) is None):
        if "uuid" in (column.default or "") and (value := own_value(column)):
            return {column.name: value}
    return {}


def _sound_first(mover: Mover, table: Table, key: Index, first: Age) -> Rivals:
    """Return the rivals of which one without another fault stays, where one has none."""
    own = weighed(mover, table.name, None)
    wrong, last = with_own(mover, table.name, own), late(mover, table.name, own)
    rivals = _rivals(table, key, first)
    losers = q.among(rivals_of(table, key, first, last), _RIVAL)
    below = following(mover, table.name, losers)
    if not (last or below):
        return rivals
    source = rivals_of(table, key, first, last, below)
    told = of_its_own(wrong, first.told(key, sound=True))
    return replace(rivals, source=source, search=None, kind="", told=told)


def _rivals(table: Table, key: Index, first: Age) -> Rivals:
    rows = SQL("{} AS t").format(q.name(table.name))
    return Rivals(
        q.rivals(rows, table, key.columns, first.order),
        _RIVAL,
        "pgmend_keeper",
        q.alike(table, key.columns, "k", "t"),
        q.copies_and_rivals(rows, table, key.columns, first.order),
        "rival",
    )


def _moved(finding: Finding[OfPrimaryKey], table: Table, actual: Schema, contract: Contract) -> Iterator[Part]:
    """Yield the steps that move the rows, after those for rows that reference them by another key."""
    mover = Mover(actual.with_table(table), contract)
    first = age(table, contract)
    rivals = _sound_first(mover, table, finding.about.wanted, first)
    reason = first.told(finding.about.wanted, sound=rivals.told is not None)
    return mover.quarantine(
        settled(table, finding.about.wanted.columns),
        table.name,
        rivals.condition,
        reason,
        rows=finding.rows,
        rivals=rivals,
        kept=finding.about.wanted.columns,
    )


def _numbered(finding: Finding[OfPrimaryKey], table: Table, given: Mapping[str, Composable], first: Age) -> Step:
    rivals = _rivals(table, finding.about.wanted, first)
    stays = f"the oldest by {first.column}" if first.column else "the first row"
    what = "keys" if any(family(table.columns[name].type) != "integer" for name in given) else "numbers"
    step = rewrite(
        Phase.KEYS,
        table,
        f"give {counted(finding.rows)} of {finding.table.name} new {what}; what references them stays with {stays}",
        given,
        rivals.condition,
        rows=finding.rows,
        known_by=finding.about.wanted.columns,
        rivals=rivals,
    )
    return replace(step, expects=rivals.condition, stands=standing(finding.places, "rival", table))


def badges() -> sa.MetaData:
    """Return a contract whose key is made by its default and referenced."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    made = sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()"))
    sa.Table("badges", metadata, made, sa.Column("name", sa.Text))
    reference: sa.Column[UUID] = sa.Column("badge_id", sa.ForeignKey("badges.id"), index=True)
    sa.Table("worn", metadata, sa.Column("id", sa.Integer, primary_key=True), reference)
    return metadata


SPECIMENS = (
    Specimen(
        "two rows under two keys each",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey;"
        "INSERT INTO reviews SELECT id, book_id, 'another ' || id FROM reviews WHERE id IN (2, 3)",
        hazards=frozenset({"rewrites-values"}),
        rows=2,
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "identical and differing rows under one key",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey;"
        "INSERT INTO reviews SELECT * FROM reviews WHERE id = 2;"
        "INSERT INTO reviews SELECT id, book_id, 'another' FROM reviews WHERE id = 2",
        hazards=frozenset({"rewrites-values", "moves-rows"}),
        rows=1,
        quarantined=2,
        also=frozenset({"missing-primary-key", "duplicate-row"}),
    ),
    Specimen(
        "the next number stands in an orphan",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE books DROP CONSTRAINT books_pkey;"
        "INSERT INTO books SELECT id, author_id, editor_id, NULL, 'another', price, pages FROM books WHERE id = 2;"
        "UPDATE reviews SET book_id = 24 + id WHERE id < 4",
        hazards=frozenset({"rewrites-values", "moves-rows"}),
        rows=1,
        quarantined=3,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "orphan-rows"}),
    ),
    Specimen(
        "a natural key",
        "ALTER TABLE departments DROP CONSTRAINT departments_pkey CASCADE;"
        "INSERT INTO departments VALUES ('D2', 'another')",
        hazards=frozenset({"moves-rows"}),
        rows=1,
        quarantined=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=company,
        setup=COMPANY_ROWS,
    ),
    Specimen(
        "a key of two columns, of which one counts",
        "ALTER TABLE members DROP CONSTRAINT members_pkey CASCADE; INSERT INTO members VALUES (1, 2, 'another');"
        "UPDATE tasks SET member_id = 7 WHERE id < 4",
        hazards=frozenset({"rewrites-values"}),
        rows=1,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "orphan-rows"}),
        contract=tenancy,
        setup=TENANCY_ROWS,
    ),
    Specimen(
        "a key that the default makes",
        "ALTER TABLE badges DROP CONSTRAINT badges_pkey CASCADE; INSERT INTO badges SELECT id, 'another' FROM badges;"
        "INSERT INTO badges SELECT id, 'a third' FROM badges WHERE name = 'a'",
        hazards=frozenset({"rewrites-values"}),
        rows=3,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=badges,
        setup="INSERT INTO badges (name) VALUES ('a'), ('b');"
        "INSERT INTO worn (badge_id) SELECT id FROM badges UNION ALL SELECT id FROM badges",
    ),
    Specimen(
        "two rows of one above, whose key theirs is",
        "ALTER TABLE managers DROP CONSTRAINT managers_id_fkey;"
        "ALTER TABLE badges DROP CONSTRAINT badges_employee_id_fkey;"
        "ALTER TABLE employees DROP CONSTRAINT employees_pkey;"
        "INSERT INTO employees VALUES (2, 'another'), (6, 'a third')",
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-primary-key", "missing-foreign-key"}),
        contract=staff,
        setup=STAFF,
    ),
    Specimen(
        "more rows than there are numbers left",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; INSERT INTO reviews VALUES (2147483646, 1);"
        "INSERT INTO reviews SELECT id, book_id, 'another ' || id FROM reviews WHERE id IN (2, 3)",
        rows=2,
        manual=True,
        also=frozenset({"missing-primary-key", "sequence-behind"}),
    ),
)
NEAR_MISSES = (Specimen("a gap in the numbers", "DELETE FROM reviews WHERE id = 7"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop the primary key, and give one row the key of another."""
    if table.primary_key:
        drop = plant.without(table.name, table.primary_key.name)
        yield plant.block(drop, plant.repeated(table.name, table.primary_key.columns))
