"""Identical rows stand under one key, as after a restore that ran twice.

Costs: the key cannot be added; sums count twice.
Cure: keep the first, move its copies to quarantine. What references the key keeps its row.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer import sqltext as q
from fixer.contract import Contract
from fixer.findings import Finding, Probe, Specimen, Stage, shown
from fixer.schema import Schema
from fixer.sqltext import SQL
from fixer.steps import Hazard, Lock, Phase, Repair, Step, counted, move_statement

SLUG = "duplicate-row"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the keys that the catalogue does not prove, with the probe for identical rows."""
    for name, wanted in contract.tables.items():
        key, table = wanted.primary_key, actual.tables.get(name)
        if key and table and set(key.columns) <= set(table.columns) and not table.has_key_on(key.columns):
            copies = q.copies(q.rows_of(table), table, key.columns)
            probe = Probe(copies, SQL("t.copy > 1"), shown(wanted), shared=False)
            message = f"{name.name} should have each ({', '.join(key.columns)}) once, has identical rows"
            yield Finding(SLUG, POINT, str(name), message, name, part=key, probe=probe, only_with_rows=True)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Move the copies away; their children stay with the row that is kept."""
    table = actual.tables[finding.table]
    rows = SQL("{} AS t").format(q.name(finding.table))
    copies = q.copies(rows, table, finding.part.columns)
    where = q.among(copies, SQL("t.copy > 1"))
    reason = "an identical copy of a row that stays"
    step = Step(
        phase=Phase.COPIES,
        table=finding.table,
        title=f"move {counted(finding.rows)} of {finding.table.name} to quarantine: {reason}",
        sql=move_statement(table, where, reason),
        lock=Lock.ROW_EXCLUSIVE,
        hazard=Hazard.MOVES_ROWS,
        rows=finding.rows,
        moves=True,
    )
    return Repair((step,))


SPECIMENS = (
    Specimen(
        "three rows restored twice",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_pkey; INSERT INTO reviews SELECT * FROM reviews WHERE id < 4",
        hazards=frozenset({"moves-rows"}),
        rows=3,
        quarantined=3,
        also=frozenset({"missing-primary-key"}),
    ),
    Specimen(
        "one row restored three times, with children",
        "ALTER TABLE books DROP CONSTRAINT books_pkey CASCADE, DROP CONSTRAINT books_author_id_title_key;"
        "INSERT INTO books SELECT b.* FROM books b, generate_series(1, 2) WHERE id = 3",
        hazards=frozenset({"moves-rows"}),
        rows=2,
        quarantined=2,
        also=frozenset({"missing-primary-key", "missing-foreign-key", "missing-unique"}),
    ),
)
NEAR_MISSES = (
    Specimen("equal but for the key", "INSERT INTO reviews (book_id, body) SELECT book_id, body FROM reviews"),
)
