"""Writes the rows of one step in batches; the size of the next batch follows the time that the last one took."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.settings import FOR_ROWS, IN_FRONT
from fixer.model.plan import PlannedStep
from fixer.runner.journal import notes, parentless, writing
from fixer.runner.locking.transaction import TRANSIENT
from fixer.runner.online.numbers import Aside, left_aside
from fixer.runner.online.overtaken import failed
from fixer.runner.online.steps import Standing, Work, execute, is_strong, waits
from fixer.runner.row_places import Place, point, point_at_pages, search
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Literal

ATTEMPTS = 20  # to write a batch, while others have locked some of its rows
PASSES = 10_000  # most searches for the rows of one step
TARGET = 0.02  # seconds that a batch should take, since others may wait that long for its rows
SMALLEST, FIRST, LARGEST = 20, 200, 20_000  # rows of a batch
FIRST_PAGES, MOST_PAGES = 4, 512

Pointing = Callable[[Cursor], None]  # passes the places of its rows to the next statement


def in_batches(work: Work, standing: Standing, step: PlannedStep) -> int:
    """Write the rows of a step in batches, until none is found or none can be written; return how many it wrote."""
    batches = _Batches(work, standing, step)
    if step.batches.pages:
        batches.by_pages()
    for _ in range(PASSES):
        places = batches.found()
        written = batches.by_places(places) if places else 0
        if not written or written == len(places) < LARGEST:
            break  # all are written, or none can be: the next plan finds out why
    return batches.rows


class _Batches:
    """The batches of one step: the size of the next one, and what those before have written."""

    def __init__(self, work: Work, standing: Standing, step: PlannedStep) -> None:
        self.work, self.standing, self.step = work, standing, step
        self.size, self.rows = FIRST, 0
        self.orphans = Counter[str]()  # orphans among the rows moved so far, by foreign key
        self.question: parentless.Question | None = None  # the query that counts them, composed once
        self.imaged: Mapping[str, int] | None = None  # the columns in the step's images, read once

    def found(self) -> list[Place]:
        """Return the places of rows to be written, each with that of its keeper, if it has one."""
        with self.work.transactions.short(self.step, aside=self._aside) as cursor:
            try:
                # Hash joins stay on, unlike in atomic mode: without them, only parallel workers sort fast enough.
                cursor.execute(search(self.step, LARGEST))
                return cursor.fetchall()
            except psycopg2.Error as error:
                raise self._failed(error) from None

    def by_places(self, places: Sequence[Place]) -> int:
        """Write the rows at these places; return how many were written."""
        before, at = self.rows, 0
        while at < len(places):
            part = places[at : at + self.size]
            at += len(part)
            if (seconds := self._batch(partial(point, places=part))) is not None:
                self.size = max(SMALLEST, min(int(self.size * _faster(seconds)), LARGEST))
        return self.rows - before

    def by_pages(self) -> None:
        """Go through the whole table once, by ranges of pages."""
        page, at_once, pages = 0, FIRST_PAGES, self._pages()
        while page < pages:
            until = min(page + at_once, pages)
            seconds = self._batch(partial(point_at_pages, first=page, until=until))
            page = until
            at_once = max(1, min(int(at_once * _faster(TARGET if seconds is None else seconds)), MOST_PAGES))

    def _pages(self) -> int:
        with self.work.transactions.short() as cursor:
            cursor.execute(
                SQL("SELECT pg_relation_size({}::regclass) / current_setting('block_size')::bigint").format(
                    Literal(q.quoted(self.step.table))
                )
            )
            (pages,) = cursor.fetchone() or (0,)
            return int(pages)

    def _batch(self, pointing: Pointing) -> float | None:
        """Write one batch; return the seconds that it took, or None if others keep rows of it locked."""
        self.work.pacer.breathe()
        strong, begun = is_strong(self.step), time.monotonic()
        for attempt in count() if strong else range(ATTEMPTS):
            started = time.monotonic()
            try:
                rows = self._written(pointing)
            except TRANSIENT as error:
                self.size = max(SMALLEST, self.size // 2)
                pause = 0.02 * (attempt + 1)
                if strong:  # others queue behind a strong lock: request it at most a tenth of the time
                    waits(self.work, self.step, error, since=begun)
                    pause = 10 * IN_FRONT
                self.work.sleep(pause * (0.5 + random.random()))
            except psycopg2.Error as error:
                raise self._failed(error) from None
            else:
                seconds = time.monotonic() - started
                self.rows += rows
                self.standing.stirred |= rows > 0
                self.work.progress.rows(self.step, self.rows)
                return seconds
        self.standing.stirred = True
        return None  # the next search finds these rows again

    def _written(self, pointing: Pointing) -> int:
        """Write one batch in a transaction of its own; return how many rows were written."""
        timeout = IN_FRONT if is_strong(self.step) else FOR_ROWS
        with self.work.transactions.short(self.step, aside=self._aside, lock_timeout=timeout) as cursor:
            pointing(cursor)
            for first in filter(None, (self.step.batches.known, self.step.batches.hold)):
                cursor.execute(first)
            rows, places = execute(cursor, self.step)
            question = self.question or parentless.compose(cursor, self.step, self.standing.was)
            imaged = notes.imaged(cursor, self.step) if self.imaged is None else self.imaged
            orphans = self.orphans + Counter(parentless.count(cursor, question, places))
            run = self.work.transactions.run
            writing.enter_step(cursor, run, self.step, rows, orphans=orphans, imaged=imaged)
            left = left_aside(cursor, self.step)
        self.orphans, self.question, self.imaged = orphans, question, imaged
        self.standing.set_aside(self.step.table, left)
        return rows

    @property
    def _aside(self) -> Aside | None:
        return self.standing.aside.get(self.step.table)

    def _failed(self, error: psycopg2.Error) -> Exception:
        stands = self.work.transactions.stands()
        return failed(self.step, error, stands, is_aside=self._aside is not None)


def _faster(seconds: float) -> float:
    """Return the factor by which the next batch may be larger, from 0.5 to 2."""
    return max(0.5, min(TARGET / max(seconds, 0.001), 2.0))
