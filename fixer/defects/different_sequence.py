"""A sequence that the contract declares by itself counts otherwise: by other steps, within other bounds, or in circles.

Or one by which a column counts takes other steps than the contract declares for it. Where that declares none, any are
right: two servers that share the numbers count by twos.

Costs: numbers repeat where the application takes several at a time, or inserts fail with 2200H once it has counted to
its end.
Cure: ALTER SEQUENCE to the options of the contract; the number that it gave last stays. A person decides if that number
lies outside the new bounds, or if it gave none and starts outside of them. Where it starts is no difference otherwise,
because that matters only before the first number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.defects._counters import by_steps
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import sequences_in
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName, Sequence, Table
from fixer.model.values import dataclass
from fixer.repair.sequences import unknown
from fixer.sql import compose as q
from fixer.sql.by_hand import of_another
from fixer.sql.compose import SQL, Composable, Identifier, Literal

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "different-sequence"
POINT = 4
STAGE = Stage.PARTS


@dataclass(frozen=True)
class OfApart(OfTable):
    """A sequence, as wanted and as found; `table` is the table that counts by it, or its own name if none does."""

    wanted: Sequence
    found: Sequence


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfApart]]:
    """Yield the sequences that count otherwise than in the contract; of those of columns, by other steps."""
    counting = {column.sequence for table in contract.tables.values() for column in table.columns.values()}
    for name, wanted in contract.schema.sequences.items():
        found = actual.sequences.get(name) if name not in counting else None
        if found and not found.created and _told(found) != _told(wanted):
            spelt = name.name if name.schema == "public" else str(name)
            message = f"{spelt} should count {_told(wanted)}, counts {_told(found)}"
            yield Finding(SLUG, POINT, OfApart(name, wanted, found), message)
    told = set[QName]()  # tables may count by one
    for table, meant, column in walk.columns(actual, contract):
        should = contract.schema.sequences.get(meant.sequence) if meant.sequence else None
        has = actual.sequences.get(column.sequence) if column.sequence else None
        own = has and (has.owned_by == (table.name, column.name) or has.name == meant.sequence)
        if should and has and own and not has.created and has.name not in told and _steps_otherwise(should, has):
            told.add(has.name)
            message = f"{table.name.name}.{column.name} should count by {should.increment}, counts by {has.increment}"
            about = OfApart(table.name, replace(has, increment=should.increment), has)
            yield Finding(SLUG, POINT, about, message, aspect=column.name)


def _steps_otherwise(wanted: Sequence, found: Sequence) -> bool:
    """Return whether the contract declares steps, and a sequence that counts the same way takes others."""
    return abs(wanted.increment) > 1 and wanted.increment != found.increment and wanted.increment * found.increment > 0


def _told(sequence: Sequence) -> str:
    """Return in words how a sequence counts."""
    bounds = f"by {sequence.increment} from {sequence.minimum} to {sequence.maximum}"
    return f"{bounds} in circles" if sequence.cycle else bounds


def repair(finding: Finding[OfApart], actual: Schema, contract: Contract) -> Repair:
    """Change the options; refuse if the last number lies outside the new bounds, or another role owns it."""
    wanted, found = finding.about.wanted, finding.about.found
    if not found.owned:
        return refuse(of_another(found.owner, actual))
    last = found.last_value
    if last is None and not found.readable:
        return unknown(found, actual)
    if last is not None and not wanted.minimum <= last <= wanted.maximum:
        return refuse(f"its last number is {last}, outside of these bounds: decide where it goes on, by ALTER SEQUENCE")
    if last is None and not wanted.minimum <= found.start <= wanted.maximum:
        anew = f"ALTER SEQUENCE {q.quoted(found.name)} MINVALUE {wanted.minimum} MAXVALUE {wanted.maximum}"
        return refuse(
            f"it has given no number yet, and starts at {found.start}, outside of these bounds: decide where it starts,"
            f" as by {anew} START {wanted.start} RESTART"
        )
    words = "ALTER SEQUENCE {} AS {} INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} {} CYCLE"
    change = SQL(words).format(
        q.name(found.name),
        SQL(wanted.type),
        *map(Literal, (wanted.increment, wanted.minimum, wanted.maximum, wanted.start)),
        SQL("" if wanted.cycle else "NO"),
    )
    title = f"make the sequence {found.name.name} count {_told(wanted)}"
    return Repair.of((Step(Phase.SEQUENCES, finding.table, title, change, Lock.NONE),))  # before it is moved


def _pooled() -> sa.MetaData:
    """Return a contract with a sequence that the application asks for ten numbers at a time."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    sa.Sequence('or"der.ids', start=20, increment=10, maxvalue=90000, metadata=metadata)
    return metadata


_GIVEN = """SELECT nextval('"or""der.ids"'), nextval('"or""der.ids"')"""
SPECIMENS = (
    Specimen("by single steps", 'ALTER SEQUENCE "or""der.ids" INCREMENT BY 1', contract=_pooled, setup=_GIVEN),
    Specimen(
        "to an earlier end, in circles",
        'ALTER SEQUENCE "or""der.ids" MAXVALUE 99 CYCLE',
        contract=_pooled,
        setup=_GIVEN,
    ),
    Specimen(
        "the numbers of a column by ones",
        "ALTER SEQUENCE orders_id_seq INCREMENT 1",
        contract=by_steps,
        setup="INSERT INTO orders DEFAULT VALUES; INSERT INTO orders DEFAULT VALUES",
    ),
    Specimen(
        "past the end that is wanted",
        """ALTER SEQUENCE "or""der.ids" MAXVALUE 99000; SELECT setval('"or""der.ids"', 98000)""",
        manual=True,
        contract=_pooled,
        setup=_GIVEN,
    ),
    Specimen(
        "from a start past the end that is wanted",
        'ALTER SEQUENCE "or""der.ids" MAXVALUE 99000 START 98000 RESTART',
        manual=True,
        contract=_pooled,
    ),
)
NEAR_MISSES = (
    Specimen("the numbers of a column by twos", "ALTER SEQUENCE lines_id_seq INCREMENT 2", contract=by_steps),
    Specimen("from another start", 'ALTER SEQUENCE "or""der.ids" START 7', contract=_pooled, setup=_GIVEN),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a sequence of which a default makes something count by sevens."""
    for column in table.columns.values():
        called = sequences_in(column.default or "") if not column.generates else []
        yield from (SQL("ALTER SEQUENCE {} INCREMENT BY 7").format(Identifier(*name)) for name in called)
