"""Texts that fill their column, and are longer as PostgreSQL spells them: undo brings them back, uncut."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import TIMESTAMP, Boolean, Column, Numeric
from sqlalchemy.dialects.postgresql import INET, JSONB, UUID

import fixer
from fixer.errors import UndoRefused
from fixer.model.plan import MODES
from lab.database import Database, all_of, differences
from lab.examples.models import contract, key

WANTED = contract(
    m=(
        key(),
        Column("yes", Boolean, unique=True),
        Column("at", TIMESTAMP(timezone=True), info={"timezone": "UTC"}),
        Column("code", UUID, nullable=False, unique=True),
        Column("j%", JSONB),
        Column("n", Numeric(10, 2)),
        Column("net", INET),
    )
)
MADE = (
    'CREATE TABLE m (id serial PRIMARY KEY, yes varchar(3) UNIQUE, at varchar(20), "j%" varchar(7),'
    " code char(32) NOT NULL UNIQUE, n varchar(3), net varchar(9));"
    "INSERT INTO m VALUES (1, 'yes', '2024-05-01 10:00:00', '{\"a\":1}',"
    " '00000000000040008000000000000001', '1e3', '10.1.2.33'),"
    " (2, 'no', '2024-05-01T10:00:00Z', '[1,2,3]', '0000000000004000800000000000000A', '.5', '::1');"
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keyed", [True, False])
def test_a_text_that_is_longer_as_a_new_value_comes_back(empty: Database, mode: str, keyed: bool) -> None:
    empty.run(MADE + ("" if keyed else "ALTER TABLE m DROP CONSTRAINT m_pkey"))
    before = all_of(empty)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        run = fixer.apply(connection, WANTED, mode=mode, allow_hazards="all")
        fixer.undo(connection, 1)

    assert (run.report.ok, run.plan.moves, differences(before, empty)) == (True, {}, [])


def test_a_value_written_since_that_the_old_type_would_cut_is_not_lost(empty: Database) -> None:
    empty.run(MADE)
    with closing(psycopg2.connect(empty.dsn)) as connection:
        fixer.apply(connection, WANTED, allow_hazards="all")
        empty.run("UPDATE m SET net = '10.1.2.77' WHERE id = 2")
        with pytest.raises(UndoRefused, match=r"value too long for type character varying\(9\)"):
            fixer.undo(connection, 1)

    assert empty.run("SELECT host(net) FROM m ORDER BY id") == [("10.1.2.33",), ("10.1.2.77",)]
