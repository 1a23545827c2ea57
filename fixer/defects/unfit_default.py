"""A column cannot hold its own default: its type is too narrow, its domain or a check refuses it, or it fails.

Costs: each insert that leaves the column out fails with 22001 value too long, 22003 out of range, 23502 or 23514,
although the database is as the contract declares it; so does code that relies on the default.
Cure: a person gives the contract another default, or none, because only a person knows which value is meant. The check
computes a default only if nothing but PostgreSQL's own functions takes part, which are immutable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression import plain
from fixer.model.expression.constant import is_computable, is_decidable
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfColumn
from fixer.model.table import Check, Column, Table
from fixer.repair.constraints.checks import over_row, spelt
from fixer.repair.defaults.left_out import is_refilled
from fixer.repair.defaults.misfits import misfits, plain_type, takes, too_large
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier, any_of
from fixer.sql.conditions import atoms, condition, follows
from fixer.sql.types import element, family

SLUG = "unfit-default"
POINT = 5
STAGE = Stage.PARTS
_NULL = pattern(r"\(*NULL\)*(?:::.*)?")
# What a condition may be for a NULL that it is not for each other value.
_LOOKS_AT_NULL = pattern(r"\b(?:IS|CASE|COALESCE|NULLIF|GREATEST|LEAST)\b|ARRAY\[(?!['\d])", re.IGNORECASE)
_GIVEN = SQL("t.given")


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfColumn]]:
    """Yield the columns that cannot hold the default that the contract gives them, as the plan leaves them."""
    for wanted, table in walk.tables(actual, contract, alike=True):
        for column in wanted.columns.values():
            text = column.supplied if column.default is None else column.default
            if not text or column.generates or column.generated:
                continue
            if found := table.columns.get(column.name):
                yield from _of(_to_be(found, text, column.not_null), wanted, table, contract)


def _to_be(found: Column, default: str, not_null: bool) -> Column:
    """Return a column with the default and the NOT NULL that it is to have; mostly it is so already."""
    if found.default == default and found.not_null == not_null:
        return found
    return replace(found, default=default, not_null=not_null)


def _of(column: Column, wanted: Table, table: Table, contract: Contract) -> Iterator[Finding[OfColumn]]:
    """Yield the findings about a column, with its default, as it is to be."""
    refilled, text = is_refilled(table), column.default or ""
    known = takes(column)
    if _NULL.fullmatch(text):
        if "NOT NULL" in column.guards or (column.not_null and not refilled):
            yield _finding(column, table, contract, "NOT NULL")
        return
    checks = () if refilled else [check for check in wanted.checks if column.name in check.columns and check.enforced]
    if known and not checks:
        return
    what = f"the domain {column.type}" if column.guards else column.full_type
    computable = is_computable(text, family(column.base or column.type)) and plain_type(column) is not None
    if known is False:
        yield _finding(column, table, contract, what)
    elif known is None and computable:
        yield replace(_finding(column, table, contract, what), asks=partial(_refused, column), of_values=True)
    for check in checks if computable else ():
        if not _fulfils(column, check, wanted) and (row := _row(column, check, table)):
            found = _finding(column, table, contract, f"CHECK {spelt(check)}", check.name)
            yield replace(found, asks=partial(_breaks, row, check, table), of_values=True)


def _finding(column: Column, table: Table, contract: Contract, what: str, aspect: str = "") -> Finding[OfColumn]:
    about, name = OfColumn(table.name, column.name), f"{table.name.name}.{column.name}"
    message = f"{name} should take its own default {plain(column.default or '')[1:-1]}, {what} does not"
    change = f"ALTER TABLE {q.quoted(table.name)} ALTER COLUMN {q.quoted([column.name])} SET DEFAULT …"
    first = "" if contract.itself else "let the contract give it another, or none, and "
    return Finding(SLUG, POINT, about, message, "warning", repair=refuse(f"{first}run: {change}"), aspect=aspect)


def _refused(column: Column) -> Probe:
    """Return the probe with one row, or an error, if the type or the domain of a column refuses its default."""
    base = replace(column, type=column.base or column.type)
    text, type_ = SQL(column.default or "NULL"), SQL(plain_type(column) or base.type)
    if large := too_large(_GIVEN, base):
        type_ = SQL("numeric")
        wrong = [large]
    else:
        wrong = [*misfits(_GIVEN, base)]
    if column.not_null or "NOT NULL" in column.guards:
        wrong.append(SQL("{} IS NULL").format(_GIVEN))
    for guard in () if element(column.type) else column.guards:
        if guard != "NOT NULL" and is_decidable(condition(guard, "value"), ["value"]):
            wrong.append(SQL("NOT {}").format(SQL(condition(guard, "t.given"))))
    wrong.append(SQL("char_length({}::text) < 0").format(_GIVEN))  # to be computed at all
    return Probe(SQL("(SELECT ({})::{} AS given) AS t").format(text, type_), any_of(wrong), shared=False)


def _fulfils(column: Column, check: Check, wanted: Table) -> bool:
    """Return whether a default that is a constant fulfils a check, as its text alone shows."""
    given = atoms(f"({q.quoted([column.name])} = {column.default})", wanted)
    return all(follows(atom, given, wanted) for atom in atoms(check.expression, wanted))


def _row(column: Column, check: Check, table: Table) -> Composable | None:
    """Return a row with the default of a column, and NULL in the others of a check; None if it proves nothing.

    What is false beside a NULL is so beside all other values, unless the check looks at NULLs.
    """
    others = [name for name in check.columns if name != column.name]
    types = {name: plain_type(table.columns[name]) if name in table.columns else None for name in check.columns}
    if (others and _LOOKS_AT_NULL.search(check.expression)) or not is_decidable(check.expression, check.columns):
        return None
    cells = [
        SQL("({})::{} AS {}").format(SQL(text), SQL(type_), Identifier(name))
        for name, type_ in types.items()
        if type_ and (text := (column.default or "NULL") if name == column.name else "NULL")
    ]
    return SQL("(SELECT {}) AS t").format(SQL(", ").join(cells)) if len(cells) == len(types) else None


def _breaks(row: Composable, check: Check, table: Table) -> Probe:
    return Probe(row, SQL("NOT ({})").format(over_row(check, table)), shared=False)


def repair(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


def _boxes(column: str, *others: str) -> Callable[[], str]:
    return lambda: f"{' '.join(others)} CREATE TABLE boxes (id integer PRIMARY KEY, {column});"


def _as_declared(name: str, column: str, *before: str, manual: bool = True) -> Specimen:
    """Return a database that is as its contract declares it."""
    said, rows = "COMMENT ON TABLE boxes IS 'as declared'", "INSERT INTO boxes VALUES (1, '{7}')"
    rows = rows if "[]" in column else rows.replace("{7}", "7")
    return Specimen(name, said, contract=_boxes(column, *before), setup=rows, manual=manual)


_CODE = "CREATE DOMAIN \"co%de\" AS text CHECK (VALUE LIKE '7%');"
SPECIMENS = (
    _as_declared("a text that is too long", "x varchar(3) DEFAULT 'abcd'"),
    _as_declared("a text that is computed", "x varchar(3) DEFAULT 'ab' || 'cd'"),
    _as_declared("an identity of more characters", "x varchar(32) DEFAULT gen_random_uuid()"),
    _as_declared("a number of too many digits", "x numeric(3, 1) DEFAULT 99.96"),
    _as_declared("a number beyond its type", "x smallint DEFAULT 7 * 10000"),
    _as_declared("an expression that fails", "x integer DEFAULT 1 / (length('a') - 1)"),
    _as_declared("elements that are too long", "x varchar(2)[] DEFAULT '{abc}'"),
    _as_declared("a check refuses it", '"x%" integer DEFAULT 0, CHECK ("x%" > 0)'),
    _as_declared("a check over another column too", "x integer DEFAULT 0, y integer, CHECK (x > 0 AND y > 0)"),
    _as_declared("its domain refuses it", "x \"co%de\" DEFAULT 'd'", _CODE),
    _as_declared("its domain's own", "x d", _CODE, "CREATE DOMAIN d AS \"co%de\" DEFAULT 'd';"),
    _as_declared("NULL where the domain forbids it", "x d DEFAULT NULL", "CREATE DOMAIN d AS text NOT NULL;"),
)
_sound = partial(_as_declared, manual=False)
NEAR_MISSES = (
    _sound("a text that just fits", "x varchar(4) DEFAULT 'ab' || 'cd'"),
    _sound("blanks that are cut off", "x varchar(4) DEFAULT 'abcd   '"),
    _sound("a cast that cuts it", "x varchar(3) DEFAULT 'abcd'::varchar(3)"),
    _sound("a number that is rounded", "x numeric(3, 1) DEFAULT 99.94"),
    _sound("a check takes it", "x varchar(5) DEFAULT '7' CHECK (x IN ('7', 'b') AND x ~ '^[a-z0-9]$')"),
    _sound("another column decides", "x integer DEFAULT 0, y integer, CHECK (x > 0 OR y > 0)"),
    _sound("a check of NULL decides", "x integer DEFAULT 0, y integer, CHECK (x > coalesce(y, 0))"),
    _sound("its domain takes it", "x \"co%de\" DEFAULT '70'", _CODE),
)
