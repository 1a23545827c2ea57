"""The one transaction in which a run is undone: an error of the database becomes the reason to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.errorcodes import (
    CHECK_VIOLATION,
    EXCLUSION_VIOLATION,
    FOREIGN_KEY_VIOLATION,
    INSUFFICIENT_PRIVILEGE,
    INVALID_COLUMN_REFERENCE,
    NOT_NULL_VIOLATION,
    UNIQUE_VIOLATION,
)
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.errors import UndoRefused
from fixer.model.values import dataclass
from fixer.runner.locking.transaction import TRANSIENT
from fixer.sql.compose import Composable

_UNPUBLISHED = (
    "; a publication leaves out a generated column of it, and no key tells its rows: let the publication publish that,"
    " by SET (publish_generated_columns = stored), or take the table out of it, until the run is undone"
)
_NOBODY = "no role can allow that while it stands"
_BROKEN = {  # a row may have stood under what forbids it, if that failed or slept
    FOREIGN_KEY_VIOLATION: "would lack the parent that the foreign key {} demands",
    UNIQUE_VIOLATION: "would repeat values that {} holds only once",
    EXCLUSION_VIOLATION: "would conflict with others under the exclusion {}",
    CHECK_VIOLATION: "would break the check {}",
    NOT_NULL_VIOLATION: "would hold NULL in {}, which is NOT NULL",
}


@dataclass(frozen=True)
class Session:
    """A cursor, the run that is undone with it, and what is called with the title of each part of the work."""

    cursor: Cursor
    run: int
    progress: Callable[[str], None]

    def do(self, statement: Composable, title: str) -> int:
        """Execute a statement; return how many rows it wrote. Raises UndoRefused, with the `title`, if it fails."""
        with self.refusing(title):
            self.cursor.execute(statement)
        return max(self.cursor.rowcount, 0)

    def number(self, question: Composable) -> int:
        """Return the number that answers a question."""
        self.cursor.execute(question)
        return int((self.cursor.fetchone() or (0,))[0])

    @contextmanager
    def refusing(self, title: str) -> Iterator[None]:
        """Raise UndoRefused for an error of the database, but pass on operational ones, such as deadlocks."""
        try:
            yield
        except (*TRANSIENT, psycopg2.OperationalError):
            raise
        except psycopg2.Error as error:
            why = _in_the_way(error) or told(error)
            if error.pgcode == INVALID_COLUMN_REFERENCE:
                why += _UNPUBLISHED
            if error.pgcode == INSUFFICIENT_PRIVILEGE:
                why += "; the role that owns its tables, a member of that role or a superuser may undo it"
            raise UndoRefused(f"Run {self.run} cannot be undone ({title}): {why}.") from None


def _in_the_way(error: psycopg2.Error) -> str:
    """Return what rows that go back would break, and who may let them; empty if that is not what an error says."""
    said, meant = error.diag, _BROKEN.get(error.pgcode or "")
    part = said.constraint_name or said.column_name
    if meant is None or part is None or said.table_name is None or error.cursor is None:
        return ""
    is_superuser = error.cursor.connection.info.parameter_status("is_superuser") == "on"
    parentless = error.pgcode == FOREIGN_KEY_VIOLATION and not is_superuser
    way = "if they did before the run, a superuser may undo it" if parentless else _NOBODY
    return f"rows of {said.schema_name}.{said.table_name} {meant.format(part)}: {way}"
