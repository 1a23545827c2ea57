"""The one transaction in which a run is undone: an error of the database becomes the reason to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import errors
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
        except errors.ForeignKeyViolation as error:
            table, key = error.diag.table_name, error.diag.constraint_name
            raise UndoRefused(
                f"Run {self.run} cannot be taken back ({title}): rows of {table} have no parent, which {key} forbids;"
                " only a superuser can bring back those that had none before, and nobody those whose parent went since."
            ) from None
        except psycopg2.Error as error:
            raise UndoRefused(f"Run {self.run} cannot be taken back ({title}): {told(error)}.") from None
