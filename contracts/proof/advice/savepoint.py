"""A savepoint under which several questions are asked, some of which may raise errors."""

from __future__ import annotations

from types import TracebackType

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class

from fixer.sql.compose import SQL, Composable

_SET = SQL("SAVEPOINT pgmend_judged; ")
_NOTHING = SQL("")
_BACK = SQL("ROLLBACK TO SAVEPOINT pgmend_judged; ")


class Savepoint:
    """Sets the savepoint, or goes back to it after an error, in one round trip with the next question."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._before = _SET
        self._failed = False

    def ask(self, query: Composable) -> None:
        """Execute a query; errors come as they are."""
        before = _BACK if self._failed else self._before
        self._failed = True
        self.cursor.execute(before + query)
        self._failed, self._before = False, _NOTHING

    def __enter__(self) -> Savepoint:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._failed and not self.cursor.connection.closed:
            self.cursor.execute(_BACK)
