"""A column has another default than in the contract.

Defaults of two spellings are one if their values are: the server computes both, where only built-in, immutable
functions and operators take part. Of all others the spelling counts.

Costs: new rows get values that nobody intended.
Cure: SET DEFAULT, also in partitions that have the one of their table; existing rows keep their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._databases import SHIFT_ROWS, shifts
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.expression.constant import is_computable, same_value
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair
from fixer.model.subject import WantedColumn
from fixer.model.table import Table
from fixer.repair.columns import set_default
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import comparison, family

SLUG = "different-default"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield the columns whose default differs from the contract's in more than its spelling."""
    for table, wanted, found in walk.columns_with_default(actual, contract):
        if found.default is None or wanted.default is None:
            continue
        if not same_value(found.default, wanted.default, family(wanted.type)):
            message = f"{table.name.name}.{wanted.name} should default to {wanted.default}, defaults to {found.default}"
            yield _asking(Finding(SLUG, POINT, WantedColumn(table.name, wanted), message), found.default)


def _asking(finding: Finding[WantedColumn], found: str) -> Finding[WantedColumn]:
    """Return the finding, with the question whether both defaults have one value, if the server may compute them."""
    wanted = finding.about.wanted
    kind = family(wanted.type)
    if wanted.default is None or not (is_computable(found, kind) and is_computable(wanted.default, kind)):
        return finding
    return replace(finding, asks=partial(_differ, found, wanted.default, wanted.type), of_values=True)


def _differ(found: str, wanted: str, type_: str) -> Probe:
    """Return the probe for the one row that exists if two defaults of a column of this type have different values."""
    kind = family(type_)
    # A cast to varchar(3) cuts what an INSERT refuses; numbers are equal whatever their scale, other values if they
    # are spelt alike.
    cast = SQL("({})::{}" if kind == "numeric" else "(({})::{})::text")
    texts = "bpchar" if comparison(type_) == "without trailing blanks" and kind == "text" else kind
    into = SQL(texts if kind.startswith("text") else type_)
    one, other = (cast.format(SQL(each), into) for each in (found, wanted))
    return Probe(SQL("(SELECT) AS t"), SQL("{} IS DISTINCT FROM {}").format(one, other))


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Set the default."""
    return Repair.of([set_default(finding.table, finding.about.wanted, actual, contract)])


SPECIMENS = (
    Specimen("another value", "ALTER TABLE authors ALTER COLUMN country SET DEFAULT 'YY'"),
    Specimen(
        "an array with an element",
        "ALTER TABLE shifts ALTER COLUMN scores SET DEFAULT ARRAY[0]",
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
    Specimen("another sum", "ALTER TABLE authors ALTER COLUMN country SET DEFAULT 'X' || 'Y'"),
    Specimen("the opposite", "ALTER TABLE authors ALTER COLUMN active SET DEFAULT false"),
)
NEAR_MISSES = (
    Specimen("spelt otherwise", "ALTER TABLE authors ALTER COLUMN country SET DEFAULT ('XX'::text)"),
    Specimen("computed", "ALTER TABLE authors ALTER COLUMN country SET DEFAULT 'X' || upper('x')"),
    Specimen("a truth that is computed", "ALTER TABLE authors ALTER COLUMN active SET DEFAULT NOT 1 > 2"),
    Specimen("a truth as a text", "ALTER TABLE authors ALTER COLUMN active SET DEFAULT 'yes'::text::boolean"),
    Specimen(
        "an empty array in other words",
        "ALTER TABLE shifts ALTER COLUMN scores SET DEFAULT ARRAY[]::bigint[]",
        contract=shifts,
        setup=SHIFT_ROWS,
    ),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: set another default."""
    for column in plant.writable(table):
        if column.default and family(column.type) in ("integer", "text"):
            other = SQL("'41'") if family(column.type) == "text" else SQL("41")
            yield ddl.altered(table.name, SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column.name), other))
