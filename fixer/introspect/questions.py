"""Asks the catalogue queries one after another, beside the thread that puts the answers together.

So the server works on the next question while the last answer is read, and neither waits for the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any  # the cells of an answer, which psycopg2 gives without their types

from psycopg2.extensions import cursor as Cursor  # noqa: N812

_HERE = Path(__file__).parent
_FOLDERS = ("queries", "further", "session", "dependents", "expressions", "contracts")
CANCEL_AGAIN = 0.1  # seconds; a server to which a question has not come yet has nothing to cancel
Rows = list[tuple[Any, ...]]
Answer = Callable[[], Rows]  # waits for it, and raises what the question raised
Ask = Callable[..., Answer]  # the query's name, statements to go before it, and their parameters


@cache
def query(name: str) -> str:
    """Return the text of the catalogue query `name`."""
    return _files()[name].read_text(encoding="utf-8")


def queries() -> list[str]:
    """Return the texts of all the queries: what other texts have read must be read anew."""
    return [query(name) for name in _files()]


@contextmanager
def asking(cursor: Cursor) -> Iterator[Ask]:
    """Lend a way to ask questions ahead, each answered after those before it.

    The cursor's connection is busy until all of them are answered: at the end of this context. Where one
    fails, those behind it fail alike; where the context is left early, they are not asked, and Ctrl-C cancels
    the one that is under way.
    """
    failures: list[BaseException] = []
    numbers = count()
    asked: dict[int, Future[Rows]] = {}  # until they are answered: the rows are the asker's alone

    def fetch(text: str, parameters: tuple[object, ...]) -> Rows:
        if failures:
            raise failures[0]
        try:
            cursor.execute(text, parameters or None)
            return cursor.fetchall()
        except BaseException as failure:
            failures.append(failure)
            raise

    with ThreadPoolExecutor(1, "pgmend-catalog") as beside:

        def ask(name: str, before: str = "", *parameters: object) -> Answer:
            number = next(numbers)
            asked[number] = beside.submit(fetch, before + query(name), parameters)
            return partial(_answer, asked, number)

        try:
            yield ask
        except BaseException as reason:
            beside.shutdown(wait=False, cancel_futures=True)
            while isinstance(reason, KeyboardInterrupt) and any(future.running() for future in asked.values()):
                cursor.connection.cancel()
                time.sleep(CANCEL_AGAIN)
            raise


def _answer(asked: dict[int, Future[Rows]], number: int) -> Rows:
    """Wait for an answer, and return it for good."""
    rows = asked[number].result()
    del asked[number]
    return rows


@cache
def _files() -> dict[str, Path]:
    """Return the query files by name: those that every reading asks, and those for what was found by them."""
    found = (file for folder in _FOLDERS for file in (_HERE / folder).iterdir())
    return {file.name.removesuffix(".sql"): file for file in sorted(found, key=lambda file: file.name)}


def beside(statements: str) -> str:
    """Return statements so that they can stand before one with parameters."""
    return statements.replace("%", "%%")
