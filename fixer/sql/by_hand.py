"""Statements for a person, to be read before one is run: most convert a column for which no safe way is known.

Sources: PostgreSQL manual, chapter 8 (data types), 9.9.4 (AT TIME ZONE), and CREATE CAST, for casts that exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fixer.model.expression import as_needed, literal
from fixer.model.expression.patterns import pattern
from fixer.model.obstacle import Standing
from fixer.model.schema import Schema, Session
from fixer.model.table import Column, QName
from fixer.sql.types import family

_BLANKS = pattern(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+""")  # outside of texts and names
_COUNTS = ("integer", "numeric", "float")  # may count seconds or milliseconds
_CLOCKS = {"timestamptz": True, "timestamp": False, "date": False}  # whether one is a moment, whatever the zone
_WHOEVER_OWNS_THE_DATABASE = "pg_database_owner"  # to whom no role can be added
_DAYTIMES = {"time with time zone": True, "time without time zone": False}


def statement_for(table: QName, found: Column, wanted: Column) -> str:
    """Return the statements that convert a column, each with what it takes the values for if that is not certain."""
    name = as_needed(found.name)
    of = f"ALTER TABLE {as_needed(table.schema)}.{as_needed(table.name)} ALTER COLUMN {name}"
    if found.default is not None:  # which may not convert; the next plan sets the contract's
        of += f" DROP DEFAULT, ALTER COLUMN {name}"
    ways = _ways(name, found, wanted)
    return " ".join(f"{meaning}{of} TYPE {wanted.full_type} USING {value};" for meaning, value in ways)


def around(standing: Iterable[Standing]) -> str:
    """Return the statements that take down all that stands over a column, and afterwards bring it back.

    Empty if there is more than statements can bring back, such as columns of tables.
    """
    lowest_first = list(standing)
    if not all(each.drop for each in lowest_first):
        return ""
    down = (f"{each.drop};" for each in reversed(lowest_first))
    up = (_BLANKS.sub(_in_one_line, statement) for each in lowest_first for statement in each.back)
    return f"{' '.join(down)} Afterwards: {'; '.join(up)}"


def recomputed(table: QName, found: Column, version: int) -> str:
    """Return the statements that take down a generated column, and afterwards compute it again.

    From PostgreSQL 17 on the column itself stays, with its place, grants and comment.
    """
    of = f"ALTER TABLE {as_needed(table.schema)}.{as_needed(table.name)}"
    name, kind = as_needed(found.name), "VIRTUAL" if found.generated == "v" else "STORED"
    if version >= 17 and not found.not_null:
        change = f"{of} ALTER COLUMN {name} SET EXPRESSION AS"
        return f"{change} (NULL::{found.full_type}); Afterwards: {change} ({found.default})"
    again = f"{name} {found.full_type} GENERATED ALWAYS AS ({found.default}) {kind}"
    again += " NOT NULL" if found.not_null else ""
    return f"{of} DROP COLUMN {name}; Afterwards: {of} ADD COLUMN {again}"


def _in_one_line(found: re.Match[str]) -> str:
    return found[1] or " "


def _ways(name: str, found: Column, wanted: Column) -> Iterator[tuple[str, str]]:
    """Yield what the values may mean, and what they become then."""
    f, w, type_ = family(found.base or found.type), family(wanted.type), wanted.full_type
    if f in _COUNTS and (w in _CLOCKS or w == "interval"):
        for unit, seconds in (("seconds", name), ("milliseconds", f"{name} / 1000.0")):
            yield f"for {unit}: ", _counted(seconds, w)
    elif f == "interval" and w in _COUNTS:
        yield "for seconds: ", f"extract(epoch FROM {name})::{type_}"
    elif {f, w} == {"text", "bytea"}:
        characters, digits = ("convert_to", "decode") if w == "bytea" else ("convert_from", "encode")
        yield "for characters: ", f"{characters}({name}, 'UTF8')"
        yield "for hexadecimal digits: ", f"{digits}({name}, 'hex')"
    elif f in _CLOCKS and w in _CLOCKS and _CLOCKS[f] != _CLOCKS[w]:
        plain = f"{name}::timestamp" if f == "date" else name
        moved = f"{plain} AT TIME ZONE 'UTC'"
        yield "for clocks of UTC: ", f"({moved})::date" if w == "date" else moved
    elif f in _DAYTIMES and w in _DAYTIMES and f != w:
        yield (
            "for clocks of UTC: ",
            f"({name}::text || '+00')::{type_}" if _DAYTIMES[w] else f"{name} AT TIME ZONE 'UTC'",
        )
    elif w.endswith("[]") and f == "text":
        yield "", f"string_to_array({name}, ',')::{type_}"
    elif "range" in f and "range" in w and "tstz" not in f + w:
        yield from _ranged(name, f, type_)
    elif w not in _CLOCKS and ("tstz" in f + w or "timestamp with time zone" in found.type + wanted.type):
        yield "for clocks of UTC: SET TIME ZONE 'UTC'; ", f"{name}::text::{type_}"
    elif wanted.labels and f in (*_COUNTS, "boolean"):
        labels = ", ".join(map(literal, wanted.labels))
        for first in (0, 1) if f != "boolean" else (0,):
            place = f"{name}::integer" + ("" if first else " + 1")
            yield f"for places from {first}: ", f"(ARRAY[{labels}])[{place}]::{type_}"
    elif f == "integer" and w == "uuid":
        yield "for its digits at the end: ", f"lpad({name}::text, 32, '0')::uuid"
    elif "money" in (f, w) and {f, w} & set(_COUNTS):  # casts to and from numeric alone
        yield "", f"{name}::numeric::{type_}"
    else:
        yield "", f"{name}::{type_}" if _casts(f, w) else f"{name}::text::{type_}"


def _ranged(name: str, found: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield what ranges become as ranges of another type, or as sets of them, and the reverse."""
    if "multi" in found and "multi" not in wanted:
        yield "for what spans all of a set: ", f"range_merge({name})::text::{wanted}"
    elif "multi" in wanted and "multi" not in found:
        yield "", f"{name}::text::{wanted.replace('multirange', 'range')}::{wanted}"
    else:
        yield "", f"{name}::text::{wanted}"


def _counted(seconds: str, wanted: str) -> str:
    """Return the moment, or the time, after so many seconds."""
    if wanted == "interval":
        return f"make_interval(secs => {seconds})"
    return f"to_timestamp({seconds})" + ("" if wanted == "timestamptz" else " AT TIME ZONE 'UTC'")


def _casts(found: str, wanted: str) -> bool:
    """Return whether PostgreSQL casts one to the other; from any type to any other there is the way by text."""
    if "text" in (found, wanted) or found == wanted:
        return True
    return any({found, wanted} <= set(kin) for kin in (_COUNTS, _CLOCKS, ("json", "jsonb")))


def of_another(owner: str, actual: Schema, verb: str = "belongs") -> str:
    """Return why this session may not change a thing, and what lets it: to be a member of its owner."""
    session = actual.session
    if session and owner == _WHOEVER_OWNS_THE_DATABASE:
        owner = session.may.database_owner
    if session and owner in session.may.superusers:
        return f"it {verb} to {as_needed(owner)}, a superuser: let that role apply the plan"
    way = joining(owner, session) if session else f"GRANT {as_needed(owner)} TO CURRENT_USER"
    return f"it {verb} to {as_needed(owner)}: {way}; then plan again"


def joining(owner: str, session: Session, table: QName | None = None) -> str:
    """Return the statements that give this session's role the rights of an owner, of which it may be a member.

    A superuser's are too many: of one that owns a `table`, it is to get that alone.
    """
    if table and owner in session.may.superusers:
        where = ".".join(map(as_needed, table))
        return f"ALTER TABLE {where} OWNER TO {as_needed(session.role)}"
    whose, role = as_needed(owner), as_needed(session.role)
    grant = f"GRANT {whose} TO {role}"
    if session.may.inherits and owner not in session.may.unused:
        return grant
    if session.version >= 16:
        return f"{grant} WITH INHERIT TRUE"
    return "; ".join([f"ALTER ROLE {role} INHERIT", *([] if owner in session.may.unused else [grant])])
