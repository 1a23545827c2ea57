"""The values of a column that is converted: which of them convert, into what, and how undo restores them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from fixer.model.contract import Contract
from fixer.model.expression import literal
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Reversal, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Column, Index
from fixer.repair.columns import to_come, untyped
from fixer.repair.conversion.indexes import merging
from fixer.repair.probe import ordered, rows_where
from fixer.sql import compose as q
from fixer.sql.by_hand import statement_for
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.conversions import conversion, trimmed
from fixer.sql.conversions.further import Conversion
from fixer.sql.types import compares_alike, comparison, element, family, retyped, shape


def misfits(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Iterator[Finding[OfColumn]]:
    """Yield the finding with the probe for values that do not convert, and a finding for each index in the way.

    In the way is a unique index under which different texts would become one value.
    """
    wanted = contract.tables[finding.table].columns[finding.about.column]
    if why := untyped(wanted, actual) or to_come(wanted, actual, contract):
        yield replace(finding, repair=refuse(why))
        return
    way = way_of(finding, actual, contract)
    if isinstance(way, str):
        yield replace(finding, asks=partial(_held, finding, actual))
        return
    yield replace(finding, asks=partial(_misfits, finding, way, actual))
    table = actual.tables[finding.table]
    for index in table.indexes:
        ways = ways_under(index, finding, actual, contract)
        if next(iter(ways), None) == finding.column:
            yield merging(finding, table, index, ways)


def ways_under(index: Index, finding: Finding[OfColumn], actual: Schema, contract: Contract) -> dict[str, Conversion]:
    """Return the columns of a unique index under which different texts may become one value, with their conversions."""
    ways: dict[str, Conversion] = {}
    if not index.unique or not index.valid:
        return ways
    columns, wanted = actual.tables[finding.table].columns, contract.tables[finding.table].columns
    for column in filter(None, index.columns):
        found, right = columns[column], wanted.get(column)
        if right is None or found.now is not None or family(found.base or found.type) != "text":
            continue
        if family(right.type) == "text":
            folds = not compares_alike(found.type, right.type) and comparison(right.type) != "exactly"
            ways |= {column: recast(found, right)} if folds else {}
            continue
        way = way_of(replace(finding, about=OfColumn(finding.table, column)), actual, contract)
        if isinstance(way, str):
            continue
        # The plan may also be the one that creates the type of an enum.
        ways[column] = replace(way, value=trimmed(q.column(column))) if right.labels else way
    return ways


def recast(found: Column, wanted: Column) -> Conversion:
    """Return the cast to a type that compares otherwise, or to a longer one where the column is longer."""
    type_ = retyped(found.type, wanted.type)
    cast = SQL("{}::{}").format(q.column(found.name), SQL(replace(wanted, type=type_).full_type))
    return Conversion(type_, SQL("true"), cast, home=wanted.home)


def _misfits(finding: Finding[OfColumn], way: Conversion, actual: Schema) -> Probe:
    column = q.column(finding.about.column)
    odd = SQL("{} IS NOT NULL AND NOT ({})").format(column, understood(finding, way, actual))
    probe = rows_where(actual, finding.table, odd)
    return replace(probe, show=(*probe.show, ordered(actual.tables[finding.table], finding.about.column)))


def _held(finding: Finding[OfColumn], actual: Schema) -> Probe:
    """Return the probe for the values that a person has to decide about."""
    column = q.column(finding.about.column)
    probe = rows_where(actual, finding.table, SQL("{} IS NOT NULL").format(column))
    return replace(probe, show=(*probe.show, SQL("{}::text").format(column)))


def way_of(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Conversion | str:
    """Return how the column's values are converted to the wanted type, or why they cannot be."""
    column = finding.about.column
    found = actual.tables[finding.table].columns[column]
    wanted = contract.tables[finding.table].columns[column]
    if stands := actual.standing.get(wanted.full_type):  # a domain may demand more than that of the contract
        wanted = replace(wanted, guards=tuple(dict.fromkeys([*wanted.guards, *stands.guards])))
    way = conversion(found, wanted, contract.hints[finding.table].of(column), actual.version)
    if isinstance(way, str):
        made = ""
        if wanted.labels and wanted.full_type not in actual.labels:
            labels = ", ".join(map(literal, wanted.labels))
            made = f"CREATE TYPE {wanted.full_type} AS ENUM ({labels}); "
        return f"{way}; a person may convert it: {made}{statement_for(finding.table, found, wanted)}"
    return way


def settled(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Conversion | str:
    """Return the same for a finding whose rows are counted: where none holds a value, nothing is left to decide."""
    way, column = way_of(finding, actual, contract), finding.about.column
    found, wanted = (each.tables[finding.table].columns[column] for each in (actual, contract))
    judged = wanted.guards and not element(wanted.type)  # a domain may refuse NULL; an array of one may be it
    if not isinstance(way, str) or finding.rows or found.guards or judged:
        return way
    null = SQL("NULL::{}").format(SQL(wanted.full_type))
    return Conversion(wanted.type, q.is_null(column), null, reversible=True, home=wanted.home, holds=False)


def understood(finding: Finding[OfColumn], way: Conversion, actual: Schema) -> Composable:
    """Return the condition that a value converts without loss.

    A float with more digits than the contract wants is kept, in a column with more digits; only NaN and
    the infinities do not fit.
    """
    found = actual.tables[finding.table].columns[finding.about.column]
    return has_digits(q.column(found.name)) if keeps_digits(found, way) else way.fits


def has_digits(cell: Composable) -> Composable:
    """Return the condition that a float is a number, neither NaN nor infinite."""
    return SQL("{}::text NOT IN ('NaN', 'Infinity', '-Infinity')").format(cell)


def keeps_digits(found: Column, way: Conversion) -> bool:
    """Return whether all digits are kept, even in a column with room for more than the contract wants."""
    return family(found.base or found.type) == "float" and family(way.type) == "numeric"


def as_converted(found: Column, wanted: Column, way: Conversion) -> Column:
    """Return a column as its conversion leaves it, with its value over today's row; NULL where that does not fit.

    The plan may be the one that creates an enum, so values of enums are read as texts.
    """
    cell, fits, value = q.today(found), way.fits, way.value
    if keeps_digits(found, way):
        fits, value = has_digits(q.column(found.name)), SQL("{}::text::numeric").format(q.column(found.name))
    elif wanted.labels:
        value = trimmed(q.column(found.name))
    elif wanted.items:
        value = SQL("{}::text[]").format(q.column(found.name))
    now = SQL("CASE WHEN {} THEN {} END").format(q.over(fits, found.name, cell), q.over(value, found.name, cell))
    return replace(
        found,
        type=wanted.type,
        home=wanted.home,
        labels=wanted.labels,
        items=wanted.items,
        base=wanted.base,
        guards=wanted.guards,
        supplied=wanted.supplied,
        default=None,
        now=now,
    )


def only_what_fits(finding: Finding[OfColumn], way: Conversion, actual: Schema) -> Composable:
    """Return the new value for USING; a value that does not fit, and so came in after the plan, raises an error.

    A cast would silently cut or round it.
    """
    cell = Identifier(finding.about.column)
    # In USING, nothing may say IS NULL or IS TRUE, as a domain's own check may: where columns of a partition stand in
    # another order, PostgreSQL asks the wrong one of them; over an expression it fails (XX000).
    asked = understood(finding, way, actual) if way.cast is None else way.cast
    fits, value = (q.over(each, finding.about.column, cell) for each in (asked, way.value))
    why = Literal(f", which came in since the plan was made, is no {way.type}: plan again")
    # It contains the cell: PostgreSQL evaluates a constant, and raises its error, when it plans the statement.
    failing = SQL("({}::text || {})::integer::text::{}").format(cell, why, SQL(way.full_type))
    return SQL("CASE WHEN {} IS NOT DISTINCT FROM NULL OR ({}) THEN {} ELSE {} END").format(cell, fits, value, failing)


def left(way: Conversion, found: Column) -> Composable:
    """Return the new value as the run leaves it: a float keeps all its digits, whatever size the contract wants."""
    if family(found.base or found.type) == "float" and shape(way.type).size is not None:
        return SQL("{}::text::numeric").format(q.column(found.name))
    return way.value


def back_again(way: Conversion, column: str, found: Column) -> Composable:
    """Return the old value over the new cell: its text, unless the conversion has a better way."""
    text = SQL("{}::text::{}").format(q.column(column), SQL(found.full_type))
    return way.back if way.back is not None else text


def in_full(way: Conversion, column: str, found: Column) -> Composable:
    """Return the old value over the new cell, not cut to the length of the old type: 'yes' comes back as 'true'.

    Undo gives it that length once the cells have their old spelling.
    """
    bounded = family(found.type) == "text" and not found.base and shape(found.type).size is not None
    if bounded and way.back is None:
        return SQL("{}::text").format(q.column(column))
    return back_again(way, column, found)


def reversal(way: Conversion, found: Column, forth: Composable | None = None) -> Reversal[Composable]:
    """Return how undo restores the column's type."""
    back = in_full(way, found.name, found)
    return Reversal(found.name, back, forth or q.over(way.value, found.name, back))
