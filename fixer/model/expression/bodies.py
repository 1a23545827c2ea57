"""Reads what the statements of a PL/pgSQL body name: relations, their columns, functions, fields of rows.

Only what is sure counts: names where nothing else can stand, outside of texts and comments. A body is not judged at all
if it makes relations, asks the catalogue what there is, or handles errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field

from fixer.model.expression.names import unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.values import dataclass

Name = tuple[str, str]  # schema, empty if none is said; and name
_WORD = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_DOTTED = rf"{_WORD}(?:\s*\.\s*{_WORD})*"
_SAID = pattern(
    r"""'(?:[^']|'')*' | --[^\n]* | /\*(?:[^*]|\*+[^*/])*\*+/ | (?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?P=tag)""",
    re.DOTALL | re.VERBOSE,
)
_UNSURE = pattern(
    r"\b(?:create|alter|drop|import)\b|\bexception\s+when\b|\bselect\b[^;]*\binto\s+(?:temp|unlogged|table)\b"
    r"|\b(?:pg_class|pg_tables|pg_attribute|pg_proc|pg_namespace|pg_views|information_schema|to_regclass|to_regproc"
    r"|tg_table_name|tg_table_schema|tg_relname|tg_relid|tg_argv|tg_nargs|tg_name)\b",
    re.IGNORECASE,
)
_RELATION = pattern(
    rf"\b(?P<deed>insert\s+into|delete\s+from|merge\s+into|from|join)\s+(?:only\s+)?(?P<name>{_DOTTED})(?![\w$])(?!\s*[.(])"
    rf"|\b(?P<into>insert\s+into)\s+(?P<target>{_DOTTED})(?:\s+as\s+{_WORD})?\s*\((?P<columns>[^()]*)\)"
    rf"|(?:^|[;(]|\b(?:then|else|loop|begin|as)\b)\s*(?P<update>update)\s+(?:only\s+)?(?P<changed>{_DOTTED})"
    rf"\s+(?:as\s+)?(?:(?!set\b){_WORD}\s+)?set\s+(?P<first>{_WORD})\s*=",
    re.IGNORECASE,
)
_NO_SOURCE = pattern(r"(?:\bdistinct|\b(?:fetch|move)\b[^;]*)\s*$", re.IGNORECASE)  # what ends before such a FROM
_IN_CALL = pattern(r"\b(?:extract|substring|trim|overlay|position)\s*$", re.IGNORECASE)  # of a function with a FROM
_OTHER_ROW = pattern(r"\b(?:as|table|from|join|update)\s+(?:new|old)\b", re.IGNORECASE)  # a name for something else
_CALL = pattern(rf"(?:\bperform|:=)\s+(?P<name>{_DOTTED})\s*\(", re.IGNORECASE)
_FIELD = pattern(rf"\b(?:new|old)\s*\.\s*({_WORD})", re.IGNORECASE)
_LOCAL = pattern(rf"({_WORD})\s*(?:\([^()]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(", re.IGNORECASE)
_NO_NAMES = ("select", "values", "lateral", "only", "unnest", "new", "old", "with", "table", "rows", "current")
_OF_SERVER = ("pg_catalog", "pg_temp", "information_schema", "pg_toast")


@dataclass(frozen=True)
class Body:
    """What the statements of a body name."""

    relations: frozenset[Name] = frozenset()
    columns: frozenset[tuple[Name, str]] = frozenset()  # of relations
    functions: frozenset[Name] = frozenset()
    fields: frozenset[str] = frozenset()  # of NEW and OLD
    names: frozenset[str] = field(default=frozenset(), compare=False)  # of all that


def read(text: str, given: Iterable[str] = ()) -> Body | None:
    """Return what a body names; None if it is not judged. `given` are the names of its transition tables."""
    plain = _SAID.sub("''", text)
    if _UNSURE.search(plain):
        return None
    known = {*map(str.lower, given), *(_meant(each) for each in _LOCAL.findall(plain)), *_NO_NAMES}
    found = [each for each in _relations(plain) if _counts(each[0], known)]
    calls = {name for each in _CALL.finditer(plain) if _counts(name := _name(each["name"]), known)}
    relations, columns = {name for name, _ in found}, {(name, c) for name, some in found for c in some}
    fields = frozenset(_meant(each) for each in _FIELD.findall(plain) if not _OTHER_ROW.search(plain))
    names = frozenset(name for _, name in (*relations, *calls))
    return Body(frozenset(relations), frozenset(columns), frozenset(calls), fields, names)


def _relations(plain: str) -> Iterator[tuple[Name, list[str]]]:
    """Yield each relation that is named, with columns of it that are named for sure."""
    for each in _RELATION.finditer(plain):
        if each["into"]:
            yield _name(each["target"]), [_meant(c.strip()) for c in each["columns"].split(",") if _is_word(c.strip())]
        elif each["update"]:
            yield _name(each["changed"]), [_meant(each["first"])]
        elif each["deed"].lower() != "from" or _is_source(plain[: each.start()]):
            yield _name(each["name"]), []


def _is_source(before: str) -> bool:
    """Return whether a FROM after this text is that of a query, not of EXTRACT, FETCH, IS DISTINCT or the like."""
    if _NO_SOURCE.search(before):
        return False
    depth = 0
    for place in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[place], 0)
        if depth < 0:
            return not _IN_CALL.search(before[:place])
    return True


def _is_word(text: str) -> bool:
    return re.fullmatch(_WORD, text) is not None


def _counts(name: Name, known: set[str]) -> bool:
    schema, bare = name
    own = schema in _OF_SERVER or schema.startswith("?") or (not schema and bare.startswith("pg_"))
    return not own and (bool(schema) or bare not in known)


def _name(dotted: str) -> Name:
    parts = [_meant(each) for each in re.findall(_WORD, dotted)]
    if len(parts) > 2:
        return "?", parts[-1]
    return (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])


def _meant(word: str) -> str:
    """Return the name that a word of a body means."""
    return unquoted(word) if word.startswith('"') else word.lower()
