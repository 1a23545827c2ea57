"""Which columns are masked, and how: by a hint, by their type and name, and by what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from fixer.errors import UsageError, option
from fixer.model.contract import Contract
from fixer.model.expression.patterns import pattern
from fixer.model.table import QName
from fixer.model.values import dataclass
from fixer.snapshots.masks.values import Masks
from fixer.snapshots.moving import Rows
from fixer.snapshots.pieces import Piece
from fixer.snapshots.spool import Change, Spool

KINDS = ("keep", "text", "personal")
_TEXTS = ("text", "character varying", "character", "citext", "name")
_DOCUMENTS, _ADDRESSES = ("json", "jsonb"), ("inet", "cidr", "macaddr", "macaddr8")
_NUMBERS = ("smallint", "integer", "bigint", "numeric")
# Names of columns that hold personal data (a part of a name, between underscores or humps).
PERSONAL = pattern(
    r"e?mail|name|login|phone|mobile|fax|street|address|city|zip|postcode|postal|birth|dob|passw|pwd|hash|salt|secret"
    r"|token|api_?key|ssn|tax|passport|licen[cs]e|iban|card|account|client_id|nick|contact|note|comment|remark|bio"
    r"|description|message|subject|title|ip_|_ip$|^ip$|agent|session|cookie|latitude|longitude",
    re.IGNORECASE,
)
_DAYS = pattern(r"birth|dob", re.IGNORECASE)
_DIGITS = pattern(r"phone|mobile|fax|ssn|passport|card|iban", re.IGNORECASE)
_LITERAL = pattern(r"'((?:[^']|'')*)'")
_CODES, _REPEATS = 32, 3  # at most so many values, each so often: these are codes, which tell nobody
_CODE = pattern(r"[\w .:/+-]{1,40}")
_LENGTH = pattern(r"\((\d+)\)")


@dataclass(frozen=True)
class Decision:
    """What is done with the columns of all tables: masked, or kept because they hold codes only."""

    masked: Mapping[QName, Mapping[str, str]]  # by table, the kind of each column
    kept: tuple[str, ...]


def said_by(schema: Iterable[Piece], contract: Contract) -> Iterator[str]:
    """Yield the texts that the schema or the contract says itself: labels, defaults, checks, default rows."""
    for piece in schema:
        for found in _LITERAL.finditer(piece.sql) if piece.kind not in ("COMMENT", "FUNCTION") else ():
            yield found[1].replace("''", "'")
    for hints in contract.hints.values():
        for row in hints.default_rows:
            for value in row.values():
                yield from (found[1].replace("''", "'") for found in _LITERAL.finditer(_plain(value)))


def _plain(value: object) -> str:
    """Return the SQL of a value of the contract, as far as it is a literal."""
    wrapped = getattr(value, "wrapped", value)
    if isinstance(wrapped, str):
        return wrapped if "'" in wrapped else "'" + wrapped + "'"
    return " ".join(map(_plain, wrapped)) if isinstance(wrapped, list | tuple) else str(wrapped)


def hinted(contract: Contract, said: Iterable[str], tables: Iterable[Rows]) -> dict[tuple[str, str], str]:
    """Return the hints: of the models, info={"mask": KIND}, and of the call, TABLE.COLUMN=KIND; the latter win.

    Raises UsageError where one names no kind, or one of the call no column: else it would leave data as it is.
    """
    there = {(name, column) for t in tables for name in (t.name.name, str(t.name)) for column in t.columns}
    found: dict[tuple[str, str], str] = {}
    for table in contract.metadata.tables.values() if contract.metadata is not None else ():
        for column in table.columns:
            if "mask" in column.info:
                found[table.name, column.name] = str(column.info["mask"])
    for each in said:
        place, _, kind = each.rpartition("=")
        table_name, _, column_name = place.rpartition(".")
        if not (table_name and column_name):
            raise UsageError(f"{option('mask_as', each)} should be TABLE.COLUMN={'|'.join(KINDS)}.")
        if (table_name, column_name) not in there:
            raise UsageError(f"{option('mask_as', each)} names no column of the target.")
        found[table_name, column_name] = kind
    for (table_name, column_name), kind in found.items():
        if kind not in KINDS:
            raise UsageError(
                f"The mask of {table_name}.{column_name} is {kind!r}, should be one of {', '.join(KINDS)}."
            )
    return found


def decide(tables: Iterable[Rows], spool: Spool, hints: Mapping[tuple[str, str], str]) -> Decision:
    """Decide for each column whether it is masked, and how."""
    masked: dict[QName, dict[str, str]] = {}
    kept: list[str] = []
    for table in tables:
        said = {column: _hint(hints, table.name, column) for column in table.columns}
        found = zip(table.columns, table.bases, strict=True)
        kinds = {column: kind for column, base in found if (kind := _decided(column, base, said[column]))}
        unsure = [column for column, kind in kinds.items() if kind == "text" and not said[column]]
        codes = _codes(table, spool, unsure) if unsure else set()
        kept += [f"{table.name}.{c}" for c, kind in kinds.items() if kind == "keep" or c in codes]
        masked[table.name] = {c: kind for c, kind in kinds.items() if kind != "keep" and c not in codes}
    return Decision({name: kinds for name, kinds in masked.items() if kinds}, tuple(kept))


def _hint(hints: Mapping[tuple[str, str], str], table: QName, column: str) -> str:
    return hints.get((str(table), column)) or hints.get((table.name, column)) or ""


def _decided(column: str, base: str, said: str) -> str:
    """Return how a column is masked, where a hint may say so; empty if it is not, and nobody has to know."""
    kind = _kind(column, base)
    if said == "keep":
        return said if kind else ""
    return said if said and (not kind or base in _TEXTS) else kind


def _kind(column: str, base: str) -> str:
    """Return how a column is masked by its name and type; empty if it is not."""
    if base in _TEXTS and _DAYS.search(column):
        return "day"
    if base in _TEXTS:
        return "personal" if PERSONAL.search(column) else "text"
    if base.removesuffix("[]") in _TEXTS and base.endswith("[]"):
        return "texts"
    if base == "date":
        return "day" if _DAYS.search(column) else ""
    if base in _NUMBERS:
        return "digits" if _DIGITS.search(column) else ""
    kinds = {"uuid": "uuid", "bytea": "data", "tsvector": "letters", "xml": "xml"}
    kinds |= dict.fromkeys(_DOCUMENTS, "document") | dict.fromkeys(_ADDRESSES, "address")
    return kinds.get(base, "")


def _codes(table: Rows, spool: Spool, columns: list[str]) -> set[str]:
    """Return the columns that hold few values, each many times."""
    places = {column: table.columns.index(column) for column in columns}
    values: dict[str, set[str]] = {column: set() for column in columns}
    count = dict.fromkeys(columns, 0)
    for row in spool.rows(table):
        for column, place in places.items():
            value = row[place]
            if value is not None and len(values[column]) <= _CODES:
                values[column].add(value)
                count[column] += 1
    few = {c for c, found in values.items() if len(found) <= _CODES and count[c] >= _REPEATS * len(found)}
    return {column for column in few if all(_CODE.fullmatch(value) for value in values[column])}


def changes(table: Rows, kinds: Mapping[str, str], masks: Masks) -> dict[int, Change]:
    """Return what changes the cells of a table, by the places of the columns."""
    return {table.columns.index(column): _change(table, column, kind, masks) for column, kind in kinds.items()}


def _change(table: Rows, column: str, kind: str, masks: Masks) -> Change:
    length = _LENGTH.search(table.types[table.columns.index(column)])
    longest = int(length[1]) if length else 0
    ways: Mapping[str, Callable[..., str]] = {
        "text": partial(masks.text, longest=longest), "personal": partial(masks.personal, longest=longest),
        "texts": masks.texts, "uuid": masks.uuid, "address": masks.address, "document": masks.document,
        "data": masks.data, "day": masks.day, "digits": masks.personal, "letters": masks.personal,
        "xml": lambda value: "<masked/>",
    }  # fmt: skip
    return ways[kind]
