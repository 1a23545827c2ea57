"""A table is not rewritten where rows break a constraint that this builds again, and are left out of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from sqlalchemy import MetaData, UniqueConstraint

import fixer
from fixer.errors import NeedsPermission
from fixer.model.plan import MODES
from lab.database import lent
from lab.examples.models import contract, integer, key
from lab.laboratory import VERSIONS, Laboratory

ROWS = "INSERT INTO t (a, b) VALUES (1, 1), (2, 2), (3, 3); ALTER TABLE t DISABLE TRIGGER ALL;"
LEFT = "duplicate-values:public.t.t_b_key"
NARROW = "CREATE TABLE t (id serial PRIMARY KEY, a integer, b smallint, UNIQUE (b) DEFERRABLE);" + ROWS
REWRITTEN = {
    "a type of the constraint": (NARROW + "UPDATE t SET b = 2 WHERE b = 3", LEFT),
    "and copies": (
        NARROW + "ALTER TABLE t DROP CONSTRAINT t_pkey; INSERT INTO t SELECT * FROM t WHERE b = 2",
        "duplicate-row:public.t",
    ),
}


def wanted() -> MetaData:
    made = contract(t=(key(), integer("a"), integer("b")))
    made.tables["t"].append_constraint(UniqueConstraint("b", deferrable=True, name="t_b_key"))
    return made


@contextmanager
def broken_by(laboratory: Laboratory, statements: str) -> Iterator[psycopg2.extensions.connection]:
    server = laboratory.server(max(VERSIONS))
    with lent(server, None) as database, closing(psycopg2.connect(database.dsn)) as connection:
        database.run(statements)
        yield connection


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", REWRITTEN.values(), ids=REWRITTEN.keys())
def test_it_says_what_else_to_leave_out(laboratory: Laboratory, how: tuple[str, str], mode: str) -> None:
    broken, left = how
    with broken_by(laboratory, broken) as connection:
        with pytest.raises(NeedsPermission, match=r"leave out narrow-column:public\.t\.b as well"):
            fixer.apply(connection, wanted(), mode=mode, skip=(left,), allow_hazards="all")
        both = fixer.plan(connection, wanted(), mode=mode, skip=(left, "narrow-column:public.t.b"))
        assert (both.steps, both.refusals) == ((), ())


def test_what_is_filled_beside_it_is_no_reason(laboratory: Laboratory) -> None:
    broken = NARROW.replace("a integer, b smallint", "a smallint, b integer") + "UPDATE t SET b = 2 WHERE b = 3"
    with broken_by(laboratory, broken) as connection:
        plan = fixer.plan(connection, wanted(), mode="online", skip=(LEFT,))
        assert (plan.steps[-1].title, plan.refusals) == (
            "put pgmend_new_a in place of t.a, which is kept as pgmend_was_a",
            (),
        )
