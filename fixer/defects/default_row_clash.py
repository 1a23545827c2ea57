"""Another row holds a unique value that a default row needs, such as its e-mail address.

Costs: the default row cannot be inserted.
Cure: a person decides which row keeps the value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.model.contract import Contract, TableHints
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfDefaultRow
from fixer.model.table import Table as WantedTable
from fixer.repair.default_rows import clashing, described
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.types import family

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "default-row-clash"
POINT = 3
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfDefaultRow]]:
    """Yield the default rows, with the probe for another row that holds their unique values."""
    for name, row in walk.default_rows(actual, contract):
        if clash := clashing(name, row, actual, contract):
            which = described(name, row, contract)
            message = f"{name.name} should have the default row {which}, but another row has its unique values"
            asks = partial(Probe, SQL("(VALUES (1)) AS t (one)"), clash, shared=False)
            about = OfDefaultRow(name, row)
            yield Finding(SLUG, POINT, about, message, only_with_rows=True, asks=asks, aspect=which)


def repair(finding: Finding[OfDefaultRow], actual: Schema, contract: Contract) -> Repair:
    """Refuse, because only a person can decide."""
    return refuse("only a person can tell whose these values are")


def _members() -> sa.MetaData:
    """Return a contract whose default row fills two unique columns."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "members",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), unique=True),
        sa.Column("email", sa.String(50), unique=True),
        info={"default_rows": [{"name": "root", "email": "root@example.invalid"}]},
    )
    return metadata


def _lately() -> sa.MetaData:
    """Return a contract whose default row fills a deferrable unique and one over an expression."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    sa.Table(
        "members",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), unique=True),
        sa.Column("email", sa.String(50)),
        sa.Column("seat", sa.Integer),
        sa.UniqueConstraint("seat", deferrable=True, initially="DEFERRED", name="members_seat_key"),
        sa.Index("members_email_key", sa.text("lower(email)"), unique=True),
        info={"default_rows": [{"name": "root", "email": "root@example.invalid", "seat": 1}]},
    )
    return metadata


LATELY = (
    "INSERT INTO members (name, email, seat) VALUES ('root', 'root@example.invalid', 1), ('a', 'a@example.invalid', 2)"
)
SETUP = "INSERT INTO members (name, email) VALUES ('root', 'root@example.invalid'), ('a', 'a@example.invalid')"
SPECIMENS = (
    Specimen(
        "another account has its address",
        "UPDATE members SET name = 'other' WHERE name = 'root'",
        rows=1,
        manual=True,
        contract=_members,
        setup=SETUP,
    ),
    *(
        Specimen(
            f"another account has its {what}",
            f"DELETE FROM members WHERE name = 'root'; UPDATE members SET {cell} WHERE name = 'a'",
            rows=1,
            manual=True,
            contract=_lately,
            setup=LATELY,
        )
        for what, cell in (
            ("seat, under a deferrable unique", "seat = 1"),
            ("address, under a unique over an expression", "email = 'ROOT@example.invalid'"),
        )
    ),
)
NEAR_MISSES = (
    Specimen(
        "the default row changed its address",
        "UPDATE members SET email = 'b@example.invalid' WHERE name = 'root'",
        contract=_members,
        setup=SETUP,
    ),
)


def mutate_hinted(table: WantedTable, hints: TableHints) -> Iterator[Composable]:
    """Yield statements that plant it in a table: let a default row have another value where it is not unique."""
    for row in hints.default_rows:
        same = SQL(" AND ").join(SQL("{} = ({})").format(Identifier(name), value) for name, value in row.items())
        for column in plant.bare(table):
            if column.name in row and family(column.type) == "text":
                other = SQL("SET {} = 'somebody else'").format(Identifier(column.name))
                yield SQL("UPDATE {} {} WHERE {}").format(q.name(table.name), other, same)
