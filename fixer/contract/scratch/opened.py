"""An empty database that a server lends, and the roles at work in it."""

from __future__ import annotations

from typing import NamedTuple

from psycopg2.extensions import connection as Connection  # noqa: N812

ROLE = "pgmend_contract"  # which runs what the contract says, on a server of our own


class Opened(NamedTuple):
    """Connections to an empty database: of the role that makes what is brought over, and of the one that runs it."""

    admin: Connection
    owner: Connection
    role: str = ROLE
    mark: str = ""  # the comment on further roles, by which a later run finds those that are left over
