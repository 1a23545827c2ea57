"""The key holds texts, but the contract wants numbers that the database gives.

Costs: code that expects integers fails; nothing numbers new rows.
Cure: keep the old key under another name, add a new key that numbers the rows, with the comment and the column rights
of the old one, and map children through the old key (see text-reference). If all texts are numbers, the column is
converted instead (see wrong-type). If children already hold numbers, a person decides, because nobody else knows which
rows they mean.
Hint: `legacy_keys` on the new key names the columns that were the key before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, boxed
from fixer.defects._rekeyed import DESKS, desks
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Added, Hazard, Phase, Repair, Step, refuse
from fixer.model.subject import FoundColumn, StrandedColumn
from fixer.model.table import QName, Table
from fixer.repair.columns import unmade
from fixer.repair.constraints.foreign_keys import STRANDED, stranded
from fixer.repair.constraints.online import beside
from fixer.repair.constraints.texts import meant_by
from fixer.repair.counting.attaching import let_count, let_count_by
from fixer.repair.counting.coming import as_counted_in_rows, coming, coming_below, numbered_beside
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.types import family

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "text-key"
POINT = 1
STAGE = Stage.KEYS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundColumn | StrandedColumn]]:
    """Yield the key columns of text, with the probe for values that are not numbers."""
    for wanted, table, key in walk.primary_keys(actual, contract):
        name, column = table.name, key.columns[0]
        found = table.columns.get(column) if len(key.columns) == 1 else None
        meant, held = wanted.columns[column], family(found.base or found.type) if found else ""
        if any(each.columns == key.columns for each in wanted.foreign_keys):
            continue  # it is mapped to the key of its parent: see text-reference
        if found and meant.generates and held in ("text", "uuid") and held != family(meant.base or meant.type):
            no_number = SQL("{}::text !~ {}").format(q.column(column), Literal(r"^\s*\d{1,9}\s*$"))
            message = f"{name.name}.{column} should be {meant.type}, holds texts as {found.type}"
            yield Finding(
                SLUG,
                POINT,
                FoundColumn(name, column, found),
                message,
                only_with_rows=True,
                asks=partial(Probe, q.rows_of(table), no_number, (q.column(column),)),
            )
            texts = SQL("EXISTS (SELECT FROM {} WHERE {})").format(q.rows_of(table), no_number)
            yield from stranded(SLUG, POINT, name, column, actual, contract, texts)


def _legacy_name(table: Table, column: str) -> str:
    """Return the name that the old key gets."""
    return q.free_name(f"legacy_{column}", table.columns)


def repair(finding: Finding[FoundColumn | StrandedColumn], actual: Schema, contract: Contract) -> Repair:
    """Rename the old key and number the rows; refuse if rows elsewhere already hold numbers."""
    if isinstance(finding.about, StrandedColumn):
        return refuse(STRANDED)
    name, column = finding.table, finding.about.column
    legacy = _legacy_name(actual.tables[name], column)
    aside = alter(
        Phase.ASIDE,
        name,
        f"rename {name.name}.{column} to {legacy}, where the old key stays",
        SQL("RENAME COLUMN {} TO {}").format(Identifier(column), Identifier(legacy)),
    )
    wanted = contract.tables[name].columns[column]
    if why := unmade(name, wanted, actual, contract):
        return refuse(why)
    renamed = actual.with_renamed_column(name, column, legacy)
    below = coming_below(name, wanted, renamed, contract)
    counted = below or coming(name, wanted, actual.tables[name].owner, renamed, contract)
    add = alter(
        Phase.CONVERT,
        name,
        f"add {column} to {name.name} and number its rows",
        SQL("ADD COLUMN {}").format(ddl.column_definition(counted.column, sequences=contract.schema.sequences)),
        hazard=Hazard.REWRITES_TABLE,
        rows=actual.tables[name].estimated_rows,
        merge=True,
        added=(Added(column, counts=True),),
    )
    aside = replace(aside, shape=replace(aside.shape, renames=((column, legacy),)))
    numbered = numbered_beside(name, wanted, beside(column), below, actual, contract)
    lightly = (*numbered, _exchange(aside, column, legacy))
    count = _count(name, column, legacy, counted.apart)
    before, after = ([step.online_as(()) for step in steps] for steps in (counted.before, counted.after))
    return Repair.of((*before, aside.online_as(()), add.online_as(lightly), *after, count.online_as(())))


def _exchange(aside: Step, column: str, legacy: str) -> Step:
    """Return the step of online mode that gives the new column its name, which it has once every row has a number."""
    swap = SQL("ALTER TABLE {0} RENAME COLUMN {1} TO {2};\nALTER TABLE {0} RENAME COLUMN {3} TO {1};\n{4}").format(
        q.name(aside.table),
        Identifier(column),
        Identifier(legacy),
        Identifier(beside(column)),
        ddl.handed_over(aside.table, legacy, column),
    )
    return replace(aside, phase=Phase.KEYS, sql=swap, action=None, title=f"{aside.title}; {column} is the number")


def _count(name: QName, column: str, legacy: str, apart: QName | None) -> Step:
    """Return the step that lets roles count that may insert, and gives the new column what was put on the old one.

    `apart` is the sequence by which it counts, if the contract lets no column own that.
    """
    step = let_count_by(apart, name) if apart else let_count(name, column)
    title = f"{step.title}; give {column} the comment and the column rights of {legacy}"
    return replace(step, title=title, sql=step.sql + SQL(";\n") + ddl.handed_over(name, legacy, column))


def foresee(finding: Finding[FoundColumn | StrandedColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the old key under its new name, and the new key in its place."""
    if isinstance(finding.about, StrandedColumn):
        return actual
    name, column = finding.table, finding.about.column
    legacy = _legacy_name(actual.tables[name], column)
    renamed = actual.with_renamed_column(name, column, legacy)
    counting = as_counted_in_rows(name, contract.tables[name].columns[column], renamed, contract)
    old = q.today(actual.tables[name].columns[column])
    # Each row gets a number of its own, also where several have one text.
    number = meant_by(old, "bigint", SQL("row_number() OVER ()"))
    wanted = replace(counting, now=number, numbered=True, added=True)
    return renamed.with_table(replace(renamed.tables[name].with_column(wanted), legacy_key=legacy))


def coupons() -> sa.MetaData:
    """Return a contract with a key that counts by a sequence which no column owns, with children."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    numbers = sa.Sequence("Coupon%s", increment=10, metadata=metadata)
    key = sa.Column("id", sa.BigInteger, numbers, server_default=numbers.next_value(), primary_key=True)
    sa.Table("coupons", metadata, key)
    uses = sa.Column("coupon_id", sa.BigInteger, sa.ForeignKey("coupons.id"))
    sa.Table("uses", metadata, sa.Column("id", sa.Integer, primary_key=True), uses)
    return metadata


SPECIMENS = (
    Specimen(
        "a key of texts with children",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE books ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE books_id_seq;"
        "ALTER TABLE books ALTER COLUMN id TYPE varchar(20) USING 'B-' || id;"
        "ALTER TABLE reviews ALTER COLUMN book_id TYPE varchar(20) USING 'B-' || book_id;"
        "ALTER TABLE reviews ADD FOREIGN KEY (book_id) REFERENCES books (id)",
        hazards=frozenset({"rewrites-table", "rewrites-values", "replaces-constraint"}),
        rows=24,
        also=frozenset({"text-reference", "wrong-primary-key"}),
    ),
    Specimen(
        "a key of texts beside a declared sequence",
        "ALTER TABLE uses DROP CONSTRAINT uses_coupon_id_fkey;"
        "ALTER TABLE coupons ALTER id DROP DEFAULT, ALTER id TYPE text USING 'C-' || id;"
        "ALTER TABLE uses ALTER coupon_id TYPE text USING 'C-' || coupon_id,"
        " ADD FOREIGN KEY (coupon_id) REFERENCES coupons",
        hazards=frozenset({"rewrites-table", "rewrites-values", "replaces-constraint"}),
        rows=3,
        also=frozenset({"text-reference", "wrong-primary-key"}),
        contract=coupons,
        setup="INSERT INTO coupons SELECT FROM generate_series(1, 3); INSERT INTO uses (coupon_id) TABLE coupons",
    ),
    Specimen(
        "children that hold numbers",
        "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey;"
        "ALTER TABLE books ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE books_id_seq;"
        "ALTER TABLE books ALTER COLUMN id TYPE varchar(20) USING 'B-' || id",
        manual=True,
        also=frozenset({"wrong-primary-key", "missing-foreign-key"}),
    ),
    Specimen(
        "a key of texts that counts, and is that of another table",
        "ALTER TABLE desks DROP CONSTRAINT desks_id_fkey, ALTER id DROP IDENTITY;"
        "ALTER TABLE desks ALTER id TYPE text USING 'K' || id;"
        "ALTER TABLE rooms ALTER id DROP DEFAULT; DROP SEQUENCE rooms_id_seq;"
        "ALTER TABLE rooms ALTER id TYPE text USING 'K' || id",
        rows=3,
        manual=True,
        also=frozenset(
            {
                "incompatible-foreign-key-type",
                "missing-foreign-key",
                "missing-generator",
                "text-reference",
                "wrong-primary-key",
            }
        ),
        contract=desks,
        setup=DESKS,
    ),
    Specimen(
        "a key of texts that should count within bounds",
        "ALTER TABLE boxes ALTER id DROP DEFAULT, ALTER id TYPE text USING 'B-' || id",
        hazards=frozenset({"rewrites-table", "replaces-constraint"}),
        also=frozenset({"wrong-primary-key"}),
        contract=boxed,
        setup=BOXES,
    ),
)
NEAR_MISSES = (Specimen("another column of texts", "ALTER TABLE books ADD COLUMN code text DEFAULT 'B'"),)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a key that counts be of texts."""
    for column in plant.writable(table):
        if table.primary_key and column.generates and column.name in table.primary_key.columns:
            what = "IDENTITY" if column.identity else "DEFAULT"
            turn = "ALTER COLUMN {0} TYPE varchar(20) USING 'K-' || {0}"
            yield plant.block(
                plant.without(table.name, table.primary_key.name),
                plant.altered(table.name, f"ALTER COLUMN {{}} DROP {what}", column.name),
                plant.altered(table.name, turn, column.name),
                plant.altered(table.name, "ADD PRIMARY KEY ({})", column.name),
            )
