"""A column is narrower than the contract: a shorter varchar, fewer digits, a smaller integer, an array of these.

Costs: values that the code may write fail with 22001 value too long or 22003 out of range, or lose decimal places.
Cure: widen it. A column that is wider than the contract stays as it is: nothing is ever narrowed or truncated.
A person decides if no type holds the values of both, as with bit(8) for bit(16), or vector(384) for vector(768), and
the column holds some.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import SHIFT_ROWS, shifts
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import quoted
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, Reversal, Step, refuse
from fixer.model.subject import FoundColumn
from fixer.model.table import Table
from fixer.model.values import dataclass
from fixer.repair.conversion.exchange import exchanged
from fixer.repair.conversion.indexes import clinging
from fixer.repair.conversion.standing import bound
from fixer.repair.probe import rows_where
from fixer.repair.shadow import Shadow, cleared, is_guard, without_beside
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import compares_alike, family, fits, rewrites, widened

SLUG = "narrow-column"
POINT = 4
STAGE = Stage.COLUMNS


@dataclass(frozen=True)
class NarrowColumn(FoundColumn):
    """A column that is too narrow; `type` takes all its values and those of the contract."""

    type: str
    home: str  # the schema of that type, where its name does not say it

    @property
    def full_type(self) -> Composable:
        """The wider type as SQL spells it."""
        return SQL(self.spelt)

    @property
    def spelt(self) -> str:
        """The wider type under any search_path."""
        return replace(self.found, type=self.type, home=self.home).full_type

    @property
    def back(self) -> Composable:
        """The old value, computed from the new cell."""
        return SQL("{}::{}").format(q.column(self.column), SQL(self.found.full_type))


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[NarrowColumn]]:
    """Yield the columns whose type is of the wanted family, but cannot hold all values of the wanted type."""
    for table, wanted, found in walk.typed_columns(actual, contract):
        types = (found.type, wanted.type)
        if fits(*types) or family(found.type) != family(wanted.type) or not compares_alike(*types):
            continue
        type_ = widened(*types) or wanted.type
        home = next((side.home for side in (found, wanted) if side.type == type_), "")
        about = NarrowColumn(table.name, wanted.name, found, type_, home)
        message = f"{table.name.name}.{wanted.name} should take {wanted.type}, is {found.type}"
        asks = None if widened(*types) else partial(rows_where, actual, table.name, q.not_null([wanted.name]))
        yield Finding(SLUG, POINT, about, message, asks=asks)


def _by_a_person(about: NarrowColumn) -> Repair:
    """Return the refusal, with the statement that casts the values."""
    table, column, type_ = q.quoted(about.table), quoted(about.column), about.spelt
    cast = f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_} USING {column}::{type_}"
    return refuse(f"{about.type} does not hold all that {about.found.type} does: look at the values, then run {cast}")


def repair(finding: Finding[NarrowColumn], actual: Schema, contract: Contract) -> Repair:
    """Widen the column."""
    about, table = finding.about, actual.tables[finding.table]
    here, unlike = f"{table.name.name}.{about.column}", widened(about.found.type, about.type) is None
    if finding.rows and unlike:
        return _by_a_person(about)
    if left := bound(table, about.column, actual.version):
        return left
    if index := clinging(table, about.column, about.type):
        why = f"the index {index.name} depends on the type of {here}"
        return refuse(f"{why}: drop it, and create it again afterwards")
    step = _widen(about, here)
    if unlike:  # in place in both modes: a value that came meanwhile is refused, as no cast is named
        kept = Reversal(about.column, q.column(about.column), q.column(about.column))
        return Repair.of((*cleared(table, about.column), replace(step, shape=replace(step.shape, reverts=(kept,)))))
    if not step.hazard:
        return Repair.of([step])
    lightly = _lightly(about, actual, step)
    return Repair.of((*cleared(table, about.column), step.online_as(lightly)))


def _lightly(about: NarrowColumn, actual: Schema, step: Step) -> tuple[Step, ...] | None:
    """Return the steps that replace the step online; None if it runs there too."""
    early = actual.before_numbering()
    return exchanged(_shadow(about, early.tables[about.table], early), step, early) if step.hazard else None


def _widen(about: NarrowColumn, here: str) -> Step:
    collated = SQL(f" COLLATE {about.found.collation}" if about.found.collation else "")
    return alter(
        Phase.CONVERT,
        about.table,
        f"widen {here} from {about.found.type} to {about.type}",
        SQL("ALTER COLUMN {} TYPE {}{}").format(Identifier(about.column), about.full_type, collated),
        hazard=Hazard.REWRITES_TABLE if rewrites(about.found.type, about.type) else None,
        merge=True,
        reverts=(Reversal(about.column, about.back, SQL("({})::{}").format(about.back, about.full_type)),),
    )


def _shadow(about: NarrowColumn, table: Table, actual: Schema) -> Shadow:
    """Return the wider shadow column that is filled while others write."""
    return Shadow(
        table=table,
        column=about.found,
        type=about.type,
        home=about.home,
        value=SQL("{}::{}").format(q.column(about.column), about.full_type),
        understood=SQL("true"),
        back=about.back,
        default=about.found.default,
        checks=tuple((check, check) for check in table.checks_over(about.column) if not is_guard(check.name)),
        keys=actual.keys_over(table.name, about.column),
    )


def foresee(finding: Finding[NarrowColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column widened."""
    about, table = finding.about, actual.tables[finding.table]
    lightly = _lightly(about, actual, _widen(about, ""))
    modes = ("atomic", "online") if lightly is None else ("atomic",)
    wide = replace(about.found, type=about.type, retyped_in=modes)
    return actual.with_table(without_beside(table, about.column).with_column(wide))


REWRITE = frozenset({"rewrites-table"})
SPECIMENS = (
    Specimen("a shorter varchar", "ALTER TABLE books ALTER COLUMN title TYPE varchar(10)"),
    Specimen("fewer digits", "ALTER TABLE books ALTER COLUMN price TYPE numeric(6,2)"),
    Specimen(
        "fewer digits after the point",
        "ALTER TABLE authors ALTER COLUMN rating TYPE numeric(8,1)",
        hazards=REWRITE,
    ),
    Specimen("a smaller integer", "ALTER TABLE books ALTER COLUMN pages TYPE smallint", hazards=REWRITE),
    Specimen(
        "smaller integers in keys and in what references them",
        "ALTER TABLE books ALTER COLUMN id TYPE smallint, ALTER COLUMN author_id TYPE smallint;"
        "ALTER TABLE reviews ALTER COLUMN book_id TYPE smallint; ALTER TABLE authors ALTER COLUMN id TYPE smallint;"
        'CREATE INDEX odd ON books (author_id DESC NULLS LAST, title); COMMENT ON COLUMN books.id IS $$it\'s a "key"$$;'
        "ALTER TABLE books ADD CHECK (author_id IS NOT NULL), ADD CONSTRAINT twice UNIQUE (id, author_id) DEFERRABLE;"
        "GRANT SELECT (id), UPDATE (id) ON books TO PUBLIC; ALTER TABLE books ALTER COLUMN id SET STATISTICS 50",
        hazards=REWRITE,
    ),
    Specimen(
        "a smaller integer under an index over an expression",
        "ALTER TABLE books ALTER COLUMN pages TYPE smallint; CREATE INDEX odd ON books ((pages + 1)) WHERE pages > 0",
        hazards=REWRITE,
    ),
    Specimen(
        "a smaller integer under a check with a comment",
        "ALTER TABLE books ALTER COLUMN pages TYPE smallint, ADD CONSTRAINT c CHECK (pages > -3000000000);"
        "COMMENT ON CONSTRAINT c ON books IS 'c'",
        hazards=REWRITE,
    ),
    Specimen(
        "clocks without fractions of a second",
        "ALTER TABLE shifts ALTER COLUMN starts TYPE time(0), ALTER COLUMN lasts TYPE interval(0),"
        " ALTER COLUMN seen TYPE timestamptz(3)",
        hazards=REWRITE,
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen(
        "spans without their days",
        "ALTER TABLE shifts ALTER COLUMN lasts TYPE interval year to month",
        hazards=REWRITE,
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen(
        "arrays of smaller integers, and of shorter texts",
        "ALTER TABLE shifts ALTER COLUMN scores TYPE smallint[], ALTER COLUMN marks TYPE varchar(8)[]",
        hazards=REWRITE,
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen(
        "fewer bits, any number of them",
        "ALTER TABLE shifts ALTER COLUMN gaps TYPE bit varying(8)",
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen(
        "fewer bits, of a fixed number",
        "ALTER TABLE shifts ALTER COLUMN flags TYPE bit(8) USING flags::bit(8)",
        manual=True,
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen(
        "fewer bits, and none in any row",
        "UPDATE shifts SET flags = NULL; ALTER TABLE shifts ALTER COLUMN flags TYPE bit(8)",
        hazards=REWRITE,
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen(
        "a view and a policy read the columns",
        "ALTER TABLE books ALTER pages TYPE smallint, ALTER title TYPE varchar(10), ALTER id TYPE smallint;"
        "CREATE VIEW seen AS SELECT b.id, pages, title, r.body FROM books b JOIN reviews r ON r.book_id = b.id;"
        "CREATE POLICY few ON books USING (pages > 3 AND title <> 'x')",
        hazards=REWRITE,
    ),
    Specimen(
        "a trigger watches the column",
        "ALTER TABLE books ALTER COLUMN pages TYPE smallint;"
        "CREATE FUNCTION idle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER idle BEFORE UPDATE OF pages ON books FOR EACH ROW EXECUTE FUNCTION idle()",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("a longer varchar", "ALTER TABLE books ALTER COLUMN title TYPE varchar(80)"),
    Specimen("more digits", "ALTER TABLE books ALTER COLUMN price TYPE numeric(14,4)"),
    Specimen("a larger integer", "ALTER TABLE reviews ALTER COLUMN book_id TYPE bigint"),
    Specimen(
        "arrays that hold more, and seconds of six digits",
        "ALTER TABLE shifts ALTER COLUMN scores TYPE bigint[], ALTER COLUMN marks TYPE text[],"
        " ALTER COLUMN starts TYPE time(6), ALTER COLUMN lasts TYPE interval day to second,"
        " ALTER COLUMN flags TYPE bit varying(20)",
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: make a column narrower."""
    for column in plant.writable(table):
        narrow = {"bigint": "integer", "integer": "smallint", "text": "varchar(40)"}.get(column.type)
        if narrow:
            yield plant.altered(table.name, f"ALTER COLUMN {{}} TYPE {narrow}", column.name)
