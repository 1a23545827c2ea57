"""Types: which holds all values of which, and which changes of a type rewrite the table.

Sources: PostgreSQL manual, chapter 8 (data types), and `ALTER TABLE`, "Notes", for changes without a rewrite.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

_INTEGERS = {"smallint": 2, "integer": 4, "bigint": 8}
MAXIMA = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_TEXTS = ("character varying", "character", "text", "citext", "bpchar", "name")
_PADDED = ("character", "bpchar")
NAME_BYTES = 63  # of a name; a cast to it cuts off what is longer, where one to varchar(63) fails
_MOMENTS = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "double precision": "float",
    "real": "float",
}
_NO_TEXTS = ("integer", "numeric", "float", "uuid", "boolean", "bytea", "date", "timestamp", "timestamptz")
_CLOCKS = ("timestamptz", "timestamp", "time without time zone", "time with time zone")
_FIELDS = ("year", "month", "day", "hour", "minute", "second")
_DIGITS = 6  # after the point of a second, unless the type says less (manual, 8.5)
_SHAPE = pattern(r"^(.*?)(?:\(([^()]*)\))?( with(?:out)? time zone)?$")
_NUMBERS = pattern(r"(\d+)(?:,\s*(-?\d+))?")


@dataclass(frozen=True, slots=True)
class Shape:
    """A type taken apart: ``numeric(15,2)`` is the family numeric of 15 digits, 2 of them after the point."""

    family: str
    size: int | None = None
    scale: int | None = None
    name: str = ""
    modifiers: str = ""  # as they are spelt


@lru_cache(maxsize=4096)  # a contract spells few types, in many columns
def shape(spelt: str) -> Shape:
    """Return the parts of a type, as format_type spells it."""
    found = _SHAPE.match(spelt)
    if found is None or spelt.endswith("[]"):
        each = family(spelt.removesuffix("[]")) if spelt.endswith("[]") else ""
        return Shape(f"{each}[]" if each else spelt, name=spelt)
    name, modifiers = found[1] + (found[3] or ""), found[2] or ""
    numbers = _NUMBERS.fullmatch(modifiers)
    size, scale = (int(part) if part else None for part in numbers.groups()) if numbers else (None, None)
    family_ = _MOMENTS.get(name, name)
    if name in _INTEGERS:
        family_, size = "integer", _INTEGERS[name]
    elif name in _TEXTS:
        family_, size = "text", {"character": 1, "name": NAME_BYTES}.get(spelt, size)
    elif name == "numeric":
        scale = scale or (0 if size else None)
    elif family_ == "float":
        size = 4 if name == "real" else 8
    elif name in ("bit", "bit varying"):
        family_, size = "bit", 1 if spelt == "bit" else size
    elif name.split(" ")[0] == "interval":
        family_ = "interval"
    return Shape(family_, size, scale, name, modifiers)


def family(spelt: str) -> str:
    """Return the family of a type: text, integer, numeric, float, boolean, timestamptz, …; of an array, integer[], …"""
    return shape(spelt).family


def tells_age(spelt: str) -> bool:
    """Return whether of two values of a type one may be the older: a moment, a date or a number."""
    return family(spelt) in ("date", "timestamp", "timestamptz", "integer", "numeric", "float")


def can_compare(one: str, other: str) -> bool:
    """Return whether values of two types can be equal; no operator compares texts with numbers, moments or uuids."""
    families = {family(one), family(other)}
    return "text" not in families or families.isdisjoint(_NO_TEXTS)


def element(spelt: str) -> str | None:
    """Return the type of an array's elements; None if it is no array."""
    return spelt.removesuffix("[]") if spelt.endswith("[]") else None


def comparison(spelt: str) -> str:
    """Return how texts of a type are compared: without case, without trailing blanks, or exactly."""
    name = shape(spelt.removesuffix("[]")).name
    return "without case" if name == "citext" else "without trailing blanks" if name in _PADDED else "exactly"


def compares_alike(found: str, wanted: str) -> bool:
    """Return whether two types of one family tell values apart in the same way."""
    return comparison(found) == comparison(wanted)


def fits(found: str, wanted: str) -> bool:
    """Return whether a column of type `found` holds all values of type `wanted`, and compares them alike."""
    if found == wanted:
        return True
    mine, theirs = element(found), element(wanted)
    if mine is not None and theirs is not None:
        return fits(mine, theirs)
    return compares_alike(found, wanted) and holds(found, wanted)


def holds(found: str, wanted: str) -> bool:
    """Return whether a column of type `found` takes all values of type `wanted`, and gives them back as they were."""
    f, w = shape(found), shape(wanted)
    if found == wanted:
        return True
    if f.family != w.family or element(found) or element(wanted):
        return False
    if f.family in ("integer", "float"):
        return (f.size or 0) >= (w.size or 0)
    if f.family == "numeric":
        return _numeric_fits(f, w)
    if f.family == "text":
        return _text_fits(f, w)
    if f.family == "bit":
        return f.name == "bit varying" and _is_longer(f, w)
    if f.family in _CLOCKS:
        return _digits(f) >= _digits(w)
    if f.family == "interval":
        return _interval_fits(f, w)
    return not f.modifiers  # as vector or geometry, which take all that vector(3) and geometry(Point,4326) do


def _numeric_fits(found: Shape, wanted: Shape) -> bool:
    if found.size is None:
        return True
    if wanted.size is None:
        return False
    whole = (found.size - (found.scale or 0)) >= (wanted.size - (wanted.scale or 0))
    return whole and (found.scale or 0) >= (wanted.scale or 0)


def _text_fits(found: Shape, wanted: Shape) -> bool:
    if found.name in _PADDED and wanted.name not in _PADDED:
        return False  # character pads with blanks
    if found.name == "name":
        return False
    return _is_longer(found, wanted)


def _is_longer(found: Shape, wanted: Shape) -> bool:
    return found.size is None or (wanted.size is not None and found.size >= wanted.size)


def _digits(moment: Shape) -> int:
    return _DIGITS if moment.size is None else moment.size


def _interval_fits(found: Shape, wanted: Shape) -> bool:
    """Return whether no field of an interval is lost: PostgreSQL drops what is below the last field that is named."""
    f, w = _last_field(found), _last_field(wanted)
    return f >= w and (w < len(_FIELDS) - 1 or _digits(found) >= _digits(wanted))


def _last_field(interval: Shape) -> int:
    last = interval.name.split(" ")[-1]
    return _FIELDS.index(last) if last in _FIELDS else len(_FIELDS) - 1


def widened(found: str, wanted: str) -> str | None:
    """Return the type that holds all values of both; None if they are not of one family, or need a conversion."""
    if fits(found, wanted):
        return found
    mine, theirs = element(found), element(wanted)
    if mine is not None and theirs is not None:
        wide = widened(mine, theirs)
        return f"{wide}[]" if wide else None
    if wanted == "name":
        return widened(found, f"character varying({NAME_BYTES})")
    f, w = shape(found), shape(wanted)
    if f.family != w.family or not compares_alike(found, wanted):
        return None
    if f.family == "numeric" and f.size is not None and w.size is not None:
        scale = max(f.scale or 0, w.scale or 0)
        whole = max(f.size - (f.scale or 0), w.size - (w.scale or 0))
        return f"numeric({whole + scale},{scale})"
    if f.family == "text" and f.size is not None and w.size is not None and f.size > w.size:
        return f"{w.name}({f.size})"
    return wanted if f.family in ("integer", "float", "numeric", "text") or holds(wanted, found) else None


def retyped(found: str, wanted: str) -> str:
    """Return the wanted text type, as long as the found one if that is longer."""
    mine, theirs = element(found), element(wanted)
    if mine is not None and theirs is not None:
        return f"{retyped(mine, theirs)}[]"
    f, w = shape(found), shape(f"character varying({NAME_BYTES})" if wanted == "name" else wanted)
    if w.size is None or (f.size is not None and f.size <= w.size):
        return wanted if wanted != "name" else f"{w.name}({w.size})"
    return f"{w.name}({f.size})" if f.size is not None else wanted if wanted != "name" else "text"


def rewrites(found: str, wanted: str) -> bool:
    """Return whether changing a column between these types of one family rewrites the table."""
    f, w = shape(found), shape(wanted)
    if f.family == "numeric":
        return (f.scale or 0) != (w.scale or 0) and w.size is not None
    if f.family == "text":
        return {f.name, w.name} & {"character", "bpchar", "name", "citext"} != set()
    if f.family == "bit":
        return not f.name == w.name == "bit varying"
    return f.family != w.family or f.family not in _CLOCKS


# --- what extensions bring

_EXTENSIONS = {  # by what a statement names of them, as a word of PostgreSQL's message or a type
    **dict.fromkeys(("gin_trgm_ops", "gist_trgm_ops", "similarity"), "pg_trgm"),
    **dict.fromkeys(("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"), "uuid-ossp"),
    **dict.fromkeys(("geometry", "geography", "box2d", "box3d"), "postgis"),
    **dict.fromkeys(("gen_random_uuid", "gen_salt", "crypt", "digest"), "pgcrypto"),
    **{each: each for each in ("citext", "hstore", "ltree", "vector", "isn", "cube", "unaccent")},
}


def extension_of(names: Iterable[str]) -> str:
    """Return the extension that brings the first of these names that one brings; empty if none does."""
    return next((_EXTENSIONS[each] for each in names if each in _EXTENSIONS), "")
