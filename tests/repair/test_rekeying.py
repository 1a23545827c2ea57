"""Old keys become new ones of any type: each reference means the row that it meant, and undo gives all back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, Table, Text, Uuid, text

import fixer
from fixer.connect.target import resolve
from fixer.errors import NeedsPermission, UndoRefused
from lab.database import Database, all_of, differences, lent, role, written
from lab.laboratory import Laboratory

MODES = pytest.mark.parametrize("mode", ["atomic", "online"])
OF_UUIDS = MetaData()
_MADE = text("gen_random_uuid()")
Table(
    'Own"er.%',
    OF_UUIDS,
    Column("i d", Uuid, primary_key=True, server_default=_MADE, info={"legacy_keys": ['o"ld%']}),
    Column('o"ld%', Text, unique=True),
    Column("boss", ForeignKey('Own"er.%.i d')),
)
Table("pet", OF_UUIDS, Column("id", Integer, primary_key=True), Column("o", ForeignKey('Own"er.%.i d'), nullable=False))
Table(
    "fan",
    OF_UUIDS,
    Column("o", ForeignKey('Own"er.%.i d'), info={"orphans": "null"}),
    Column("id", Integer, primary_key=True),
)
WITH_IDS = """
CREATE TABLE "Own""er.%" ("i d" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "o""ld%" text UNIQUE, boss varchar(40));
CREATE TABLE pet (id serial PRIMARY KEY, o text NOT NULL); CREATE TABLE fan (o varchar(40), id serial PRIMARY KEY);
INSERT INTO "Own""er.%" VALUES (md5('1')::uuid, 'A', NULL), (md5('2')::uuid, 'B', 'A'), (md5('3')::uuid, NULL, 'B');
INSERT INTO pet (o) VALUES ('A'), ('B'), ('A'), (upper(md5('3'))); INSERT INTO fan (o) VALUES ('B'), ('n/a'), (NULL);
"""
WITHOUT_IDS = """
CREATE TABLE "Own""er.%" ("o""ld%" text PRIMARY KEY, boss text REFERENCES "Own""er.%");
CREATE TABLE pet (id serial PRIMARY KEY, o text NOT NULL REFERENCES "Own""er.%");
CREATE TABLE fan (o text REFERENCES "Own""er.%", id serial PRIMARY KEY);
INSERT INTO "Own""er.%" VALUES ('A', NULL), ('B', 'A'), ('C', 'B');
INSERT INTO pet (o) VALUES ('A'), ('B'), ('A'), ('C'); INSERT INTO fan (o) VALUES ('B'), (NULL), (NULL);
"""
MEANT = """
SELECT 'boss', c."o""ld%", p."o""ld%" FROM "Own""er.%" AS c JOIN "Own""er.%" AS p ON p."i d" = c.boss
 UNION ALL SELECT 'pet', c.id::text, p."o""ld%" FROM pet AS c JOIN "Own""er.%" AS p ON p."i d" = c.o
 UNION ALL SELECT 'fan', c.id::text, p."o""ld%" FROM fan AS c JOIN "Own""er.%" AS p ON p."i d" = c.o ORDER BY 1, 2
"""


@pytest.fixture
def database(laboratory: Laboratory) -> Iterator[Database]:
    with lent(laboratory.server(18), None) as database:
        yield database


def repaired(database: Database, contract: MetaData, mode: str) -> fixer.Run:
    return fixer.apply(resolve(database.dsn), contract, mode=mode, allow_hazards="all")


def moved(run: fixer.Run) -> dict[str, int]:
    return {entry.table.name: entry.quarantined for entry in run.ledger if entry.quarantined}


@MODES
@pytest.mark.parametrize(("rows", "third"), [(WITH_IDS, None), (WITHOUT_IDS, "C")])
def test_texts_become_the_uuids_of_the_rows_that_carry_them(
    database: Database, rows: str, third: str | None, mode: str
) -> None:
    database.run(rows)
    before = all_of(database)
    run = repaired(database, OF_UUIDS, mode)

    assert moved(run) == {}
    pets = [("pet", "1", "A"), ("pet", "2", "B"), ("pet", "3", "A"), ("pet", "4", third)]
    assert database.run(MEANT) == [("boss", "B", "A"), ("boss", third, "B"), ("fan", "1", "B"), *pets]
    fixer.undo(resolve(database.dsn), run.run or 0)
    assert differences(before, database) == []


RENAMED = MetaData()
Table(
    "crew",
    RENAMED,
    Column("id", Integer, primary_key=True, info={"legacy_names": ['crew "id"']}),
    Column("lead", ForeignKey("crew.id"), info={"legacy_names": ["chief"]}),
)
Table(
    "shift",
    RENAMED,
    Column("id", Integer, primary_key=True),
    Column("crew_id", ForeignKey("crew.id"), nullable=False, info={"legacy_names": ["crew no"]}),
)


@MODES
def test_columns_with_other_names_hold_texts_of_an_old_key(database: Database, mode: str) -> None:
    database.run(
        'CREATE TABLE crew ("crew ""id""" text PRIMARY KEY, chief text);'
        'CREATE TABLE shift (id serial PRIMARY KEY, "crew no" text NOT NULL REFERENCES crew);'
        "INSERT INTO crew VALUES ('a', NULL), ('b', 'a'); INSERT INTO shift (\"crew no\") VALUES ('b'), ('a'), ('b')"
    )
    before = all_of(database)
    run = repaired(database, RENAMED, mode)

    meant = "SELECT c.legacy_id FROM shift AS s JOIN crew AS c ON c.id = s.crew_id ORDER BY s.id"
    assert database.run(meant) == [("b",), ("a",), ("b",)]
    assert database.run("SELECT p.legacy_id FROM crew AS c JOIN crew AS p ON p.id = c.lead") == [("a",)]
    fixer.undo(resolve(database.dsn), run.run or 0)
    assert differences(before, database) == []


OF_TEXTS = MetaData()
Table("club", OF_TEXTS, Column("id", Text, primary_key=True, info={"legacy_keys": ["code"]}), Column("code", Text))
Table(
    "seat", OF_TEXTS, Column("id", Integer, primary_key=True), Column("club_id", ForeignKey("club.id"), nullable=False)
)
CLUBS = """
CREATE TABLE club (id text PRIMARY KEY, code text);
CREATE TABLE seat (id serial PRIMARY KEY, club_id varchar(2) NOT NULL);
INSERT INTO club VALUES ('chess', 'c1'), ('go', 'g1'), ('bridge', 'b1'), ('bingo', 'b1');
"""


@MODES
def test_a_text_becomes_a_longer_one_of_the_same_type(database: Database, mode: str) -> None:
    database.run(f"{CLUBS} INSERT INTO seat (club_id) VALUES ('c1'), ('go'), ('g1'), ('x')")
    before = all_of(database)
    run = repaired(database, OF_TEXTS, mode)

    assert moved(run) == {"seat": 1}
    assert database.run("SELECT id, club_id FROM seat ORDER BY id") == [(1, "chess"), (2, "go"), (3, "go")]
    fixer.undo(resolve(database.dsn), run.run or 0)
    assert differences(before, database) == []


@MODES
@pytest.mark.parametrize("text_", ["b1", "go"])
def test_a_text_that_means_several_rows_is_for_a_person(database: Database, text_: str, mode: str) -> None:
    database.run(f"{CLUBS} UPDATE club SET code = 'go' WHERE id = 'chess'")
    database.run(f"INSERT INTO seat (club_id) VALUES ('g1'), ('{text_}')")
    before = written(database)
    with pytest.raises(NeedsPermission, match=r"seat\.club_id should mean one row of club, several have its code"):
        repaired(database, OF_TEXTS, mode)

    assert before == written(database)


OF_NUMBERS = MetaData()
Table("user", OF_NUMBERS, Column("id", Integer, primary_key=True), Column("mail", Text, unique=True))
Table(
    "deal",
    OF_NUMBERS,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("user.id"), nullable=False),
)
USERS = """
CREATE TABLE "user" (id varchar(20) NOT NULL, mail text);
CREATE TABLE deal (id serial PRIMARY KEY, user_id text NOT NULL);
INSERT INTO "user" VALUES ('u1', 'a'), ('u1', 'a'), ('u2', 'b'), ('u3', NULL), ('u3', NULL), ('u3', NULL);
INSERT INTO deal (user_id) VALUES ('u1'), ('u2'), ('u3'), ('u1');
"""


@MODES
def test_of_identical_rows_under_an_old_key_one_stays(database: Database, mode: str) -> None:
    database.run(USERS)
    before = all_of(database)
    plan = fixer.plan(resolve(database.dsn), OF_NUMBERS, mode=mode)
    run = repaired(database, OF_NUMBERS, mode)

    assert (sum(plan.moves.values()), moved(run)) == (3, {"user": 3})
    query = 'SELECT d.id, u.legacy_id, u.mail FROM deal AS d JOIN "user" AS u ON u.id = d.user_id ORDER BY 1'
    assert database.run(query) == [(1, "u1", "a"), (2, "u2", "b"), (3, "u3", None), (4, "u1", "a")]
    fixer.undo(resolve(database.dsn), run.run or 0)
    assert differences(before, database) == []


@MODES
def test_different_rows_under_an_old_key_are_for_a_person(database: Database, mode: str) -> None:
    database.run(f"{USERS} INSERT INTO \"user\" VALUES ('u1', 'other')")
    before = written(database)
    with pytest.raises(NeedsPermission, match=r"user\.legacy_id should tell rows apart, several rows share it"):
        repaired(database, OF_NUMBERS, mode)

    assert before == written(database)


OF_TWO = MetaData()
_NEW = Column("a", Uuid, primary_key=True, info={"legacy_keys": ["code"]})
_SECOND = Column("b", Integer, primary_key=True, autoincrement=False)
Table("pair", OF_TWO, _NEW, _SECOND, Column("code", Text))
_BOTH = ForeignKeyConstraint(["a", "b"], ["pair.a", "pair.b"])
Table("one", OF_TWO, Column("id", Integer, primary_key=True), Column("a", Uuid), Column("b", Integer), _BOTH)
PAIRS = """
CREATE TABLE pair (a uuid, b integer, code text, PRIMARY KEY (a, b)); INSERT INTO pair VALUES (md5('1')::uuid, 1, 'x');
CREATE TABLE one (id serial PRIMARY KEY, a text, b integer); INSERT INTO one (a, b) VALUES ('x', 1);
"""


@MODES
def test_old_keys_in_a_key_of_several_columns_are_for_a_person(database: Database, mode: str) -> None:
    database.run(PAIRS)
    before = written(database)
    with pytest.raises(NeedsPermission, match=r"one\.a should be the a of pair, holds its code: it is one of several"):
        repaired(database, OF_TWO, mode)

    assert before == written(database)


OF_STRAYS = MetaData()
Table(
    "Boss.%",
    OF_STRAYS,
    Column("id", Integer, primary_key=True),
    Column("name", Text, unique=True),
    Column("over", ForeignKey("Boss.%.id", ondelete="SET NULL")),
    info={"default_rows": [{"name": "nobody"}]},
)
for _name, _info, _deletes in (("dog", {"orphans": "adopt"}, None), ("cat", {}, "SET NULL"), ("cow", {}, None)):
    _of = ForeignKey("Boss.%.id", ondelete=_deletes)
    Table(_name, OF_STRAYS, Column("id", Integer, primary_key=True), Column("boss", _of, info=_info))
Table("ox", OF_STRAYS, Column("id", Integer, primary_key=True), Column("dog_id", ForeignKey("dog.id")))
Table("org", OF_STRAYS, Column("id", Text, primary_key=True, info={"legacy_keys": ["code"]}), Column("code", Text))
Table(
    "seat", OF_STRAYS, Column("id", Integer, primary_key=True), Column("org", ForeignKey("org.id", ondelete="SET NULL"))
)
STRAYS = """
CREATE TABLE "Boss.%" (id text PRIMARY KEY, name text UNIQUE, over text REFERENCES "Boss.%");
CREATE TABLE dog (id serial PRIMARY KEY, boss text REFERENCES "Boss.%");
CREATE TABLE cat (id serial PRIMARY KEY, boss text REFERENCES "Boss.%");
CREATE TABLE cow (id serial PRIMARY KEY, boss text REFERENCES "Boss.%" ON DELETE CASCADE);
CREATE TABLE old (id integer PRIMARY KEY); CREATE TABLE ox (id serial PRIMARY KEY, dog_id integer REFERENCES old);
CREATE TABLE org (id text PRIMARY KEY, code text UNIQUE);
CREATE TABLE seat (id serial PRIMARY KEY, org text REFERENCES org (code));
SET session_replication_role = replica;
INSERT INTO "Boss.%" VALUES ('a', 'A', NULL), ('b', 'B', 'zz'); INSERT INTO dog (boss) VALUES ('a'), ('x'), ('y');
INSERT INTO cat (boss) VALUES ('x'), ('b'), (NULL), ('x'); INSERT INTO cow (boss) VALUES ('a'), ('x');
INSERT INTO ox (dog_id) VALUES (1), (2); INSERT INTO org VALUES ('one', '1');
INSERT INTO seat (org) VALUES ('1'), ('9');
"""
OWNED = "; ".join(
    f"ALTER TABLE {name} OWNER TO {{}}" for name in ('"Boss.%"', "dog", "cat", "cow", "ox", "org", "seat", "old")
)


@MODES
def test_what_pointed_at_nothing_under_a_valid_key_comes_back_at_undo(database: Database, mode: str) -> None:
    database.run(STRAYS)
    grants = (f"GRANT CREATE ON DATABASE {database.name} TO {{}}; GRANT CREATE ON SCHEMA public TO {{}}", OWNED)
    with role(database, *grants) as owner:
        before = all_of(database)
        run = fixer.apply(resolve(database.seen_by(owner)), OF_STRAYS, mode=mode, allow_hazards="all")
        assert moved(run) == {"cow": 1}
        after = all_of(database)
        with pytest.raises(UndoRefused, match=r"Only a superuser can undo run 1: the .* pointed at no row of"):
            fixer.undo(resolve(database.seen_by(owner)), run.run or 0)
        assert differences(after, database) == []
        fixer.undo(resolve(database.dsn), run.run or 0)
        assert differences(before, database) == []


@MODES
def test_a_parent_that_went_since_is_no_orphan_that_stood(database: Database, mode: str) -> None:
    database.run(STRAYS)
    run = repaired(database, OF_STRAYS, mode)
    database.run("DELETE FROM \"Boss.%\" WHERE name = 'B'")
    before = written(database)
    with pytest.raises(UndoRefused, match=r"go back to public\.cat would point at nothing: their rows of .* are gone"):
        fixer.undo(resolve(database.dsn), run.run or 0)

    assert before == written(database)
