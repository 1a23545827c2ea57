"""The target: settings of its sessions, and what is refused in production."""

from __future__ import annotations

import pytest

from fixer.connect.target import resolve
from fixer.errors import TargetError
from lab.targets import MANAGED_HOST, connect_arguments, refusal

# ---- session settings


def test_a_direct_target_carries_its_timeouts_and_the_options_of_the_dsn() -> None:
    found = resolve("host=h options='-c search_path=a\\\\ b --lock-timeout=1s -e'", {}, statement_timeout="250ms")
    expected = (
        "-e -c lock_timeout=1s -c statement_timeout=250ms -c idle_in_transaction_session_timeout=10min "
        "-c search_path=a\\ b"
    )
    actual = found.url.query["options"]

    assert expected == actual


def test_a_given_timeout_beats_that_of_the_dsn() -> None:
    expected = "2s"
    actual = resolve("host=h options=-clock_timeout=1s", {}, lock_timeout="2s").settings["lock_timeout"]

    assert expected == actual


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        (f"host={MANAGED_HOST} port=25061", True),
        (f"host={MANAGED_HOST} port=25060", False),
        ("host=h port=6432", True),
        ("host=h port=6543", True),
        ("host=ep-1-pooler.eu.neon.tech", True),
        ("postgresql://h/d?pgbouncer=true", True),
        ("postgresql://h/d?pgbouncer=false", False),
    ],
)
def test_a_pooler_is_known_by_its_port_its_name_or_the_url(dsn: str, expected: bool) -> None:
    actual = resolve(dsn, {}).pooled

    assert expected == actual


def test_a_pooled_target_has_its_settings_beside_the_connection() -> None:
    found = resolve("host=h port=6432 options=-csearch_path=x", {}, lock_timeout="2s")
    expected = (
        {"host": "h", "port": 6432},
        {
            "lock_timeout": "2s",
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": "10min",
            "search_path": "x",
        },
    )
    actual = (connect_arguments(found), found.settings)

    assert expected == actual


def test_a_pooled_target_refuses_a_session_that_stays_read_only() -> None:
    found = resolve("postgresql://h:6432/d", {})
    expected = (
        "postgresql://h:6432/d is behind a pooler, which keeps no read-only session: "
        "name the server's direct port instead"
    )
    actual = refusal(lambda: found.connect(read_only=True, autocommit=True))

    assert expected == actual


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5s", "5s"),
        (" 500 ms ", "500ms"),
        ("250us", "250us"),
        ("1.5min", "1.5min"),
        (0, "0"),
        ("", "5s"),
        (None, "5s"),
    ],
)
def test_a_timeout_is_spelled_as_postgresql_spells_it(value: str | int | None, expected: str) -> None:
    actual = resolve("host=h", {}, lock_timeout=value).settings["lock_timeout"]

    assert expected == actual


@pytest.mark.parametrize("value", ["soon", "-1", "5 parsecs", "999999999999ms", "1s; DROP TABLE users", "٣s"])
def test_a_bad_timeout_is_refused(value: str) -> None:
    expected = f"--statement-timeout {value!r} is no duration of PostgreSQL: write 500ms, 5s, 10min, or 0 for none"
    actual = refusal(lambda: resolve("host=h", {}, statement_timeout=value))

    assert expected == actual


@pytest.mark.parametrize("value", ["5", 5, " 250 ", "1.5"])
def test_a_timeout_without_a_unit_is_refused(value: str | int) -> None:
    said = str(value).strip()
    expected = f"--lock-timeout {value!r} has no unit: write {said}ms, {said}s or {said}min"
    actual = refusal(lambda: resolve("host=h", {}, lock_timeout=value))

    assert expected == actual


# ---- production


@pytest.mark.parametrize("place", ["localhost", "LOCALHOST.", "127.0.0.2", "::1", "/tmp", "db.example,localhost"])
@pytest.mark.parametrize("variable", ["ENVIRONMENT", "FIXER_ENV"])
def test_production_refuses_this_machine(variable: str, place: str) -> None:
    says = refusal(lambda: resolve(f"host={place} sslmode=require", {variable: " Production "}))
    expected = (variable, "FIXER_ALLOW_UNSAFE_PRODUCTION=localhost")
    actual = (says.split(" says production, but ")[0], says.split()[-1])

    assert expected == actual


def test_production_refuses_this_machine_behind_another_name() -> None:
    environ = {"ENVIRONMENT": "production", "PGHOSTADDR": "127.0.0.1"}

    assert "is on this machine" in refusal(lambda: resolve("host=db.example sslmode=require", environ))


@pytest.mark.parametrize("mode", ["", "sslmode=disable", "sslmode=allow", "sslmode=prefer"])
def test_production_refuses_a_line_without_tls(mode: str) -> None:
    expected = (
        "ENVIRONMENT says production, but postgresql://app@db.example does not insist on TLS: "
        "add sslmode=require, or allow it with FIXER_ALLOW_UNSAFE_PRODUCTION=no-tls"
    )
    actual = refusal(lambda: resolve(f"host=db.example user=app password=pw {mode}", {"ENVIRONMENT": "prod"}))

    assert expected == actual


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("localhost", "no-tls"),
        ("no-tls", "localhost"),
        ("no-tls, LOCALHOST", None),
        ("yes", "localhost no-tls"),
    ],
)
def test_each_reason_of_the_refusal_is_overridden_by_its_own_name(allowed: str, expected: str | None) -> None:
    environ = {"FIXER_ENV": "live", "FIXER_ALLOW_UNSAFE_PRODUCTION": allowed}
    try:
        resolve("host=localhost", environ)
        actual = None
    except TargetError as error:
        reasons = {"localhost": "on this machine", "no-tls": "insist on TLS"}
        actual = " ".join(name for name, words in reasons.items() if words in str(error))

    assert expected == actual


@pytest.mark.parametrize(
    ("dsn", "environ"),
    [
        (f"host={MANAGED_HOST}", {"ENVIRONMENT": "production"}),
        ("host=localhost", {"ENVIRONMENT": "staging"}),
        ("dbname=trading", {"ENVIRONMENT": "production", "FIXER_ALLOW_UNSAFE_PRODUCTION": "localhost"}),
    ],
)
def test_what_is_safe_is_not_refused(dsn: str, environ: dict[str, str]) -> None:
    expected = "--dsn"
    actual = resolve(dsn, environ).origin

    assert expected == actual
