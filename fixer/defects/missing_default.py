"""A column lacks the default that the contract gives it.

Or the models say that the database fills it (server_default=FetchedValue()), and nothing there does.

Costs: inserts that leave the column out fail with 23502, or store NULL where code expects the default.
Cure: SET DEFAULT; existing rows keep their values. A person sets it where the models do not say which. Where one
partition alone lacks it, only rows that are written straight to that are without it: a warning, for a person.
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
from fixer.model.table import Column, Table
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

    for meant, root, part in walk.parts(actual, contract):
        yield from _alone(meant, root, part)


def _alone(wanted: Table, root: Table, part: Table) -> Iterator[Finding[WantedColumn | OfColumn]]:
    """Yield the columns of a partition without a default that its root has."""
    for column in wanted.columns.values():
        above, found = root.columns.get(column.name), part.columns.get(column.name)
        if not (above and found) or column.generated or above.identity or not (column.default or column.generates):
            continue
        if above.default is not None and not found.fills:
            message = f"{part.name.name}.{column.name} should default to {above.default} like {root.name.name}"
            told = f"{message}, has no default: rows that are written straight to {part.name.name} get none"
            name = q.quoted([column.name])
            way = f"ALTER TABLE ONLY {q.quoted(part.name)} ALTER COLUMN {name} SET DEFAULT {above.default}"
            why = refuse(f"if rows are written straight to it, run: {way}")
            yield Finding(SLUG, POINT, OfColumn(part.name, column.name), told, severity="warning", repair=why)


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
