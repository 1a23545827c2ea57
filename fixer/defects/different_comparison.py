"""A column compares texts in another way: text where the contract has CITEXT or CHAR, or the reverse.

Costs: a UNIQUE, a foreign key and a search mean something else: 'Bob' and 'bob' are two accounts, or one.
Cure: convert the column to the contract's type. A person decides if rows that a unique index tells apart would be
alike, or if a foreign key compares the column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import PART_ROWS, parts
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Part, Phase, Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, Table
from fixer.repair.conversion.indexes import clinging, merging, refused
from fixer.repair.conversion.spellings import keep_spelling
from fixer.repair.conversion.standing import bound
from fixer.repair.conversion.values import recast, reversal, ways_under
from fixer.repair.probe import rows_where
from fixer.repair.shadow import without_beside
from fixer.sql import compose as q
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.conversions.further import Conversion
from fixer.sql.types import compares_alike, comparison, element, family, fits, retyped, shape

SLUG = "different-comparison"
POINT = 4
STAGE = Stage.COLUMNS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns that compare texts in another way, and each unique index under which rows would be alike."""
    for table, wanted, found in walk.typed_columns(actual, contract):
        if family(found.type) != family(wanted.type):
            continue
        if compares_alike(found.type, wanted.type):
            yield from _collated(table, wanted, found)
            continue
        message = f"{table.name.name}.{wanted.name} should be {wanted.type}, which compares {comparison(wanted.type)}"
        finding = Finding(SLUG, POINT, OfColumn(table.name, wanted.name), f"{message}, is {found.type}")
        yield finding
        yield from _too_long(table, wanted, found, actual)
        for index in table.indexes if not element(found.type) else ():
            ways = ways_under(index, finding, actual, contract)
            if next(iter(ways), None) == wanted.name:
                yield merging(finding, table, index, ways)


def _too_long(table: Table, wanted: Column, found: Column, actual: Schema) -> Iterator[Finding[OfColumn]]:
    """Yield the finding that texts of a column without a limit are longer than the wanted type takes."""
    size, limit = (shape(element(column.type) or column.type).size for column in (wanted, found))
    if size is None or limit is not None:
        return
    many, name = element(found.type), table.name
    longer = SQL("char_length(rtrim({}::text)) > {}").format(SQL("e") if many else q.column(found.name), Literal(size))
    if many:
        longer = SQL("EXISTS (SELECT FROM unnest({}) AS e WHERE {})").format(q.column(found.name), longer)
    left = refuse("shorten them, or let the contract take longer ones")
    message = f"{name.name}.{found.name} should hold what {wanted.type} takes, holds longer texts"
    asks = partial(rows_where, actual, name, longer)
    finding = Finding(SLUG, POINT, OfColumn(name, found.name), message, only_with_rows=True, asks=asks, repair=left)
    yield replace(finding, aspect="length")


def _collated(table: Table, wanted: Column, found: Column) -> Iterator[Finding[OfColumn]]:
    """Yield the finding that the collation differs: a warning if both tell all texts apart, and only sort otherwise."""
    if wanted.collation == found.collation or not fits(found.type, wanted.type):
        return
    has, should = (f"collation {c.collation}" if c.collation else "the default collation" for c in (found, wanted))
    message = f"{table.name.name}.{wanted.name} should have {should}, has {has}"
    cast = f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([wanted.name])} TYPE {found.full_type}"
    cast += f" COLLATE {wanted.collation}" if wanted.collation else ""
    loose = wanted.loose or found.loose
    why = "other texts are equal under it" if loose else "texts are sorted otherwise under it"
    left = refuse(f"{why}, and all indexes over the column are built anew: {cast}")
    severity = "error" if loose else "warning"
    yield Finding(SLUG, POINT, OfColumn(table.name, wanted.name), message, severity, repair=left)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Convert the column."""
    if left := refused(finding):
        return left
    name, column = finding.table, finding.about.column
    table, here = actual.tables[name], f"{name.name}.{column}"
    found, wanted = table.columns[column], contract.tables[name].columns[column]
    way = recast(found, wanted)
    if left := bound(table, column, actual.version):
        return left
    if index := clinging(table, column, way.type):
        why = f"the index {index.name} depends on the type of {here}"
        return refuse(f"{why}: drop it, and create it again afterwards")
    becomes_exact = (comparison(found.type), comparison(wanted.type)) == ("without trailing blanks", "exactly")
    if not becomes_exact and (key := next(iter(actual.keys_over(name, column)), None)):
        cast = f"ALTER TABLE {q.quoted(name)} ALTER COLUMN {q.quoted([column])} TYPE {way.full_type}"
        return refuse(
            f"{key.name} of {key.table} compares it: drop that key, run {cast}, and convert its other end alike"
        )
    return Repair.of(_steps(finding, actual, way))


def _steps(finding: Finding[OfColumn], actual: Schema, way: Conversion) -> Iterator[Part]:
    """Yield the steps that keep in the journal what the new type does not show, and convert the column."""
    name, column = finding.table, finding.about.column
    table = actual.tables[name]
    found = table.columns[column]
    yield keep_spelling(table, found, way)
    yield alter(
        Phase.CONVERT,
        name,
        f"convert {name.name}.{column} from {found.type} to {way.type}",
        SQL("ALTER COLUMN {} TYPE {}").format(Identifier(column), SQL(way.full_type)),
        hazard=Hazard.REWRITES_VALUES,
        changes=(column,),
        rows=table.estimated_rows,
        merge=True,
        reverts=(reversal(way, found),),
    )


def foresee(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column converted."""
    table = without_beside(actual.tables[finding.table], finding.about.column)
    found = table.columns[finding.about.column]
    wanted = contract.tables[finding.table].columns[finding.about.column]
    after = replace(found, type=retyped(found.type, wanted.type), home=wanted.home, equality=wanted.equality)
    after = replace(after, retyped_in=("atomic", "online"))
    return actual.with_table(table.with_column(after))


REWRITE = frozenset({"rewrites-values"})
SPECIMENS = (
    Specimen(
        "texts for padded texts, under a unique",
        "ALTER TABLE parts ALTER COLUMN code TYPE varchar(10)",
        hazards=REWRITE,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "texts with blanks at their end, in no key",
        "ALTER TABLE parts ALTER COLUMN colour TYPE text; UPDATE parts SET colour = 'red ' WHERE id = 2",
        hazards=REWRITE,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "texts that are too long for it",
        "ALTER TABLE parts ALTER COLUMN colour TYPE text; UPDATE parts SET colour = 'ultramarine' WHERE id = 2",
        rows=1,
        manual=True,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "texts that a padded type makes alike",
        "ALTER TABLE parts ALTER COLUMN code TYPE varchar(12); UPDATE parts SET code = 'P1 ' WHERE id = 2",
        rows=2,
        manual=True,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "padded texts for texts",
        "ALTER TABLE parts ALTER COLUMN name TYPE character(40)",
        hazards=REWRITE,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "texts for padded texts that others reference",
        "CREATE TABLE bins (part varchar(12) REFERENCES parts (code));"
        "ALTER TABLE parts ALTER COLUMN code TYPE varchar(12)",
        manual=True,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "a view depends on it",
        "ALTER TABLE parts ALTER COLUMN colour TYPE text; CREATE VIEW odd AS SELECT colour FROM parts",
        hazards=REWRITE,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "an index depends on its type",
        "ALTER TABLE parts ALTER COLUMN colour TYPE text; CREATE INDEX odd ON parts (colour text_pattern_ops)",
        manual=True,
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "a collation under which texts are sorted otherwise",
        'ALTER TABLE authors ALTER COLUMN name TYPE varchar(50) COLLATE "C"',
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen(
        "longer padded texts",
        "ALTER TABLE parts ALTER COLUMN code TYPE character(20)",
        contract=parts,
        setup=PART_ROWS,
    ),
    Specimen(
        "longer texts",
        "ALTER TABLE parts ALTER COLUMN name TYPE text",
        contract=parts,
        setup=PART_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let texts be padded, or padded texts not."""
    for column in plant.writable(table):
        if family(column.type) == "text" and not column.generates:
            other = "varchar(30)" if column.type.startswith("character(") else "char(30)"
            yield plant.altered(table.name, f"ALTER COLUMN {{}} TYPE {other}", column.name)
