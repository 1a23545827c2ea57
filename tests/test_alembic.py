"""fixer.alembic: autogenerate leaves alone what a repair keeps in the database."""

from __future__ import annotations

import re
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from contracts.trading import metadata
from fixer.alembic import include_name
from lab.commands import apply
from lab.database import Database, load

OURS = re.compile(r"fixer_journal|fixer_quarantine|pgmend_\w+")


def differences(engine: Engine, **options: Any) -> str:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_schemas": True, **options})
        return repr(compare_metadata(context, metadata))


def test_autogenerate_leaves_alone_what_a_repair_keeps(empty: Database) -> None:
    load(empty, "sqlite-port")
    apply(empty, "--allow-hazards", "all", mode="online")
    engine = create_engine(empty.dsn.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    seen = {each[:10] for each in OURS.findall(differences(engine))}

    assert seen == {"fixer_jour", "pgmend_was"}
    assert OURS.findall(differences(engine, include_name=include_name)) == []


def test_the_quarantine_is_left_alone_as_well() -> None:
    schemas = {name: include_name(name, "schema", {}) for name in (None, "public", "fixer_quarantine")}

    assert schemas == {None: True, "public": True, "fixer_quarantine": False}
    assert not include_name("users", "table", {"schema_name": "fixer_quarantine"})
