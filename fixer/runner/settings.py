"""Settings of the server for single steps of a repair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import ALONG_INDEXES, assigning
from fixer.model.plan import PlannedStep
from fixer.model.step import Phase


@contextmanager
def planned_for(cursor: Cursor, step: PlannedStep) -> Iterator[None]:
    """Turn hash joins off for a step that finds orphans or validates foreign keys, so that it uses the indexes."""
    if step.phase not in (Phase.ORPHANS, Phase.FOREIGN_KEYS):
        yield
        return
    cursor.execute(assigning(ALONG_INDEXES))
    yield
    cursor.execute(assigning(dict.fromkeys(ALONG_INDEXES, "DEFAULT")))
