"""Conversions of types with one exact way: documents, networks, lists, money, bits and bytes.

Sources: PostgreSQL manual, chapter 8 (data types), and 9.27.6, for texts that are tried as a type.
"""

from __future__ import annotations

from fixer.model.table import Column
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Literal
from fixer.sql.types import MAXIMA, element, family, shape

_STRINGS = r'"(\\.|[^"\\])*"'
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
_RANGES = ("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange")
_TRIED = ("json", "jsonb", "inet", "cidr", "macaddr", "macaddr8", *_RANGES[:3])
_ELEMENTS = (*MAXIMA, "numeric", "uuid", "boolean", "inet", "cidr", "macaddr")
# Types of which one holds all values of the other, with the condition that a value fits.
_KIN = {
    ("cidr", "inet"): "true",
    ("inet", "cidr"): "{0} = network({0})",
    ("macaddr", "macaddr8"): "true",
    ("macaddr8", "macaddr"): "{0}::text ~ '^(..:){{3}}ff:fe:'",
    ("oid", "bigint"): "true",
    ("int4range", "int8range"): "true",
    ("int4multirange", "int8multirange"): "true",
}
_TRYING = 16  # the first version with pg_input_is_valid
_MARK = "\x01"  # a character that no json has outside an escape
_ESCAPES = ((r"\n", "\n"), (r"\t", "\t"), (r"\r", "\r"), (r"\b", "\b"), (r"\f", "\f"), (r"\/", "/"))


@dataclass(frozen=True, slots=True)
class Conversion:
    """How values of one type become values of another.

    `fits` is the condition that the value of a row can be converted, and `value` is the new value. It is `reversible`
    if every new value alone gives back the old spelling. `back` is the old value over the new cell, if that is not
    simply the cell's text. If it `holds` no value, each cell is NULL, and stays so. To a domain, `cast` is `fits`
    without what the domain itself refuses.
    """

    type: str
    fits: Composable
    value: Composable
    reversible: bool = False
    back: Composable | None = None
    home: str = ""  # the schema of the type, if its name lacks it
    holds: bool = True
    cast: Composable | None = None

    @property
    def full_type(self) -> str:
        """The type as SQL spells it under any search_path."""
        return Column("", self.type, home=self.home).full_type


def further_conversion(found: Column, wanted: Column, version: int) -> Conversion | None:
    """Return how values of these types are converted, or None if this module knows no way."""
    f, w, cell = family(found.type), family(wanted.type), q.column(found.name)
    if f == "text" and w in _TRIED and version >= _TRYING:
        return _tried(cell, wanted)
    if f == "text" and w == "time without time zone" and shape(wanted.type).size in (None, 6):
        text = SQL("btrim({}::text)").format(cell)
        return Conversion(wanted.type, SQL("{} ~ {}").format(text, Literal(_TIME)), SQL("{}::time").format(text))
    if f == "money" and w == "numeric":
        return _from_money(cell, wanted)
    if found.type == "bit(1)" and w == "boolean":
        bit = SQL("{}::integer::bit(1)").format(cell)
        return Conversion("boolean", SQL("true"), SQL("{} = B'1'").format(cell), True, bit)
    if f == "bytea" and w == "uuid":
        sixteen, value = SQL("octet_length({}) = 16").format(cell), SQL("encode({}, 'hex')::uuid").format(cell)
        return Conversion("uuid", sixteen, value, True, SQL("decode(replace({}::text, '-', ''), 'hex')").format(cell))
    if f in ("json", "jsonb") and wanted.type == "text[]":
        return _list(f, cell)
    if (mine := element(found.type)) and (theirs := element(wanted.type)):
        return _lists(cell, mine, theirs, wanted, version)
    if f in _RANGES and w == f.replace("range", "multirange"):  # a set of one, or of none
        return Conversion(w, SQL("true"), SQL("{}::{}").format(cell, SQL(w)), True, SQL("range_merge({})").format(cell))
    kin = _KIN.get((f, wanted.type))
    if kin is None:
        return None
    value, back = (SQL("{}::{}").format(cell, SQL(each)) for each in (wanted.type, f))
    if "range" in f:  # between these is no cast
        value, back = (SQL("{}::text::{}").format(cell, SQL(each)) for each in (wanted.type, f))
    return Conversion(wanted.type, SQL(kin).format(cell), value, True, back)


def _lists(cell: Composable, mine: str, theirs: str, wanted: Column, version: int) -> Conversion | None:
    """Return the conversion of arrays to texts, or of texts to what the server can try as a whole array."""
    texts = SQL("{}::text").format(cell)
    if theirs in ("text", "character varying") and family(mine) != "text":
        return Conversion(wanted.type, SQL("true"), SQL("{}::{}").format(cell, SQL(wanted.type)), True)
    if family(mine) == "text" and theirs in _ELEMENTS and version >= _TRYING:
        fits = SQL("pg_input_is_valid({}, {})").format(texts, Literal(wanted.type))
        return Conversion(wanted.type, fits, SQL("{}::{}").format(texts, SQL(wanted.type)))
    return None


def _tried(cell: Composable, wanted: Column) -> Conversion:
    """Return the conversion of a text that the server can try as the wanted type without an error."""
    fits: Composable = SQL("pg_input_is_valid({}::text, {})").format(cell, Literal(wanted.type))
    if wanted.type == "jsonb":  # of repeated keys jsonb keeps the last
        fits = SQL("CASE WHEN {} THEN {} ELSE false END").format(fits, as_jsonb(SQL("{}::text").format(cell)))
    value = SQL("{}::text::{}").format(cell, SQL(wanted.type))
    return Conversion(wanted.type, fits, value, wanted.type == "json")


def _from_money(cell: Composable, wanted: Column) -> Conversion:
    """Return the conversion of money, a whole number of the smallest coin that lc_monetary knows."""
    measure, number = shape(wanted.type), SQL("{}::numeric").format(cell)
    fits: Composable = SQL("true")
    if measure.size is not None:
        scale = measure.scale or 0
        top = Literal(10 ** (measure.size - scale))
        fits = SQL("(abs({}) < {} AND {} = round({}, {}))").format(number, top, number, number, Literal(scale))
    value = SQL("{}::{}").format(number, SQL(wanted.full_type))
    return Conversion(wanted.type, fits, value, True, SQL("{}::numeric::money").format(cell))


def _list(f: str, cell: Composable) -> Conversion:
    """Return the conversion of a list of strings and nulls; other elements, and characters by number, do not fit.

    Quotation marks and backslashes are escaped alike in json and in the text of an array.
    """
    text: Composable = SQL("replace(btrim({}::text, {}), {}, {})").format(
        cell, Literal(" \t\r\n"), Literal("\\\\"), Literal(_MARK)
    )
    rest = SQL("regexp_replace({}::text, {}, '', 'g')").format(cell, Literal(_STRINGS))
    fits = SQL("(btrim({}, {}) ~ {} AND {} !~ {})").format(
        rest, Literal(" \t\r\n"), Literal(r"^\[([ ,\t\r\n]|null)*\]$"), text, Literal(r"\\u")
    )
    for escape, character in _ESCAPES:
        text = SQL("replace({}, {}, {})").format(text, Literal(escape), Literal(character))
    text = SQL("replace({}, {}, {})").format(text, Literal(_MARK), Literal("\\\\"))
    value = SQL("('{{' || substr({}, 2, length({}) - 2) || '}}')::text[]").format(text, text)
    return Conversion("text[]", fits, value, f == "jsonb", SQL("to_{}({})").format(SQL(f), cell))


def as_jsonb(cell: Composable) -> Composed:
    """Return the condition that nothing of a json is lost as jsonb, which keeps only the last of repeated keys.

    Outside strings there is one colon for each key, so none is lost if the colons are as many. Characters and numbers
    that jsonb rejects do not fit, and are not cast.
    """
    pairs = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    escapes = SQL("regexp_replace(replace({}::text, {}, ''), {}, ' ', 'g') !~ {}").format(
        cell, Literal("\\\\"), Literal(pairs), Literal(r"\\u(0000|[dD][89a-fA-F])")
    )
    numbers = SQL("regexp_replace({}::text, {}, '', 'g') !~ {}").format(
        cell, Literal(_STRINGS), Literal(r"[eE][+-]?[0-9]{4}")
    )
    old, new = (
        SQL("length(regexp_replace({}::text, {}, '', 'g'))").format(each, Literal(rf"{_STRINGS}|[^:]"))
        for each in (cell, SQL("{}::jsonb").format(cell))
    )
    return SQL("CASE WHEN {} AND {} THEN {} = {} ELSE false END").format(escapes, numbers, old, new)
