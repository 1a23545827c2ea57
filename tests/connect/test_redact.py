"""No password is ever printed, however it is spelt and wherever it stands."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import psycopg2
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fixer.connect.failures import explain
from fixer.connect.redact import RedactingFilter, redact
from fixer.connect.target import resolve
from fixer.errors import TargetError


def spellings(password: str) -> set[str]:
    return {password, quote(password, safe=""), quote(password), quote_plus(password), repr(password)[1:-1]}


def leaks(printed: str, password: str) -> list[str]:
    return [spelling for spelling in spellings(password) if spelling.lower() in printed.lower()]


# A letter sequence that stands in no message of ours, surrounded by whatever hurts.
PASSWORDS = st.builds(
    lambda before, after: f"{before}Zq7xK{after}",
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
    st.text(st.sampled_from("@:/?#&%='\"\\ \t+[]()ü€😀,;<>$" + "aZ0"), max_size=6),
)
ODD = ["p@ss:w/rd%", "two words", "'quoted'", '"double"', "pass wörd €", "back\\slash", "%41%2f", "a\nb"]


def odd_passwords(test: Callable[..., None]) -> Callable[..., None]:
    for password in ODD:
        test = example(password=password)(test)
    return settings(deadline=None)(given(password=PASSWORDS)(test))  # a busy machine is no failure


@odd_passwords
def test_no_form_of_a_target_shows_its_password(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password, "DATABASE_USER": "app"})
    forms = [found.redacted, str(found), repr(found), f"{found}", str(found.url), repr(found.engine())]
    expected: list[str] = []
    actual = leaks("\n".join(forms), password)

    assert expected == actual


@odd_passwords
def test_no_error_and_no_traceback_shows_the_password(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password})
    libpq = psycopg2.OperationalError(f"FATAL: what is {password} and {quote(password)}?")
    try:
        raise explain(libpq, found) from None
    except TargetError as error:
        printed = "".join([str(error), repr(error), *traceback.format_exception(error)])
    expected: list[str] = []
    actual = leaks(printed, password)

    assert expected == actual


@settings(deadline=None)
@given(password=PASSWORDS, mould=st.sampled_from([
    "postgresql://app:{}@h:x/d", "postgresql://app:{}@h/d?bogus=1", "host=h password={} bogus=1",
    "host=h port=x password='{}'", "{}", "mysql://app:{}@h/d", "postgresql://h/d?password={}&x=1",
    "postgresql://app:{}@h/d?sslmode=x", "host=h sslmode={}", "postgresql://app:@{}@h/d",
]))  # fmt: skip
def test_no_refusal_of_a_dsn_quotes_it(password: str, mould: str) -> None:
    try:
        resolve(mould.replace("{}", password), {})
        assume(False)
    except TargetError as error:
        printed = "".join([str(error), repr(error.__context__), *traceback.format_exception(error)])
    expected = False
    actual = "Zq7xK" in printed

    assert expected == actual


def logged(log_it: Callable[[logging.Logger], object], filter_: RedactingFilter) -> str:
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{self.format(record)} {vars(record)}")

    logger = logging.Logger("pgmend.somewhere")
    handler = Keeper()
    handler.addFilter(filter_)
    logger.addHandler(handler)
    log_it(logger)
    return "\n".join(lines)


@odd_passwords
def test_no_log_record_shows_the_password(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password})

    def log_it(logger: logging.Logger) -> None:
        try:
            raise ValueError(f"no luck with {password}")
        except ValueError:
            logger.exception("with %s and %r", quote(password), {"pw": password}, extra={"dsn": password})
        logger.warning(password.replace("%", "%%") + " %d %d", "too few", stack_info=True)

    expected: list[str] = []
    actual = leaks(logged(log_it, RedactingFilter(found)), password)

    assert expected == actual


def test_the_stack_of_a_log_record_is_redacted() -> None:
    record = logging.makeLogRecord({"msg": "here", "stack_info": 'connect("host=h password=s3cret")'})
    RedactingFilter().filter(record)
    expected = 'connect("host=h password=***")'
    actual = record.stack_info

    assert expected == actual


@odd_passwords
def test_a_text_is_redacted_of_the_targets_password_wherever_it_occurs(password: str) -> None:
    found = resolve(None, {"DATABASE_HOST": "h", "DATABASE_PASSWORD": password})
    expected = "so *** and *** and *** end"
    lower = re.sub(r"%..", lambda code: code[0].lower(), quote_plus(password))
    actual = redact(f"so {password} and {quote(password, safe='')} and {lower} end", found)

    assert expected == actual


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("see postgresql://app:s3cret@h/d now", "see postgresql://app:***@h/d now"),
        ("see postgresql+asyncpg://app:p@ss:w/rd%@h/d", "see postgresql+asyncpg://app:***@h/d"),
        ("see postgresql://app:two words@h/d", "see postgresql://app:***@h/d"),
        ("redis://:s3cret@h", "redis://:***@h"),
        ("redis://h and postgresql://app:s3cret@h", "redis://h and postgresql://app:***@h"),
        ("postgresql://h/d?password=s3cret&x", "postgresql://h/d?password=***"),
        ("host=h password=s3cret user=app", "host=h password=*** user=app"),
        (r"host=h password='a \' b' user=app", "host=h password=*** user=app"),
        (r"host=h password=a\ b user=app", "host=h password=*** user=app"),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
        ('PGPASSWORD="two words" psql', "PGPASSWORD=*** psql"),
        ("DATABASE_PASSWORD = s3cret", "DATABASE_PASSWORD = ***"),
        ("sslpassword=s3cret", "sslpassword=***"),
        ("PaſsWord=s3cret", "PaſsWord=***"),  # a long s is an s where case is ignored
        ("ALTER ROLE app PASSWORD 's3''cret' LOGIN", "ALTER ROLE app PASSWORD *** LOGIN"),
        ("{'password': 's3cret', 'user': 'app'}", "{'password': '***', 'user': 'app'}"),
        ('{"dsn": "host=h password=s3cret", "ok": true}', '{"dsn": "host=h password=***", "ok": true}'),
        ('{"a":"postgresql://u:p@h/d","b":"x@y"}', '{"a":"postgresql://u:***@h/d","b":"x@y"}'),
    ],
)
def test_passwords_are_redacted_without_a_target(said: str, expected: str) -> None:
    actual = redact(said)

    assert expected == actual


@pytest.mark.parametrize(
    "said",
    [
        "postgresql://app@h:5432/d is down, write to dba@h.example",
        "postgresql://h:5432/d is down, write to dba@h.example",
        'FATAL: password authentication failed for user "app"',
        "users.password_hash should be NOT NULL, is nullable",
        "users.email: a@b.example, c@d.example",
    ],
)
@pytest.mark.parametrize("password", ["sql", "xa"])
def test_what_holds_no_password_stays_as_it_is(said: str, password: str) -> None:
    expected = said
    actual = redact(said, resolve(f"host=h password={password}", {}))

    assert expected == actual
