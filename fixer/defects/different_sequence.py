"""A sequence counts otherwise than the contract declares: by other steps, within other bounds, or in circles.

It stands by itself, or a column counts by it. For a column, any options are right where the contract declares none (two
servers that share the numbers count by twos), and a CACHE is too small, never too large.

Costs: numbers repeat where the application takes several at a time, or inserts fail with 2200H once it has counted to
its end, or it gives numbers that belong to others.
Cure: ALTER SEQUENCE to the options of the contract; the number that it gave last stays, and one that stands before its
new bounds goes on from the start of the contract. A person decides if it stands beyond its new end, or has counted the
other way. Where it starts is no difference otherwise, because that matters only before the first number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any  # numbers, texts, and whether it cycles

from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, boxed, by_steps
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import sequences_in
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Repair, Step, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName, Sequence, Table
from fixer.model.values import dataclass
from fixer.repair.counting.options import as_declared, ends_early, told
from fixer.repair.sequences import unknown
from fixer.sql import compose as q
from fixer.sql import ddl
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
    counting: str | None = None  # the column that counts by it

    @property
    def column(self) -> str | None:
        """The column."""
        return self.counting


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfApart]]:
    """Yield the sequences that count otherwise than in the contract; of those of columns, as it declares them."""
    counting = {column.sequence for table in contract.tables.values() for column in table.columns.values()}
    for name, wanted in contract.schema.sequences.items():
        found = actual.sequences.get(name) if name not in counting else None
        if found and not found.created:
            spelt, meant = name.name if name.schema == "public" else str(name), replace(found, **_options(wanted))
            meant = replace(meant, cache=max(meant.cache, found.cache))
            yield from _told(OfApart(name, meant, found), spelt, meant)
    yield from _of_columns(actual, contract)


def _of_columns(actual: Schema, contract: Contract) -> Iterator[Finding[OfApart]]:
    seen = set[QName]()  # tables may count by one
    for table, meant, column in walk.columns(actual, contract):
        wanted = contract.schema.sequences.get(meant.sequence) if meant.sequence else None
        found = actual.sequences.get(column.sequence) if column.sequence else None
        own = found and (found.owned_by == (table.name, column.name) or found.name == meant.sequence)
        if wanted and found and own and not found.created and found.name not in seen:
            seen.add(found.name)
            about = OfApart(table.name, as_declared(wanted, meant.type, found), found, column.name)
            early = ends_early(found, wanted, meant.type)  # then narrow-sequence says so
            shown = replace(about.wanted, **_end(found)) if early else about.wanted
            yield from _told(about, f"{table.name.name}.{column.name}", shown)


def _options(sequence: Sequence) -> dict[str, Any]:
    names = ("type", "start", "increment", "minimum", "maximum", "cycle", "cache")
    return {name: getattr(sequence, name) for name in names}


def _end(sequence: Sequence) -> dict[str, Any]:
    return {"maximum": sequence.maximum} if sequence.increment > 0 else {"minimum": sequence.minimum}


def _told(about: OfApart, spelt: str, shown: Sequence) -> Iterator[Finding[OfApart]]:
    """Yield the finding about a sequence, if it does not count as is `shown`; of a CACHE alone, it is a warning."""
    should, counts = told(shown, about.found), told(about.found, shown)
    if should:
        message = f"{spelt} should count {should}, counts {counts}"
        severity = "error" if told(replace(shown, cache=about.found.cache), about.found) else "warning"
        asks = partial(_outside, about.wanted) if about.found.last_value is None and about.found.readable else None
        yield Finding(SLUG, POINT, about, message, severity, asks=asks)


def _outside(wanted: Sequence) -> Probe:
    """Return the probe for the number with which a sequence will begin, if that lies outside its new bounds."""
    outside = SQL("t.last_value NOT BETWEEN {} AND {}").format(Literal(wanted.minimum), Literal(wanted.maximum))
    return Probe(SQL("{} AS t").format(q.name(wanted.name)), outside, (SQL("t.last_value"),))


def repair(finding: Finding[OfApart], actual: Schema, contract: Contract) -> Repair:
    """Change the options; refuse if the sequence stands beyond its new end, or another role owns it."""
    wanted, found = finding.about.wanted, finding.about.found
    if not found.owned:
        return refuse(of_another(found.owner, actual))
    last = found.last_value
    if last is None and not found.readable:
        return unknown(found, actual)
    options = f"INCREMENT BY {wanted.increment} MINVALUE {wanted.minimum} MAXVALUE {wanted.maximum}"
    anew = f"ALTER SEQUENCE {q.quoted(found.name)} {options} START {wanted.start} RESTART"
    if wanted.increment * found.increment < 0:
        return refuse(
            f"it counts the other way, and may have given numbers there: decide where it starts, as by {anew}"
        )
    stands = int(finding.sample[0][0] or 0) if finding.sample else wanted.minimum if last is None else last
    beyond = stands > wanted.maximum if wanted.increment > 0 else stands < wanted.minimum
    if beyond and last is not None:
        return refuse(f"its last number is {last}, outside of these bounds: decide where it goes on, by ALTER SEQUENCE")
    if beyond:
        return refuse(
            f"it has given no number yet, and starts at {stands}, outside of these bounds: decide where it starts,"
            f" as by {anew}"
        )
    return Repair.of([_change(finding.table, wanted, found, anew=not wanted.minimum <= stands <= wanted.maximum)])


def _change(table: QName, wanted: Sequence, found: Sequence, *, anew: bool) -> Step:
    """Return the step that sets the options; `anew` where the sequence stands before its new bounds."""
    name = q.name(found.name)
    change: Composable = ddl.alter_sequence(wanted)
    title = f"make the sequence {found.name.name} count {told(wanted)}"
    if anew:
        before = SQL("stands < {}" if wanted.increment > 0 else "stands > {}")
        change = q.block(
            "numbers/into_bounds",
            name=name,
            lock=SQL("ALTER SEQUENCE {} INCREMENT BY {}").format(name, Literal(found.increment)),
            before=before.format(Literal(wanted.minimum if wanted.increment > 0 else wanted.maximum)),
            anew=SQL("{} RESTART WITH {}").format(change, Literal(wanted.start)),
            change=change,
        )
        title = f"{title}, and go on from {wanted.start}"
    return Step(Phase.SEQUENCES, table, title, change, Lock.NONE)  # before it is moved


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
    Specimen("a column past its end", 'ALTER SEQUENCE "box.no" NO MAXVALUE', contract=boxed, setup=BOXES),
    Specimen("a column to its end", "ALTER TABLE boxes ALTER place SET NO CYCLE", contract=boxed, setup=BOXES),
    Specimen("a column number by number", 'ALTER SEQUENCE "box.no" CACHE 1', contract=boxed, setup=BOXES),
    Specimen(
        "a column from below",
        'ALTER SEQUENCE "box.no" MINVALUE 1 START 1 RESTART; INSERT INTO boxes SELECT FROM generate_series(1, 3)',
        contract=boxed,
        setup="",
    ),
    Specimen(
        "a column from below, without a row",
        'ALTER SEQUENCE "box.no" MINVALUE 1 START 1 RESTART',
        contract=boxed,
        setup="",
    ),
    Specimen(
        "a column from above, which descends",
        "ALTER SEQUENCE falling_id_seq MAXVALUE 90 START 90 RESTART; INSERT INTO falling SELECT",
        contract=boxed,
        setup="",
    ),
    Specimen(
        "a column upwards",
        "ALTER SEQUENCE falling_id_seq INCREMENT 2 MINVALUE 1 NO MAXVALUE START 1 RESTART",
        manual=True,
        contract=boxed,
        setup="",
    ),
    Specimen(
        "a column that is past its end",
        """ALTER SEQUENCE "box.no" NO MAXVALUE; SELECT setval('"box.no"', 9500)""",
        manual=True,
        contract=boxed,
        setup=BOXES,
    ),
    Specimen(
        "a column that begins past its end",
        """ALTER SEQUENCE "box.no" NO MAXVALUE; SELECT setval('"box.no"', 9500, false)""",
        manual=True,
        contract=boxed,
        setup=BOXES,
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
    Specimen("a column, more at a time", 'ALTER SEQUENCE "box.no" CACHE 70', contract=boxed, setup=BOXES),
    Specimen("a column from another start", 'ALTER SEQUENCE "box.no" START 200', contract=boxed, setup=BOXES),
    Specimen("a column of bigint as far as bigint", "ALTER SEQUENCE shelf_no AS bigint", contract=boxed, setup=BOXES),
    Specimen(
        "a column from a later number",
        "ALTER SEQUENCE boxes_weight_seq MINVALUE 3 START 3",
        contract=boxed,
        setup=BOXES,
    ),
    Specimen("from another start", 'ALTER SEQUENCE "or""der.ids" START 7', contract=_pooled, setup=_GIVEN),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a sequence of which a default makes something count by sevens."""
    for column in table.columns.values():
        called = sequences_in(column.default or "") if not column.generates else []
        yield from (SQL("ALTER SEQUENCE {} INCREMENT BY 7").format(Identifier(*name)) for name in called)
