"""A row as journal and quarantine keep it: an image from which every cell can be restored exactly.

``to_jsonb`` alone loses part of many types: JSON null and SQL NULL become the same, -0 becomes 0, the bounds
of arrays and the spelling of json are lost. Cells of such types are kept as their own text instead, so that
``(image ->> 'column')::type`` is the cell again, whatever its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fixer.model.table import QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.types import family

# Types whose cells jsonb keeps to the last digit (PostgreSQL manual, 8.14: numbers are kept as numeric).
_EXACT = frozenset({"boolean", "integer", "numeric", "text", "uuid", "date", "timestamptz", "timestamp", "bytea"})
# Types whose cells never contain json, of which jsonb rejects \u0000.
_HELD = _EXACT | {
    "jsonb",
    "float",
    "time without time zone",
    "time with time zone",
    "interval",
    "inet",
    "cidr",
    "money",
}
_IN_ONE_CALL = 40  # cells: a function takes at most 100 arguments, two for each


class Image(Composed):
    """The image of the row `alias` of a table; the plan may tell it of columns that are there by then."""

    def __init__(self, table: QName, body: Composable, alias: str) -> None:
        super().__init__([body])
        self.table, self.alias = table, alias

    def beside(self, columns: Iterable[str]) -> Image:
        """Return the image with the cells of further columns, whatever their types."""
        return Image(self.table, SQL("({} || {})").format(self.seq[0], cells(columns, self.alias)), self.alias)


def image(table: Table, *, early: bool = False, alias: str = "t") -> Image:
    """Return the image of the row `alias`; with `early`, without the columns that the plan adds to the table."""
    types = {c.name: c.type for c in table.columns.values() if not (early and c.added)}
    return Image(table.name, whole(types, alias), alias)


def taking_in(statement: Composable, kept: Mapping[QName, Iterable[str]]) -> Composable:
    """Return a statement whose images have the cells of further columns of their tables."""
    if isinstance(statement, Image):
        return statement.beside(kept[statement.table]) if statement.table in kept else statement
    return Composed([taking_in(each, kept) for each in statement]) if isinstance(statement, Composed) else statement


def whole(types: Mapping[str, str], alias: str = "t") -> Composable:
    """Return the image of the row `alias`, whose columns have these types."""
    odd = [name for name, type_ in types.items() if family(type_) not in _EXACT]
    hard = any(family(type_).removesuffix("[]") not in _HELD for type_ in types.values())
    cells_of_all: Composable = (
        _likeness_of([name for name in types if name not in odd], alias) if hard else likeness(alias)
    )
    for start in range(0, len(odd), _IN_ONE_CALL):
        cells_of_all = SQL("({} || {})").format(cells_of_all, cells(odd[start : start + _IN_ONE_CALL], alias))
    return cells_of_all


def likeness(alias: str = "t") -> Composed:
    """Return what identifies the row `alias` after the run: what it contains then, not what it was.

    It names no types, because a column may have one type when the plan is made, another when the step is done, and a
    third when undo takes it back.
    """
    return SQL("to_jsonb({}.*)").format(Identifier(alias))  # a bare name would mean a column of that name


def _likeness_of(columns: Iterable[str], alias: str) -> Composed:
    """Return these cells of the row `alias` alone, because jsonb cannot hold every cell of a json."""
    return SQL("(SELECT to_jsonb(few.*) FROM (SELECT {}) AS few)").format(q.columns(columns, alias))


def cells(columns: Iterable[str], alias: str = "t") -> Composed:
    """Return some cells of the row `alias` as their own texts."""
    pairs = (SQL("{}, {}::text").format(Literal(column), q.column(column, alias)) for column in columns)
    return SQL("jsonb_build_object({})").format(SQL(", ").join(pairs))


def cell(image_: Composable, column: str, type_: str) -> Composed:
    """Return the cell of a column from an image, converted to its type."""
    return SQL("({} ->> {})::{}").format(image_, Literal(column), SQL(type_))
