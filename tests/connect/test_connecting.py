"""Connections: they bear what was asked for, and what a real server refuses is said in a sentence."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import create_engine, text

from fixer.connect import servers, target
from fixer.connect.target import Target, resolve
from lab.targets import PASSWORD, answer, asked, refusal


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    """A server where `keeper` needs the password, and may connect once."""
    with servers.embedded() as server:
        (file,) = asked(server.dsn, "SHOW hba_file")
        hba = Path(file)
        hba.write_text(f"local all keeper scram-sha-256\nlocal all outcast reject\n{hba.read_text()}")
        role = sql.SQL("CREATE ROLE keeper LOGIN CONNECTION LIMIT 1 PASSWORD {}")
        asked(server.dsn, role.format(sql.Literal(PASSWORD)))
        asked(server.dsn, "SELECT pg_reload_conf()")
        yield server


def as_role(server: servers.Server, role: str, password: str | None = None, **environ: str) -> Target:
    login = role if password is None else f"{role}:{quote(password, safe='')}"
    return resolve(server.dsn.replace("postgres@", f"{login}@", 1), environ)


# ---- connecting


def test_a_connection_bears_the_name_and_the_timeouts(server: servers.Server) -> None:
    with closing(resolve(server.dsn, {}, lock_timeout="7s").connect()) as connection:
        names = (
            "application_name",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "statement_timeout",
        )
        expected = ["pgmend", "7s", "10min", "0"]
        actual = [answer(connection, f"SHOW {name}") for name in names]

    assert expected == actual


@pytest.mark.parametrize("autocommit", [False, True])
def test_a_read_only_connection_refuses_to_write(server: servers.Server, autocommit: bool) -> None:
    with closing(resolve(server.dsn, {}).connect(read_only=True, autocommit=autocommit)) as connection:
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            answer(connection, "CREATE TABLE ink (id int)")
        expected = autocommit
        actual = connection.autocommit

    assert expected == actual


def test_an_odd_password_opens_the_door_in_every_spelling(server: servers.Server, tmp_path: Path) -> None:
    host = as_role(server, "keeper").url.query["host"]
    services = tmp_path / "services"
    services.write_text(f"[books]\nhost={host}\nuser=keeper\ndbname=postgres\npassword={PASSWORD}\n")
    keywords = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    found = [
        as_role(server, "keeper", PASSWORD),
        resolve(f"host={host} dbname=postgres user=keeper password='{keywords}'", {}),
        resolve(f"host={host} dbname=postgres user=keeper", {"PGPASSWORD": PASSWORD}),
        resolve(None, {"PGSERVICE": "books", "PGSERVICEFILE": str(services)}),
        resolve(
            None,
            {
                "DATABASE_HOST": str(host),
                "DATABASE_NAME": "postgres",
                "DATABASE_USER": "keeper",
                "DATABASE_PASSWORD": PASSWORD,
            },
        ),
    ]
    expected = ["keeper"] * len(found)
    actual = []
    for one in found:
        with closing(one.connect()) as connection:
            actual.append(answer(connection, "SELECT current_user"))

    assert expected == actual


def test_the_engine_connects_as_the_connection_does_and_stays_small(server: servers.Server) -> None:
    engine = resolve(server.dsn, {}, lock_timeout="7s").engine()
    with engine.connect() as connection:
        told = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    pool: Any = engine.pool
    expected = ("7s", 2, 1)
    actual = (told, pool.size(), pool._max_overflow)
    engine.dispose()

    assert expected == actual


def test_an_engine_survives_a_connection_that_was_cut(server: servers.Server) -> None:
    engine = resolve(server.dsn, {}).engine()
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    asked(server.dsn, f"SELECT pg_terminate_backend({pid}, 5000)")
    with engine.connect() as connection:
        expected = 1
        actual = connection.execute(text("SELECT 1")).scalar_one()
    engine.dispose()

    assert expected == actual


def test_the_target_of_an_engine_is_shown_without_its_password() -> None:
    engine = create_engine("postgresql+psycopg2://app:secret@db.example:5433/trading?sslpassword=hush")
    expected = "Target('postgresql://app@db.example:5433/trading', origin='engine')"
    actual = repr(Target.of(engine))

    assert expected == actual


def test_the_target_of_an_engine_connects(server: servers.Server) -> None:
    engine = resolve(server.dsn, {}).engine()
    with closing(Target.of(engine).connect()) as connection:
        expected = "postgres"
        actual = answer(connection, "SELECT current_user")

    assert expected == actual


def test_the_engine_of_another_database_system_is_refused() -> None:
    expected = "the engine speaks sqlite, which is not PostgreSQL"
    actual = refusal(lambda: Target.of(create_engine("sqlite://")))

    assert expected == actual


def test_the_password_of_a_client_key_reaches_libpq_and_stays_out_of_the_url() -> None:
    found = resolve("host=h sslpassword=hush", {})

    assert found._connect_arguments("")["sslpassword"] == "hush"
    assert "hush" not in str(found.url)


# ---- refusals of real servers


def test_a_wrong_password_is_said_once_and_at_once(server: servers.Server, naps: list[float]) -> None:
    found = as_role(server, "keeper", "wr0ng")
    expected = (
        f'cannot use {found}: the password of role "keeper" is wrong, or there is no such role: '
        "correct --dsn, PGPASSWORD or the password file",
        0,
    )
    actual = (refusal(found.connect), len(naps))

    assert expected == actual


def test_a_wrong_password_is_the_same_sentence_through_an_engine(server: servers.Server) -> None:
    found = as_role(server, "keeper", "wr0ng")
    expected = refusal(found.connect)
    actual = refusal(found.engine().connect)

    assert expected == actual


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("postgres@", "keeper@"),
            'role "keeper" needs a password, none is given: add it to --dsn, PGPASSWORD',
        ),
        (("postgres@", "ghost@"), 'there is no role "ghost": correct the user name'),
        (("/postgres?", "/atlantis?"), 'there is no database "atlantis": correct the name, or create it'),
        (("postgres@", "outcast@"), "the server takes no connection from this address for this role"),
    ],
)
def test_what_a_real_server_refuses_is_said_in_a_sentence(
    server: servers.Server, change: tuple[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    found = resolve(server.dsn.replace(*change), {})
    actual = refusal(found.connect).removeprefix(f"cannot use {found}: ")[: len(expected)]

    assert expected == actual


def test_a_server_without_a_free_connection_is_tried_again_until_it_has_one(
    server: servers.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = as_role(server, "keeper", PASSWORD)
    taken = found.connect()

    def leave(_: float) -> None:
        taken.close()
        while asked(server.dsn, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'keeper'") != (0,):
            time.sleep(0.01)

    monkeypatch.setattr(target, "sleep", leave)
    with caplog.at_level(logging.WARNING, "pgmend"), closing(found.connect()) as connection:
        expected = ("keeper", 1)
        actual = (answer(connection, "SELECT current_user"), caplog.text.count("may have no more connections"))

    assert expected == actual
