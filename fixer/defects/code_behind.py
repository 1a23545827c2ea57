"""A default makes a value of a sequence, such as 'INV-' || nextval(…), which a row already has.

Costs: inserts fail with 23505 duplicate key value violates unique constraint, once per existing value that it reaches.
Cure: move the sequence past the last number of whose value a row is there, never back. The check draws no number: it
computes the next value from the position of the sequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Column as SAColumn
from sqlalchemy import Integer, MetaData, Text, text
from sqlalchemy import Sequence as SASequence
from sqlalchemy import Table as SATable

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step
from fixer.model.subject import OfSequence
from fixer.model.table import Sequence, Table
from fixer.repair.defaults.drawing import DRAW, quoted_in_full
from fixer.repair.numbers import OF_SEQUENCE
from fixer.repair.probe import rows_where
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal

SLUG = "code-behind"
POINT = 1
STAGE = Stage.PARTS
_LITERAL = re.compile(r"'(?:[^']|'')*'")
# Calls of PostgreSQL's own that change nothing; a name with a schema, or in quotation marks, may be anybody's.
_PLAIN = {"lpad", "rpad", "to_char", "concat", "upper", "lower", "now", "date_part", "extract", "varying", "numeric"}


@dataclass(frozen=True)
class Coded(OfSequence):
    """A column, with the sequence of which its default makes a value, and the default around the number."""

    around: tuple[str, str]

    def code(self, number: Composable) -> Composed:
        """Return the value that the default makes of a number."""
        return SQL("{}({}){}").format(SQL(self.around[0]), number, SQL(self.around[1]))


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Coded]]:
    """Yield the unique columns whose default makes values of a sequence, with the probe for a row that has the next."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        for about in _coded(wanted, table, actual):
            here, name = f"{table.name.name}.{about.column}", about.found.name
            message = f"{here} should get a value that no row has, {name.name} makes one that stands there"
            filled = wanted.columns[about.column].not_null and not table.columns[about.column].not_null
            asks = partial(_taken, about, filled, actual)
            yield Finding(SLUG, POINT, about, message, asks=asks, only_with_rows=True, of_rows=True)


def _coded(wanted: Table, table: Table, actual: Schema) -> Iterator[Coded]:
    """Yield the columns that are or will be unique, and whose default makes a value of one number and nothing unknown.

    The contract's default counts, because the repair gives it to the column.
    """
    for column in (table.columns[name] for name in wanted.columns if name in table.columns):
        if not walk.takes(column, wanted.columns[column.name]):
            continue  # its type is a finding of its own
        default = next((d for d in (wanted.columns[column.name].default, column.default) if d and "nextval" in d), None)
        if default is None or column.sequence or column.added:
            continue
        before, *rest = DRAW.split(default)
        keys = (*table.indexes, *wanted.indexes)
        unique = any(index.is_plain_key and index.columns == (column.name,) for index in keys)
        if unique and len(rest) == 2 and _is_plain(f"{before}1{rest[1]}"):
            called = (each for each in actual.sequences.values() if q.quoted(each.name) == quoted_in_full(rest[0]))
            yield from (Coded(table.name, column.name, each, (before, rest[1])) for each in called if each.readable)


def _is_plain(default: str) -> bool:
    """Return whether an expression calls nothing but what is known to change nothing."""
    bare = _LITERAL.sub("''", default)
    return not set('."') & set(bare) and set(re.findall(r"(\w+)\s*\(", bare)) <= _PLAIN


def _next(sequence: Sequence) -> Composed:
    """Return the first number that the sequence has not given."""
    return SQL("SELECT s.last_value + s.is_called::integer * {}::bigint FROM {} AS s").format(
        Literal(sequence.increment), q.name(sequence.name)
    )


def _taken(about: Coded, filled: bool, actual: Schema) -> Probe:
    """Return the probe for rows with the next code, or with one of those next codes that rows without any will get."""
    column = q.column(about.column)
    number: Composable = SQL("({})").format(_next(about.found))
    if not filled:
        return rows_where(actual, about.table, SQL("{} = ({})").format(column, about.code(number)), own=True)
    within = SQL("{} IN (SELECT {} FROM generate_series(0, (SELECT count(*) FROM {} WHERE {} IS NULL)) AS k (n))")
    code = about.code(SQL("{} + k.n * {}").format(number, Literal(about.found.increment)))
    rows = q.rows_of(actual.tables[about.table])
    return rows_where(actual, about.table, within.format(column, code, rows, column), own=True)


def repair(finding: Finding[Coded], actual: Schema, contract: Contract) -> Repair:
    """Move the sequence past the last number of whose value a row is there."""
    about = finding.about
    block = q.block(
        "numbers/past_codes",
        generator=SQL("{}::regclass").format(Literal(q.quoted(about.found.name))),
        sequence=q.name(about.found.name),
        table=q.name(about.table),
        column=q.column(about.column),
        code=about.code(SQL("next + k.n * pace")),
    )
    title = f"bring the numbers of {about.table.name}.{about.column} ahead of the data"
    return Repair.of([Step(Phase.GENERATORS, about.table, title, block, lock=OF_SEQUENCE)])


def invoices() -> MetaData:
    """Return a contract with a unique text that its default makes of a sequence."""
    metadata = MetaData()
    SASequence("invoice_numbers", metadata=metadata)
    made = text("'I%.' || lpad(nextval('invoice_numbers')::text, 4, '0')")
    code = SAColumn("code", Text, server_default=made, nullable=False, unique=True)
    SATable("invoices", metadata, SAColumn("id", Integer, primary_key=True), code)
    return metadata


ROWS = "INSERT INTO invoices (id) SELECT nextval('invoices_id_seq') FROM generate_series(1, 6)"
SPECIMENS = (
    Specimen("behind", "SELECT setval('invoice_numbers', 1, false)", rows=1, contract=invoices, setup=ROWS),
    Specimen(
        "behind, with gaps",
        "DELETE FROM invoices WHERE id IN (2, 4); SELECT setval('invoice_numbers', 2)",
        rows=1,
        contract=invoices,
        setup=ROWS,
    ),
    Specimen(
        "behind, where neither the default nor the unique is there",
        "ALTER TABLE invoices ALTER code DROP DEFAULT, DROP CONSTRAINT invoices_code_key;"
        "SELECT setval('invoice_numbers', 3)",
        rows=1,
        also=frozenset({"missing-default", "missing-unique"}),
        contract=invoices,
        setup=ROWS,
    ),
    Specimen(
        "behind, once rows without a code have got one",
        "ALTER TABLE invoices ALTER code DROP NOT NULL; UPDATE invoices SET code = NULL WHERE id IN (3, 5);"
        "DELETE FROM invoices WHERE id = 4; SELECT setval('invoice_numbers', 3)",
        hazards=frozenset({"rewrites-values"}),
        rows=1,
        also=frozenset({"missing-not-null", "null-rows"}),
        contract=invoices,
        setup=ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("at the last value", "SELECT setval('invoice_numbers', 6)", contract=invoices, setup=ROWS),
    Specimen("set, not called", "SELECT setval('invoice_numbers', 7, false)", contract=invoices, setup=ROWS),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: set the sequence of a default that makes codes back to its start."""
    for column in table.columns.values():
        drawn = DRAW.findall(column.default or "") if not column.sequence else []
        yield from (SQL("SELECT setval({}, 1, false)").format(Literal(name.replace("''", "'"))) for name in drawn)
