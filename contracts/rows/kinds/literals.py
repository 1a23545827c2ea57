"""Values that are written as PostgreSQL reads them: arrays and JSON documents."""

from __future__ import annotations

import re
from datetime import timedelta

from psycopg2.extensions import QuotedString, register_adapter
from psycopg2.extras import Json

from contracts.rows.cells import Cell


class Array(list[Cell]):
    """The value of an ARRAY column: a list that PostgreSQL reads for any element type."""


class Document(Json):
    """The value of a JSON column, which shows what it holds."""

    def __repr__(self) -> str:
        return f"Json({self.adapted!r})"


register_adapter(Array, lambda array: QuotedString(_array_text(array)))


def _array_text(array: list[Cell]) -> str:
    return "{" + ",".join(map(_element_text, array)) + "}"


def _element_text(value: Cell) -> str:
    match value:
        case None:
            return "NULL"
        case list():
            return _array_text(value)
        case Json():
            value = value.dumps(value.adapted)
        case bytes():
            value = "\\x" + value.hex()
        case timedelta():
            value = f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    return '"' + re.sub(r'(["\\])', r"\\\1", str(value)) + '"'
