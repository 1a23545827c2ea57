"""The short transactions of one run, each with the settings of the run and of its step."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import MODESTLY, QUIETLY, SWIFTLY, waiting
from fixer.model.plan import PlannedStep
from fixer.runner.journal import definitions, reading
from fixer.runner.journal.definitions import Definitions
from fixer.runner.locking.transaction import configure
from fixer.runner.online.numbers import Aside


class Transactions:
    """The transactions of one run on one connection, which may be `pooled`: a pooler is between us and the server."""

    def __init__(
        self,
        connection: Connection,
        settings: Mapping[str, str],
        schemas: Sequence[str],
        *,
        homes: Sequence[str],
        pooled: bool,
    ) -> None:
        self.connection, self.schemas, self.homes, self.pooled = connection, schemas, homes, pooled
        self.settings = dict(settings)
        self.run = 0  # its number, once it is entered
        self._unanswered = False  # whether the server may have committed without a word to us

    def spell_as_before(self) -> None:
        """Spell values from now on as the run did when it began."""
        self.settings |= reading.spelling(self.connection, self.run)

    def stands(self) -> str:
        """Return the sentence that says what an unfinished run has changed, and how to continue."""
        if not self.run:
            unknown = "No table was changed; whether the run stands in the journal is not known: apply again."
            return unknown if self._unanswered else "Nothing was changed."
        kept = f"as run {self.run}: `fixer apply --mode online` continues from there."
        if self._unanswered:
            return f"Whether the last step was finished is not known; what was is kept {kept}"
        return f"Finished steps are kept {kept}"

    @contextmanager
    def short(
        self, step: PlannedStep | None = None, *, aside: Aside | None = None, lock_timeout: float | None = None
    ) -> Iterator[Cursor]:
        """Lend a cursor for one short transaction, committed at the end."""
        self.connection.rollback()
        chosen = dict(self.settings)
        if lock_timeout is not None:
            chosen |= waiting(lock_timeout)
        if self.run:
            chosen["pgmend.run"] = str(self.run)
        if step is not None:
            chosen |= {"pgmend.step": str(step.number), **SWIFTLY}
            chosen |= aside.settings if aside else {}
        with self.connection.cursor() as cursor:
            configure(cursor, {**chosen, **MODESTLY, **QUIETLY})
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            if not (self.pooled or (step and step.batches.find)):  # a batch reads no definitions
                definitions.prepare(cursor)
            yield cursor
        with self._committing():
            self.connection.commit()

    @contextmanager
    def outside(self) -> Iterator[Cursor]:
        """Lend a cursor outside any transaction."""
        self.connection.rollback()
        self.connection.autocommit = True
        try:
            with self.connection.cursor() as cursor, self._committing():
                yield cursor
        finally:
            if not self.connection.closed:
                self.connection.autocommit = False

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """Note what would be committed in this block as unanswered, until the server answers."""
        self._unanswered = True
        try:
            yield
        except psycopg2.Error:
            self._unanswered = bool(self.connection.closed)
            raise
        self._unanswered = False

    def defined(
        self,
        cursor: Cursor,
        relations: Collection[int],
        *,
        below: bool = False,
        code: Iterable[Sequence[str]] = (),
    ) -> Definitions:
        """Read the definitions of these tables and of all that belongs to them; with `below`, of partitions as well.

        The `code` of these keys is read, too.
        """
        return definitions.read(cursor, relations, self.homes, prepared=not self.pooled, below=below, code=code)
