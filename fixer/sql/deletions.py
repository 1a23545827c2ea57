"""Reads in the body of a trigger's function whether it deletes each row for which it fires.

Only what is sure counts: a DELETE that always runs, from the table itself, with no condition but the new row's values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fixer.model.expression import parts_of, unquoted
from fixer.model.expression.patterns import pattern
from fixer.model.obstacle import Below, Trigger
from fixer.model.table import QName, Table
from fixer.model.values import dataclass

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_DOTTED = rf"({_NAME})(?:\s*\.\s*({_NAME}))?"
_DELETE = pattern(rf"\bdelete\s+from\s+(?:only\s+)?{_DOTTED}\s*\*?(?=[\s;)])", re.IGNORECASE)
_INSERT = pattern(rf"\binsert\s+into\s+{_DOTTED}", re.IGNORECASE)
_REST = pattern(
    rf"(?:(?:as\s+)?(?!(?:using|where|returning)\b)({_NAME})\s*)?"
    rf"(?:using\s+({_NAME})(?:\s+(?:as\s+)?(?!where\b)({_NAME}))?\s*)?"
    r"(?:where\b(.*?))?(?:\breturning\b.*)?",
    re.IGNORECASE | re.DOTALL,
)
_SAME = r"\s*(=|is\s+not\s+distinct\s+from\b)\s*"
_EQUAL = pattern(rf"\(*{_DOTTED}\)*{_SAME}\(*{_DOTTED}\)*", re.IGNORECASE)
_IN = pattern(
    rf"{_DOTTED}\s*(?:in|=\s*any|=\s*some)\s*\(\s*select\s+(?:distinct\s+)?{_DOTTED}\s+from\s+({_NAME})"
    rf"(?:\s+(?:as\s+)?(?!where\b){_NAME})?\s*\)",
    re.IGNORECASE,
)
_RETURN = pattern(r"\breturn\b", re.IGNORECASE)
_AND = pattern(r"\band\b", re.IGNORECASE)


def deletes_new_rows(table: Table, trigger: Trigger | Below) -> bool:
    """Return whether a trigger that fires after an INSERT deletes each row that was inserted."""
    return any(_Body(table, trigger, body).deletes() for body in _words(trigger, "does "))


def _words(trigger: Trigger | Below, kind: str) -> list[str]:
    return [word.removeprefix(kind) for word in trigger.does if word.startswith(kind)]


def _meant(name: str) -> str:
    """Return the name that a word of a body means."""
    return unquoted(name) if name.startswith('"') else name.lower()


@dataclass(frozen=True)
class _Body:
    """The body of a function that is not conditional, without its strings and comments, and whose trigger it is."""

    table: Table
    trigger: Trigger | Below
    text: str

    def deletes(self) -> bool:
        """Return whether it deletes each new row, and does not put one back."""
        sure = f"{_RETURN.split(self.text)[0]};"
        if any(_meant(found[2] or found[1]) == self.table.name.name for found in _INSERT.finditer(sure)):
            return False
        return any(
            self._is_ours(found) and self._takes_all(_statement(sure[found.end() :]))
            for found in _DELETE.finditer(sure)
        )

    def _is_ours(self, found: re.Match[str]) -> bool:
        """Return whether a DELETE is from the table, or from the partition whose trigger it is."""
        places = {self.table.name, *(_place(word) for word in _words(self.trigger, "at "))}
        if found[2]:
            return QName(_meant(found[1]), _meant(found[2])) in places
        return any(name.name == _meant(found[1]) and self._is_seen(name) for name in places)

    def _is_seen(self, name: QName) -> bool:
        """Return whether the table is what its bare name means to the function."""
        for path in _words(self.trigger, "search_path="):
            schemas = [_meant(each.strip()) for each in path.split(",")]
            return [each for each in schemas if not each.startswith("pg_")][:1] == [name.schema]
        return True

    def _takes_all(self, rest: str) -> bool:
        """Return whether a DELETE, of which the part after the name is given, takes each new row."""
        found = _REST.fullmatch(rest.strip())
        if found is None:
            return False
        alias, using, used, condition = found.groups()
        new = {"new"} | ({_meant(used or using)} if using and self._is_new(using) else set())
        if condition is None or condition.strip().lower() == "true":
            return using is None
        old = {_meant(alias) if alias else self.table.name.name, *([] if alias else self._parts())}
        return all(self._holds(part, new, old) for part in parts_of(_AND.sub("AND", condition), "AND"))

    def _parts(self) -> Iterator[str]:
        return (_place(word).name for word in _words(self.trigger, "at "))

    def _holds(self, part: str, new: set[str], old: set[str]) -> bool:
        """Return whether a condition holds for the new row: one of its columns is what it is."""
        if one := _IN.fullmatch(part.strip()):
            (of, column), (_, other) = _sides(one[1], one[2]), _sides(one[3], one[4])
            return of in {None, *old} and column == other and self._is_new(one[5]) and self._is_filled(column)
        if two := _EQUAL.fullmatch(part.strip()):
            (left, column), (right, other) = _sides(two[1], two[2]), _sides(two[4], two[5])
            news = [left in new, right in new]
            olds = [left in {None, *old}, right in {None, *old}]
            return column == other and (news, olds) in _PAIRS and (two[3] != "=" or self._is_filled(column))
        return False

    def _is_new(self, source: str) -> bool:
        return source.lower() in (each.lower() for each in _words(self.trigger, "new rows "))

    def _is_filled(self, column: str) -> bool:
        """Return whether each row has a value there: without one, nothing is equal to it."""
        key = self.table.primary_key
        found = self.table.columns.get(column)
        return found is not None and (found.not_null or bool(key and column in key.columns))


_PAIRS = (([True, False], [False, True]), ([False, True], [True, False]))  # the new row's value, and the table's


def _statement(text: str) -> str:
    """Return what is left of a statement: up to its semicolon, or the parenthesis that closes around it."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ";" or depth < 0:
            return text[:place]
    return text


def _sides(first: str, second: str | None) -> tuple[str | None, str]:
    """Return the qualifier and the name of a column."""
    return (_meant(first), _meant(second)) if second else (None, _meant(first))


def _place(name: str) -> QName:
    """Return the table that PostgreSQL's spelling of it means."""
    found = re.fullmatch(_DOTTED, name)
    return QName(_meant(found[1]), _meant(found[2])) if found and found[2] else QName("", name)
