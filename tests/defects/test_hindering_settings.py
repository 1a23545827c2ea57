"""Settings of databases and roles that keep sessions from their work: found, undone by what is said, never obeyed."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

import psycopg2
import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, create_engine
from sqlalchemy.pool import NullPool

import fixer
from fixer.errors import NeedsPermission, TargetError
from fixer.model.finding import Finding
from fixer.runner.locking.transaction import configure
from lab.database import Database, role

METADATA = MetaData()
Table("users", METADATA, Column("id", Integer, primary_key=True))
Table("t", METADATA, Column("id", Integer, primary_key=True), Column("user_id", ForeignKey("users.id")))
SLUG = "hindering-setting"
READ_ONLY, REPLICA = "default_transaction_read_only = on", "session_replication_role = replica"
PATH = "search_path = pg_catalog"


@pytest.fixture
def sound(empty: Database) -> Database:
    engine = create_engine(empty.dsn.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    METADATA.create_all(engine)
    return empty


def paste(dsn: str, statements: str) -> None:
    """Run statements one after the other, as one does in psql."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements.split("; "):
            cursor.execute(statement)


def found(dsn: str, role: str | None = None) -> list[Finding]:
    return [each for each in fixer.check(dsn, METADATA, role=role).findings if each.slug == SLUG]


class Case(NamedTuple):
    setting: str
    whose: str  # {db} and {role} stand for names
    severity: str


CASES = {
    "nobody may write": Case(READ_ONLY, "DATABASE {db}", "error"),
    "no key acts": Case(REPLICA, "DATABASE {db}", "error"),
    "this role may not write": Case(READ_ONLY, "ROLE {role}", "info"),
    "for this role, no key acts": Case(REPLICA, "ROLE {role} IN DATABASE {db}", "warning"),
    "names lead nowhere": Case(PATH, "DATABASE {db}", "warning"),
    "damage is hidden": Case("zero_damaged_pages = on", "DATABASE {db}", "warning"),
}
OWNER = ("GRANT ALL ON SCHEMA public TO {}", "ALTER TABLE users OWNER TO {}", "ALTER TABLE t OWNER TO {}")


@pytest.mark.parametrize("case", CASES)
def test_a_setting_is_found_until_what_is_said_was_run(sound: Database, case: str) -> None:
    setting, whose, severity = CASES[case]
    with role(sound, *OWNER) as owner:
        sound.run(f"ALTER {whose.format(db=sound.name, role=owner)} SET {setting}")
        before = found(sound.seen_by(owner))
        assert [severity] == [each.severity for each in before]

        paste(sound.dsn, str(before[0].repair.refusal).removeprefix("run "))
        assert found(sound.seen_by(owner)) == []


@pytest.mark.parametrize(("asked", "severities"), [(True, ["error"]), (False, [])])
def test_what_another_role_is_given_counts_if_it_is_named(sound: Database, asked: bool, severities: list[str]) -> None:
    with role(sound, f"ALTER ROLE {{}} SET {REPLICA}") as other:
        assert severities == [each.severity for each in found(sound.dsn, other if asked else None)]


def test_what_the_named_role_is_given_is_stronger_than_what_all_are(sound: Database) -> None:
    with role(sound, "ALTER ROLE {} SET default_transaction_read_only = off") as other:
        sound.run(f"ALTER DATABASE {sound.name} SET {READ_ONLY}")

        assert [each.severity for each in found(sound.dsn)] == ["error"]
        assert found(sound.dsn, other) == []
        paste(sound.dsn, str(found(sound.dsn)[0].repair.refusal).removeprefix("run "))


def test_what_only_this_connection_says_is_no_finding(sound: Database) -> None:
    assert found(f"{sound.dsn}&options=-c%20default_transaction_read_only%3Don") == []


BROKEN = "ALTER TABLE t DROP CONSTRAINT t_user_id_fkey"


@pytest.mark.parametrize("setting", [READ_ONLY, REPLICA])
def test_a_plan_leaves_it_to_a_person_first(sound: Database, setting: str) -> None:
    sound.run(f"{BROKEN}; ALTER DATABASE {sound.name} SET {setting}")

    with pytest.raises(NeedsPermission, match=r"ALTER DATABASE pgmend_\w+ RESET"):
        fixer.apply(sound.dsn, METADATA)


def test_a_session_that_may_only_read_is_told_the_ways_before(sound: Database) -> None:
    with role(
        sound, *OWNER, f"ALTER ROLE {{}} SET {READ_ONLY}", f"GRANT CREATE ON DATABASE {sound.name} TO {{}}"
    ) as me:
        sound.run(BROKEN)
        needs, way = fixer.plan(sound.seen_by(me), METADATA).needs, "connect with PGOPTIONS='-c default_"
        assert ["ALTER ROLE" in each and way in each for each in needs] == [True]

        with pytest.raises(TargetError, match=way):
            fixer.apply(sound.seen_by(me), METADATA)
        assert fixer.apply(f"{sound.seen_by(me)}&options=-c%20default_transaction_read_only%3Doff", METADATA).ok


def test_where_no_key_acts_only_a_superuser_repairs(sound: Database) -> None:
    with role(sound, *OWNER, f"ALTER ROLE {{}} SET {REPLICA}", f"GRANT CREATE ON DATABASE {sound.name} TO {{}}") as me:
        sound.run(BROKEN)
        assert ["superuser" in each for each in fixer.plan(sound.seen_by(me), METADATA).needs] == [True]
        with pytest.raises(TargetError, match="session_replication_role is replica for the role"):
            fixer.apply(sound.seen_by(me), METADATA)


def test_a_run_of_a_superuser_works_with_keys_and_triggers(sound: Database) -> None:
    sound.run(f"ALTER DATABASE {sound.name} SET {REPLICA}; ALTER DATABASE {sound.name} SET zero_damaged_pages = on")
    with closing(psycopg2.connect(sound.dsn)) as connection, connection.cursor() as cursor:
        configure(cursor, {})
        cursor.execute("SELECT current_setting('session_replication_role'), current_setting('zero_damaged_pages')")

        assert cursor.fetchone() == ("origin", "off")
