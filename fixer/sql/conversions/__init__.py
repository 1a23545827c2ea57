"""How values are converted from one type to another without loss, and which of them cannot be.

Sources: PostgreSQL manual, chapter 8 (data types).
"""

from __future__ import annotations

from dataclasses import replace

from fixer.model.contract import ColumnHints
from fixer.model.expression.patterns import pattern
from fixer.model.table import Column
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.conversions.domains import to_domain
from fixer.sql.conversions.further import Conversion, as_jsonb, further_conversion
from fixer.sql.types import MAXIMA, element, family, fits, shape

_TRUE = ("t", "true", "y", "yes", "on", "1")
_FALSE = ("f", "false", "n", "no", "off", "0")
# Digits and blanks are spelt out: under some collations \d and \s match characters that no cast accepts.
_BLANKS = " \t\n\r\f\v"
_DAY = r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)"
_MOMENT = rf"^{_DAY}([ T]{_CLOCK}[ ]*{_ZONE}?)?$"
_ZONED = r":.*[Z+-]"  # of a moment: only its time has colons, and only a zone follows it
_WHOLE = r"^[+-]?[0-9]+$"
_DECIMAL = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_DIGITS = 15_000  # at most, of a text taken for a number; numeric holds 16,383 after the point, more before it
_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}(-?{_HEX}{{4}}){{3}}-?{_HEX}{{12}}"
_FLOATS = {"real": ("1e-45", "3.4028235e38"), "double precision": ("3e-324", "1.7976931348623157e308")}
_COUNTS = ("integer", "numeric", "float")  # may count seconds or milliseconds
_VALUE = pattern(r"[+-]?\d|true$|false$")  # a label that may be the text of a number or of a boolean
_WHOLE_FLOATS = (-(2**63), 2**63 - 2**39)  # between them, every whole number of either float type fits bigint


def conversion(found: Column, wanted: Column, hints: ColumnHints, version: int = 0) -> Conversion | str:
    """Return how a column's values are converted to the wanted type, or the reason why no safe way exists.

    Some texts can only be tried on servers from version 16 on.
    """
    if guards := [each for each in found.guards if each not in wanted.guards]:
        return f"its domain {found.type} demands {' and '.join(guards)}, which a conversion to {wanted.type} would drop"
    held = replace(found, type=found.base or found.type, home="" if found.base else found.home)
    if wanted.base and not element(wanted.type):
        plain = replace(wanted, type=wanted.base, base="", guards=(), home="")
        bare = _same_kind(held, plain) or conversion(held, plain, hints, version)
        return to_domain(found, wanted, bare) if family(held.type) != "float" else _unknown(found, wanted)
    ways = _from_domain(found, wanted) or further_conversion(held, wanted, version) or _to_labels(held, wanted)
    way = ways or _conversion(held, wanted, hints)
    return way if isinstance(way, str) else replace(way, home=wanted.home)


def _from_domain(found: Column, wanted: Column) -> Conversion | None:
    """Return the conversion of a domain to a type that holds all values of the type that it is made of."""
    if not found.base or not fits(wanted.type, found.base):
        return None
    cell = q.column(found.name)
    value, back = (SQL("{}::{}").format(cell, SQL(each.full_type)) for each in (wanted, found))
    return Conversion(wanted.type, SQL("true"), value, back=back)


def _same_kind(found: Column, wanted: Column) -> Conversion | None:
    """Return the conversion to a type that holds all values of a column, or to an integer of another size."""
    cell, value = q.column(found.name), SQL("{}::{}").format(q.column(found.name), SQL(wanted.type))
    if fits(wanted.type, found.type):
        return Conversion(wanted.type, SQL("true"), value, reversible=True)
    top = MAXIMA.get(wanted.type) if found.type in MAXIMA else None
    fitting = SQL("{} BETWEEN {} AND {}").format(cell, Literal(-(top or 0) - 1), Literal(top))
    return Conversion(wanted.type, fitting, value, reversible=True) if top else None


def _unknown(found: Column, wanted: Column) -> str:
    return f"no safe way is known from {found.type} to {wanted.type}: what the new type cannot hold would be lost"


def _to_labels(found: Column, wanted: Column) -> Conversion | None:
    """Return the conversion of an array of texts to one of an enum, whose elements are labels or NULL."""
    if not wanted.items or not (found.items or family(element(found.type) or "") == "text"):
        return None
    texts = SQL("{}::text[]").format(q.column(found.name))
    filled = SQL("array_replace({}, NULL, {})").format(texts, Literal(wanted.items[0]))
    known = SQL("{} <@ ARRAY[{}]::text[]").format(filled, SQL(", ").join(map(Literal, wanted.items)))
    return _plain(wanted.type, known, SQL("{}::{}").format(texts, SQL(wanted.full_type)), True)


def trimmed(cell: Composable) -> Composed:
    """Return the text of a cell without blanks around it, as conversions read it."""
    return SQL("btrim({}::text, {})").format(cell, Literal(_BLANKS))


def _conversion(found: Column, wanted: Column, hints: ColumnHints) -> Conversion | str:
    f, w = family(found.type), family(wanted.type)
    cell = q.column(found.name)
    text = trimmed(cell)
    if w == "text":
        return _to_text(cell, wanted)
    if wanted.labels:
        if f in (*_COUNTS, "boolean") and not any(map(_VALUE.match, wanted.labels)):
            return "only a person can tell which label each value means"
        labels = SQL(", ").join(map(Literal, wanted.labels))
        return _plain(
            wanted.type,
            SQL("{} IN ({})").format(text, labels),
            SQL("{}::{}").format(text, SQL(wanted.full_type)),
            False,  # blanks around a label are lost
        )
    if w == "boolean":
        return _to_boolean(f, found.type, cell, text)
    if w == "integer" and f in ("text", "numeric", "float", "boolean"):
        return _to_integer(f, cell, text, wanted)
    if w == "numeric" and f in ("text", "float", "integer"):
        return _to_numeric(found.type, cell, text, wanted)
    if w == "float" and f in ("text", "numeric", "integer"):
        return _to_float(found.type, cell, text, wanted)
    if w == "timestamptz" and f in ("text", "timestamp", "date"):
        return _to_moment(found, cell, text, wanted, hints)
    if w in ("timestamptz", "timestamp", "date") and f in _COUNTS:
        return "it may hold seconds or milliseconds since 1970, and only a person can tell which"
    if w in ("timestamp", "date") and f == "text":
        return _to_clock(text, wanted, hints)
    if w == "timestamp" and f == "date":
        return _plain(wanted.type, _in_calendar(cell), SQL("{}::{}").format(cell, SQL(wanted.full_type)), True)
    if w == "uuid" and f == "text":
        return _plain(wanted.type, _like(text, rf"^({_UUID}|\{{{_UUID}\}})$"), SQL("{}::uuid").format(text), False)
    if {f, w} == {"json", "jsonb"}:
        fits: Composable = SQL("true") if w == "json" else as_jsonb(cell)
        return _plain(wanted.type, fits, SQL("{}::{}").format(cell, SQL(wanted.full_type)), False)
    return _unknown(found, wanted)


def _plain(type_: str, fits: Composable, value: Composable, reversible: bool) -> Conversion:
    return Conversion(type_, fits, value, reversible)


def _like(text: Composable, pattern: str) -> Composed:
    return SQL("{} ~ {}").format(text, Literal(pattern))


def _number(text: Composable, pattern: str) -> Composed:
    """Return the condition that a text is a number which numeric can hold (PostgreSQL manual, 8.1.2)."""
    return SQL("({} AND length({}) <= {})").format(_like(text, pattern), text, Literal(_DIGITS))


def _moment(text: Composable, wanted: Column) -> Composed:
    """Return the condition that a text is a moment that exists, with no more digits than the type keeps.

    2023-02-29, for example, does not exist.
    """
    month = "(substr({text}, 1, 7) || '-01')::date"
    last = f"extract(day FROM {month} + interval '1 month' - interval '1 day')"
    real = (
        f"CASE WHEN {{text}} ~ {{pattern}} AND {{text}} !~ {{digits}}"
        f" THEN substr({{text}}, 9, 2)::integer <= {last} ELSE false END"
    )
    size = shape(wanted.type).size
    more = rf"\.[0-9]{{{6 if size is None else size}}}[0-9]*[1-9]"
    return SQL(real).format(text=text, pattern=Literal(_MOMENT), digits=Literal(more))


def _in_calendar(cell: Composable) -> Composed:
    """Return the condition that a date or timestamp lies in the range of every type for moments."""
    return SQL("({} BETWEEN '4713-01-01 BC' AND '294276-12-01' OR NOT isfinite({}))").format(cell, cell)


def _to_text(cell: Composable, wanted: Column) -> Conversion:
    size = shape(wanted.type).size
    fits: Composable = SQL("true")
    if size is not None:
        measure = SQL("octet_length" if wanted.type == "name" else "char_length")
        fits = SQL("{}({}::text) <= {}").format(measure, cell, Literal(size))
    return _plain(wanted.type, fits, SQL("{}::text::{}").format(cell, SQL(wanted.full_type)), True)


def _to_boolean(f: str, found: str, cell: Composable, text: Composable) -> Conversion | str:
    if f not in ("text", "integer", "numeric", "float"):
        return f"no safe way is known from {found} to boolean: all but true and false would be lost"
    known = SQL("lower({}) IN ({})").format(text, SQL(", ").join(map(Literal, (*_TRUE, *_FALSE))))
    value = SQL("lower({}) IN ({})").format(text, SQL(", ").join(map(Literal, _TRUE)))
    if f != "text":  # compared as numbers, because 1.00 is 1
        known, value = SQL("{} IN (0, 1)").format(cell), SQL("{} = 1").format(cell)
    null = SQL("CASE WHEN {} IS DISTINCT FROM NULL THEN {} END").format(cell, value)  # no IS NOT NULL in USING
    back = None if f == "text" else SQL("{}::integer::{}").format(cell, SQL(found))
    return Conversion("boolean", known, null, f == "integer", back)


def _to_integer(f: str, cell: Composable, text: Composable, wanted: Column) -> Conversion:
    if f == "boolean":
        return _plain(wanted.type, SQL("true"), SQL("{}::integer::{}").format(cell, SQL(wanted.full_type)), True)
    pattern = _WHOLE if f == "text" else _DECIMAL
    top = MAXIMA.get(wanted.type, MAXIMA["integer"])
    # CASE keeps a text that is no number from being cast.
    whole = "{text}::numeric = trunc({text}::numeric) AND {text}::numeric BETWEEN {low} AND {top}"
    fits = SQL(f"CASE WHEN {{number}} THEN {whole} ELSE false END").format(
        text=text, number=_number(text, pattern), low=Literal(-top - 1), top=Literal(top)
    )
    return _plain(wanted.type, fits, SQL("{}::numeric::{}").format(text, SQL(wanted.full_type)), False)


def _to_numeric(found: str, cell: Composable, text: Composable, wanted: Column) -> Conversion:
    """Return the conversion to numeric by text: float8::numeric keeps 15 digits, real::numeric 6, the text all."""
    measure = shape(wanted.type)
    number = SQL("{}::numeric").format(text)
    fits: Composable = _number(text, _DECIMAL)
    if measure.size is not None:
        scale = measure.scale or 0
        top = Literal(10 ** (measure.size - scale))
        fits = SQL("CASE WHEN {} THEN abs({}) < {} AND {} = round({}, {}) ELSE false END").format(
            fits, number, top, number, number, Literal(scale)
        )
    whole = family(found) == "integer"
    value = SQL("{}::{}").format(number, SQL(wanted.full_type))
    return Conversion(wanted.type, fits, value, whole, _whole_again(cell, found) if whole else None)


def _to_float(found: str, cell: Composable, text: Composable, wanted: Column) -> Conversion:
    """Return the conversion to a float; a number fits if the float's text, or the whole number in it, equals it."""
    type_, number = SQL(wanted.full_type), SQL("{}::numeric").format(text)
    value = SQL("{}::{}").format(text, type_)
    (least, most), (low, top) = _FLOATS[wanted.type], _WHOLE_FLOATS
    # The nested CASE keeps a number that is out of range from being cast.
    fits = SQL(
        "CASE WHEN {digits} THEN CASE WHEN {number} = 0 OR abs({number}) BETWEEN {least} AND {most} THEN"
        " {value}::text::numeric = {number}"
        " OR CASE WHEN {number} BETWEEN {low} AND {top} THEN {value}::bigint = {number} ELSE false END"
        " ELSE false END ELSE false END"
    ).format(
        digits=_number(text, _DECIMAL),
        number=number,
        value=value,
        least=SQL(least),
        most=SQL(most),
        low=Literal(low),
        top=Literal(top),
    )
    return Conversion(wanted.type, fits, value, back=_whole_again(cell, found) if family(found) == "integer" else None)


def _whole_again(cell: Composable, found: str) -> Composed:
    """Return the integer in a numeric or float cell, whose text may have a point or an exponent."""
    return SQL("{}::{}").format(cell, SQL(found))


def _to_clock(text: Composable, wanted: Column, hints: ColumnHints) -> Conversion:
    """Return how a text becomes a date or a timestamp without zone; one with a zone is converted to the declared zone.

    A text with a zone does not fit if no zone is declared. A text with a time of day other than midnight does not fit
    a date.
    """
    type_, clock = SQL(wanted.full_type), SQL("{}::timestamp").format(text)
    fits: Composable = SQL("{} !~ {}").format(text, Literal(_ZONED))
    if hints.timezone is not None:
        moment, zone = SQL("{}::timestamptz").format(text), Literal(hints.timezone)
        there = SQL("{} AT TIME ZONE {}").format(moment, zone)
        same = SQL("{} AT TIME ZONE {} = {}").format(there, zone, moment)
        fits = SQL("CASE WHEN {} THEN true ELSE {} END").format(fits, same)
        clock = SQL("CASE WHEN {} ~ {} THEN {} ELSE {} END").format(text, Literal(_ZONED), there, clock)
    if family(wanted.type) == "date":
        fits = SQL("{} AND ({})::time = '00:00'").format(fits, clock)
    fits = SQL("CASE WHEN {} THEN {} ELSE false END").format(_moment(text, wanted), fits)
    return _plain(wanted.type, fits, SQL("({})::{}").format(clock, type_), False)


def _to_moment(
    found: Column, cell: Composable, text: Composable, wanted: Column, hints: ColumnHints
) -> Conversion | str:
    if hints.timezone is None:
        return (
            f"nothing says in which time zone the moments of {wanted.name} are:"
            ' say info={"timezone": "UTC"} (or the zone they were meant in)'
        )
    zone, type_ = Literal(hints.timezone), SQL(wanted.full_type)
    if family(found.type) != "text":
        value = SQL("({}::timestamp AT TIME ZONE {})::{}").format(cell, zone, type_)
        back = SQL("({} AT TIME ZONE {})::{}").format(cell, zone, SQL(found.full_type))
        # An hour that the clock skipped is no moment; and the new type may keep fewer digits.
        same = SQL("{} = {}").format(q.over(back, found.name, value), cell)
        fits = SQL("CASE WHEN {} THEN {} ELSE false END").format(_in_calendar(cell), same)
        return Conversion(wanted.type, fits, value, back=back)
    clock = SQL("{}::timestamp").format(text)
    there = SQL("{} AT TIME ZONE {}").format(clock, zone)
    again = SQL("{} AT TIME ZONE {}").format(there, zone)
    value = SQL("CASE WHEN {} ~ {} THEN {}::{} ELSE ({})::{} END").format(
        text, Literal(_ZONED), text, type_, there, type_
    )
    fits = SQL(
        "CASE WHEN NOT {moment} THEN false WHEN {text} ~ {zoned} THEN true"
        " WHEN {text} ~ ':' THEN {again} = {clock} ELSE ({again})::date = {clock}::date END"
    ).format(moment=_moment(text, wanted), text=text, zoned=Literal(_ZONED), again=again, clock=clock)
    return _plain(wanted.type, fits, value, False)
