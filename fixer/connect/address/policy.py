"""What is refused before anything connects: values that mean nothing, and production on a line that can be read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest

from fixer.connect.address.libpq import SSLMODES, is_socket
from fixer.errors import TargetError

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
UNENCRYPTED = ("disable", "allow", "prefer")


def with_tls(arguments: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords with the sslmode that their hosts deserve, unless one is given."""
    if arguments.get("sslmode"):
        return dict(arguments)
    if arguments.get("sslrootcert"):
        return {**arguments, "sslmode": "verify-full"}
    if any(_is_managed(host) for host in arguments.get("host", "").split(",")):
        return {**arguments, "sslmode": "require"}
    return dict(arguments)


def check(arguments: Mapping[str, str], origin: str, environ: Mapping[str, str]) -> None:
    """Raise when a keyword holds what no server could have meant."""
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
    """Return words for a bad value: they quote a variable, but not a URL, whose part may be half a password."""
    for name in names:
        if environ.get(name) == arguments[keyword]:
            return f"{name} ({arguments[keyword]!r})"
    return f"the {keyword} of {origin}"


def refuse_unsafe_production(redacted: str, arguments: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Raise when a production environment points at this machine or at a line that can be read."""
    variables = [
        name
        for name in ("ENVIRONMENT", "FIXER_ENV")
        if environ.get(name, "").strip().lower() in ("production", "prod", "live")
    ]
    if not variables:
        return
    hosts = _reached(arguments)
    reasons = {}
    if any(_is_local(host) for host in hosts):
        reasons["localhost"] = "is on this machine"
    # A socket never leaves the machine and knows no TLS.
    if arguments.get("sslmode", "prefer") in UNENCRYPTED and not all(map(is_socket, hosts)):
        reasons["no-tls"] = "does not insist on TLS"
    allowed = {name.strip().lower() for name in environ.get("FIXER_ALLOW_UNSAFE_PRODUCTION", "").split(",")}
    if standing := {name: reason for name, reason in reasons.items() if name not in allowed}:
        remedies = {"localhost": "name the production host", "no-tls": "add sslmode=require"}
        raise TargetError(
            f"{variables[0]} says production, but {redacted} {' and '.join(standing.values())}: "
            f"{' and '.join(remedies[name] for name in standing)}, or allow it with "
            f"FIXER_ALLOW_UNSAFE_PRODUCTION={','.join(sorted({*standing, *(allowed & set(reasons))}))}"
        )


def _reached(arguments: Mapping[str, str]) -> list[str]:
    """Return where libpq connects to: the address, where one is given beside the host (PostgreSQL manual, 32.1.2)."""
    hosts, addresses = (arguments.get(keyword, "").split(",") for keyword in ("host", "hostaddr"))
    return [address or host for host, address in zip_longest(hosts, addresses, fillvalue="")]


def _is_local(host: str) -> bool:
    name = host.lower().rstrip(".")
    if is_socket(host) or name in ("localhost", "localhost.localdomain") or name.startswith("127."):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name.endswith(".localhost")
    mapped = (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
    return mapped.is_loopback or mapped.is_unspecified


def _is_managed(host: str) -> bool:
    name = host.lower().rstrip(".")
    return any(name.endswith(f".{domain}") for domain in MANAGED)


def is_pooled(arguments: Mapping[str, str]) -> bool:
    """Return whether a pooler answers there, which keeps no session."""
    ports = set(arguments.get("port", "").split(","))
    return bool(ports & POOLER_PORTS) or "-pooler." in arguments.get("host", "") or "pgbouncer" in arguments
