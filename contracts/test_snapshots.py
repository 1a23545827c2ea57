"""The snapshots have the faults that they declare, and are repaired only with permission."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg2 import sql

import fixer
from contracts.plugin import session_of
from contracts.proof.databases.laboratory import Lab
from contracts.proof.snapshots import of, permitted
from fixer.connect.snapshot import Snapshot
from fixer.connect.target import Target
from fixer.model.contract import Contract


@pytest.fixture
def lab(pytestconfig: pytest.Config) -> Lab:
    """The server on which snapshots are loaded and repaired."""
    return session_of(pytestconfig).lab


@pytest.fixture
def contract(known: Snapshot, lab: Lab) -> Contract:
    """The contract of the snapshot."""
    return lab.prepared(known.contract, known.schema).contract


@pytest.fixture
def target(known: Snapshot, lab: Lab) -> Iterator[Target]:
    """A fresh database with the snapshot in it."""
    name = lab.clone(known)
    yield lab.target(name)
    lab.server.drop_database(name)


def test_snapshot_is_broken_as_declared(known: Snapshot, target: Target, contract: Contract) -> None:
    """The check finds what the snapshot declares, and nothing else."""
    report = fixer.check(target, contract, schema=known.schema)

    assert {f.slug for f in report.findings if f.severity != "info"} == known.findings


@of(lambda known: bool(known.hazards) or not known.repairable)
def test_snapshot_is_not_touched_without_permission(
    known: Snapshot, target: Target, contract: Contract, lab: Lab
) -> None:
    """Where hazards are needed and none is allowed, nothing changes."""
    before = content(target, lab)

    assert not permitted(target, known, contract, ())
    assert content(target, lab) == before


@of(lambda known: known.repairable)
def test_snapshot_is_repaired(known: Snapshot, lab: Lab) -> None:
    """With the declared hazards, the repair is complete and the declared rows are in quarantine."""
    outcome = lab.repaired(known)

    assert (outcome.trouble, outcome.left, outcome.steps) == ("", (), ())
    assert outcome.quarantined == known.quarantined


@of(lambda known: not known.repairable)
def test_snapshot_stays_refused(known: Snapshot, target: Target, contract: Contract, lab: Lab) -> None:
    """A fault that needs a human decision is refused, whatever is allowed, and nothing changes."""
    before = content(target, lab)

    assert not permitted(target, known, contract, "all")
    assert content(target, lab) == before


def content(target: Target, lab: Lab) -> object:
    """Return the content of a database: its dump, or digests of its tables where there is no pg_dump."""
    if lab.server.bindir and (lab.server.bindir / "pg_dump").exists():
        words = [str(lab.server.bindir / "pg_dump"), lab.server.database_dsn(target.url.database or "")]
        dump = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return [line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
    with closing(target.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            " ORDER BY 1, 2"
        )
        digests = {}
        for name in cursor.fetchall():
            query = sql.SQL("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} AS t")
            cursor.execute(query.format(sql.Identifier(*name)))
            digests[name] = cursor.fetchone()
        return digests
