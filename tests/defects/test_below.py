"""What is off below the root, in one partition, is found, settled and taken back as it is for a whole table."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKey

from fixer.model.plan import MODES
from lab.examples.models import contract, integer, key
from lab.laboratory import Laboratory
from lab.outcomes import outcome

PARTS = (
    "CREATE TABLE users(id integer PRIMARY KEY) PARTITION BY RANGE (id);"
    "CREATE TABLE u0 PARTITION OF users FOR VALUES FROM (0) TO (10); CREATE TABLE u1 PARTITION OF users DEFAULT;"
    'CREATE SCHEMA "a.b"; CREATE TABLE p(id integer PRIMARY KEY, u integer REFERENCES users) PARTITION BY RANGE (id);'
    "CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);"
    'CREATE TABLE "p %s""0" PARTITION OF p0 DEFAULT; CREATE TABLE "a.b".p1 PARTITION OF p DEFAULT;'
    "INSERT INTO users VALUES (1), (11); INSERT INTO p VALUES (1, 1), (2, 11), (12, 1);"
)
WANTED = contract(
    users=(key(autoincrement=False),), p=(key(autoincrement=False), integer("u", ForeignKey("users.id")))
)
OFF = {
    "in a partition": 'ALTER TABLE "p %s""0" DISABLE TRIGGER ALL',
    "in a partition of another schema": 'ALTER TABLE "a.b".p1 DISABLE TRIGGER ALL',
    "in a partition, and orphans came in": 'ALTER TABLE "p %s""0" DISABLE TRIGGER ALL; INSERT INTO p VALUES (3, 7)',
    "for a replica only": """DO $$ DECLARE t pg_trigger; BEGIN
        FOR t IN SELECT * FROM pg_trigger WHERE tgrelid = '"p %s""0"'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', t.tgrelid::regclass, t.tgname); END LOOP; END $$""",
    "in a partition of the parent": "ALTER TABLE u0 DISABLE TRIGGER ALL",
    "in a partition of the parent, and rows lost theirs": "ALTER TABLE u0 DISABLE TRIGGER ALL; DELETE FROM u0",
    "in the whole": "ALTER TABLE p DISABLE TRIGGER ALL; ALTER TABLE users DISABLE TRIGGER ALL",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", OFF)
def test_a_foreign_key_that_is_off_in_a_partition_is_enforced_again(
    laboratory: Laboratory, what: str, mode: str
) -> None:
    assert outcome(laboratory, WANTED, PARTS + OFF[what], mode) == "mended"


def test_what_the_root_alone_says_means_nothing(laboratory: Laboratory) -> None:
    made = PARTS + "ALTER TABLE ONLY p DISABLE TRIGGER ALL; ALTER TABLE ONLY users DISABLE TRIGGER ALL"

    assert outcome(laboratory, WANTED, made, "atomic") == "sound"
