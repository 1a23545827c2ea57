"""Which database is meant.

The target is the first of these that names one:

1. `--dsn`: a URL, or libpq's keywords (`host=db.example dbname=trading`, `service=trading`);
2. `DATABASE_URL`, which takes the same spellings;
3. `DATABASE_HOST`, `DATABASE_PORT`, `DATABASE_NAME`, `DATABASE_USER`, `DATABASE_PASSWORD`, `DATABASE_SSL`
   (true, false, or an sslmode), and `DATABASE_SSL_CA`, the path of a certificate authority;
4. libpq's own variables (`PGHOST`, `PGPORT`, `PGDATABASE`, …), and service files (`PGSERVICE`).

What it leaves open, libpq's variables, service file and password file fill in, as they do for psql.
"""

from __future__ import annotations

from collections.abc import Mapping

from fixer.connect.address.libpq import parsed, sslmode
from fixer.errors import EMPTY, TargetError

COMPONENTS = {
    "DATABASE_HOST": "host",
    "DATABASE_PORT": "port",
    "DATABASE_NAME": "dbname",
    "DATABASE_USER": "user",
    "DATABASE_PASSWORD": "password",
}


# libpq's variables that name a database; the others only say how to reach it.
OWN = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE")


def variable(environ: Mapping[str, str]) -> str:
    """Return the first variable of the environment that names a database; empty if none does."""
    parts = (name for name, keyword in COMPONENTS.items() if keyword != "password")
    every = ("DATABASE_URL", *parts, "PGSERVICE", *OWN)
    return next((name for name in every if environ.get(name, "").strip()), "")


def named(dsn: str | None, environ: Mapping[str, str], option: str = "--dsn") -> tuple[str, dict[str, str]]:
    """Return the origin and libpq's keywords of the first source that names a database; `option` gave the DSN."""
    authority = {"sslrootcert": environ["DATABASE_SSL_CA"]} if environ.get("DATABASE_SSL_CA") else {}
    if dsn is not None and not dsn.strip():
        raise TargetError(EMPTY.format(option))
    if dsn:
        return option, parsed(dsn.strip(), option)
    if (url := environ.get("DATABASE_URL")) is not None:
        if not url.strip():  # to look further would find another database
            raise TargetError(EMPTY.format("DATABASE_URL"))
        return "DATABASE_URL", authority | parsed(url.strip(), "DATABASE_URL")
    given = {keyword: environ[name] for name, keyword in COMPONENTS.items() if environ.get(name)}
    if given.keys() - {"password"}:
        if mode := environ.get("DATABASE_SSL", "").strip():
            given["sslmode"] = sslmode(mode, "DATABASE_SSL", verify=bool(authority or environ.get("PGSSLROOTCERT")))
        return "DATABASE_HOST …", authority | given
    if environ.get("PGSERVICE"):
        return "service file", {}
    if any(environ.get(name) for name in OWN):
        return "PG* environment", {}
    raise TargetError(
        "no database is named: give --dsn, or set DATABASE_URL, "
        "DATABASE_HOST with DATABASE_NAME and DATABASE_USER, PGHOST, or PGSERVICE"
    )
