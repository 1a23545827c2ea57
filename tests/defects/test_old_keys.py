"""Tables without the key that the contract wants, and references that hold the texts of their old one."""

from __future__ import annotations

from contextlib import closing
from uuid import UUID

import psycopg2
import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, Text, Uuid, text

import fixer
from fixer.defects.text_key import SPECIMENS
from fixer.model.plan import MODES
from lab.database import Database
from lab.evidence.dumps import everything
from lab.examples.models import integer, key
from lab.laboratory import Laboratory
from lab.outcomes import outcome

MADE = (
    "CREATE TABLE users(user_id varchar NOT NULL, name text); INSERT INTO users VALUES ('u1', 'a'), ('7', 'b');"
    "CREATE TABLE trades(id serial PRIMARY KEY, user_id varchar);"
    "INSERT INTO trades(user_id) VALUES ('u1'), ('7'), ('gone'), ('u1 ')"
)


def wanted(orphans: str) -> MetaData:
    """Return the contract of traders who are known by a number now, one of whom takes what belongs to none."""
    metadata = MetaData()
    users: list[Column[object]] = [key(info={"legacy_keys": ["user_id"]}), Column("name", Text, unique=True)]
    Table("users", metadata, *users, info={"default_rows": [{"name": "nobody"}]})
    Table("trades", metadata, key(), integer("user_id", ForeignKey("users.id"), info={"orphans": orphans}))
    return metadata


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("orphans", ["quarantine", "null", "adopt"])
def test_texts_that_mean_nobody_are_settled_although_the_new_key_is_missing(
    laboratory: Laboratory, orphans: str, mode: str
) -> None:
    assert outcome(laboratory, wanted(orphans), MADE, mode) == "mended"


@pytest.mark.parametrize("mode", MODES)
def test_a_plan_says_how_many_texts_mean_nobody_and_become_null(empty: Database, mode: str) -> None:
    empty.run(MADE)
    plan = fixer.plan(empty.dsn, wanted("null"), mode=mode)

    assert [step.title for step in plan.steps if "NULL in" in step.title] == [
        "map trades.user_id to the id of users that carries its user_id, set it to NULL in 2 rows for which none does"
    ]


@pytest.mark.parametrize("mode", MODES)
def test_texts_that_mean_nobody_come_back_under_a_key_that_lies(laboratory: Laboratory, mode: str) -> None:
    keys = "ALTER TABLE users ADD PRIMARY KEY (user_id); ALTER TABLE trades ADD FOREIGN KEY (user_id) REFERENCES users;"
    made = MADE.replace("INSERT INTO trades", f"{keys} SET session_replication_role = replica; INSERT INTO trades")

    assert outcome(laboratory, wanted("quarantine"), made, mode) == "mended"


BESIDE = {  # a key of texts with children, from which another key is made
    "a reference that does not fit": "ALTER TABLE books DROP CONSTRAINT books_reviewer_id_fkey; ALTER TABLE books"
    " ALTER reviewer_id TYPE text USING CASE WHEN reviewer_id = 1 THEN 'x' ELSE reviewer_id::text END",
    "a spelling of its own, converted in one go": "ALTER TABLE books DROP CONSTRAINT books_price_check,"
    " ALTER price TYPE text USING ' ' || price,"
    " ADD twice text GENERATED ALWAYS AS (title || title) STORED",
    "an index over both": "ALTER TABLE books ALTER pages TYPE smallint; CREATE INDEX odd ON books (id, pages)",
    "a row that goes": "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; TRUNCATE reviews;"
    " ALTER TABLE books ADD j json, ALTER pages TYPE text USING CASE WHEN pages > 100 THEN 'x' ELSE pages::text END",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", BESIDE)
def test_other_columns_are_converted_beside_an_old_key(laboratory: Laboratory, what: str, mode: str) -> None:
    with laboratory.database(18) as case:
        case.break_(SPECIMENS[0].breaks)
        case.break_(BESIDE[what])
        before = everything(case.server, case.name)

        assert case.apply(mode=mode, allow_hazards="all").report.ok
        fixer.undo(case.connection, 1)
        assert everything(case.server, case.name) == before


@pytest.mark.parametrize("mode", MODES)
def test_texts_of_a_domain_are_mapped_like_texts(laboratory: Laboratory, mode: str) -> None:
    made = f"CREATE DOMAIN code AS varchar(9); {MADE.replace('user_id varchar', 'user_id code')}"

    assert outcome(laboratory, wanted("null"), made, mode) == "mended"


def test_what_a_refusal_says_of_keys_under_a_strict_domain_can_be_said_today(empty: Database) -> None:
    wanted = MetaData()
    Table("p", wanted, key())
    Table("c", wanted, key(), integer("p", ForeignKey("p.id")))
    empty.run(
        "CREATE DOMAIN d AS text NOT NULL; CREATE TABLE p (id d PRIMARY KEY); INSERT INTO p VALUES ('a');"
        "CREATE TABLE c (id serial PRIMARY KEY, p d REFERENCES p); INSERT INTO c (p) VALUES ('a')"
    )
    with closing(psycopg2.connect(empty.dsn)) as connection:
        left = [str(each.repair.refusal) for each in fixer.check(connection, wanted).findings if each.repair.refusal]
        empty.run("; ".join(reason.partition("or another type: ")[2] for reason in left))
        run = fixer.apply(connection, wanted, allow_hazards="all")

    assert (len(left), run.report.ok) == (2, True)
    assert empty.run("SELECT c.p, p.legacy_id FROM c JOIN p ON p.id = c.p") == [(1, "a")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("new", [Uuid, Text], ids=["uuid", "text"])
def test_old_numbers_are_mapped_although_the_new_key_is_missing(
    laboratory: Laboratory, new: type[Uuid[UUID] | Text], mode: str
) -> None:
    made = (
        "CREATE TABLE owners (num integer, name text); INSERT INTO owners VALUES (1, 'a'), (2, 'b');"
        "CREATE TABLE pets (id serial PRIMARY KEY, owner_id integer); INSERT INTO pets (owner_id) VALUES (1), (2), (9)"
    )
    default, metadata = text("gen_random_uuid()" + ("::text" if new is Text else "")), MetaData()
    identity = Column("id", new(), primary_key=True, server_default=default, info={"legacy_keys": ["num"]})
    Table("owners", metadata, identity, Column("name", Text))
    Table("pets", metadata, key(), Column("owner_id", new(), ForeignKey("owners.id")))

    assert outcome(laboratory, metadata, made, mode) == "mended"
