"""A column is narrower than the contract: a shorter varchar, fewer digits, a smaller integer.

Costs: values that the code may write fail with 22001 value too long or 22003 out of range, or lose decimal places.
Cure: widen it. A column that is wider than the contract stays as it is: nothing is ever narrowed or truncated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, Reversal, Step, refuse
from fixer.model.subject import FoundColumn
from fixer.model.table import Table
from fixer.repair.conversion.exchange import exchanged
from fixer.repair.conversion.indexes import clinging
from fixer.repair.shadow import Shadow, cleared, is_guard, without_beside
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import fits, rewrites, widened

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
        return SQL(replace(self.found, type=self.type, home=self.home).full_type)

    @property
    def back(self) -> Composable:
        """The old value, computed from the new cell."""
        return SQL("{}::{}").format(q.column(self.column), SQL(self.found.full_type))


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[NarrowColumn]]:
    """Yield the columns whose type is of the wanted family, but cannot hold all values of the wanted type."""
    for table, wanted, found in walk.typed_columns(actual, contract):
        type_ = None if fits(found.type, wanted.type) else widened(found.type, wanted.type)
        if type_:
            home = next((side.home for side in (found, wanted) if side.type == type_), "")
            message = f"{table.name.name}.{wanted.name} should take {wanted.type}, is {found.type}"
            yield Finding(SLUG, POINT, NarrowColumn(table.name, wanted.name, found, type_, home), message)


def repair(finding: Finding[NarrowColumn], actual: Schema, contract: Contract) -> Repair:
    """Widen the column."""
    about, table = finding.about, actual.tables[finding.table]
    here = f"{table.name.name}.{about.column}"
    if what := table.binds(about.column):
        return refuse(f"the {what} depends on {here}: drop it, and create it again afterwards")
    if index := clinging(table, about.column, about.type):
        why = f"the index {index.name} depends on the type of {here}"
        return refuse(f"{why}: drop it, and create it again afterwards")
    step = _widen(about, here)
    if not step.hazard:
        return Repair.of([step])
    lightly = exchanged(_shadow(about, table, actual), step, actual)
    return Repair.of((*cleared(table, about.column), step.online_as(lightly)))


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
    about = finding.about
    table = without_beside(actual.tables[about.table], about.column)
    return actual.with_table(table.with_column(replace(about.found, type=about.type)))


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
        "ALTER TABLE books ADD CHECK (author_id > 0), ADD CONSTRAINT twice UNIQUE (id, author_id) DEFERRABLE;"
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
        "ALTER TABLE books ALTER COLUMN pages TYPE smallint, ADD CONSTRAINT c CHECK (pages > 0);"
        "COMMENT ON CONSTRAINT c ON books IS 'c'",
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
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: make a column narrower."""
    for column in plant.writable(table):
        narrow = {"bigint": "integer", "integer": "smallint", "text": "varchar(40)"}.get(column.type)
        if narrow:
            yield plant.altered(table.name, f"ALTER COLUMN {{}} TYPE {narrow}", column.name)
