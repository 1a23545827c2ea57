"""The sequence will hand out ids that exist already, as after a data-only restore.

Costs: inserts fail with 23505 duplicate key value violates unique constraint, once per existing id that it reaches.
Cure: move the sequence past the highest id, never back. The check reads its position and tries no insert: nextval
survives a rollback, so a trial would move the sequence and hide the defect. A sequence whose position the role may not
read is reported too, for a person; so is one with no number left: a row has the last one, or had it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import by_twos, downwards, in_turn
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import as_needed, literal
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfSequence
from fixer.model.table import Column as Key
from fixer.model.table import QName, Sequence
from fixer.model.table import Table as FoundTable
from fixer.model.values import dataclass
from fixer.repair.numbers import advance, held, is_spent, last_number
from fixer.repair.probe import counted_by, next_number, rows_where
from fixer.repair.sequences import ask_for, unknown
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import MAXIMA, family

SLUG = "sequence-behind"
POINT = 1
STAGE = Stage.PARTS


@dataclass(frozen=True)
class Numbered(OfSequence):
    """A column, with its sequence and the last number that both can take."""

    end: int


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Numbered]]:
    """Yield the columns that a sequence numbers, with the probe for rows that it has yet to reach."""
    declared = walk.sequences(actual, contract, alike=True)
    for table, column, sequence, model in (*declared, *_unknown_keys(actual, contract), *_taken(actual, contract)):
        if model and model.cycle:
            continue  # it starts over on purpose
        way, name = "above its maximum" if sequence.increment > 0 else "below its minimum", sequence.name
        spelt = name.name if name.schema == table.name.schema else str(name)
        should = f"{table.name.name}.{column.name} should be numbered from {way}"
        largest, found = MAXIMA["bigint"], table.columns[column.name]
        top = max(MAXIMA.get(column.type, largest), MAXIMA.get(found.type, largest))
        end, known = last_number(sequence, model, top), _is_known(sequence)
        asks, repair = partial(_ahead, actual, table.name, column.name, sequence, end), Repair()
        message, spent = f"{should}, {spelt} will hand out values that exist already", is_spent(sequence, end)
        if spent:
            message = f"{should}, {spelt} gave its last number, {sequence.last_value}"
        if not known:
            asks = partial(rows_where, actual, table.name, q.not_null([column.name]), own=True)
            message, repair = f"{should}, this role may not read where {spelt} stands", unknown(sequence, actual)
        yield Finding(
            SLUG,
            POINT,
            Numbered(table.name, column.name, sequence, end),
            message,
            "error" if known else "warning",  # a role that may only read tables can know no more
            asks=asks,
            only_with_rows=not spent,
            of_rows=not spent,
            repair=repair,
        )


def _taken(actual: Schema, contract: Contract) -> Iterator[tuple[FoundTable, Key, Sequence, Sequence | None]]:
    """Yield the columns for which the application itself takes numbers of a sequence, which no default calls."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        clients = {name: hints.client for name, hints in contract.hints[table.name].columns.items() if hints.client}
        for name, meant in wanted.columns.items():
            client = clients.get(name) if clients else None
            if not (counter := client or meant.sequence):
                continue
            found = table.columns.get(name)
            if not found or table.created or found.sequence == counter:
                continue
            sequence = actual.sequences.get(counter)
            if not sequence:
                continue
            is_left = meant.generates and not found.generates  # to missing-generator, which cannot widen a range
            asked = sequence.created and _is_narrow(sequence, meant) if is_left else client is not None
            if asked and family(found.base or found.type) == family(meant.type) == "integer":
                yield table, meant, sequence, contract.schema.sequences.get(sequence.name)


def _is_narrow(sequence: Sequence, column: Key) -> bool:
    """Return whether a sequence ends before the type of a column does."""
    end = MAXIMA.get(column.type, MAXIMA["bigint"])
    return sequence.maximum < end if sequence.increment > 0 else sequence.minimum > -end - 1


def _unknown_keys(actual: Schema, contract: Contract) -> Iterator[tuple[FoundTable, Key, Sequence, None]]:
    """Yield the unique columns that the contract does not know, and that a sequence of their own numbers."""
    for wanted, table in walk.tables(actual, contract):
        for index in table.indexes:
            column = table.columns.get(index.columns[0]) if len(index.columns) == 1 else None
            sequence = actual.sequences.get(column.sequence) if column and column.sequence else None
            if column is None or sequence is None or column.name in wanted.columns or not index.is_plain_key:
                continue
            if not (sequence.cycle or is_spent(sequence, last_number(sequence, None, MAXIMA["bigint"]))):
                yield table, column, sequence, None


def _is_known(sequence: Sequence) -> bool:
    return sequence.readable or sequence.last_value is not None


def _ahead(actual: Schema, table: QName, column: str, sequence: Sequence, end: int) -> Probe:
    """Return the probe for rows that the sequence has yet to reach; the last number counts even if it was given."""
    next_, value = _position(sequence, end), q.column(column)
    condition = SQL("{} >= {}" if sequence.increment > 0 else "{} <= {}").format(value, next_)
    if abs(sequence.increment) > 1:  # it steps over the numbers in between, which other sequences may give
        condition += SQL(" AND mod({}::numeric - {}, {}) = 0").format(value, next_, Literal(abs(sequence.increment)))
    rows = counted_by(actual.tables[table], sequence)
    return Probe(rows, condition, (value,), downwards=sequence.increment > 0)


def _position(sequence: Sequence, end: int) -> Composable:
    """Return the first number that the sequence has not given, or the last one if all were given.

    It is a SELECT as a whole, which PostgreSQL asks once, and not for each row.
    """
    nearest = SQL("least" if sequence.increment > 0 else "greatest")
    return SQL("(SELECT {}({}, {})::bigint)").format(nearest, next_number(sequence), Literal(end))


def repair(finding: Finding[Numbered], actual: Schema, contract: Contract) -> Repair:
    """Move the sequence past the highest id, or past the lowest if it descends; refuse if no number is left there."""
    table, column, found, end = finding.table, finding.about.column, finding.about.found, finding.about.end
    utmost = finding.sample[0][0] if finding.sample else None
    wider = "give it a wider type, here and in the contract" if abs(end) < MAXIMA["bigint"] else "give it other ids"
    if utmost is not None and is_spent(replace(found, last_value=int(utmost)), end):
        return refuse(f"{table.name}.{column} holds {utmost}, and {found.name.name} has no number beyond: {wider}")
    if is_spent(found, end):
        return refuse(
            f"{wider}, or if nothing remembers the numbers of rows that are gone: {_back(found, table, column)}"
        )
    ask_for(found, table, actual)
    return Repair.of([advance(table, column, found.name, held(table, column, actual, contract.schema))])


def _back(sequence: Sequence, table: QName, column: str) -> str:
    """Return the statement with which a person lets a sequence go on from the rows that are there."""
    home, name, schema, relation, of = map(as_needed, (*sequence.name, *table, column))
    nearest, named = "max" if sequence.increment > 0 else "min", literal(f"{home}.{name}")
    return f"SELECT setval({named}, (SELECT coalesce({nearest}({of}), {sequence.start}) FROM {schema}.{relation}))"


TURNS = "INSERT INTO slots DEFAULT VALUES; INSERT INTO slots DEFAULT VALUES"
TURNED = "INSERT INTO slots DEFAULT VALUES; DELETE FROM slots WHERE id < 3"
ODD_NUMBERS = "INSERT INTO events SELECT FROM generate_series(1, 5)"
SPECIMENS = (
    Specimen("behind", "SELECT setval('reviews_id_seq', 40)", rows=8),
    Specimen(
        "behind, of a key that the contract does not know",
        "ALTER TABLE reviews ADD COLUMN n serial UNIQUE; SELECT setval('reviews_n_seq', 40)",
        rows=8,
    ),
    Specimen(
        "never called",
        "ALTER SEQUENCE reviews_id_seq RESTART; SELECT setval('reviews_id_seq', 1, false)",
        rows=48,
    ),
    Specimen(
        "a row has the last number", "INSERT INTO reviews (id, book_id) VALUES (2147483647, 1)", rows=1, manual=True
    ),
    Specimen(
        "no number is left",
        "INSERT INTO reviews (id, book_id) VALUES (2147483647, 1); SELECT setval('reviews_id_seq', 2147483647)",
        rows=1,
        manual=True,
    ),
    Specimen(
        "no number is left, and the row with the last one is gone",
        "SELECT setval('reviews_id_seq', 2147483647)",
        manual=True,
    ),
    Specimen(
        "no number is left, and no row at all",
        "TRUNCATE reviews; ALTER SEQUENCE reviews_id_seq AS bigint; SELECT setval('reviews_id_seq', 2147483647)",
        manual=True,
    ),
    Specimen(
        "no number is left below",
        "SELECT setval(pg_get_serial_sequence('events', 'id'), -2147483648)",
        contract=downwards,
        setup=ODD_NUMBERS,
        manual=True,
    ),
    Specimen(
        "a row has the last number below, and that of its type is far",
        "ALTER SEQUENCE events_id_seq MINVALUE -8; INSERT INTO events (id) VALUES (-8)",
        rows=1,
        also=frozenset({"narrow-sequence"}),
        contract=downwards,
        setup=ODD_NUMBERS,
    ),
    Specimen(
        "a row has the last number below, which is above zero",
        "ALTER SEQUENCE events_id_seq MINVALUE 3 MAXVALUE 9 START 9 RESTART; INSERT INTO events (id) VALUES (3)",
        rows=6,
        also=frozenset({"narrow-sequence"}),
        contract=downwards,
        setup=ODD_NUMBERS,
    ),
    Specimen(
        "no odd number is left",
        "SELECT setval(pg_get_serial_sequence('events', 'id'), 2147483647)",
        contract=by_twos,
        setup=ODD_NUMBERS,
        manual=True,
    ),
    Specimen(
        "behind below",
        "INSERT INTO events (id) VALUES (-6), (-7), (-8), (100)",
        contract=downwards,
        setup=ODD_NUMBERS,
        rows=3,
    ),
    Specimen(
        "behind in larger steps",
        "INSERT INTO events (id) VALUES (10), (11), (12)",
        contract=by_twos,
        setup=ODD_NUMBERS,
        rows=1,
    ),
)
NEAR_MISSES = (
    Specimen(
        "numbers that it steps over",
        "INSERT INTO events (id) VALUES (10), (12)",
        contract=by_twos,
        setup=ODD_NUMBERS,
    ),
    Specimen(
        "numbers above one that descends",
        "INSERT INTO events (id) VALUES (6), (7)",
        contract=downwards,
        setup=ODD_NUMBERS,
    ),
    Specimen("the last number comes next", "SELECT setval('reviews_id_seq', 2147483647, false)"),
    Specimen("one that numbers nothing is at its end", "CREATE SEQUENCE rest MAXVALUE 2; SELECT setval('rest', 2)"),
    Specimen("all were given, and it starts over on purpose", TURNED, contract=in_turn, setup=TURNS),
    Specimen(
        "the last number below was given",
        "INSERT INTO events (id) VALUES (2147483647)",
        contract=downwards,
        setup=ODD_NUMBERS,
    ),
    Specimen(
        "numbers that the contract's type has not",
        "ALTER TABLE reviews ALTER id TYPE bigint; ALTER SEQUENCE reviews_id_seq AS bigint;"
        "SELECT setval('reviews_id_seq', 3000000000); INSERT INTO reviews (id, book_id) VALUES (3000000000, 1)",
    ),
    Specimen("far ahead", "SELECT setval('reviews_id_seq', 4000)"),
    Specimen("just ahead", "SELECT setval('reviews_id_seq', 49, false)"),
)


def mutate(table: FoundTable) -> Iterator[Composable]:
    """Yield statements that plant it in a table: set a sequence back."""
    for column in plant.writable(table):
        if column.generates:
            shared = Literal(q.quoted(column.sequence)) if column.sequence and not column.identity else None
            yield SQL("SELECT setval({}, 1, false)").format(shared or q.generator_of(table.name, column.name))
