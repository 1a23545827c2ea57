"""Rows that differ share one key.

Costs: the key cannot be added; a reference to it means either row.
Cure: the first row by insertion keeps the key and all that references it, the others get new numbers.
Without a generator the others go to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from fixer.defects import _walk as walk
from fixer.defects._databases import COMPANY_ROWS, TENANCY_ROWS, company, tenancy
from fixer.model.contract import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfPrimaryKey
from fixer.model.table import ForeignKey, Table
from fixer.repair.numbers import new_numbers
from fixer.repair.probe import rivals_where, shown
from fixer.repair.quarantine import unreferenced
from fixer.repair.rows import Rivals, counted, move, rewrite
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "duplicate-key"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfPrimaryKey]]:
    """Yield the keys that the catalogue does not prove, with the probe for differing rows."""
    for wanted, table, key in walk.unproved_keys(actual, contract):
        asks = partial(rivals_where, table, key.columns, SQL("t.pgmend_rival > 1"), shown(wanted))
        message = f"{table.name.name} should have each ({', '.join(key.columns)}) once, has different rows under it"
        yield Finding(SLUG, POINT, OfPrimaryKey(table.name, key), message, asks=asks, only_with_rows=True)


def repair(finding: Finding[OfPrimaryKey], actual: Schema, contract: Contract) -> Repair:
    """Give all rows but the first of each key a number of their own."""
    table = actual.tables[finding.table]
    key, wanted = finding.about.wanted, contract.tables[finding.table].columns
    numbered = next((c for c in key.columns if wanted[c].generates), None)
    guards = actual.incoming(finding.table)
    if numbered is None:
        step = _settled(finding, table, {}, guards)
        return Repair((replace(step, online=(_settled(finding, table.before_mapping(), {}, guards),)),))
    numbers = new_numbers(finding.table, numbered, key, actual, contract.schema)
    unreferenced(actual, finding.table, {numbered: numbers.value})
    step = _settled(finding, table, {numbered: numbers.value}, guards)
    lightly = _settled(finding, table.before_mapping(), {numbered: numbers.beside}, guards)
    return Repair((numbers.room(finding.rows), replace(step, online=(lightly,))))


def _settled(
    finding: Finding[OfPrimaryKey], table: Table, given: Mapping[str, Composable], guards: Iterable[ForeignKey]
) -> Step:
    key, rows = finding.about.wanted, SQL("{} AS t").format(q.name(table.name))
    rivals = Rivals(
        q.rivals(rows, table, key.columns),
        SQL("t.pgmend_rival > 1"),
        "pgmend_keeper",
        q.alike(table, key.columns, "k", "t"),
        q.copies_and_rivals(rows, table, key.columns),
        "rival",
    )
    where = rivals.condition
    if not given:
        reason = "its key stands on an earlier, different row"
        return move(Phase.KEYS, table, where, reason, rows=finding.rows, rivals=rivals, guards=guards)
    return rewrite(
        Phase.KEYS,
        table,
        f"give {counted(finding.rows)} of {finding.table.name} new numbers;"
        " what references them stays with the first row",
        given,
        where,
        rows=finding.rows,
        known_by=key.columns,
        rivals=rivals,
    )


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
)
NEAR_MISSES = (Specimen("a gap in the numbers", "DELETE FROM reviews WHERE id = 7"),)
