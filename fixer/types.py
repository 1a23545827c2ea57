"""Types: which fits which, and how values get from one to another without loss.

Sources: PostgreSQL manual, chapter 8 (data types); the widening changes that need no rewrite follow
`ALTER TABLE`, "Notes".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fixer import sqltext as q
from fixer.contract import ColumnHints
from fixer.schema import Column
from fixer.sqltext import SQL, Composable, Composed, Literal

_INTEGERS = {"smallint": 2, "integer": 4, "bigint": 8}
_TEXTS = ("character varying", "character", "text", "citext", "bpchar", "name")
_MOMENTS = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "double precision": "float",
    "real": "float",
}
_SHAPE = re.compile(r"^(.*?)(?:\((\d+)(?:,\s*(-?\d+))?\))?( with(?:out)? time zone)?(\[\])*$")


@dataclass(frozen=True, slots=True)
class Shape:
    """A type taken apart: ``numeric(15,2)`` is the family numeric of 15 digits, 2 of them after the point."""

    family: str
    size: int | None = None
    scale: int | None = None
    name: str = ""


def shape(spelt: str) -> Shape:
    """Take a type apart, as format_type spells it."""
    if spelt.endswith("[]"):
        return Shape(spelt, name=spelt)
    found = _SHAPE.match(spelt)
    if found is None:
        return Shape(spelt, name=spelt)
    name = found[1] + (found[4] or "")
    size, scale = (int(part) if part else None for part in (found[2], found[3]))
    if name in _INTEGERS:
        return Shape("integer", _INTEGERS[name], name=name)
    if name in _TEXTS:
        return Shape("text", 1 if spelt == "character" else size, name=name)
    if name == "numeric":
        return Shape("numeric", size, scale or (0 if size else None), name=name)
    if name in ("real", "double precision"):
        return Shape("float", 4 if name == "real" else 8, name=name)
    return Shape(_MOMENTS.get(name, name), size, name=name)


def family(spelt: str) -> str:
    """Return the family of a type: text, integer, numeric, float, boolean, timestamptz, …"""
    return shape(spelt).family


def fits(found: str, wanted: str) -> bool:
    """Tell whether a column of type `found` takes all that one of type `wanted` takes, and compares alike."""
    if found == wanted:
        return True
    f, w = shape(found), shape(wanted)
    if f.family != w.family:
        return False
    if f.family == "integer" or f.family == "float":
        return (f.size or 0) >= (w.size or 0)
    if f.family == "numeric":
        return _numeric_fits(f, w)
    if f.family == "text":
        return _text_fits(f, w)
    if f.family in ("timestamptz", "timestamp", "time without time zone", "time with time zone", "interval"):
        return f.size is None or (w.size is not None and f.size >= w.size)
    return False


def _numeric_fits(found: Shape, wanted: Shape) -> bool:
    if found.size is None:
        return True
    if wanted.size is None:
        return False
    whole = (found.size - (found.scale or 0)) >= (wanted.size - (wanted.scale or 0))
    return whole and (found.scale or 0) >= (wanted.scale or 0)


def _text_fits(found: Shape, wanted: Shape) -> bool:
    if found.name in ("character", "bpchar") and wanted.name not in ("character", "bpchar"):
        return False  # character pads with blanks
    if found.name == "name":
        return False
    return found.size is None or (wanted.size is not None and found.size >= wanted.size)


def widened(found: str, wanted: str) -> str | None:
    """Return the type that takes all that either takes, where both are of one family and need no conversion."""
    f, w = shape(found), shape(wanted)
    if fits(found, wanted):
        return found
    if f.family != w.family or f.family not in (
        "integer",
        "float",
        "numeric",
        "text",
        "timestamptz",
        "timestamp",
    ):
        return None
    if f.family == "numeric" and f.size is not None and w.size is not None:
        scale = max(f.scale or 0, w.scale or 0)
        whole = max(f.size - (f.scale or 0), w.size - (w.scale or 0))
        return f"numeric({whole + scale},{scale})"
    if f.family == "text" and f.size is not None and w.size is not None and f.size > w.size:
        return f"{w.name}({f.size})"
    return wanted


def rewrites(found: str, wanted: str) -> bool:
    """Tell whether changing a column between these types of one family rewrites the table."""
    f, w = shape(found), shape(wanted)
    if f.family == "numeric":
        return (f.scale or 0) != (w.scale or 0) and w.size is not None
    if f.family == "text":
        return {f.name, w.name} & {"character", "bpchar", "name", "citext"} != set()
    return f.family in ("integer", "float")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How values of one type become values of another.

    `fits` is the condition on the row under which its value is understood; `value` the new value;
    `reversible` whether the old spelling can be had back from every new value alone; `back` the old value
    over the new cell, where it is not just the text of it.
    """

    type: str
    fits: Composable
    value: Composable
    reversible: bool = False
    back: Composable | None = None


_TRUE = ("t", "true", "y", "yes", "on", "1")
_FALSE = ("f", "false", "n", "no", "off", "0")
_MOMENT = (
    r"^\s*\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?\s*(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)?\s*$"
)
_ZONED = r"(Z|\d[+-]\d\d(:?\d\d)?)\s*$"
_WHOLE = r"^\s*[+-]?\d+\s*$"
_DECIMAL = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*$"
_UUID = r"^\s*\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?\s*$"
_BOUNDS = {"smallint": 32767, "integer": 2147483647, "bigint": 9223372036854775807}


def conversion(found: Column, wanted: Column, hints: ColumnHints) -> Conversion | str:
    """Return how a column's values get to the wanted type, or the reason why no safe way exists."""
    f, w = family(found.type), family(wanted.type)
    cell, text = q.column(found.name), SQL("btrim({}::text)").format(q.column(found.name))
    if w == "text":
        return _to_text(cell, wanted)
    if wanted.labels:
        labels = SQL(", ").join(map(Literal, wanted.labels))
        return _plain(
            wanted.type,
            SQL("{} IN ({})").format(text, labels),
            SQL("{}::{}").format(text, SQL(wanted.type)),
            False,  # blanks around a label go
        )
    if w == "boolean":
        return _to_boolean(f, found.type, cell, text)
    if w == "integer" and f in ("text", "numeric", "float", "boolean"):
        return _to_integer(f, cell, text, wanted)
    if w == "numeric" and f in ("text", "float", "integer"):
        return _to_numeric(f, text, wanted)
    if w == "float" and f in ("text", "numeric", "integer"):
        top = Literal(1e38 if wanted.type == "real" else 1e307)
        sized = SQL("CASE WHEN {} ~ {} THEN abs({}::numeric) < {}::numeric ELSE false END").format(
            text, Literal(_DECIMAL), text, top
        )
        return _plain(wanted.type, sized, SQL("{}::{}").format(text, SQL(wanted.type)), False)
    if w == "timestamptz" and f in ("text", "timestamp", "date"):
        return _to_moment(found.type, cell, text, wanted, hints)
    if w in ("timestamp", "date") and f == "text":
        return _plain(wanted.type, _moment(text), SQL("{}::{}").format(text, SQL(wanted.type)), False)
    if w == "timestamp" and f == "date":
        return _plain(wanted.type, SQL("true"), SQL("{}::{}").format(cell, SQL(wanted.type)), True)
    if w == "uuid" and f == "text":
        return _plain(wanted.type, _like(text, _UUID), SQL("{}::uuid").format(text), False)
    if {f, w} == {"json", "jsonb"}:
        return _plain(wanted.type, SQL("true"), SQL("{}::{}").format(cell, SQL(wanted.type)), False)
    return f"no safe way is known from {found.type} to {wanted.type}"


def _plain(type_: str, fits: Composable, value: Composable, reversible: bool) -> Conversion:
    return Conversion(type_, fits, value, reversible)


def _like(text: Composable, pattern: str) -> Composed:
    return SQL("{} ~ {}").format(text, Literal(pattern))


def _moment(text: Composable) -> Composed:
    """Return the condition that a text is a moment of the calendar: 2023-02-29 never was."""
    month = "(substr({text}, 1, 7) || '-01')::date"
    last = f"extract(day FROM {month} + interval '1 month' - interval '1 day')"
    real = f"CASE WHEN {{text}} ~ {{pattern}} THEN substr({{text}}, 9, 2)::integer <= {last} ELSE false END"
    return SQL(real).format(text=text, pattern=Literal(_MOMENT))


def _to_text(cell: Composable, wanted: Column) -> Conversion:
    size = shape(wanted.type).size
    fits = SQL("true") if size is None else SQL("char_length({}::text) <= {}").format(cell, Literal(size))
    return _plain(wanted.type, fits, SQL("{}::text::{}").format(cell, SQL(wanted.type)), True)


def _to_boolean(f: str, found: str, cell: Composable, text: Composable) -> Conversion | str:
    if f not in ("text", "integer", "numeric", "float"):
        return "no safe way is known to boolean"
    known = SQL("lower({}) IN ({})").format(text, SQL(", ").join(map(Literal, (*_TRUE, *_FALSE))))
    value = SQL("lower({}) IN ({})").format(text, SQL(", ").join(map(Literal, _TRUE)))
    null = SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(text, value)
    back = None if f == "text" else SQL("{}::integer::{}").format(cell, SQL(found))
    return Conversion("boolean", known, null, f == "integer", back)


def _to_integer(f: str, cell: Composable, text: Composable, wanted: Column) -> Conversion:
    if f == "boolean":
        return _plain(wanted.type, SQL("true"), SQL("{}::integer::{}").format(cell, SQL(wanted.type)), True)
    pattern = _WHOLE if f == "text" else _DECIMAL
    top = _BOUNDS.get(wanted.type, _BOUNDS["integer"])
    # In CASE, so that a text which is no number is never cast to be measured.
    whole = "{text}::numeric = trunc({text}::numeric) AND {text}::numeric BETWEEN {low} AND {top}"
    fits = SQL(f"CASE WHEN {{text}} ~ {{pattern}} THEN {whole} ELSE false END").format(
        text=text, pattern=Literal(pattern), low=Literal(-top - 1), top=Literal(top)
    )
    return _plain(wanted.type, fits, SQL("{}::numeric::{}").format(text, SQL(wanted.type)), False)


def _to_numeric(f: str, text: Composable, wanted: Column) -> Conversion:
    """Through text: float8::numeric keeps 15 digits, real::numeric 6; the shortest text keeps all."""
    measure = shape(wanted.type)
    number = SQL("{}::numeric").format(text)
    fits: Composable = _like(text, _DECIMAL)
    if measure.size is not None:
        scale = measure.scale or 0
        top = Literal(10 ** (measure.size - scale))
        fits = SQL("CASE WHEN {} THEN abs({}) < {} AND {} = round({}, {}) ELSE false END").format(
            fits, number, top, number, number, Literal(scale)
        )
    return _plain(wanted.type, fits, SQL("{}::{}").format(number, SQL(wanted.type)), f == "integer")


def _to_moment(found: str, cell: Composable, text: Composable, wanted: Column, hints: ColumnHints) -> Conversion | str:
    if hints.timezone is None:
        return (
            f"{wanted.name} holds moments without a zone, and the contract declares none:"
            ' say info={"timezone": "UTC"} (or the zone they were meant in)'
        )
    zone = Literal(hints.timezone)
    type_ = SQL(wanted.type)
    if family(found) != "text":
        value = SQL("({}::timestamp AT TIME ZONE {})::{}").format(cell, zone, type_)
        # Twice a year an hour of the clock is no moment, or two; and a type may keep fewer digits.
        back = SQL("({} AT TIME ZONE {})::{}").format(cell, zone, SQL(found))
        return Conversion(wanted.type, SQL("true"), value, back=back)
    value = SQL("CASE WHEN {} ~ {} THEN {}::{} ELSE ({}::timestamp AT TIME ZONE {})::{} END").format(
        text, Literal(_ZONED), text, type_, text, zone, type_
    )
    return _plain(wanted.type, _moment(text), value, False)
