"""How many rows may move: what a person allows, and what the plan announced; not one row more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, MetaData, Table, Text

import fixer
from fixer.connect.target import resolve
from fixer.errors import NeedsPermission, PlanRefused, UsageError
from fixer.model.choice import limits_of
from lab import process
from lab.database import Database, all_of, lent
from lab.laboratory import Laboratory

SHOP = MetaData()
Table("users", SHOP, Column("id", Integer, primary_key=True))
Table("orders", SHOP, Column("id", Integer, primary_key=True), Column("user_id", ForeignKey("users.id")))
Table("Line.s", SHOP, Column("id", Integer, primary_key=True),
      Column("order_id", ForeignKey("orders.id"), nullable=False), schema="my.app")  # fmt: skip
ROWS = """
CREATE SCHEMA "my.app"; CREATE TABLE users (id serial PRIMARY KEY);
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer);
CREATE TABLE "my.app"."Line.s" (id serial PRIMARY KEY, order_id integer NOT NULL REFERENCES orders);
INSERT INTO users SELECT generate_series(1, 9); INSERT INTO orders SELECT g, g FROM generate_series(1, 9) g;
INSERT INTO orders VALUES (10, 99); INSERT INTO "my.app"."Line.s" SELECT g, 10 FROM generate_series(1, 3) g;
SELECT setval('users_id_seq', 9), setval('orders_id_seq', 10), setval('"my.app"."Line.s_id_seq"', 3);
"""  # one order of ten has to go, and takes all three lines with it
ALLOWED: list[Any] = [
    4, "4", ["4"], "100%", {"orders": 1, "my.app.Line.s": 3}, ["orders=10%", '"my.app"."Line.s"=100%'], "Line.s=3",
    ["public.orders=1", 4], {"users": 0}, ["users=0%"], None, (),
]  # fmt: skip
REFUSED: dict[Any, str] = {
    3: "moves 4 rows to quarantine, --max-moved allows 3",
    "10%": "moves 3 of 3 rows of my.app.Line.s to quarantine, --max-moved allows 10%",
    "99.9%": "moves 3 of 3 rows of my.app.Line.s to quarantine, --max-moved allows 99.9%",
    "orders=0": "moves 1 row of public.orders to quarantine, --max-moved allows orders=0",
    "orders=9.9%": "moves 1 of 10 rows of public.orders to quarantine, --max-moved allows orders=9.9%",
    "Line.s = 2": "moves 3 rows of my.app.Line.s to quarantine, --max-moved allows Line.s = 2",
}
WRONG = {
    "": "'' is no limit", "x": "x is no limit", "-1": "-1 is no limit", "5 percent": "'5 percent' is no limit",
    "101%": "101% is no limit", "=5": "=5 is no limit", "users=": "users= is no limit", "1e3": "1e3 is no limit",
    "user=5": "user=5 names no table of the contract", 2.5: "2.5 is no limit", True: "True is no limit",
}  # fmt: skip


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(ROWS)
        yield database


def repaired(database: Database, mode: str = "atomic", **options: Any) -> fixer.Run:
    return fixer.apply(resolve(database.dsn), SHOP, mode=mode, allow_hazards="all", **options)


@pytest.mark.parametrize("most", ALLOWED, ids=str)
def test_a_plan_may_move_what_is_allowed(database: Database, most: Any) -> None:
    fixer.plan(resolve(database.dsn), SHOP, max_moved=most)

    assert repaired(database, max_moved=most).ok


@pytest.mark.parametrize("most", REFUSED, ids=str)
def test_a_plan_that_would_move_more_is_refused(database: Database, most: Any) -> None:
    before = all_of(database)
    for mode in ("atomic", "online"):
        with pytest.raises(NeedsPermission) as refused:
            repaired(database, mode, max_moved=most)

        assert f"The plan {REFUSED[most]}. Nothing was changed." == str(refused.value)
    with pytest.raises(NeedsPermission):
        fixer.plan(resolve(database.dsn), SHOP, max_moved=most)
    with pytest.raises(NeedsPermission):
        fixer.ensure(resolve(database.dsn), SHOP, allow_hazards="all", max_moved=most)
    assert before == all_of(database)


@pytest.mark.parametrize("most", WRONG, ids=str)
def test_what_is_no_limit_is_refused_in_one_sentence(database: Database, most: Any) -> None:
    before = all_of(database)
    for call in (fixer.plan, fixer.ensure, fixer.apply):
        with pytest.raises(UsageError, match=WRONG[most]):
            call(resolve(database.dsn), SHOP, max_moved=most)

    assert before == all_of(database)


def test_a_name_that_two_tables_have_needs_its_schema() -> None:
    tables = [Table("t", MetaData(), schema=schema) for schema in ("a", "b")]
    names = [fixer.model.table.QName(str(table.schema), table.name) for table in tables]
    [limit] = limits_of("t=5")
    with pytest.raises(UsageError, match=r"--max-moved t=5 fits a\.t and b\.t: say SCHEMA\.TABLE=5\."):
        limit.on(names)

    assert limits_of("b.t=5")[0].on(names).home == names[1]


LIMITED = """
from sqlalchemy import *
metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True))
Table("orders", metadata, Column("id", Integer, primary_key=True), Column("user_id", ForeignKey("users.id")))
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("--max-moved", "5%"),
            1,
            "The plan moves 1 of 10 rows of public.orders to quarantine, --max-moved allows 5%.",
        ),
        (("--max-moved", "9", "--max-moved", "orders=0"), 1, "The plan moves 1 row of public.orders to quarantine"),
        (("--max-moved", "many"), 2, "--max-moved many is no limit: say 100, 5%, TABLE=100 or TABLE=5%."),
        (("--max-moved", ""), 2, "--max-moved '' is no limit"),
        (("--max-moved", "book=5"), 2, "--max-moved book=5 names no table of the contract: say SCHEMA.TABLE=5."),
        (("--max-moved", "1", "--max-moved", "orders=10%"), 0, ""),
    ],
)
def test_the_command_line_takes_limits_repeatedly(
    database: Database, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    database.run('DROP TABLE "my.app"."Line.s"')
    (tmp_path / "limited.py").write_text(LIMITED)
    options = ("--contract", "limited:metadata", "--dsn", database.dsn, *words)
    planned = process.fixer("plan", "-q", *options, cwd=tmp_path)
    applied = process.fixer("apply", "-q", "--yes", "--allow-hazards", "all", *options, cwd=tmp_path)

    assert (planned.returncode, applied.returncode) == (code or 1, code)
    assert [said in ended.stderr and len(ended.stderr.splitlines()) <= 1 for ended in (planned, applied)] == [True] * 2


# ---- what the plan announced


def test_no_row_moves_that_the_plan_did_not_announce(database: Database) -> None:
    plan = fixer.plan(resolve(database.dsn), SHOP)
    database.run("INSERT INTO orders VALUES (11, 98)")
    before = all_of(database)
    with pytest.raises(PlanRefused) as refused:
        repaired(database, plan=plan)

    said = "2 rows of public.orders would go to quarantine, the plan announced 1: plan again. Nothing was changed."
    assert (said, before) == (str(refused.value), all_of(database))
    assert repaired(database).ok


def test_fewer_rows_may_move_than_the_plan_announced(database: Database) -> None:
    plan = fixer.plan(resolve(database.dsn), SHOP)
    database.run('DELETE FROM "my.app"."Line.s" WHERE id = 1')

    assert repaired(database, plan=plan).ok


# ---- rows that cannot be counted

UNCOUNTED = MetaData()
Table("p", UNCOUNTED, Column("id", Integer, primary_key=True), Column("v", Text, CheckConstraint("public.sound(v)")))
Table("c", UNCOUNTED, Column("id", Integer, primary_key=True), Column("p_id", ForeignKey("p.id"), nullable=False))
# The function fails in the statement that counts what goes after others, and in no other.
UNCOUNTED_ROWS = """
CREATE FUNCTION sound(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  IF current_query() LIKE '%DISTINCT ON (w.kind%' THEN RAISE 'too much' USING ERRCODE = '22003'; END IF;
  RETURN $1 <> 'odd'; END $$;
CREATE TABLE p (id serial PRIMARY KEY, v text); CREATE TABLE c (id serial PRIMARY KEY, p_id int NOT NULL REFERENCES p);
INSERT INTO p VALUES (1, 'odd'), (2, 'good'); INSERT INTO c VALUES (1, 1), (2, 2);
"""


ODD = """
from sqlalchemy import *
metadata = MetaData()
Table("p", metadata, Column("id", Integer, primary_key=True), Column("v", Text, CheckConstraint("public.sound(v)")))
Table("c", metadata, Column("id", Integer, primary_key=True), Column("p_id", ForeignKey("p.id"), nullable=False))
"""


@pytest.fixture
def odd(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        database.run(UNCOUNTED_ROWS)
        yield database


def uncounted(database: Database, mode: str = "atomic", **options: Any) -> fixer.Run:
    return fixer.apply(resolve(database.dsn), UNCOUNTED, mode=mode, allow_hazards="all", **options)


def test_a_plan_that_cannot_count_what_moves_needs_a_limit(odd: Database) -> None:
    before = all_of(odd)
    for mode, limits, way in (("atomic", (), "say by --max-moved how"), ("online", 9, "takes --mode atomic")):
        with pytest.raises(NeedsPermission, match=rf"cannot tell how many rows it moves \(too much.*{way}"):
            uncounted(odd, mode, max_moved=limits)
    with pytest.raises(NeedsPermission, match="moves 2 rows to quarantine, --max-moved allows 1"):
        uncounted(odd, max_moved=1)

    assert before == all_of(odd)
    assert uncounted(odd, max_moved=2).ok


def test_what_cannot_be_counted_is_said(odd: Database, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    options = ("--contract", "odd:metadata", "--dsn", odd.dsn)
    for command in ("check", "plan"):
        told = " ".join(process.fixer(command, *options, cwd=tmp_path).stdout.split())
        kept = json.loads(process.fixer(command, "--format", "json", *options, cwd=tmp_path).stdout)

        assert "! The rows that go after others could not be counted: too much" in told
        assert kept["uncounted"].startswith("too much")
    process.fixer("plan", "-q", "-o", "plan.json", *options, cwd=tmp_path)
    kept = process.fixer("apply", "plan.json", "--yes", "--allow-hazards", "all", *options[2:], cwd=tmp_path)
    assert (kept.returncode, "say by --max-moved how" in kept.stderr) == (1, True)
