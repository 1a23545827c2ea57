"""Which database, how to connect to it, and what not to print.

The target is the first of these that names one:

1. `--dsn`: a URL, or libpq's keywords (`host=db.example dbname=trading`, `service=trading`);
2. `DATABASE_URL`, which takes the same spellings;
3. `DATABASE_HOST`, `DATABASE_PORT`, `DATABASE_NAME`, `DATABASE_USER`, `DATABASE_PASSWORD`, `DATABASE_SSL`
   (true, false, or an sslmode), and `DATABASE_SSL_CA`, the path of a certificate authority;
4. libpq's own variables (`PGHOST`, `PGPORT`, `PGDATABASE`, …), and service files (`PGSERVICE`).

What it leaves open, libpq's variables, service file and password file fill in, as they do for psql.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote_to_bytes

import psycopg2
from psycopg2.extensions import parse_dsn
from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from fixer.connect.failures import cause_of, explain
from fixer.connect.interrupt import connect
from fixer.errors import EMPTY, TargetError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812  # psycopg2 names its class so
    from sqlalchemy import Engine

log = logging.getLogger("pgmend")

TRIES = 5
FIRST_DELAY = 0.2  # doubled after each try and spread by half: 4.5 s of waiting at most
DEFAULTS = {
    "lock_timeout": "5s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "10min",
}

POOLER_PORTS = {"25061", "6432", "6543"}
MANAGED = (
    "aivencloud.com",
    "cockroachlabs.cloud",
    "crunchybridge.com",
    "neon.tech",
    "ondigitalocean.com",
    "postgres.database.azure.com",
    "postgres.database.usgovcloudapi.net",
    "psdb.cloud",
    "rds.amazonaws.com",
    "rds.amazonaws.com.cn",
    "render.com",
    "supabase.co",
    "supabase.com",
    "timescale.com",
    "tsdb.cloud.timescale.com",
)
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
UNENCRYPTED = ("disable", "allow", "prefer")

# Those that decide something here; libpq reads its others itself.
VARIABLES = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGPASSFILE": "passfile",
    "PGOPTIONS": "options",
    "PGAPPNAME": "application_name",
    "PGCONNECT_TIMEOUT": "connect_timeout",
    "PGSSLMODE": "sslmode",
    "PGSSLROOTCERT": "sslrootcert",
}
COMPONENTS = {
    "DATABASE_HOST": "host",
    "DATABASE_PORT": "port",
    "DATABASE_NAME": "dbname",
    "DATABASE_USER": "user",
    "DATABASE_PASSWORD": "password",
}


@dataclass(frozen=True, repr=False)
class Target:
    """One database and the way to it; a `pooled` one keeps no session, so SET LOCAL its `settings`."""

    url: URL
    origin: str
    pooled: bool = False
    settings: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULTS), hash=False)
    hidden: Mapping[str, str] = field(default_factory=dict, hash=False)  # secrets a URL would print

    @classmethod
    def of(cls, engine: Engine) -> Target:
        """Return the target that an application's engine points at."""
        if engine.url.get_backend_name() != "postgresql":
            raise TargetError(f"the engine speaks {engine.url.get_backend_name()}, which is not PostgreSQL")
        return _target(_arguments(engine.url), "engine", {})

    def __repr__(self) -> str:
        return f"Target({self.redacted!r}, origin={self.origin!r})"

    def __str__(self) -> str:
        return self.redacted

    @property
    def redacted(self) -> str:
        """The URL for people and reports: role, place and database, and nothing else."""
        arguments = _arguments(self.url)
        user = f"{quote(arguments['user'], safe='')}@" if "user" in arguments else ""
        name = f"/{quote(arguments['dbname'], safe='')}" if "dbname" in arguments else ""
        hosts = arguments.get("host", arguments.get("hostaddr", "")).split(",")
        ports = arguments.get("port", "").split(",")
        if _is_socket(hosts[0]):
            socket = f"{'' if name else '/'}?host={hosts[0]}" if hosts[0] else ""
            return f"postgresql://{user}{_place('', ports[0])}{name}{socket}"
        places = (_place(host, port) for host, port in zip(hosts, _spread(ports, hosts), strict=True))
        return f"postgresql://{user}{','.join(places)}{name}"

    def connect(self, *, read_only: bool = False, autocommit: bool = False) -> Connection:
        """Return a psycopg2 connection, having waited a little for a server that was not ready."""
        if self.pooled and read_only and autocommit:
            raise TargetError(
                f"{self.redacted} is behind a pooler, which keeps no read-only session: "
                "name the server's direct port instead"
            )
        connection = self._open("-c default_transaction_read_only=on" if read_only and autocommit else "")
        if autocommit:
            connection.autocommit = True
        elif read_only:
            connection.readonly = True  # said by BEGIN, so it costs no round trip and suits a pooler
        return connection

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine with a pool small enough for a managed database."""
        return create_engine(
            self.url,
            creator=self.connect,
            pool_size=2,
            max_overflow=1,
            pool_pre_ping=True,
            pool_recycle=1800,
        )

    def _open(self, options: str) -> Connection:
        attempt = 0
        while True:
            attempt += 1
            try:
                connection = connect(**self._connect_arguments(options))
                if connection.get_parameter_status("standard_conforming_strings") == "off":
                    connection.close()
                    connection = connect(**self._connect_arguments(f"{options} {self._plain_strings}"))
                return connection
            except psycopg2.Error as error:
                cause, refusal = cause_of(error), explain(error, self)
            # Raised out here, the refusal carries no context that would print what libpq said.
            if attempt == TRIES or not cause.transient:
                raise refusal
            delay = FIRST_DELAY * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            log.warning("%s (try %d of %d, next in %.1f s)", refusal, attempt, TRIES, delay)
            sleep(delay)

    @property
    def _plain_strings(self) -> str:
        """The option by which a backslash is one, whatever role or database say (PostgreSQL manual, 20.13.1)."""
        if self.pooled:
            raise TargetError(
                f"{self.redacted} sets standard_conforming_strings off, and is behind a pooler, which keeps no other"
                " setting for us: name the server's direct port instead."
            )
        return "-c standard_conforming_strings=on"

    def _connect_arguments(self, options: str) -> dict[str, Any]:
        arguments: dict[str, Any] = {"application_name": "pgmend", "connect_timeout": "10"}
        arguments |= _arguments(self.url) | dict(self.hidden)
        if options:
            arguments["options"] = f"{arguments.get('options', '')} {options}".strip()
        return arguments


def resolve(
    dsn: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    lock_timeout: str | int | None = None,
    statement_timeout: str | int | None = None,
    allow_unsafe_production: bool = False,
) -> Target:
    """Return the target that the words of a call or the environment name, or say how to name one."""
    timeouts = {
        name: _duration(name, value)
        for name, value in (("lock_timeout", lock_timeout), ("statement_timeout", statement_timeout))
        if value not in (None, "")
    }
    origin, named = _named(dsn, environ)
    arguments = _with_tls(_filled_in(named, environ))
    _check(arguments, origin, environ)
    target = _target(arguments, origin, timeouts)
    if not allow_unsafe_production:
        _refuse_unsafe_production(target, arguments, environ)
    return target


# --- naming -----------------------------------------------------------------------------------------


def _named(dsn: str | None, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the origin and libpq's keywords of the first source that names a database."""
    authority = {"sslrootcert": environ["DATABASE_SSL_CA"]} if environ.get("DATABASE_SSL_CA") else {}
    if dsn is not None and not dsn.strip():
        raise TargetError(EMPTY.format("--dsn"))
    if dsn:
        return "--dsn", _parsed(dsn.strip(), "--dsn")
    if url := environ.get("DATABASE_URL", "").strip():
        return "DATABASE_URL", authority | _parsed(url, "DATABASE_URL")
    given = {keyword: environ[name] for name, keyword in COMPONENTS.items() if environ.get(name)}
    if given.keys() - {"password"}:
        if mode := environ.get("DATABASE_SSL", "").strip():
            given["sslmode"] = _sslmode(mode, "DATABASE_SSL", verify=bool(authority or environ.get("PGSSLROOTCERT")))
        return "DATABASE_HOST …", authority | given
    if environ.get("PGSERVICE"):
        return "service file", {}
    if any(environ.get(name) for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE")):
        return "PG* environment", {}
    raise TargetError(
        "no database is named: give --dsn, or set DATABASE_URL, "
        "DATABASE_HOST with DATABASE_NAME and DATABASE_USER, PGHOST, or PGSERVICE"
    )


def _parsed(text: str, origin: str) -> dict[str, str]:
    """Return libpq's keywords for a URL or a keyword string, quoting neither in an error."""
    pooled = False
    if scheme := re.match(r"([A-Za-z][\w.-]*)(\+\w*)?://", text):
        if scheme[1].lower() not in ("postgres", "postgresql"):
            start = f"{scheme[1]}://" if scheme[1].islower() else "a scheme"
            raise TargetError(
                f"{origin} starts with {start}, which is not PostgreSQL: write postgresql://user@host:port/database"
            )
        text, pooled = _plain_url(text[scheme.end() :], origin)
    keywords = _keywords(text)
    if keywords is None:
        _refuse_unreadable(text, origin)
    return keywords | ({"pgbouncer": "true"} if pooled else {})


def _keywords(text: str) -> dict[str, str] | None:
    """Return the keywords that libpq reads in the text, or nothing: its error quotes half a password."""
    try:
        return {keyword: value for keyword, value in parse_dsn(text).items() if value}
    except (psycopg2.Error, ValueError):
        return None


def _plain_url(rest: str, origin: str) -> tuple[str, bool]:
    """Return the URL as libpq wants it, and whether it says `pgbouncer=true`.

    SQLAlchemy lets a password hold a bare `/`, `:`, `?` or `%`, libpq does not: what works for the
    application works here.
    """
    parts = re.fullmatch(r"(?:([^:/?@]*)(?::(?!\d+(?:/[^?@]*)?\?)([^@]*))?@)?([^?]*)(?:\?(.*))?", rest, re.S)
    user, password, place, query = parts.groups() if parts else (None, None, rest, None)
    if "@" in place:
        raise TargetError(
            f"{origin} has more than one @ before the host: write an @ inside the user or password as %40"
        )
    pairs = [pair.partition("=")[::2] for pair in (query or "").split("&") if pair]
    options = dict(pairs)
    pooled = options.pop("pgbouncer", "").lower() in ("true", "1")
    if mode := options.pop("ssl", ""):
        options.setdefault("sslmode", _sslmode(mode, f"ssl in {origin}", verify="sslrootcert" in options))
    login = "" if user is None else quote(unquote_to_bytes(user), safe="")
    login += "" if password is None else ":" + quote(unquote_to_bytes(password), safe="")
    tail = "&".join(f"{keyword}={value}" for keyword, value in options.items())
    return f"postgresql://{login}{'' if user is None else '@'}{place}{tail and '?'}{tail}", pooled


def _refuse_unreadable(text: str, origin: str) -> NoReturn:
    _, _, query = text.partition("?") if text.startswith("postgresql://") else ("", "", "")
    # A bare & or ? in a password makes its other half look like a keyword.
    if "password" not in query and "@" not in query:
        for keyword in (pair.partition("=")[0] for pair in query.split("&") if pair):
            if _keywords(f"{keyword}=0") is None:
                raise TargetError(f"{origin} has the parameter {keyword!r}, which libpq does not know: leave it out")
    raise TargetError(
        f"{origin} is neither a URL (postgresql://user@host:port/database) nor libpq keywords "
        "(host=… dbname=…): write special characters in a URL as %XX, and quote values with spaces"
    )


def _filled_in(named: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords with what libpq would add: the service file's, then the variables'."""
    arguments = dict(named)
    service = arguments.pop("service", "") or environ.get("PGSERVICE", "")
    if service:
        arguments = _service(service, environ) | arguments
    variables = {keyword: environ[name] for name, keyword in VARIABLES.items() if environ.get(name)}
    return variables | arguments


def _service(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    home = Path(environ.get("HOME") or Path.home())
    files = (
        Path(environ.get("PGSERVICEFILE") or home / ".pg_service.conf"),
        Path(environ.get("PGSYSCONFDIR") or "/etc/postgresql-common") / "pg_service.conf",
    )
    for file in files:
        if (keywords := _service_in(file, name)) is not None:
            return keywords
    raise TargetError(
        f'the service "{name}" stands in neither {files[0]} nor {files[1]}: '
        "add it, or name another file in PGSERVICEFILE"
    )


def _service_in(file: Path, name: str) -> dict[str, str] | None:
    keywords: dict[str, str] | None = None
    inside = False
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    except OSError as error:
        raise TargetError(f"the service file {file} cannot be read: {error.strerror}") from None
    for line in map(str.strip, lines):
        if line.startswith("["):
            inside = keywords is None and line == f"[{name}]"
            keywords = {} if inside else keywords
        elif inside and keywords is not None and line and not line.startswith("#"):
            keyword, _, value = line.partition("=")
            keywords[keyword.strip()] = value.strip()
    return keywords


# --- judging ----------------------------------------------------------------------------------------


def _with_tls(arguments: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords with the sslmode that their hosts deserve, unless one is given."""
    if arguments.get("sslmode"):
        return dict(arguments)
    if arguments.get("sslrootcert"):
        return {**arguments, "sslmode": "verify-full"}
    if any(_is_managed(host) for host in arguments.get("host", "").split(",")):
        return {**arguments, "sslmode": "require"}
    return dict(arguments)


def _check(arguments: Mapping[str, str], origin: str, environ: Mapping[str, str]) -> None:
    ports = arguments.get("port", "").split(",")
    if not all(port == "" or (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536) for port in ports):
        which = _culprit("port", ("DATABASE_PORT", "PGPORT"), arguments, origin, environ)
        raise TargetError(f"{which} is not a number between 1 and 65535")
    hosts = arguments.get("host", arguments.get("hostaddr", "")).split(",")
    if len(ports) not in (1, len(hosts)):
        raise TargetError(f"{origin} names {len(hosts)} hosts and {len(ports)} ports: give each its port")
    for keyword, word in (("host", "host"), ("dbname", "database name")):
        if "://" in arguments.get(keyword, ""):
            raise TargetError(f"the {word} of {origin} holds a whole URL: give that as --dsn or DATABASE_URL")
    if arguments.get("sslmode", "require") not in SSLMODES:
        which = _culprit("sslmode", ("PGSSLMODE",), arguments, origin, environ)
        raise TargetError(f"{which} is unknown: use one of {', '.join(SSLMODES)}")


def _culprit(
    keyword: str,
    names: Iterable[str],
    arguments: Mapping[str, str],
    origin: str,
    environ: Mapping[str, str],
) -> str:
    """Return words for a bad value: a variable's as it is, a URL's unsaid, for it may be half a password."""
    for name in names:
        if environ.get(name) == arguments[keyword]:
            return f"{name} ({arguments[keyword]!r})"
    return f"the {keyword} of {origin}"


def _sslmode(word: str, name: str, *, verify: bool) -> str:
    mode = word.strip().lower()
    if mode in ("true", "1", "yes", "on"):
        return "verify-full" if verify else "require"
    if mode in ("false", "0", "no", "off"):
        return "disable"
    if mode not in SSLMODES:
        raise TargetError(f"{name} is not understood: use true, false, or one of {', '.join(SSLMODES)}")
    return mode


def _refuse_unsafe_production(target: Target, arguments: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Raise when a production environment points at this machine or at a line that can be read."""
    variables = [
        name
        for name in ("ENVIRONMENT", "FIXER_ENV")
        if environ.get(name, "").strip().lower() in ("production", "prod", "live")
    ]
    if not variables:
        return
    hosts = arguments.get("host", arguments.get("hostaddr", "")).split(",")
    reasons = {}
    if any(_is_local(host) for host in hosts):
        reasons["localhost"] = "is on this machine"
    # A socket never leaves the machine and knows no TLS.
    if arguments.get("sslmode", "prefer") in UNENCRYPTED and not all(map(_is_socket, hosts)):
        reasons["no-tls"] = "does not insist on TLS"
    allowed = {name.strip().lower() for name in environ.get("FIXER_ALLOW_UNSAFE_PRODUCTION", "").split(",")}
    if standing := {name: reason for name, reason in reasons.items() if name not in allowed}:
        remedies = {"localhost": "name the production host", "no-tls": "add sslmode=require"}
        raise TargetError(
            f"{variables[0]} says production, but {target.redacted} {' and '.join(standing.values())}: "
            f"{' and '.join(remedies[name] for name in standing)}, or allow it with "
            f"FIXER_ALLOW_UNSAFE_PRODUCTION={','.join(sorted({*standing, *(allowed & set(reasons))}))}"
        )


def _is_socket(host: str) -> bool:
    return host.startswith(("/", "@")) or not host


def _is_local(host: str) -> bool:
    name = host.lower().rstrip(".")
    if _is_socket(host) or name in ("localhost", "localhost.localdomain") or name.startswith("127."):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _is_managed(host: str) -> bool:
    name = host.lower().rstrip(".")
    return any(name.endswith(f".{domain}") for domain in MANAGED)


def _is_pooled(arguments: Mapping[str, str]) -> bool:
    ports = set(arguments.get("port", "").split(","))
    return bool(ports & POOLER_PORTS) or "-pooler." in arguments.get("host", "") or "pgbouncer" in arguments


# --- building ---------------------------------------------------------------------------------------


def _target(arguments: Mapping[str, str], origin: str, timeouts: Mapping[str, str]) -> Target:
    """Return the target for libpq's keywords, its session settings in `options` unless it is pooled."""
    rest = dict(arguments)
    pooled = _is_pooled(rest)
    rest.pop("pgbouncer", None)
    hidden = {"sslpassword": rest.pop("sslpassword")} if "sslpassword" in rest else {}
    switches, given = _split_options(rest.pop("options", ""))
    settings = {**DEFAULTS, **given, **timeouts}
    if not pooled:
        rest["options"] = _joined_options(switches, settings)
    return Target(_url(rest), origin, pooled, settings, hidden)


def _url(arguments: Mapping[str, str]) -> URL:
    """Return libpq's keywords as a SQLAlchemy URL, which `_arguments` turns back into them."""
    rest = dict(arguments)
    user, password, name = rest.pop("user", None), rest.pop("password", None), rest.pop("dbname", None)
    host, port = rest.pop("host", ""), rest.pop("port", "")
    plain = host if not _is_socket(host) and "," not in host else None
    if host and plain is None:
        rest["host"] = host
    if "," in host and port:
        port = ",".join(_spread(port.split(","), host.split(",")))
    if "," in port:
        rest["port"] = port
        port = ""
    return URL.create("postgresql+psycopg2", user, password, plain, int(port) if port else None, name, rest)


def _arguments(url: URL) -> dict[str, str]:
    """Return the keywords that psycopg2 takes for a URL."""
    dialect = url.set(drivername="postgresql+psycopg2").get_dialect()()
    _, arguments = dialect.create_connect_args(url)
    return {keyword: str(value) for keyword, value in arguments.items() if value not in (None, "")}


def _split_options(options: str) -> tuple[list[str], dict[str, str]]:
    """Return the switches of libpq's `options` that are no settings, and the settings."""
    switches: list[str] = []
    settings: dict[str, str] = {}
    words = iter([re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\\\s])+", options)])
    for word in words:
        text = next(words, "") if word == "-c" else word[2:]
        if word.startswith(("-c", "--")) and "=" in text:
            name, _, value = text.partition("=")
            settings[name.strip().lower().replace("-", "_")] = value
        else:
            switches += [word, text] if word == "-c" else [word]
    return switches, settings


def _joined_options(switches: Iterable[str], settings: Mapping[str, str]) -> str:
    words = [*switches]
    for name, value in settings.items():
        words += ["-c", f"{name}={value}"]
    return " ".join(re.sub(r"([\\\s])", r"\\\1", word) for word in words)


def _duration(name: str, value: str | int | None) -> str:
    """Return a timeout in PostgreSQL's spelling."""
    scale = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
    number = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)?\s*", str(value), re.A)
    if not number or float(number[1]) * scale[number[2] or "ms"] > 2**31 - 1:
        flag = f"--{name.replace('_', '-')}"
        raise TargetError(f"{flag} {value!r} is no duration of PostgreSQL: write 500ms, 5s, 10min, or 0 for none")
    return f"{number[1]}{number[2] or ''}"


def _spread(ports: list[str], hosts: list[str]) -> list[str]:
    return ports * len(hosts) if len(ports) == 1 else ports


def _place(host: str, port: str) -> str:
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")


# What begins every transaction of ours: an operator, a function, a cast or a type that others made in a schema of the
# application, or in pg_temp, is never taken for one of PostgreSQL's own (PostgreSQL manual, 10.2 and 5.10.6). The
# schemas that the session's own path leads to are kept in a setting.
SAFE_PATH = "pg_catalog, pg_temp"
SAFELY = f"""SELECT pg_catalog.set_config('pgmend.own_path', pg_catalog.current_schemas(false)::pg_catalog.text, true);
SET LOCAL search_path = {SAFE_PATH};
"""

# In every transaction: rows that row security hides are an error, and no question is compiled, which takes longer than
# the answer where one statement holds thousands (PostgreSQL manual, 32.2, When to JIT?).
PLAINLY = {"row_security": "off", "jit": "off"}


def unhurried(connection: Connection) -> dict[str, str]:
    """Return what lets a transaction last as long as its work takes, however role or database are set."""
    return {"transaction_timeout": "0"} if connection.server_version >= 170000 else {}
