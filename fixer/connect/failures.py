"""What a failed connection means, in one sentence that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import psycopg2

from fixer.connect.redact import Secretive, redact
from fixer.errors import TargetError
from fixer.model.expression import quoted
from fixer.model.expression.patterns import pattern


class Place(Secretive, Protocol):
    """Where a connection should lead, in words that can be printed."""

    @property
    def redacted(self) -> str:
        """The place, without passwords."""

    @property
    def origin(self) -> str:
        """What named it."""

    @property
    def role(self) -> str:
        """The role that connects."""

    @property
    def database(self) -> str:
        """The database there."""


class Cause(NamedTuple):
    """One way in which a connection fails: how to recognise it, how to report it, whether it may pass."""

    code: str
    pattern: str
    sentence: str
    transient: bool = False


# The first that fits counts: with several addresses libpq reports each, and a refusal says the least.
# psycopg2 reports no SQLSTATE for a connection that failed, so the text has to do.
CAUSES = (
    Cause(
        "28P01",
        r'(?:password|SASL) authentication failed(?: for user "(?P<user>.*?)")?',
        'the password of role "{user}" is wrong, or there is no such role: '
        "correct {origin}, PGPASSWORD or the password file",
    ),
    Cause(
        "",
        r"no password supplied|password is required",
        'role "{user}" needs a password, none is given: add it to {origin}, PGPASSWORD or the password file',
    ),
    Cause(
        "",
        r"(?P<method>Peer|Ident|GSSAPI|certificate|LDAP|PAM|RADIUS) authentication failed",
        'the server does not take you for role "{user}" ({method} authentication): '
        "connect as another role, or have pg_hba.conf changed",
    ),
    Cause("", r'role "(?P<user>.*?)" does not exist', 'there is no role "{user}": correct the user name'),
    Cause(
        "",
        r'role "(?P<user>.*?)" is not permitted to log in',
        'role "{user}" may not log in: name another, or have it altered with LOGIN',
    ),
    Cause(
        "3D000",
        r'database "(?P<database>.*?)" does not exist|no such database: (?P<pool>\S+)',
        'there is no database "{database}": correct the name, or create it',
    ),
    Cause(
        "42501",
        r'permission denied for database "(?P<database>.*?)"',
        'role "{user}" may not connect to database "{database}": have CONNECT granted',
    ),
    Cause(
        "53300",
        r'too many connections for (?P<kind>role|database) "(?P<name>.*?)"',
        '{kind} "{name}" may have no more connections: close some, or have its CONNECTION LIMIT raised',
        transient=True,
    ),
    Cause(
        "53300",
        r"too many (?:clients|connections)|remaining connection slots|no more connections allowed",
        "all of the server's connections are taken: close some, or try again later",
        transient=True,
    ),
    Cause(
        "57P03",
        r"database system is (?:starting up|shutting down|in recovery mode|not yet accepting connections)"
        r"|not accepting connections",
        "the server is starting up or shutting down: try again in a moment",
        transient=True,
    ),
    Cause(
        "",
        r"no pg_hba\.conf entry.*(?:no encryption|SSL off)|SSL(?:/TLS)? (?:connection )?(?:is )?required"
        r"|connection is insecure",
        "the server takes no unencrypted connection from here: add sslmode=require",
    ),
    Cause(
        "",
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        "the server takes no connection from this address for this role and database: "
        "have pg_hba.conf or the list of trusted sources changed",
    ),
    Cause(
        "",
        r"does not support SSL",
        "the server offers no TLS, and sslmode asks for it: have TLS enabled there, or set sslmode=disable",
    ),
    Cause(
        "",
        r"root certificate file .*does not exist|could not read root certificate",
        "the file of the certificate authority cannot be read: correct sslrootcert or DATABASE_SSL_CA",
    ),
    Cause(
        "",
        r"certificate verify failed|server certificate for .* does not match",
        "the server's certificate does not prove who it is: "
        "give the right authority in sslrootcert, and the host by the name in the certificate",
    ),
    Cause(
        "",
        r"unsupported startup parameter",
        "a pooler refuses session options: add pgbouncer=true to the URL, or name the server's direct port",
    ),
    Cause(
        "",
        r"could not translate host name|could not parse network address|Name or service not known"
        r"|nodename nor servname",
        "there is no such host: correct the name, or look at the network's name service",
    ),
    Cause(
        "",
        r"received invalid response to SSL negotiation|expected authentication request from server"
        r"|received invalid response to GSSAPI negotiation|unsupported frontend protocol"
        r"|received invalid authentication request|received invalid protocol",
        "what answers there is not a PostgreSQL server: correct host and port",
    ),
    Cause(
        "",
        r"timeout expired|timed out",
        "nothing answered in time: look at host, port, firewall and the list of trusted sources",
    ),
    Cause(
        "",
        r"definition of service .* not found|service file .* not found|syntax error in service file",
        "the service is not defined: correct its name or PGSERVICEFILE",
    ),
    Cause(
        "",
        r"No such file or directory",
        "no server listens on that socket: start it, or correct the host (a directory) and port",
        transient=True,
    ),
    Cause(
        "",
        r"Connection refused",
        "the connection was refused, nothing listens there: start the server, or correct host and port",
        transient=True,
    ),
    Cause(
        "",
        r"Network is unreachable|No route to host",
        "the network does not lead there: look at host, VPN and firewall",
    ),
    Cause(
        "",
        r"server closed the connection unexpectedly|Connection reset by peer|SSL error|SSL SYSCALL error",
        "what answers there broke off: it is not a PostgreSQL server, or it crashed; look at host and port, "
        "and at the server's log",
    ),
    Cause(
        "",
        r'invalid (?:integer value .* for connection option "(?P<option>\w+)"|(?P<named>\w+) (?:value|number):)',
        "libpq does not understand the value of {option}: correct {origin}, or the PG variable that sets it",
    ),
    Cause(
        "",
        r"invalid dsn|invalid connection option|could not match",
        "libpq does not understand the connection parameters: correct {origin}",
    ),
)


def explain(error: psycopg2.Error, place: Place) -> TargetError:
    """Return what a failed connection means and what to do about it, in one sentence."""
    said = str(error)
    cause = cause_of(error)
    found = re.search(cause.pattern, said)
    words = {
        "user": place.role,
        "database": place.database,
        "origin": place.origin,
        "said": " ".join(said.split()) or type(error).__name__,
    }
    if found:
        words |= {word: value for word, value in found.groupdict().items() if value}
    words["database"] = words.get("pool", words["database"])
    words.setdefault("option", words.get("named", ""))
    said = f"cannot use {place.redacted}: {cause.sentence.format(**words)}"
    return TargetError(redact(said, place), sqlstate=error.pgcode or cause.code or None)


@contextmanager
def doing(failed: str, *, schema: str = "") -> Iterator[None]:
    """Report an error of the database as what failed, with the right that a role lacks on a table of the `schema`."""
    try:
        yield
    except psycopg2.Error as error:
        raise TargetError(f"{failed}: {told(error)}{_remedy(error, schema)}.", sqlstate=error.pgcode) from None


# What a role lacks has no SQLSTATE of its own, and only the text names it.
_DENIED = pattern(r'permission denied for (schema|table|view|sequence|function|foreign table) "?(.+?)"?$')
_RIGHTS = {"function": "EXECUTE on function", "sequence": "SELECT on sequence"}


def _remedy(error: psycopg2.Error, schema: str) -> str:
    """Return words for the right that would help; none where no right would."""
    found = _DENIED.search(error.diag.message_primary or "") if error.pgcode == "42501" else None
    if not found:
        return ""
    kind, name = found.groups()
    if kind == "schema":
        return ""  # what was told has the statement
    place = f"{schema}." if schema else ""
    return f": have {_RIGHTS.get(kind, 'SELECT on')} {place}{name} granted"


_UNKNOWN = ("42P01", "42883", "42704", "3F000")  # a table, function, object or schema that is not there
_FUNCTION = pattern(r'^(?:SQL|PL/\w+) function "?(?!inline_code_block)([^"\s]+)"?', re.MULTILINE)
_SILENT = pattern(r"timed out|No route to host|Network is unreachable", re.IGNORECASE)
_DEPENDENT = ("2BP01", "0A000")  # other objects depend on it; its type is used by a view or a rule


def told(error: psycopg2.Error) -> str:
    """Return what the database said: its first line, and the SQLSTATE where there is one.

    And what depends on an object that cannot go or change, which only the detail names; and the statement that opens
    a schema.
    """
    # Of a connection that was ended, only the text is left, which begins with a severity.
    line = ((error.diag.message_primary or str(error)).strip() or type(error).__name__).splitlines()[0]
    line = re.sub(r"^(?:FATAL|PANIC): +", "", line)
    if error.pgcode in _DEPENDENT and error.diag.message_detail:
        line = f"{line}: {'; '.join(error.diag.message_detail.splitlines())}"
    if not error.pgcode and _SILENT.search(line):
        return f"the server does not answer any more, look at the network and the firewalls between ({line})"
    said = f"{line} ({error.pgcode})" if error.pgcode else line
    if grant := _opening(error):
        said += f": let its owner run {grant}"
    if function := relying_on_path(error):
        said += f" in the function {function}, which looks for it by the search_path: give it one that it keeps, by"
        said += f" ALTER FUNCTION {function} SET search_path = …"
    return said


def _opening(error: psycopg2.Error) -> str:
    """Return the statement that lets the role use a schema, if it may not."""
    found = _DENIED.search(error.diag.message_primary or "") if error.pgcode == "42501" else None
    if not found or found[1] != "schema" or error.cursor is None:
        return ""
    return f"GRANT USAGE ON SCHEMA {quoted(found[2])} TO {quoted(error.cursor.connection.info.user)}"


def relying_on_path(error: psycopg2.Error) -> str:
    """Return the function of the database's own that failed under our search_path, if that is what an error says."""
    found = _FUNCTION.search(error.diag.context or "") if error.pgcode in _UNKNOWN else None
    return found[1] if found else ""


def cause_of(error: psycopg2.Error) -> Cause:
    """Return the known cause of a failed connection, or one that quotes libpq."""
    said = str(error)
    for cause in CAUSES:
        if (cause.code and error.pgcode == cause.code) or re.search(cause.pattern, said):
            return cause
    return Cause("", "", "{said}")
