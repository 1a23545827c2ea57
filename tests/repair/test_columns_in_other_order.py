"""Partitions whose columns stand in another order: a conversion reads its own column, whatever the others hold."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Boolean, Column, Date, Enum, Integer, Numeric, Text

import fixer
from fixer.model.plan import MODES
from lab import process
from lab.database import Database, all_of, differences, lent
from lab.examples.models import contract, integer
from lab.laboratory import VERSIONS, Laboratory

# What is found, what is wanted, and values before and after.
WAYS = {
    "words to truth": ("text", Boolean(), ["yes", "no"], ["true", "false"]),
    "numbers to truth": ("integer", Boolean(), ["1", "0"], ["true", "false"]),
    "words to numbers": ("text", Numeric(6, 2), ["1.5", "2"], ["1.50", "2.00"]),
    "words to whole numbers": ("text", Integer(), ["7", "8"], ["7", "8"]),
    "words to labels": ("text", Enum("new", "old", name="age"), ["new", "old"], ["new", "old"]),
    "words to days": ("text", Date(), ["2026-01-02", "2026-01-03"], ["2026-01-02", "2026-01-03"]),
    "floats to numbers": ("double precision", Numeric(6, 2), ["0.5", "0.25"], ["0.50", "0.25"]),
    "numbers to words": ("integer", Text(), ["1", "2"], ["1", "2"]),
}
# In the place that v has above stands o in the partition, of the same type: it is NULL where v is not.
MADE = """
CREATE TABLE m (id integer NOT NULL, v {0}, o {0}) PARTITION BY LIST (id);
CREATE TABLE m1 (id integer NOT NULL, o {0}, v {0});
ALTER TABLE m ATTACH PARTITION m1 FOR VALUES IN (1, 2, 3);
INSERT INTO m (id, v, o) VALUES (1, '{1}', NULL), (2, '{2}', NULL), (3, NULL, '{1}');
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", WAYS)
def test_each_value_is_converted_and_comes_back(laboratory: Laboratory, name: str, mode: str, version: int) -> None:
    found, wanted, given, expected = WAYS[name]
    models = contract(m=(integer("id", nullable=False), Column("v", wanted)))
    with lent(laboratory.server(version), None) as database, closing(psycopg2.connect(database.dsn)) as session:
        database.run(MADE.format(found, *given))
        before = all_of(database)
        run = fixer.apply(session, models, allow_hazards="all", mode=mode)

        assert database.ask("SELECT json_agg(v::text ORDER BY id) FROM m") == [*expected, None]
        fixer.undo(session, run.run)
        assert differences(before, database) == []


def test_a_number_that_comes_in_later_is_not_rounded(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "contract.sql").write_text(
        "CREATE TABLE m (id integer NOT NULL, v numeric(6, 2)) PARTITION BY LIST (id)"
    )
    words, plan = ("--contract", str(tmp_path / "contract.sql"), "--dsn", empty.dsn), tmp_path / "plan.json"
    empty.run(MADE.format("text", "1.5", "2"))
    assert process.fixer("plan", *words, "-o", plan).returncode == 1
    empty.run("UPDATE m SET v = '1.239' WHERE id = 1")
    ended = process.fixer("apply", plan, *words, "--yes", "--allow-hazards", "all")

    assert "1.239, which came in since the plan was made" in ended.stderr
    assert ended.returncode == 2
