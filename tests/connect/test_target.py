"""The target: which one is taken, and how it is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixer.connect.address.naming import COMPONENTS, OWN
from fixer.connect.address.naming import variable as named_by
from fixer.connect.target import resolve
from lab.targets import MANAGED_HOST, PASSWORD, connect_arguments, refusal


def sslmode(dsn: str | None = None, **environ: str) -> str | None:
    return connect_arguments(resolve(dsn, environ)).get("sslmode")


# ---- which one is taken

EVERYTHING = {
    "DATABASE_URL": "postgresql://url.example/a",
    "DATABASE_HOST": "components.example",
    "PGSERVICE": "books",
    "PGHOST": "libpq.example",
}


@pytest.mark.parametrize(
    ("dsn", "left_out", "expected"),
    [
        ("host=dsn.example dbname=d", (), ("--dsn", "postgresql://dsn.example/d")),
        (None, (), ("DATABASE_URL", "postgresql://url.example/a")),
        (None, ("DATABASE_URL",), ("DATABASE_HOST …", "postgresql://components.example/books")),
        (None, ("DATABASE_URL", "DATABASE_HOST"), ("service file", "postgresql://service.example/books")),
        (
            None,
            ("DATABASE_URL", "DATABASE_HOST", "PGSERVICE"),
            ("PG* environment", "postgresql://libpq.example"),
        ),
    ],
)
def test_the_first_source_that_names_a_database_wins(
    dsn: str | None, left_out: tuple[str, ...], expected: tuple[str, str], tmp_path: Path
) -> None:
    services = tmp_path / "services"
    services.write_text("[other]\nhost=other.example\n[books]\n# ours\nhost=service.example\ndbname=books\n")
    environ = {name: value for name, value in EVERYTHING.items() if name not in left_out}
    found = resolve(dsn, environ | {"PGSERVICEFILE": str(services)})
    actual = (found.origin, found.redacted)

    assert expected == actual


@pytest.mark.parametrize("dsn", ["", " ", "\n"])
def test_an_empty_dsn_never_means_another_database(dsn: str) -> None:
    expected = "--dsn is empty: see whether the shell variable behind it is set, or leave it out."
    actual = refusal(lambda: resolve(dsn, EVERYTHING))

    assert expected == actual


@pytest.mark.parametrize("url", ["", " "])
def test_an_empty_variable_never_means_another_database(url: str) -> None:
    expected = "DATABASE_URL is empty: see whether the shell variable behind it is set, or leave it out."
    actual = refusal(lambda: resolve(None, {**EVERYTHING, "DATABASE_URL": url}))

    assert expected == actual


def test_nothing_set_says_the_ways_to_name_a_database() -> None:
    expected = (
        "no database is named: give --dsn, or set DATABASE_URL, DATABASE_HOST with DATABASE_NAME "
        "and DATABASE_USER, PGHOST, or PGSERVICE"
    )
    actual = refusal(lambda: resolve(None, {"DATABASE_PASSWORD": "x", "PGUSER": "app"}))

    assert expected == actual


@pytest.mark.parametrize(
    "scheme",
    [
        "postgres",
        "postgresql",
        "postgresql+psycopg2",
        "postgresql+psycopg",
        "postgresql+asyncpg",
        "PostgreSQL+pg8000",
    ],
)
def test_every_driver_becomes_psycopg2(scheme: str) -> None:
    expected = "postgresql+psycopg2://app:***@db.example:5433/trading"
    actual = repr(resolve(f"{scheme}://app:pw@db.example:5433/trading", {}).url.difference_update_query(["options"]))

    assert expected == actual


def test_the_components_make_one_target() -> None:
    environ = {
        "DATABASE_HOST": "db.example",
        "DATABASE_PORT": "5433",
        "DATABASE_NAME": "trading",
        "DATABASE_USER": "app",
        "DATABASE_PASSWORD": PASSWORD,
        "DATABASE_SSL": "require",
    }
    url = resolve(None, environ).url
    expected = ("db.example", 5433, "trading", "app", PASSWORD, "require")
    actual = (url.host, url.port, url.database, url.username, url.password, url.query["sslmode"])

    assert expected == actual


def test_what_a_dsn_leaves_open_comes_from_the_service_then_from_the_variables(tmp_path: Path) -> None:
    services = tmp_path / "services"
    services.write_text("[books]\nport=5433\nuser=clerk\n")
    environ = {"PGSERVICEFILE": str(services), "PGUSER": "nobody", "PGPASSWORD": "pw", "PGPORT": "1"}
    url = resolve("service=books host=db.example", environ).url
    expected = ("db.example", 5433, "clerk", "pw")
    actual = (url.host, url.port, url.username, url.password)

    assert expected == actual


def test_an_unknown_service_says_where_it_was_looked_for(tmp_path: Path) -> None:
    environ = {"PGSERVICEFILE": f"{tmp_path}/a", "PGSYSCONFDIR": f"{tmp_path}"}
    expected = (
        f'the service "books" stands in neither {tmp_path}/a nor {tmp_path}/pg_service.conf: '
        "add it, or name another file in PGSERVICEFILE"
    )
    actual = refusal(lambda: resolve("service=books", environ))

    assert expected == actual


@pytest.mark.parametrize("password", ["a/b", "a:b", "a?b=c", "50%", "a%zz", "a b", "12/b", "#1", "ü", "a&b", "a%40b"])
def test_a_password_that_works_for_sqlalchemy_works_here(password: str) -> None:
    dsn = f"postgresql://app:{password}@db.example:5433/trading"
    expected = (password.replace("%40", "@"), "db.example", 5433)
    url = resolve(dsn, {}).url
    actual = (url.password, url.host, url.port)

    assert expected == actual


def test_several_hosts_pass_through() -> None:
    found = resolve("postgresql://app@one.example:5432,[::1]:5433/trading", {})
    arguments = connect_arguments(found)
    expected = ("one.example,::1", "5432,5433", "postgresql://app@one.example:5432,[::1]:5433/trading")
    actual = (arguments["host"], arguments["port"], found.redacted)

    assert expected == actual


@pytest.mark.parametrize(
    ("dsn", "environ", "expected"),
    [
        ("mysql://h/d", {}, "--dsn starts with mysql://, which is not PostgreSQL"),
        ("postgresql://h:abc/d", {}, "the port of --dsn is not a number between 1 and 65535"),
        ("host=h port=70000", {}, "the port of --dsn is not a number between 1 and 65535"),
        (None, {"DATABASE_PORT": "x1"}, "DATABASE_PORT ('x1') is not a number between 1 and 65535"),
        ("host=h", {"PGPORT": "x1"}, "PGPORT ('x1') is not a number between 1 and 65535"),
        ("host=h,i,j port=1,2", {}, "--dsn names 3 hosts and 2 ports: give each its port"),
        ("trading", {}, "--dsn is neither a URL (postgresql://user@host:port/database) nor libpq keywords"),
        ("host='h", {}, "--dsn is neither a URL (postgresql://user@host:port/database) nor libpq keywords"),
        ("postgresql://h/d?schema=x", {}, "--dsn has the parameter 'schema', which libpq does not know"),
        ("postgresql://u:p@w@h/d", {}, "--dsn has more than one @ before the host"),
        ("host=h sslmode=yes", {}, "the sslmode of --dsn is unknown: use one of disable, allow"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "perhaps"}, "DATABASE_SSL is not understood"),
        (None, {"DATABASE_HOST": "postgresql://u:p@h/d"}, "the host of DATABASE_HOST … holds a whole URL"),
    ],
)
def test_a_bad_value_is_named(dsn: str | None, environ: dict[str, str], expected: str) -> None:
    actual = refusal(lambda: resolve(dsn, environ))[: len(expected)]

    assert expected == actual


# ---- TLS


@pytest.mark.parametrize(
    ("dsn", "environ", "expected"),
    [
        ("host=db.example", {}, None),
        (f"host={MANAGED_HOST}", {}, "require"),
        ("host=x.rds.amazonaws.com", {}, "require"),
        ("host=ondigitalocean.com.example", {}, None),
        ("host=notondigitalocean.com", {}, None),
        (f"host={MANAGED_HOST} sslrootcert=/ca.pem", {}, "verify-full"),
        (f"host={MANAGED_HOST}", {"PGSSLROOTCERT": "/ca.pem"}, "verify-full"),
        (f"host={MANAGED_HOST} sslmode=disable sslrootcert=/ca.pem", {}, "disable"),
        (f"host={MANAGED_HOST}", {"PGSSLMODE": "prefer"}, "prefer"),
        ("postgresql+asyncpg://db.example/d?ssl=true", {}, "require"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "true"}, "require"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "TRUE", "DATABASE_SSL_CA": "/ca"}, "verify-full"),
        (None, {"DATABASE_HOST": MANAGED_HOST, "DATABASE_SSL": "false"}, "disable"),
        (None, {"DATABASE_HOST": "h", "DATABASE_SSL": "verify-ca", "DATABASE_SSL_CA": "/ca"}, "verify-ca"),
        (None, {"DATABASE_URL": "postgresql://h/d", "DATABASE_SSL_CA": "/ca"}, "verify-full"),
    ],
)
def test_the_sslmode_is_the_given_one_or_what_the_host_deserves(
    dsn: str | None, environ: dict[str, str], expected: str | None
) -> None:
    actual = sslmode(dsn, **environ)

    assert expected == actual


@pytest.mark.parametrize(
    "variable", ["DATABASE_URL", *(name for name in COMPONENTS if name != "DATABASE_PASSWORD"), "PGSERVICE", *OWN]
)
def test_each_variable_that_names_a_database_is_known_by_its_name(variable: str) -> None:
    assert named_by({variable: "5432", "PGUSER": "app", "DATABASE_PASSWORD": "x"}) == variable


def test_variables_that_name_no_database_are_not_said_to() -> None:
    assert named_by({"PGUSER": "app", "DATABASE_PASSWORD": "x", "DATABASE_URL": " ", "PGPASSFILE": "here"}) == ""
