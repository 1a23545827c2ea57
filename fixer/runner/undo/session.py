"""The one transaction in which a run is undone: an error of the database becomes the reason to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.errors import UndoRefused
from fixer.runner.locking.transaction import TRANSIENT
from fixer.sql.compose import Composable


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
            why = f"{told(error)}.{self._hint(error)}"
            raise UndoRefused(f"Run {self.run} cannot be taken back ({title}): {why}") from None

    def _hint(self, error: psycopg2.Error) -> str:
        """Return the way out if rows go back that a foreign key refuses: a superuser skips its triggers."""
        superuser = self.cursor.connection.info.parameter_status("is_superuser") == "on"
        if superuser or not isinstance(error, psycopg2.errors.ForeignKeyViolation):
            return ""
        return " A superuser may bring back rows that had no parent before the run: undo it as one."
