"""A default will make a value of a sequence, such as 'INV-' || nextval(…), which a row already has.

Costs: inserts fail with 23505 duplicate key value violates unique constraint, once per existing value that it reaches.
Cure: move the sequence past the last number of whose value a row is there, never back. The check draws no number: it
reads the position of the sequence, asks for the next 1000 values, and tries the numbers in the digits of each value;
the last only with --deep where the table is large and has the unique.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import TEXT, parts_of_name
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Phase, Repair, Step, refuse
from fixer.model.subject import OfSequence
from fixer.model.table import QName, Sequence, Table
from fixer.model.values import dataclass
from fixer.repair.defaults.drawing import DRAW
from fixer.repair.numbers import OF_SEQUENCE, is_spent
from fixer.repair.probe import counted_by, next_number, rows_where
from fixer.repair.sequences import as_meant, ask_for, unknown
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.types import MAXIMA

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "code-behind"
POINT = 1
STAGE = Stage.PARTS
_FURTHER = "let it count further, here and in the contract"
SOON = 999  # so many codes after the next are asked for one by one, whatever the default makes of a number
# Calls of PostgreSQL's own that change nothing; a name with a schema, or in quotation marks, may be anybody's.
_PLAIN = {"lpad", "rpad", "to_char", "concat", "upper", "lower", "now", "date_part", "extract", "varying", "numeric"}


@dataclass(frozen=True)
class Coded(OfSequence):
    """A column, with the sequence of which its default makes a value, and the default around the number."""

    around: tuple[str, str]

    def code(self, number: Composable) -> Composed:
        """Return the value that the default makes of a number."""
        return SQL("{}({}){}").format(SQL(self.around[0]), number, SQL(self.around[1]))

    def numbered(self, rows: Composable, next_: Composable) -> Composed:
        """Return a FROM item `t`: the rows, each with the number from `next_` on of which its code may be made."""
        lowest, highest = self.bounds
        digits = len(str(self._end)) - 1
        ones, twos = (SQL("({} * repeat('{}', s.w)::bigint)").format(Literal(self.way), SQL(each)) for each in "12")
        bare = TEXT.sub("''", "".join(self.around))
        return q.written(
            "numbers/behind_code",
            one=self.code(ones),
            two=self.code(twos),
            few=self.code(Literal(11 * self.way)),
            more=self.code(Literal(22 * self.way)),
            sums=Literal(bool(set("+-*") & set(bare))),
            width=Literal(digits),
            way=Literal(self.way),
            next=next_,
            rows=rows,
            lowest=Literal(lowest),
            highest=Literal(highest),
            column=q.column(self.column),
        )

    def behind(self, next_: Composable) -> Composed:
        """Return the condition that the code of such a row is made of its number."""
        pace, code = Literal(abs(self.found.increment)), self.code(SQL("t.pgmend_number"))
        return SQL("mod(t.pgmend_number - {}, {}) = 0 AND {} = ({})").format(next_, pace, q.column(self.column), code)

    @property
    def way(self) -> int:
        """The direction of the sequence."""
        return 1 if self.found.increment > 0 else -1

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest number that the sequence gives and the default takes."""
        return max(self.found.minimum, -self._end), min(self.found.maximum, self._end)

    @property
    def _end(self) -> int:
        """The highest number that the default takes; what is beyond 10^15 is no code."""
        narrow = [limit for type_, limit in MAXIMA.items() if f"::{type_}" in "".join(self.around)]
        return min([10**15, *narrow])


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[Coded]]:
    """Yield the unique columns whose default makes values of a sequence, with the probe for rows that have one to come.

    Where the role may not read the sequence, a person has to look.
    """
    for wanted, table in walk.tables(actual, contract, alike=True):
        for about in _coded(wanted, table, actual, contract):
            here, found = f"{table.name.name}.{about.column}", about.found
            message = f"{here} should get a value that no row has, {found.name.name} will make one that exists already"
            if is_spent(found, about.bounds[about.way > 0]) and not found.cycle:
                message = f"{here} should get a value that no row has, {found.name.name} gave its last number"
                why = refuse(f"{found.name.name} has no number left: {_FURTHER}")
                yield Finding(SLUG, POINT, about, message, repair=why)
                continue
            if found.readable or found.last_value is not None:
                asks, briefly = partial(_taken, about, actual), partial(_soon, about, actual)
                finding = Finding(SLUG, POINT, about, message, only_with_rows=True, of_rows=True, asks=asks)
                yield replace(finding, briefly=briefly, vouched=table.has_key_on((about.column,)))
                continue
            spelt = found.name.name if found.name.schema == table.name.schema else str(found.name)
            message = f"{here} should get a value that no row has, this role may not read where {spelt} stands"
            asks = partial(rows_where, actual, table.name, q.not_null([about.column]), own=True)
            why = unknown(found, actual)
            yield Finding(
                SLUG, POINT, about, message, "warning", asks=asks, only_with_rows=True, of_rows=True, repair=why
            )


def _coded(wanted: Table, table: Table, actual: Schema, contract: Contract) -> Iterator[Coded]:
    """Yield the columns that are or will be unique, and whose default makes a value of one number and nothing unknown.

    The contract's default counts, because the repair gives it to the column; so do the options of its sequence.
    """
    for column, meant in ((table.columns[n], each) for n, each in wanted.columns.items() if n in table.columns):
        if column.sequence or column.added or not (meant.default or column.default):
            continue
        said = (None if meant.generates else meant.default, column.default)  # missing-generator moves what only numbers
        default = next((each for each in said if each and "nextval" in each), "")
        if not (default and walk.takes(column, meant)):  # another type is a finding of its own
            continue
        before, *rest = DRAW.split(default)
        unique = any(k.is_plain_key and k.columns == (column.name,) for k in (*table.indexes, *wanted.indexes))
        if unique and len(rest) == 2 and _is_plain(f"{before}1{rest[1]}"):
            called = parts_of_name(rest[0])
            if len(called) == 2 and (found := actual.sequences.get(QName(*called))):
                yield Coded(table.name, column.name, as_meant(found, contract), (before, rest[1]))


def _is_plain(default: str) -> bool:
    """Return whether an expression calls nothing but what is known to change nothing."""
    bare = TEXT.sub("''", default)
    return not set('."') & set(bare) and set(re.findall(r"(\w+)\s*\(", bare)) <= _PLAIN


def _taken(about: Coded, actual: Schema) -> Probe:
    """Return the probe for rows with a code to come: of a number that their digits show, or of one of the next."""
    next_, column = _next(about.found), q.column(about.column)
    soon = SQL("{} IN (SELECT {} FROM {})").format(column, about.code(SQL("c.number")), _to_come(about))
    rows = about.numbered(counted_by(actual.tables[about.table], about.found), next_)
    shown = (SQL("t.pgmend_number"), column)
    return Probe(rows, SQL("({} OR {})").format(soon, about.behind(next_)), shown, downwards=about.way > 0)


def _soon(about: Coded, actual: Schema) -> Probe:
    """Return the probe for rows with one of the next codes, each of which an index looks up."""
    column, rows = q.column(about.column), counted_by(actual.tables[about.table], about.found)
    of_next = SQL("(SELECT c.number AS pgmend_number, {0} FROM {1} JOIN {2} ON {0} = ({3})) AS t").format(
        column, _to_come(about), rows, about.code(SQL("c.number"))
    )
    shown = (SQL("t.pgmend_number"), column)
    return Probe(of_next, SQL("true"), shown, downwards=about.way > 0, shared=False)


def _to_come(about: Coded) -> Composed:
    """Return a FROM item `c`: the next numbers of a sequence, none of which it has given."""
    pace, end = Literal(about.found.increment), Literal(about.bounds[about.way > 0])
    series = SQL("generate_series(0, least({}, ({} - s.next) / {})) AS k (n)").format(Literal(SOON), end, pace)
    next_ = _next(about.found)
    return SQL("(SELECT s.next + k.n * {} FROM (SELECT {}) AS s (next), {}) AS c (number)").format(pace, next_, series)


def _next(sequence: Sequence) -> Composed:
    return SQL("(SELECT ({})::bigint)").format(next_number(sequence))


def repair(finding: Finding[Coded], actual: Schema, contract: Contract) -> Repair:
    """Move the sequence past the last number of whose value a row is there."""
    about, bounds = finding.about, finding.about.bounds
    numbers = [int(cells[0]) for cells in finding.sample if cells[0]]
    utmost = max(numbers, key=lambda number: number * about.way, default=None)
    if utmost is not None and not bounds[0] <= utmost + about.found.increment <= bounds[1] and not about.found.cycle:
        return refuse(f"a row has the code of {utmost}, and {about.found.name.name} has no number beyond: {_FURTHER}")
    if not about.found.created:
        ask_for(about.found, about.table, actual)
    block = q.block(
        "numbers/past_codes",
        generator=SQL("{}::regclass").format(Literal(q.quoted(about.found.name))),
        sequence=q.name(about.found.name),
        table=q.name(about.table),
        column=q.column(about.column),
        code=about.code(SQL("next + k.n * pace")),
        most=Literal(bounds[about.way > 0]),
        way=Literal(about.way),
        numbered=about.numbered(SQL("{} AS t").format(q.name(about.table)), SQL("next")),
        behind=about.behind(SQL("next")),
    )
    title = f"move {about.found.name.name} past the highest {about.column}"
    return Repair.of([Step(Phase.GENERATORS, about.table, title, block, lock=OF_SEQUENCE)])


def invoices() -> sa.MetaData:
    """Return a contract with a unique text that its default makes of a sequence."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence("invoice_numbers", metadata=metadata)
    made = sa.text("'I%.' || lpad(nextval('invoice_numbers')::text, 4, '0')")
    code = sa.Column("code", sa.Text, server_default=made, nullable=False, unique=True)
    sa.Table("invoices", metadata, sa.Column("id", sa.Integer, primary_key=True), code)
    return metadata


def _stamps() -> sa.MetaData:
    """Return a contract with uniques whose defaults hide their numbers among other digits, or count in other ways."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Sequence("plain", metadata=metadata)
    sa.Sequence("down", start=-1, increment=-1, metadata=metadata)
    sa.Sequence("odd", increment=2, metadata=metadata)
    made = {
        "plain": "'A10' || nextval('plain')",
        "padded": "'2611' || lpad(nextval('plain')::text, 7, '0')",
        "lined": "'L-' || to_char(nextval('plain'), 'FM999,999')",
        "down": "'D' || nextval('down')",
        "odd": "'O' || nextval('odd')",
    }
    texts = [sa.Column(name, sa.Text, server_default=sa.text(default), unique=True) for name, default in made.items()]
    total = sa.Column("sum", sa.BigInteger, server_default=sa.text("nextval('plain') * 10 + 2000"), unique=True)
    sa.Table("stamps", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), *texts, total)
    return metadata


ROWS = "INSERT INTO invoices (id) SELECT nextval('invoices_id_seq') FROM generate_series(1, 6)"
SPECIMENS = (
    Specimen("behind", "SELECT setval('invoice_numbers', 1, false)", rows=6, contract=invoices, setup=ROWS),
    Specimen(
        "behind, with gaps",
        "DELETE FROM invoices WHERE id IN (2, 3, 5); SELECT setval('invoice_numbers', 2)",
        rows=2,
        contract=invoices,
        setup=ROWS,
    ),
    Specimen(
        "behind, where neither the default nor the unique is there",
        "ALTER TABLE invoices ALTER code DROP DEFAULT, DROP CONSTRAINT invoices_code_key;"
        "SELECT setval('invoice_numbers', 3)",
        rows=3,
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
    Specimen(
        "behind by far, in values of many kinds",
        "UPDATE stamps SET plain = 'A107000', padded = '26110090000', lined = 'L-1,500', sum = 52000, "
        "down = 'D-90000', odd = 'O9001'",
        rows=6,
        contract=_stamps,
        setup="INSERT INTO stamps VALUES (1)",
    ),
)
NEAR_MISSES = (
    Specimen("at the last value", "SELECT setval('invoice_numbers', 6)", contract=invoices, setup=ROWS),
    Specimen(
        "digits that are no number of its own",
        "UPDATE stamps SET plain = 'B1099', padded = '26120000099', lined = 'M-99', sum = 3001, down = 'D99',"
        "odd = 'O8'",
        contract=_stamps,
        setup="INSERT INTO stamps VALUES (1)",
    ),
    Specimen("set, not called", "SELECT setval('invoice_numbers', 7, false)", contract=invoices, setup=ROWS),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: set the sequence of a default that makes codes back to its start."""
    for column in table.columns.values():
        coded = table.has_key_on((column.name,)) and not column.sequence
        drawn = DRAW.findall(column.default or "") if coded else []
        yield from (SQL("SELECT setval({}, 1, false)").format(Literal(name.replace("''", "'"))) for name in drawn)
