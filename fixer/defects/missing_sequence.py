"""A sequence of the contract is missing: one that a default calls, or from which the application takes its numbers.

Costs: every nextval of it fails with 42P01 undefined_table, and inserts with it. A default that calls it cannot be set,
nor its table or column be created.
Cure: create it as the contract declares it, before what calls it; code-behind and sequence-behind move it past the
rows. If a sequence has a similar name, a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer.defects._counters import labels, parcels, sold_tickets
from fixer.defects.code_behind import ROWS, invoices
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import sequences_in
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, RefusalError, Repair, Step
from fixer.model.subject import OfTable
from fixer.model.table import QName, Sequence, Table
from fixer.model.values import dataclass
from fixer.repair.columns import calls, stands_apart
from fixer.repair.counting.attaching import let_count_by, own
from fixer.repair.owners import belonging, see_that_it_may_create
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier

SLUG = "missing-sequence"
POINT = 4
STAGE = Stage.SEQUENCES


@dataclass(frozen=True)
class MissingSequence(OfTable):
    """A missing sequence, with the first column that counts by it, if any, and the tables of all that do."""

    wanted: Sequence
    counting: str | None = None
    callers: tuple[QName, ...] = ()

    @property
    def object(self) -> str:
        """Its name."""
        return str(self.wanted.name)

    @property
    def column(self) -> str | None:
        """The column."""
        return self.counting


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[MissingSequence]]:
    """Yield the sequences of the contract that do not exist, unless they come with the column that owns them."""
    missing = (each for name, each in contract.schema.sequences.items() if name not in actual.sequences)
    for sequence in (each for each in missing if stands_apart(each, contract)):
        called, name = list(_callers(sequence, contract)), sequence.name
        taken = [] if called else list(_clients(name, contract))
        table, column = next(iter(called or taken), (name, None))
        spelt = name.name if name.schema == table.schema else str(name)
        how = f", which the default of {table.name}.{column} calls," if called else ""
        how = f", by which the application numbers {table.name}.{column}," if taken else how
        tables = tuple(dict.fromkeys(each for each, _ in called or taken))
        message = f"{spelt}{how} should be a sequence, is missing"
        yield Finding(SLUG, POINT, MissingSequence(table, sequence, column, tables), message)


def _callers(sequence: Sequence, contract: Contract) -> Iterator[tuple[QName, str]]:
    """Yield the columns whose default calls a sequence."""
    for name, table in contract.tables.items():
        for column in table.columns.values():
            if sequence.name in calls(name, column, contract):
                yield name, column.name


def _clients(sequence: QName, contract: Contract) -> Iterator[tuple[QName, str]]:
    """Yield the columns for which the application itself takes numbers of a sequence."""
    for name, hints in contract.hints.items():
        yield from ((name, column) for column, hint in hints.columns.items() if hint.client == sequence)


def _like(wanted: QName, actual: Schema, contract: Contract) -> Iterator[QName]:
    """Yield the sequences of a similar name that the contract does not know: one of them may be the wanted one."""
    word = re.compile(r"[\W_]+")
    for each in actual.sequences.values():
        known = each.name in contract.schema.sequences or each.owned_by
        if not known and word.sub("", each.name.name).lower() == word.sub("", wanted.name).lower():
            yield each.name


def repair(finding: Finding[MissingSequence], actual: Schema, contract: Contract) -> Repair:
    """Create the sequence, and let those use it that may insert into the tables whose defaults call it."""
    about = finding.about
    name = about.wanted.name
    if name in actual.names:
        raise RefusalError(f"a table, a view or an index is called {name}: rename that")
    if like := min(_like(name, actual, contract), default=None):
        raise RefusalError(f"{q.quoted(like)} may be it, and knows which numbers were given: {_renaming(like, name)}")
    see_that_it_may_create(str(name), name.schema, actual)
    return Repair.of(_steps(about, actual, contract))


def _renaming(found: QName, wanted: QName) -> str:
    """Return the statements by which a person gives a sequence the name and the schema of a wanted one."""
    renamed = q.quoted([wanted.name])
    rename = f"ALTER SEQUENCE {q.quoted(found)} RENAME TO {renamed};" if found.name != wanted.name else ""
    there = q.quoted(found._replace(name=wanted.name))
    move = f"ALTER SEQUENCE {there} SET SCHEMA {q.quoted([wanted.schema])};" if found.schema != wanted.schema else ""
    return f"{rename} {move}".strip() + " then plan again"


def _steps(about: MissingSequence, actual: Schema, contract: Contract) -> Iterator[Step]:
    name = about.wanted.name
    create, first = ddl.create_sequence(about.wanted), "" if about.callers else f", from {about.wanted.start} on"
    step = Step(Phase.SEQUENCES, about.table, f"create the sequence {name.name}{first}", create, Lock.NONE)
    owner = actual.owner_of_most(about.callers) or actual.owner_of_most(contract.tables)
    yield from belonging(step, "SEQUENCE", name, owner, actual)
    for caller in about.callers:
        olds = (caller._replace(name=old) for old in contract.hints[caller].legacy_names)
        if any(each in actual.tables for each in (caller, *olds)):
            yield replace(let_count_by(name, caller), phase=Phase.NAMES)  # the table has its name by then
    if about.wanted.owned_by:
        yield own(name, *about.wanted.owned_by)


def foresee(finding: Finding[MissingSequence], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the sequence."""
    made = replace(finding.about.wanted, created=True)
    return replace(actual, sequences={**actual.sequences, made.name: made}, names=actual.names | {made.name})


SENT = 'INSERT INTO parcels SELECT 1 - 2 * g FROM generate_series(1, 5) AS g; SELECT setval(\'"Par""cels %"\', -9)'
_LABELLED = (
    "CREATE TABLE tags_1 PARTITION OF tags FOR VALUES FROM (0) TO (100); INSERT INTO tags VALUES (1), (2);"
    "ALTER TABLE tags_1 ALTER code DROP DEFAULT;"
    "INSERT INTO labels SELECT FROM generate_series(1, 3)"
)
_SOLD = "INSERT INTO tickets SELECT FROM generate_series(1, 4)"
_GONE = 'DROP SEQUENCE "La.b""el" CASCADE'
SPECIMENS = (
    Specimen(
        "with the default that called it",
        "DROP SEQUENCE invoice_numbers CASCADE",
        also=frozenset({"missing-default", "code-behind"}),
        contract=invoices,
        setup=ROWS,
    ),
    Specimen(
        "with the table whose default called it",
        "DROP TABLE invoices; DROP SEQUENCE invoice_numbers",
        also=frozenset({"missing-table"}),
        contract=invoices,
        setup=ROWS,
    ),
    Specimen(
        "with the column whose default called it",
        "ALTER TABLE invoices DROP COLUMN code; DROP SEQUENCE invoice_numbers",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-column", "missing-unique"}),
        contract=invoices,
        setup=ROWS,
    ),
    Specimen(
        "with the defaults of two tables, one of them partitioned",
        _GONE,
        also=frozenset({"missing-default"}),
        contract=labels,
        setup=_LABELLED,
    ),
    Specimen(
        "with a table that counts by it",
        'DROP TABLE tickets; DROP SEQUENCE "Ids%"',
        also=frozenset({"missing-table"}),
        contract=sold_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the default that counts by it",
        'DROP SEQUENCE "Ids%" CASCADE',
        also=frozenset({"missing-generator"}),
        contract=sold_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the default, under rows that repeat",
        'ALTER TABLE tickets DROP CONSTRAINT tickets_pkey; DROP SEQUENCE "Ids%" CASCADE;'
        "INSERT INTO tickets SELECT id, place + 1 FROM tickets WHERE id < 3",
        hazards=frozenset({"rewrites-values"}),
        also=frozenset({"missing-generator", "missing-primary-key", "duplicate-key"}),
        contract=sold_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the key that counts by it",
        'ALTER TABLE tickets DROP id; DROP SEQUENCE "Ids%"',
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-key-column", "missing-primary-key"}),
        contract=sold_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the column that counts by it",
        "ALTER TABLE tickets DROP place; DROP SEQUENCE places",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-column"}),
        contract=sold_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "that no default calls",
        'DROP SEQUENCE "for.the app"',
        contract=sold_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "the application takes its numbers",
        'DROP SEQUENCE papers, "Par""cels %"',
        also=frozenset({"sequence-behind"}),
        contract=parcels,
        setup=SENT,
    ),
    Specimen(
        "one of a similar name is there",
        'ALTER SEQUENCE papers RENAME TO "Papers"',
        contract=parcels,
        setup=SENT,
        manual=True,
    ),
    Specimen(
        "a table has its name",
        "DROP SEQUENCE invoice_numbers CASCADE; CREATE TABLE invoice_numbers (last integer)",
        also=frozenset({"missing-default"}),
        contract=invoices,
        setup=ROWS,
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "another default calls one that the contract does not declare",
        "CREATE SEQUENCE spare; ALTER TABLE invoices ADD COLUMN n bigint DEFAULT nextval('spare') * 2",
        contract=invoices,
        setup=ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a sequence of which a default makes something, with that."""
    for column in table.columns.values():
        called = sequences_in(column.default or "") if not column.generates else []
        yield from (SQL("DROP SEQUENCE IF EXISTS {} CASCADE").format(Identifier(*name)) for name in called)
