"""A column is narrower than the contract: a shorter varchar, fewer digits, a smaller integer.

Costs: 22001 value too long, 22003 out of range, for values that the code may write.
Cure: widen. What is wider than the contract stays as it is: nothing is ever narrowed or truncated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fixer.contract.build import Contract
from fixer.model.finding import Finding, Specimen, Stage
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Phase, Repair, Reversal, alter, refuse
from fixer.repair.conversion.exchange import exchanged
from fixer.repair.conversion.indexes import clinging
from fixer.repair.shadow import Shadow, cleared, is_guard, without_beside
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier
from fixer.sql.types import fits, rewrites, widened

SLUG = "narrow-column"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding]:
    """Yield the columns of the wanted family of types that do not take all its values."""
    for name, wanted in contract.differing():
        table = actual.tables.get(name)
        for column in wanted.columns.values() if table and not table.created else ():
            found = table.columns.get(column.name) if table else None
            if found is None or found.now is not None or fits(found.type, column.type):
                continue
            type_ = widened(found.type, column.type)
            if type_:
                message = f"{name.name}.{column.name} should take {column.type}, is {found.type}"
                yield Finding(SLUG, POINT, f"{name}.{column.name}", message, name, column.name, part=type_, found=found)


def repair(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Widen the column."""
    name, column, type_ = finding.table, str(finding.column), finding.part
    sides = (finding.found, contract.tables[name].columns[column])
    home = next((side.home for side in sides if side.type == type_), "")
    full = SQL(replace(finding.found, type=type_, home=home).full_type)
    if what := actual.tables[name].binds(column):
        return refuse(f"the {what} depends on {name.name}.{column}: drop it, and create it again afterwards")
    if index := clinging(actual.tables[name], column, type_):
        return refuse(
            f"the index {index.name} depends on the type of {name.name}.{column}:"
            " drop it, and create it again afterwards"
        )
    back = SQL("{}::{}").format(q.column(column), SQL(finding.found.full_type))
    collation = finding.found.collation
    collated = SQL(f" COLLATE {collation}") if collation else SQL("")
    rewrite = rewrites(finding.found.type, type_)
    step = alter(
        Phase.CONVERT,
        name,
        f"widen {name.name}.{column} from {finding.found.type} to {type_}",
        SQL("ALTER COLUMN {} TYPE {}{}").format(Identifier(column), full, collated),
        hazard=Hazard.REWRITES_TABLE if rewrite else None,
        merge=True,
        reverts=(Reversal(column, back, SQL("({})::{}").format(back, full)),),
    )
    if not rewrite:
        return Repair((step,))
    table = actual.tables[name]
    shadow = Shadow(
        table=table,
        column=finding.found,
        type=type_,
        home=home,
        value=SQL("{}::{}").format(q.column(column), full),
        understood=SQL("true"),
        back=back,
        default=finding.found.default,
        checks=tuple((check, check) for check in table.checks_over(column) if not is_guard(check.name)),
        keys=actual.keys_over(name, column),
    )
    return Repair((*cleared(table, column), replace(step, online=exchanged(shadow, step, actual))))


def foresee(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column widened."""
    table = without_beside(actual.tables[finding.table], str(finding.column))
    return actual.with_table(table.with_column(replace(finding.found, type=finding.part)))


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
