"""Targets: what one says, what it connects with, and a password that is hard to spell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from fixer.connect.target import Target
from fixer.errors import TargetError

PASSWORD = "p@ss:w/rd% 'ü\"\\?#&="
MANAGED_HOST = "db-1.b.db.ondigitalocean.com"


def asked(dsn: str, query: str | sql.Composed) -> tuple[Any, ...]:
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return (cursor.fetchone() or ()) if cursor.description else ()


def answer(connection: Any, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(TargetError) as caught:
        call()
    return str(caught.value)


def connect_arguments(target: Target) -> dict[str, Any]:
    _, arguments = target.url.get_dialect()().create_connect_args(target.url)
    return dict(arguments)
