"""Old keys in tables with partitions or heirs become new ones, in all of these."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from fixer.model.plan import MODES
from lab.examples.models import contract, key
from lab.laboratory import VERSIONS, Laboratory
from lab.outcomes import outcome

PARENTS = """
CREATE TABLE p (id serial PRIMARY KEY, code text NOT NULL UNIQUE); INSERT INTO p (code) VALUES ('a'), ('b');
"""
PARTED = """
CREATE TABLE c (id integer NOT NULL, p_id text NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (1) TO (9) PARTITION BY RANGE (id);
CREATE TABLE c2 PARTITION OF c1 FOR VALUES FROM (1) TO (5); INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'b');
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_partitions_give_their_not_null_up_with_the_whole(laboratory: Laboratory, mode: str, version: int) -> None:
    code = sa.Column("code", sa.Text, nullable=False, unique=True)
    p_id = sa.Column("p_id", sa.ForeignKey("p.id"), nullable=False)
    wanted = contract(p=(sa.Column("id", sa.Integer, primary_key=True, info={"legacy_keys": ["code"]}), code))
    sa.Table("c", wanted, key(autoincrement=False), p_id, postgresql_partition_by="RANGE (id)")

    assert outcome(laboratory, wanted, PARENTS + PARTED, mode, version) == "mended"
