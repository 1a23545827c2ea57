"""What applications connect with: engines, connections and sessions of SQLAlchemy, with any driver; or a URL."""

from __future__ import annotations

import asyncio
import gc
import ssl
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import psycopg2
import pytest
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import fixer
from contracts.trading import metadata
from fixer.connect.engines import arguments_of
from fixer.errors import TargetError, UsageError
from lab.database import Database

NOWHERE = "postgresql+{}://app:secret@db.example:5433/nowhere"


def of_driver(driver: str, dsn: str, **options: Any) -> Any:
    """Return an engine on another driver."""
    make = create_async_engine if driver == "asyncpg" else create_engine
    return make(dsn.replace("postgresql:", f"postgresql+{driver}:"), **options)


def socket_of(dsn: str) -> str:
    url = make_url(dsn)
    return f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}"


SOURCES: dict[str, Callable[[str], Any]] = {
    "a URL": lambda dsn: dsn,
    "a URL as a value": make_url,
    "psycopg2": lambda dsn: of_driver("psycopg2", dsn),
    "a connection": lambda dsn: of_driver("psycopg2", dsn).connect(),
    "a session": lambda dsn: Session(of_driver("psycopg2", dsn)),
    "a session on a connection": lambda dsn: Session(of_driver("psycopg2", dsn).connect()),
    "psycopg": lambda dsn: of_driver("psycopg", dsn),
    "a connection of psycopg": lambda dsn: of_driver("psycopg", dsn).connect(),
    "pg8000": lambda dsn: create_engine(
        "postgresql+pg8000://postgres@", connect_args={"unix_sock": socket_of(dsn), "database": make_url(dsn).database}
    ),
    "asyncpg": lambda dsn: of_driver("asyncpg", dsn),
    "an asynchronous connection": lambda dsn: AsyncConnection(of_driver("asyncpg", dsn)),
    "an asynchronous session": lambda dsn: AsyncSession(of_driver("asyncpg", dsn)),
    "arguments beside the URL": lambda dsn: create_engine(
        "postgresql+psycopg://", connect_args={**psycopg2.extensions.parse_dsn(dsn), "prepare_threshold": None}
    ),
    "a listener": lambda dsn: listened(of_driver("psycopg", dsn.replace("/pgmend_", "/nowhere_"))),
    "a function": lambda dsn: create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn)),
    "a function for psycopg2": lambda dsn: create_engine(
        "postgresql+psycopg2://", creator=lambda: psycopg2.connect(dsn)
    ),
}


def listened(engine: Any) -> Any:
    """Let a listener correct what the engine is given, as one puts in a token."""

    def correct(dialect: object, record: object, words: object, arguments: dict[str, Any]) -> None:
        arguments["dbname"] = arguments["dbname"].replace("nowhere_", "pgmend_")

    event.listen(engine, "do_connect", correct)
    return engine


@pytest.mark.parametrize("source", SOURCES)
def test_whatever_an_application_connects_with_leads_to_its_database(healthy: Database, source: str) -> None:
    made = SOURCES[source](healthy.dsn)

    assert fixer.ensure(made, metadata).ok
    assert f"/{make_url(healthy.dsn).database}" in fixer.check(made, metadata).target


@pytest.fixture
def busy(healthy: Database) -> Iterator[tuple[Any, Any]]:
    engine = of_driver("psycopg2", healthy.dsn)
    with engine.connect() as connection, Session(engine) as session:
        connection.execute(text("SELECT 1"))
        session.execute(text("SELECT 1"))
        yield connection, session


def test_what_is_in_a_transaction_is_refused(busy: tuple[Any, Any]) -> None:
    for source, noun in zip((*busy, Session(busy[0])), ("connection", "session", "connection"), strict=True):
        with pytest.raises(UsageError, match=f"^The {noun} is inside a transaction: commit it or roll it back first"):
            fixer.check(source, metadata)


@pytest.mark.parametrize("source", [None, 5, metadata, Session()], ids=["None", "5", "a MetaData", "a loose session"])
def test_what_names_no_database_is_refused(source: Any) -> None:
    with pytest.raises(UsageError, match=r"names no database|is bound to no engine"):
        fixer.check(source, metadata)


def test_other_threads_connect_while_an_engine_is_asked(healthy: Database) -> None:
    engine = of_driver("psycopg", healthy.dsn, pool_size=20)

    async def both() -> list[Any]:
        def use() -> Any:
            with engine.connect() as connection:
                return connection.scalar(text("SELECT 1"))

        asked = [asyncio.to_thread(arguments_of, engine) for _ in range(20)]
        return await asyncio.gather(*asked, *(asyncio.to_thread(use) for _ in range(20)))

    assert asyncio.run(both())[20:] == [1] * 20


@pytest.mark.parametrize(
    ("driver", "given", "expected"),
    [
        ("psycopg", {"sslmode": "verify-full", "options": "-c search_path=app"}, {"sslmode": "verify-full"}),
        ("asyncpg", {"ssl": "require", "command_timeout": 5}, {"sslmode": "require"}),
        ("asyncpg", {"ssl": True}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("asyncpg", {"ssl": False}, {"sslmode": "disable"}),
        ("asyncpg", {"ssl": ssl._create_unverified_context()}, {"sslmode": "require"}),
        ("asyncpg", {"password": lambda: "token"}, {"password": "token"}),
        ("asyncpg", {"server_settings": {"application_name": "a", "search_path": "x y"}}, {"application_name": "a"}),
        ("pg8000", {"ssl_context": ssl._create_unverified_context()}, {"sslmode": "require"}),
    ],
)
def test_psycopg2_is_given_what_the_other_driver_is_given(
    driver: str, given: dict[str, Any], expected: dict[str, str]
) -> None:
    make = create_async_engine if driver == "asyncpg" else create_engine
    engine = make(NOWHERE.format(driver), connect_args=given)
    found = arguments_of(getattr(engine, "sync_engine", engine))

    assert found.items() >= expected.items()
    assert (found["host"], found["port"], found["dbname"], found["user"]) == ("db.example", "5433", "nowhere", "app")


def test_a_verification_that_psycopg2_cannot_do_is_refused() -> None:
    engine = create_async_engine(NOWHERE.format("asyncpg"), connect_args={"ssl": ssl.create_default_context()})

    with pytest.raises(TargetError, match=r"give the URL of the database instead, with sslmode=verify-full"):
        fixer.check(engine, metadata)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_function_that_makes_asynchronous_connections_is_refused() -> None:
    async def make() -> Any:
        raise AssertionError

    with warnings.catch_warnings(action="ignore"):  # nobody awaits what it makes
        with pytest.raises(TargetError, match="by a function of its own: give the URL"):
            fixer.check(create_async_engine("postgresql+asyncpg://", async_creator=make), metadata)
        gc.collect()


def test_production_on_this_machine_is_refused_for_engines_too(
    healthy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    engine = of_driver("psycopg2", healthy.dsn)
    for source in (healthy.dsn, engine, of_driver("psycopg", healthy.dsn)):
        with pytest.raises(TargetError, match=r"ENVIRONMENT says production, but .* is on this machine"):
            fixer.ensure(source, metadata)
    monkeypatch.setenv("FIXER_ALLOW_UNSAFE_PRODUCTION", "localhost")

    assert fixer.ensure(engine, metadata).ok
