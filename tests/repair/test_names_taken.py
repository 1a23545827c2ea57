"""A name of a sequence that is taken: who counts by what is known before the plan runs, and undo gives all back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

import fixer
from fixer.connect.servers import Server
from fixer.model.plan import MODES
from lab.database import Database, lent
from lab.evidence.dumps import everything

HEIRS = "CREATE TABLE p (id serial PRIMARY KEY, n integer); CREATE TABLE h (PRIMARY KEY (id)) INHERITS (p);"
BOTH = "CREATE TABLE p (id serial PRIMARY KEY, n integer); CREATE TABLE h (id integer PRIMARY KEY, n integer);"
SHARED = BOTH + "ALTER TABLE h ALTER id SET DEFAULT nextval('p_id_seq');"
ODD = (
    "CREATE SEQUENCE odd; CREATE TABLE p (id integer PRIMARY KEY DEFAULT nextval('odd'), n integer);"
    "ALTER SEQUENCE odd OWNED BY p.id;"
)
ROWS = "INSERT INTO p (n) VALUES (1), (2);"
LEFT = "ALTER SEQUENCE p_id_seq OWNED BY NONE;"
ANOTHERS = (
    "DO 'BEGIN CREATE ROLE another; EXCEPTION WHEN duplicate_object THEN NULL; END';"
    "GRANT CREATE ON SCHEMA public TO another; ALTER SEQUENCE p_id_seq OWNER TO another;"
)
COUNTERS = """
SELECT string_agg(table_name || ' ' || substring(column_default FROM '''(.*)'''), ', ' ORDER BY table_name)
  FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id' AND table_name IN ('p', 'h')
"""


class Taken(NamedTuple):
    """What a contract wants, what is broken, and what counts by which sequence in the end."""

    contract: str
    broken: str
    counters: str


TAKEN = {
    "heir and table above are renamed": Taken(
        HEIRS, "ALTER TABLE h RENAME TO hold; ALTER TABLE p RENAME TO pold", "h p_id_seq_1, p p_id_seq_1"
    ),
    "an heir is gone, and the key column above": Taken(
        HEIRS, "DROP TABLE h; ALTER TABLE p DROP id", "h p_id_seq, p p_id_seq"
    ),
    "an heir is gone, and the key column above, whose sequence is left": Taken(
        HEIRS, f"DROP TABLE h; {LEFT} ALTER TABLE p DROP id", "h p_id_seq, p p_id_seq"
    ),
    "an heir is gone, and the key column above, whose sequence has others": Taken(
        HEIRS,
        f"DROP TABLE h; {LEFT} ALTER TABLE p DROP id; CREATE TABLE x (n integer DEFAULT nextval('p_id_seq'))",
        "h p_id_seq_1, p p_id_seq_1",
    ),
    "a table has the name": Taken(
        HEIRS, "DROP TABLE h, p; CREATE TABLE p_id_seq (n integer)", "h p_id_seq_1, p p_id_seq_1"
    ),
    "another table counts with one whose key column is gone": Taken(
        SHARED, "ALTER TABLE p DROP id CASCADE", "h p_id_seq, p p_id_seq"
    ),
    "another table counts with one that is renamed, as it is": Taken(
        SHARED, "ALTER TABLE h RENAME TO hold; ALTER TABLE p RENAME TO pold", "h p_id_seq_1, p p_id_seq_1"
    ),
    "a sequence of another role is left": Taken(
        BOTH, f"{LEFT} ALTER TABLE p ALTER id DROP DEFAULT; {ANOTHERS}", "p p_id_seq_1"
    ),
    "a sequence of another role is left, the column is gone": Taken(
        BOTH, f"{LEFT} ALTER TABLE p DROP id; {ANOTHERS}", "p p_id_seq_1"
    ),
    "a sequence of another role is left, the table is gone": Taken(
        BOTH, f"{LEFT} ALTER TABLE p ALTER id DROP DEFAULT; DROP TABLE p; {ANOTHERS}", "p p_id_seq_1"
    ),
    "one of bigint has others": Taken(
        ODD,
        "ALTER SEQUENCE odd OWNED BY NONE; ALTER TABLE p DROP id; CREATE TABLE x (n integer DEFAULT nextval('odd'))",
        "p odd_1",
    ),
}


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with lent(server, None) as database:
        yield database


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taken", TAKEN.values(), ids=TAKEN.keys())
def test_all_count_as_planned_and_undo_gives_them_back(database: Database, taken: Taken, mode: str) -> None:
    database.run(taken.contract)
    wanted = database.server.database_dsn(database.server.create_database(database.name))
    database.run(ROWS + taken.broken)
    before = everything(database.server, database.name)
    run = fixer.apply(database.dsn, wanted, mode=mode, allow_hazards="all")
    counters = database.ask(COUNTERS)
    types = database.ask("SELECT string_agg(DISTINCT data_type::text, ' ') FROM pg_sequences WHERE sequencename ~ '_'")
    assert run.run is not None
    fixer.undo(database.dsn, run.run)

    assert (run.ok, counters, types) == (True, taken.counters, "bigint" if taken.contract == ODD else "integer")
    assert everything(database.server, database.name) == before
