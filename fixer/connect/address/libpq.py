"""How a database is spelt: URLs, libpq's keywords and options, service files, and one into the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote, unquote_to_bytes

import psycopg2
from psycopg2.extensions import parse_dsn

from fixer.errors import TargetError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# The variables that decide something here; libpq reads its others itself.
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


# What notices within a minute that packets are dropped, where TCP by itself may take hours (PostgreSQL manual, 32.1.2):
# nothing has come for so many seconds, then so many probes that many seconds apart have no answer; or what was sent
# was not confirmed for so many milliseconds.
ALIVE = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}


# --- URLs and keywords


def parsed(text: str, origin: str) -> dict[str, str]:
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
    """Return the keywords that libpq reads in the text, or None: its own error quotes half a password."""
    try:
        return {keyword: value for keyword, value in parse_dsn(text).items() if value}
    except (psycopg2.Error, ValueError):
        return None


def is_keyword(word: str) -> bool:
    """Return whether libpq knows a keyword."""
    return _keywords(f"{word}=0") is not None


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
        options.setdefault("sslmode", sslmode(mode, f"ssl in {origin}", verify="sslrootcert" in options))
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


def sslmode(word: str, name: str, *, verify: bool) -> str:
    """Return the sslmode for true, false, or an sslmode itself."""
    mode = word.strip().lower()
    if mode in ("true", "1", "yes", "on"):
        return "verify-full" if verify else "require"
    if mode in ("false", "0", "no", "off"):
        return "disable"
    if mode not in SSLMODES:
        raise TargetError(f"{name} is not understood: use true, false, or one of {', '.join(SSLMODES)}")
    return mode


# --- what libpq would add


def filled_in(named: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
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


# --- SQLAlchemy's URLs


def url(arguments: Mapping[str, str]) -> URL:
    """Return libpq's keywords as a SQLAlchemy URL, which `arguments` turns back into them."""
    from sqlalchemy.engine import URL

    rest = dict(arguments)
    user, password, name = rest.pop("user", None), rest.pop("password", None), rest.pop("dbname", None)
    host, port = rest.pop("host", ""), rest.pop("port", "")
    plain = host if not is_socket(host) and "," not in host else None
    if host and plain is None:
        rest["host"] = host
    if "," in host and port:
        port = ",".join(spread(port.split(","), host.split(",")))
    if "," in port:
        rest["port"] = port
        port = ""
    return URL.create("postgresql+psycopg2", user, password, plain, int(port) if port else None, name, rest)


def arguments(url: URL) -> dict[str, str]:
    """Return the keywords that psycopg2 takes for a URL."""
    dialect = url.set(drivername="postgresql+psycopg2").get_dialect()()
    _, arguments = dialect.create_connect_args(url)
    return {keyword: str(value) for keyword, value in arguments.items() if value not in (None, "")}


def spread(ports: list[str], hosts: list[str]) -> list[str]:
    """Return a port for each host; a single port counts for all."""
    return ports * len(hosts) if len(ports) == 1 else ports


def is_socket(host: str) -> bool:
    """Return whether a host is a directory or an abstract name, or left out: a socket of this machine."""
    return host.startswith(("/", "@")) or not host


# --- options


def split_options(options: str) -> tuple[list[str], dict[str, str]]:
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


def joined_options(switches: Iterable[str], settings: Mapping[str, str]) -> str:
    """Return switches and settings as libpq's `options`."""
    words = [*switches]
    for name, value in settings.items():
        words += ["-c", f"{name}={value}"]
    return " ".join(re.sub(r"([\\\s])", r"\\\1", word) for word in words)
