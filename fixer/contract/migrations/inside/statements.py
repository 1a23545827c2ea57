"""Runs statements that name roles, extensions or what else may not be there; asks what to do when one fails."""

from __future__ import annotations

import re
from typing import Any  # what drivers and SQLAlchemy hand over

from fixer.contract.migrations.inside.line import Line


class Statements:
    """Runs statements that name roles, extensions or what else may not be there; asks when one fails."""

    def __init__(self, line: Line, naming: str, heeding: str) -> None:
        self.line, self.naming, self.heeding = line, re.compile(naming, re.IGNORECASE), heeding

    def listen(self) -> None:
        """Hear of every statement before it runs."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "do_execute", self._given)
        event.listen(Engine, "do_execute_no_params", lambda cursor, text, at: self._given(cursor, text, None, at))

    def _given(self, cursor: Any, text: str, values: Any, context: Any) -> bool | None:
        if not self.naming.search(text):
            return None
        self._run(cursor, text, [] if values is None else [values], context)
        return True

    def _run(self, cursor: Any, text: str, values: list[Any], context: Any) -> None:
        answer = "again"
        while answer == "again":
            inside = self._mark(context, "SAVEPOINT pgmend")
            try:
                cursor.execute(text, *values)
            except context.dialect.loaded_dbapi.Error as error:
                answer = self.line.ask(statement=text, said=words_of(error)[0])
                if answer == "raise":
                    raise
                if inside:
                    back = "ROLLBACK TO SAVEPOINT pgmend"
                    self._mark(context, back, self.heeding, back)
            else:
                if inside:
                    self._mark(context, "RELEASE SAVEPOINT pgmend")
                return
        for part in answer:
            self._run(cursor, part, values, context)

    def _mark(self, context: Any, *texts: str) -> bool:
        """Run statements of ours beside; return whether there is a transaction for them."""
        cursor = context.root_connection.connection.cursor()
        try:
            for text in texts:
                cursor.execute(text)
        except context.dialect.loaded_dbapi.Error:
            return False
        finally:
            cursor.close()
        return True


def words_of(error: Any) -> tuple[str, str]:
    """Return the first line of what the database says, and its SQLSTATE, whatever the driver is."""
    own = error.__cause__ if type(error).__module__.startswith("sqlalchemy.") and error.__cause__ else error
    primary = getattr(getattr(own, "diag", None), "message_primary", None) or getattr(own, "message", None)
    line = (str(primary or own).strip() or type(own).__name__).splitlines()[0]
    return line, getattr(own, "sqlstate", None) or getattr(own, "pgcode", None) or ""
