"""A copy of a target in a database that a throw-away server lends: the way to it, and how it differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection  # noqa: N812

from fixer.connect.link import Link
from fixer.connect.settings import DEFAULTS
from fixer.connect.target import Target
from fixer.contract.scratch.opened import Opened
from fixer.model.finding import Finding
from fixer.runner.session import Session

_UNSAID = ("options", "application_name", "fallback_application_name", "replication")


def target_of(connection: Connection) -> Target:
    """Return the database behind a connection, as a target; its password is the connection's."""
    words = {name: value for name, value in connection.get_dsn_parameters().items() if value and name not in _UNSAID}
    password = connection.info.password
    return Target(
        {**words, **({"password": password} if password else {})}, "a throw-away server", False, dict(DEFAULTS)
    )


def link_to(opened: Opened) -> Link:
    """Return a link to the database, by a connection that knows what has happened there since."""
    target = target_of(opened.admin)
    return Link(target.connect(), target.redacted, target.settings, target.connect)


@contextmanager
def at(link: Link, session: Session) -> Iterator[Session]:
    """Lend a session on a copy, under the same contract; what a target declares itself is read anew."""
    from fixer.contract import load, prepare

    itself = session.contract.itself
    yield Session(link, prepare(load("self", None), link.connection, "public") if itself else session.contract)


def differing(ours: Iterable[Finding], theirs: Iterable[Finding]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the findings that only one of two reports has, in words; notes do not count."""
    here, there = _pairs(ours), _pairs(theirs)
    return _words(here - there), _words(there - here)


def _pairs(findings: Iterable[Finding]) -> frozenset[tuple[str, str]]:
    return frozenset((each.slug, each.object) for each in findings if each.severity != "info")


def _words(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{slug} of {object_}" for slug, object_ in sorted(pairs))
