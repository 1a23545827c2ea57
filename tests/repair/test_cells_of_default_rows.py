"""A cell of a default row may be any expression."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import sqlalchemy as sa

import fixer
from lab.database import Database


def test_a_cell_that_compares_is_read_as_one_value(empty: Database) -> None:
    metadata = sa.MetaData()
    sa.Table(
        "a",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("even", sa.Boolean),
        sa.Column("n", sa.Text),
        sa.UniqueConstraint("even", "n"),
        info={"default_rows": [{"even": sa.text("1 % 2 = 0"), "n": "x"}]},
    )
    engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(empty.dsn))
    metadata.create_all(engine)
    engine.dispose()
    with closing(psycopg2.connect(empty.dsn)) as connection:
        found = [each.slug for each in fixer.check(connection, metadata).findings]
        fixer.apply(connection, metadata)
        left = fixer.check(connection, metadata, deep=True).findings

    assert (found, left) == (["missing-default-row"], ())
    assert empty.run("SELECT even, n FROM a") == [(False, "x")]
