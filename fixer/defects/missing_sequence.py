"""A sequence of the contract is missing.

Costs: what asks it for a number fails with 42P01 undefined_table: the application, or a default as it runs. A default
that calls it cannot be set, nor its table or column be created.
Cure: create it as the contract declares it, before what calls it; code-behind moves it past the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fixer.defects.code_behind import ROWS, invoices
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, sequences_in
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, RefusalError, Repair, Step
from fixer.model.subject import OfTable
from fixer.model.table import QName, Sequence, Table
from fixer.repair.columns import calls, stands_apart
from fixer.repair.sequences import let_count_by, own
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-sequence"
POINT = 4
STAGE = Stage.SEQUENCES


@dataclass(frozen=True)
class MissingSequence(OfTable):
    """A missing sequence, with the tables whose defaults call it, and the first column of the first of them.

    Where no default calls it, it stands for itself.
    """

    wanted: Sequence
    callers: tuple[QName, ...] = ()
    called_by: str = ""

    @property
    def object(self) -> str:
        """Its name."""
        return str(self.wanted.name)

    @property
    def column(self) -> str | None:
        """The column whose default calls it, if there is one."""
        return self.called_by or None


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[MissingSequence]]:
    """Yield the sequences of the contract that do not exist, but those that are created along with their columns."""
    missing = (each for name, each in contract.schema.sequences.items() if name not in actual.sequences)
    for sequence in (each for each in missing if stands_apart(each, contract)):
        about = MissingSequence(sequence.name, sequence)
        callers = list(_callers(sequence, contract))
        spelt = sequence.name.name
        if callers:
            table, column = callers[0]
            spelt = spelt if sequence.name.schema == table.schema else str(sequence.name)
            spelt += f", which the default of {table.name}.{column} calls,"
            about = MissingSequence(table, sequence, tuple(dict.fromkeys(name for name, _ in callers)), column)
        yield Finding(SLUG, POINT, about, f"{spelt} should be a sequence, is missing")


def _callers(sequence: Sequence, contract: Contract) -> Iterator[tuple[QName, str]]:
    """Yield the columns whose default calls a sequence."""
    for name, table in contract.tables.items():
        for column in table.columns.values():
            if sequence.name in calls(name, column, contract):
                yield name, column.name


def repair(finding: Finding[MissingSequence], actual: Schema, contract: Contract) -> Repair:
    """Create the sequence, and let those use it that may insert into the tables whose defaults call it."""
    about, session = finding.about, actual.session
    name = about.wanted.name
    if name in actual.names:
        raise RefusalError(f"a table, a view or an index is called {name}: rename that")
    if session and name.schema not in session.creatable:
        home, role = as_needed(name.schema), as_needed(session.role)
        raise RefusalError(f"GRANT CREATE ON SCHEMA {home} TO {role}, which may not create {name}; then plan again")
    return Repair.of(_steps(about, actual, contract))


def _steps(about: MissingSequence, actual: Schema, contract: Contract) -> Iterator[Step]:
    name = about.wanted.name
    create = ddl.create_sequence(about.wanted)
    yield Step(Phase.SEQUENCES, about.table, f"create the sequence {name.name}", create, Lock.NONE)
    owner, session = actual.owner_of_most(about.callers) or actual.owner_of_most(contract.tables), actual.session
    if session and owner and owner != session.role:
        action = SQL("ALTER SEQUENCE {} OWNER TO {}").format(q.name(name), Identifier(owner))
        yield Step(Phase.SEQUENCES, about.table, f"give the sequence {name.name} to {owner}", action, Lock.NONE)
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


def _labels() -> sa.MetaData:
    """Return a contract with a sequence of its own options that two tables call, one of which is partitioned."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence('La.b"el', start=1000, increment=10, metadata=metadata)
    made = sa.text("""lpad(nextval('"La.b""el"')::text, 6, '0')""")
    sa.Table(
        "labels", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("of", sa.Text, server_default=made)
    )
    at = sa.Column("at", sa.Integer, primary_key=True, autoincrement=False)
    code = sa.Column("code", sa.Text, server_default=made)
    sa.Table("tags", metadata, at, code, postgresql_partition_by="RANGE (at)")
    return metadata


def _tickets() -> sa.MetaData:
    """Return a contract with two columns that count by sequences of their own, which none owns."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    ids, places = (
        sa.Sequence("Ids%", metadata=metadata),
        sa.Sequence("places", start=1000, increment=10, metadata=metadata),
    )
    place = sa.Column("place", sa.BigInteger, places, server_default=places.next_value(), nullable=False)
    sa.Table(
        "tickets", metadata, sa.Column("id", sa.Integer, ids, server_default=ids.next_value(), primary_key=True), place
    )
    sa.Sequence("for.the app", start=7, increment=-1, maxvalue=7, minvalue=-90, metadata=metadata)  # it alone asks it
    return metadata


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
        contract=_labels,
        setup=_LABELLED,
    ),
    Specimen(
        "with a table that counts by it",
        'DROP TABLE tickets; DROP SEQUENCE "Ids%"',
        also=frozenset({"missing-table"}),
        contract=_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the default that counts by it",
        'DROP SEQUENCE "Ids%" CASCADE',
        also=frozenset({"missing-generator"}),
        contract=_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the default, under rows that repeat",
        'ALTER TABLE tickets DROP CONSTRAINT tickets_pkey; DROP SEQUENCE "Ids%" CASCADE;'
        "INSERT INTO tickets SELECT id, place + 1 FROM tickets WHERE id < 3",
        hazards=frozenset({"rewrites-values"}),
        also=frozenset({"missing-generator", "missing-primary-key", "duplicate-key"}),
        contract=_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the key that counts by it",
        'ALTER TABLE tickets DROP id; DROP SEQUENCE "Ids%"',
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-key-column", "missing-primary-key"}),
        contract=_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "with the column that counts by it",
        "ALTER TABLE tickets DROP place; DROP SEQUENCE places",
        hazards=frozenset({"rewrites-table"}),
        also=frozenset({"missing-column"}),
        contract=_tickets,
        setup=_SOLD,
    ),
    Specimen(
        "that no default calls",
        'DROP SEQUENCE "for.the app"',
        contract=_tickets,
        setup=_SOLD,
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
