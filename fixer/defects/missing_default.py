"""A column lacks the default that the contract gives it.

Or the models say that the database fills it (server_default=FetchedValue()), and nothing there does.

Costs: inserts that leave the column out fail with 23502, or store NULL where code expects the default.
Cure: SET DEFAULT, also in partitions that have none either; existing rows keep their values. A person sets it where the
models do not say which. Where one partition alone lacks it, only rows that are written straight to that are without it:
a note, for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn, WantedColumn
from fixer.model.table import Column, QName, Table
from fixer.repair.columns import set_default
from fixer.repair.defaults.left_out import filled_by
from fixer.sql import compose as q
from fixer.sql.compose import Composable

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "missing-default"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn | OfColumn]]:
    """Yield the columns without the default that they should have, also those of partitions alone."""
    for table, wanted, found in walk.columns_with_default(actual, contract):
        if found.default is None and not found.generates:
            message = f"{table.name.name}.{wanted.name} should default to {wanted.default}, has no default"
            yield Finding(SLUG, POINT, WantedColumn(table.name, wanted), message)
    for table, wanted, found in walk.columns(actual, contract):
        if contract.hints[table.name].of(wanted.name).filled and _is_empty(table, wanted, found):
            message = f"{table.name.name}.{wanted.name} should be filled by the database, is NOT NULL without a default"
            yield Finding(SLUG, POINT, WantedColumn(table.name, wanted), message, repair=refuse(_way(table, wanted)))

    yield from _below(actual, contract)


def _below(actual: Schema, contract: Contract) -> Iterator[Finding[WantedColumn | OfColumn]]:
    """Yield the columns without a default in partitions whose root has one, each once, at the first partition."""
    lacking: dict[tuple[QName, str], list[QName]] = {}
    for wanted, root, part in sorted(walk.parts(actual, contract), key=lambda each: each[2].name):
        for name in wanted.columns:
            above, found = root.columns.get(name), part.columns.get(name)
            if above and found and above.default is not None and not (above.generated or found.fills):
                lacking.setdefault((root.name, name), []).append(part.name)
    for (whole, column), (first, *others) in lacking.items():
        default = actual.tables[whole].columns[column].default
        told = f"{first.name}.{column} should default to {default} like {whole.name}, has no default"
        told += (
            f"; nor has {others[0].name}" if len(others) == 1 else f"; nor have {len(others)} others" if others else ""
        )
        way = f"ALTER TABLE ONLY {q.quoted(first)} ALTER COLUMN {q.quoted([column])} SET DEFAULT {default}"
        why = refuse(f"if rows are written straight to it, run: {way}")
        yield Finding(SLUG, POINT, OfColumn(first, column), told, severity="info", repair=why)


def _is_empty(table: Table, wanted: Column, found: Column) -> bool:
    """Return whether a row that leaves a column out is refused, although the contract gives it no default."""
    return not (wanted.fills or found.fills or not found.not_null or filled_by(table, found))


def _way(table: Table, column: Column) -> str:
    default = f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([column.name])} SET DEFAULT …;"
    return f"let the models say the default, server_default=text('…'), or run: {default}"


def repair(finding: Finding[WantedColumn | OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Set the default."""
    if isinstance(finding.about, OfColumn):
        return finding.repair
    return Repair.of([set_default(finding.table, finding.about.wanted, actual, contract)])


def boxes() -> sa.MetaData:
    """Return models whose database fills two columns, in a way that the models do not say."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    filled = [
        sa.Column(name, sa.Text, server_default=sa.FetchedValue(), nullable=name == "note") for name in ("code", "note")
    ]
    sa.Table("boxes", metadata, sa.Column("id", sa.Integer, primary_key=True), *filled)
    return metadata


_BOXES = "ALTER TABLE boxes ALTER COLUMN code SET DEFAULT 'none'; INSERT INTO boxes DEFAULT VALUES;"
_EMPTY = "ALTER TABLE boxes ALTER COLUMN code DROP DEFAULT"
_FILLS = """
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.code := coalesce(NEW.code, 'none'); RETURN NEW; END $$;
CREATE TRIGGER fills BEFORE INSERT ON boxes FOR EACH ROW EXECUTE FUNCTION fill()
"""

SPECIMENS = (
    Specimen("dropped", "ALTER TABLE authors ALTER COLUMN country DROP DEFAULT"),
    Specimen("dropped, and the models do not say which", _EMPTY, contract=boxes, setup=_BOXES, manual=True),
)
NEAR_MISSES = (
    Specimen("an extra default", "ALTER TABLE books ALTER COLUMN pages SET DEFAULT 1"),
    Specimen("a trigger fills it", f"{_EMPTY};{_FILLS}", contract=boxes, setup=_BOXES),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop a default."""
    for column in plant.writable(table):
        if column.default and not column.generates:
            yield plant.altered(table.name, "ALTER COLUMN {} DROP DEFAULT", column.name)
