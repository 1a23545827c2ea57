"""What comes of a database: it is sound, it is mended and taken back, or it is left to a person untouched."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from sqlalchemy import MetaData

import fixer
from fixer.errors import NeedsPermission
from lab.database import all_of, differences, lent, written
from lab.laboratory import VERSIONS, Laboratory


def outcome(laboratory: Laboratory, wanted: MetaData | str, made: str, mode: str, version: int = max(VERSIONS)) -> str:
    """Repair what was made and take that back; return ``sound``, ``mended``, or why a person has to decide.

    Sound and refused databases are as they were, down to their stamps; so is one that was taken back, in its dump.
    """
    with lent(laboratory.server(version), None) as database:
        database.run(made)
        before, untouched = all_of(database), written(database)
        with closing(psycopg2.connect(database.dsn)) as connection:
            try:
                run = fixer.apply(connection, wanted, mode=mode, allow_hazards="all")
            except NeedsPermission as refusal:
                assert written(database) == untouched
                return str(refusal)
            assert run.report.ok
            if not run.plan.steps:
                assert (run.report.findings, written(database)) == ((), untouched)
                return "sound"
            fixer.undo(connection, 1)
        assert differences(before, database) == []
        return "mended"
