"""Types: which holds all values of which, and which changes of a type rewrite the table.

Sources: PostgreSQL manual, chapter 8 (data types), and `ALTER TABLE`, "Notes", for changes without a rewrite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    """Return the parts of a type, as format_type spells it."""
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
    """Return whether a column of type `found` holds all values of type `wanted`, and compares them alike."""
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
    """Return the type that holds all values of both; None if they are not of one family, or need a conversion."""
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
    """Return whether changing a column between these types of one family rewrites the table."""
    f, w = shape(found), shape(wanted)
    if f.family == "numeric":
        return (f.scale or 0) != (w.scale or 0) and w.size is not None
    if f.family == "text":
        return {f.name, w.name} & {"character", "bpchar", "name", "citext"} != set()
    return f.family in ("integer", "float")
