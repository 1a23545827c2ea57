"""A savepoint under which several questions are asked, some of which may raise errors."""

from __future__ import annotations

from types import TracebackType

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from fixer.sql.compose import SQL, Composable

_SET = SQL("SAVEPOINT pgmend_judged")
_BACK = SQL("ROLLBACK TO SAVEPOINT pgmend_judged; ")


class Savepoint:
    """Sets the savepoint, or goes back to it after an error, before the next question.

    It does so by itself: where a question cannot be parsed, no statement beside it runs.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._set = self._failed = False

    def ask(self, query: Composable) -> None:
        """Execute a query; errors come as they are."""
        if not self._set:
            self.cursor.execute(_SET)
        elif self._failed:
            self.cursor.execute(_BACK)
        self._set = self._failed = True
        self.cursor.execute(query)
        self._failed = False

    def __enter__(self) -> Savepoint:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._failed and not self.cursor.connection.closed:
            self.cursor.execute(_BACK)
