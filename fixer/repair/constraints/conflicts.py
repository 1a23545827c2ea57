"""Rows that conflict under an exclusion constraint: a probe that finds them without its index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from fixer.model.expression import quoted
from fixer.model.finding import Probe
from fixer.model.step import RefusalError
from fixer.model.table import Index, Table
from fixer.model.values import dataclass
from fixer.repair.constraints.exclusions import Element, elements
from fixer.repair.probe import shown
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal
from fixer.sql.conditions import over_row
from fixer.sql.uniques import by_overlap, excluding, spelt

# At most so many rows are compared each with each other: more take minutes. With an equality among the elements, only
# those that agree in it are.
EACH_WITH_EACH = 10_000
WITHIN_GROUPS = 1_000_000


def can_compare(wanted: Index, table: Table) -> bool:
    """Return whether conflicts among the rows of a table are found in bearable time without an index."""
    parts = elements(wanted, table)
    most = WITHIN_GROUPS if any(each.equal for each in parts) else EACH_WITH_EACH
    return _in_order(parts) or table.estimated_rows <= most


def see_that_periods_compare(wanted: Index, table: Table) -> None:
    """Raise RefusalError if a key WITHOUT OVERLAPS has too many rows to be looked through first."""
    if wanted.overlaps_not and not table.created and not can_compare(by_overlap(wanted), table):
        raise RefusalError(untold(wanted, table))


def untold(wanted: Index, table: Table, removal: str = "") -> str:
    """Return why nobody can tell whether rows conflict, with the statement that finds out."""
    alter = removal or f"ALTER TABLE {q.quoted(table.name)}"
    add = f"ADD CONSTRAINT {quoted(wanted.name)} {wanted.exclusion or spelt(wanted)}"
    return f"pgmend cannot compare so many rows; this fails if any conflict: {alter}{',' if removal else ''} {add};"


def conflicts(wanted: Index, table: Table, *, costly: bool) -> Probe:
    """Return the probe for rows that conflict with an earlier one, each shown with such a one."""
    keys = shown(table)
    source = _conflicting(wanted, table, q.rows_of(table, own=True), keys)
    return Probe(source, SQL("true"), (*_cells("k", len(keys)), *_cells("o", len(keys))), costly=costly)


def caused(wanted: Index, table: Table, rows: Composable, which: Composable) -> Probe:
    """Return the probe for `rows` of a table, of which `which` have changed, that conflict if one of the two has."""
    keys = shown(table)
    source = _conflicting(wanted, table, rows, (*keys, which))
    changed = (SQL("{}::text = 'true'").format(_cells(letter, len(keys) + 1)[-1]) for letter in "ko")
    return Probe(source, q.any_of(changed), tuple(_cells("k", len(keys))), costly=True)


def _conflicting(wanted: Index, table: Table, rows: Composable, keys: Sequence[Composable]) -> Composed:
    """Return the FROM item `t`: the rows that conflict with an earlier one, with their keys and its."""
    parts = elements(wanted, table)
    bound = _bound(wanted, table, rows, parts, keys)
    return _sorted(bound, parts, len(keys)) if _in_order(parts) else _joined(bound, parts, len(keys))


def of_periods(wanted: Index, table: Table, *, costly: bool) -> Probe:
    """Return the probe for rows that a key WITHOUT OVERLAPS refuses: in conflict with an earlier one, or of no period.

    A row whose period is empty is shown twice.
    """
    found, keys = conflicts(by_overlap(wanted), table, costly=costly), shown(table)
    width, texts = len(keys), [SQL("{}::text").format(key) for key in keys]
    pairs = ([SQL("{}::text").format(cell) for cell in _cells(letter, width)] for letter in "ko")
    cells = SQL(", ").join(cell for pair, letter in zip(pairs, "ko", strict=True) for cell in _named(pair, letter))
    alone = SQL(", ").join([*_named(texts, "k"), *_named(texts, "o")])
    source = SQL("(SELECT {} FROM {} UNION ALL SELECT {} FROM {} WHERE isempty({})) AS t").format(
        cells, found.source, alone, q.rows_of(table, own=True), over_row(quoted(wanted.columns[-1]), table)
    )
    return replace(found, source=source)


def barring(wanted: Index, table: Table, cells: Mapping[str, Composable], columns: Iterable[str]) -> Iterator[Composed]:
    """Yield the condition that a row conflicts with one of these cells, if the table has all that is compared.

    `columns` are those of the contract: one that is missing is a finding of its own.
    """
    named = [column for column in (*table.columns, *columns) if excluding(wanted).names(column)]
    if not named or not all(column in table.columns and column in cells for column in named):
        return
    parts = elements(wanted, table)
    values = [f"pgmend_e{place}" for place in range(len(parts))]
    new = SQL(", ").join(
        SQL("({})::{} AS {}").format(cells[column], SQL(table.columns[column].full_type), Identifier(column))
        for column in dict.fromkeys(named)
    )
    row = SQL("(SELECT NULL::oid AS tableoid, NULL::tid AS ctid, {}) AS t").format(new)
    yield SQL("EXISTS (SELECT FROM {} JOIN (SELECT * FROM {}) AS o ON {})").format(
        _bound(wanted, table, q.rows_of(table, own=True), parts, ()),
        _bound(wanted, table, row, parts, ()),
        q.equal(values, values, "t", "o", [each.operator for each in parts]),
    )


def _in_order(parts: Sequence[Element]) -> bool:
    """Return whether it is enough to compare each row with a single earlier one, once rows are sorted."""
    others = [each for each in parts if not each.equal]
    return len(others) < 2 and all(each.operator == "<>" or each.overlaps for each in others)


def _cells(letter: str, width: int, alias: str = "t") -> list[Composed]:
    """Return cells of the row: the keys (k) and values (e) of its own, the keys of another one (o)."""
    return [q.column(f"pgmend_{letter}{place}", alias) for place in range(width)]


def _named(cells: Iterable[Composable], letter: str) -> list[Composed]:
    return [SQL("{} AS {}").format(cell, Identifier(f"pgmend_{letter}{place}")) for place, cell in enumerate(cells)]


def _bound(
    wanted: Index, table: Table, rows: Composable, parts: Sequence[Element], keys: Sequence[Composable]
) -> Composed:
    """Return the rows that an exclusion binds, with their keys, places and values.

    If they will be sorted, they are read without any index, which may lack some: PostgreSQL looks up no CASE in one,
    and OFFSET keeps it out of the sort. Values are not computed for rows that the condition leaves out, which may have
    none.
    """
    condition = over_row(excluding(wanted).condition or "true", table)
    values = [SQL("({})").format(over_row(each.value, table)) for each in parts]
    apart = SQL(" OFFSET 0" if _in_order(parts) else "")
    if _in_order(parts):
        values = [SQL("CASE WHEN {} THEN {} END").format(condition, value) for value in values]
    filled = [SQL("{} IS DISTINCT FROM NULL").format(cell) for cell in _cells("e", len(parts))]
    spans = (cell for part, cell in zip(parts, _cells("e", len(parts)), strict=True) if part.overlaps)
    filled += [SQL("NOT isempty({})").format(cell) for cell in spans]
    apart_from_indexes = SQL("CASE WHEN {} THEN true END" if _in_order(parts) else "{}")
    return SQL(
        "(SELECT t.* FROM (SELECT {cells}, t.tableoid AS pgmend_part, t.ctid AS pgmend_place FROM {rows} WHERE {bound})"
        " AS t WHERE {filled}{apart}) AS t"
    ).format(
        cells=SQL(", ").join([*_named(keys, "k"), *_named(values, "e")]),
        rows=rows,
        bound=apart_from_indexes.format(condition),
        filled=apart_from_indexes.format(q.all_of(filled)),
        apart=apart,
    )


@dataclass(frozen=True)
class _Earlier:
    """What a row is compared with: cells computed from those before it, keys among them, and the condition."""

    cells: Sequence[Composable]
    keys: Sequence[Composable]
    conflict: Composable


def _sorted(rows: Composable, parts: Sequence[Element], width: int) -> Composed:
    """Return the rows that conflict with an earlier one, which one sort finds."""
    values = list(zip(parts, _cells("e", len(parts)), strict=True))
    groups = [value for part, value in values if part.equal]
    part, value = next(((part, value) for part, value in values if not part.equal), (None, None))
    grouped = SQL("PARTITION BY {}").format(SQL(", ").join(groups)) if groups else SQL("")
    earlier = _first(value, width)
    if part and value and part.overlaps:
        earlier = _latest(value, part.ranges, width, _any_neighbours(rows, value, grouped))
    order = [*([value] if value else []), SQL("t.pgmend_part, t.pgmend_place")]
    return SQL(
        "(SELECT t.*, {others} FROM (SELECT t.*, {cells} FROM {rows} WINDOW so_far AS ({groups} ORDER BY {order})) AS t"
        " WHERE {conflict}) AS t"
    ).format(
        others=SQL(", ").join(_named(earlier.keys, "o")),
        cells=SQL(", ").join(earlier.cells),
        rows=rows,
        groups=grouped,
        order=SQL(", ").join(order),
        conflict=earlier.conflict,
    )


def _first(value: Composable | None, width: int) -> _Earlier:
    """Compare with the first row: with values that must be the same, or, without a value, because there is one."""
    firsts = [SQL("first_value({}) OVER so_far").format(each) for each in (*_cells("k", width), value or SQL("true"))]
    cells = [*_named(firsts, "f"), SQL("row_number() OVER so_far AS pgmend_nth")]
    *keys, first = _cells("f", width + 1)
    conflict = SQL("{} <> {}").format(value, first) if value else SQL("t.pgmend_nth > 1")
    return _Earlier(cells, keys, conflict)


def _any_neighbours(rows: Composable, value: Composable, groups: Composable) -> Composed:
    """Return the condition that a range overlaps the next one; if none does, no two overlap.

    They are sorted by their beginnings, which takes less than to sort the ranges themselves.
    """
    return SQL(
        "EXISTS (SELECT FROM (SELECT {value} AS pgmend_own, lead({value}) OVER ({groups} ORDER BY lower({value})"
        " NULLS FIRST, NOT lower_inc({value})) AS pgmend_next FROM {rows}) AS t WHERE t.pgmend_own && t.pgmend_next)"
    ).format(value=value, groups=groups, rows=rows)


def _latest(value: Composable, ranges: str, width: int, some: Composable) -> _Earlier:
    """Compare with the earlier row that ends last, if there are `some` conflicts: rows are sorted by their beginning.

    What reaches from minus infinity to the end of a range is greater than another such if it ends later.
    """
    end = SQL("{}(NULL, upper({}), CASE WHEN upper_inc({}) THEN '(]' ELSE '()' END)").format(SQL(ranges), value, value)
    before = SQL("max(ARRAY[{}]) OVER (so_far ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS {}")
    texts = SQL(", ").join(SQL("{}::text").format(key) for key in _cells("k", width))
    cells = (
        before.format(end, Identifier("pgmend_end")),
        before.format(SQL("ROW({}, {})").format(end, texts), Identifier("pgmend_latest")),
    )
    fields = (Literal(f"f{place + 2}") for place in range(width))
    keys = [SQL("to_jsonb(t.pgmend_latest) -> 0 ->> {}").format(field) for field in fields]
    return _Earlier(cells, keys, SQL("{} && t.pgmend_end[1] AND {}").format(value, some))


def _joined(rows: Composable, parts: Sequence[Element], width: int) -> Composed:
    """Return the rows that conflict with an earlier one by any operators, which a join finds."""
    signs = [each.operator for each in parts]
    values = [f"pgmend_e{place}" for place in range(len(parts))]
    return SQL(
        "(SELECT DISTINCT ON (t.pgmend_part, t.pgmend_place) t.*, {others} FROM {rows} JOIN (SELECT * FROM {rows}) AS o"
        " ON {conflict} AND (o.pgmend_part, o.pgmend_place) < (t.pgmend_part, t.pgmend_place)"
        " ORDER BY t.pgmend_part, t.pgmend_place, o.pgmend_part, o.pgmend_place) AS t"
    ).format(
        others=SQL(", ").join(_named(_cells("k", width, "o"), "o")),
        rows=rows,
        conflict=q.equal(values, values, "t", "o", signs),
    )
