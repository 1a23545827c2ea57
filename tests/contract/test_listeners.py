"""Listeners that ask or change what stands in the database already, as recipes for views and triggers do."""

from __future__ import annotations

from contextlib import closing
from typing import Any  # what SQLAlchemy hands to a listener

import psycopg2
import pytest
from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Integer,
    MetaData,
    NullPool,
    Sequence,
    Table,
    create_engine,
    event,
    inspect,
    text,
)

from fixer import api
from lab.database import Database, lent_copy
from lab.laboratory import Laboratory

FUNCTION = "CREATE OR REPLACE FUNCTION public.told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
TRIGGER = "CREATE TRIGGER told AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION told()"


def is_absent(_: object, __: object, connection: Any, **___: object) -> bool:
    """Ask whether the view exists, as SQLAlchemy's recipe for views does."""
    return "seen" not in inspect(connection).get_view_names()


def watched() -> MetaData:
    """Return models with a view that is made unless it exists, a trigger, and a sequence that is altered."""
    metadata = MetaData()
    table = Table("t", metadata, Column("id", Integer, primary_key=True), Column("n", Integer))
    view = DDL("CREATE VIEW seen AS SELECT id FROM t")  # type: ignore[no-untyped-call]
    event.listen(metadata, "after_create", view.execute_if(callable_=is_absent))
    for words in (FUNCTION, TRIGGER):
        event.listen(table, "after_create", DDL(words))  # type: ignore[no-untyped-call]
    grown = "CREATE SEQUENCE IF NOT EXISTS spare; ALTER SEQUENCE spare INCREMENT BY 10"
    event.listen(metadata, "before_create", DDL(grown))  # type: ignore[no-untyped-call]
    return metadata


@pytest.fixture
def made(laboratory: Laboratory) -> Any:
    with lent_copy(laboratory, 16, "listeners", lambda _: None) as database:
        creator = lambda: psycopg2.connect(database.dsn)  # noqa: E731
        engine = create_engine("postgresql+psycopg2://", creator=creator, poolclass=NullPool)
        watched().create_all(engine)
        yield database


def test_what_listeners_made_before_may_be_asked_for_and_replaced(made: Database) -> None:
    with closing(psycopg2.connect(made.dsn)) as connection:
        assert api.check(connection, watched()).findings == ()
        made.run("ALTER TABLE t DROP COLUMN n")
        assert [each.slug for each in api.check(connection, watched()).findings] == ["missing-column"]


def test_a_sequence_of_the_target_that_models_with_listeners_do_not_make_stays_as_it_is(made: Database) -> None:
    made.run("CREATE SEQUENCE others AS integer INCREMENT BY 10 MAXVALUE 900 START 30 CYCLE")

    with closing(psycopg2.connect(made.dsn)) as connection:
        assert api.check(connection, watched()).findings == ()


def test_a_sequence_of_models_with_listeners_counts_as_the_models_say(made: Database) -> None:
    wanted = watched()
    Sequence("own", increment=10, metadata=wanted)
    made.run("CREATE SEQUENCE own")

    with closing(psycopg2.connect(made.dsn)) as connection:
        assert [each.slug for each in api.check(connection, wanted).findings] == ["different-sequence"]
        made.run("ALTER SEQUENCE own INCREMENT BY 10")
        assert api.check(connection, wanted).findings == ()


def counted(when: str) -> MetaData:
    """Return models with a listener that makes a sequence: before its table, or after it and owned by its column."""
    metadata = MetaData()
    code = Column("code", BigInteger, server_default=text("nextval('codes')") if when == "before_create" else None)
    table = Table("t", metadata, Column("id", Integer, primary_key=True), code)
    owned = "" if when == "before_create" else " OWNED BY t.code"
    made = f"CREATE SEQUENCE IF NOT EXISTS codes INCREMENT BY 10{owned}"
    event.listen(table, when, DDL(made))  # type: ignore[no-untyped-call]
    return metadata


@pytest.mark.parametrize("when", ["before_create", "after_create"])
@pytest.mark.parametrize("broken", ["DROP SEQUENCE codes CASCADE", "ALTER SEQUENCE codes INCREMENT BY 1"])
def test_a_sequence_that_a_listener_makes_is_part_of_the_contract(empty: Database, when: str, broken: str) -> None:
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(empty.dsn), poolclass=NullPool)
    counted(when).create_all(engine)
    whole = empty.dump()
    assert api.check(engine, counted(when)).findings == ()
    empty.run(broken)
    assert not api.check(engine, counted(when)).ok
    api.apply(engine, counted(when), allow_hazards="all")
    empty.run("DROP SCHEMA IF EXISTS fixer_journal, fixer_quarantine CASCADE")

    assert whole == empty.dump()
