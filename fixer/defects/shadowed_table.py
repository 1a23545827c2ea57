"""Another table of the same name comes first in the search_path.

Costs: code that does not name the schema reads and writes the other table.
Cure: a person sets the search_path, or names the schema in the code; the contract's own table needs no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _planting as plant
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import QName, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable

SLUG = "shadowed-table"
POINT = 5
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield the tables whose unqualified name means another table."""
    visible = actual.session.visible if actual.session else {}
    for name in contract.tables:
        first = visible.get(name.name)
        if first and first != name and name in actual.tables:
            message = f"{name.name} should mean {name}, means {first} under this role's search_path"
            yield Finding(SLUG, POINT, OfTable(name), message, severity="warning")


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, because the cure is a setting or the code."""
    return refuse("set the search_path of the role or the database, or name the schema in the code")


SHADOW = "CREATE SCHEMA front; CREATE TABLE front.authors (id integer);"
PATH = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = {}', current_database()); END $$"
SPECIMENS = (Specimen("a schema in front", SHADOW + PATH.format("front, public"), manual=True),)
NEAR_MISSES = (
    Specimen("a schema behind", SHADOW + PATH.format("public, front")),
    Specimen("a schema outside the path", SHADOW),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: put another table in front of it in the search_path."""
    if table.name.schema == "public":
        path = "EXECUTE format('ALTER DATABASE %I SET search_path = front, public', current_database())"
        yield plant.block(
            SQL("CREATE SCHEMA IF NOT EXISTS front"),
            SQL("CREATE TABLE {} (n integer)").format(q.name(QName("front", table.name.name))),
            SQL(f"DO $$ BEGIN {path}; END $$"),
        )
