"""The library of the specimens, broken in ways that several tests need."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from lab.database import Database, copied
from lab.laboratory import Laboratory
from lab.online import APPLY
from lab.process import fixer

LIBRARY = ("--contract", "fixer.defects._databases:library")
FREE = "ALTER TABLE reviews DROP CONSTRAINT reviews_book_id_fkey; ALTER TABLE reviews ALTER book_id TYPE bigint;"
TWICE = (
    f"{FREE} ALTER TABLE books DROP CONSTRAINT books_pkey;"
    "INSERT INTO books SELECT id, author_id, editor_id, NULL, 'another', price, pages FROM books WHERE id < 4;"
)
FURTHER = 10_000  # where somebody counts without the generator, it goes so much further online


@contextmanager
def library(laboratory: Laboratory, version: int, breaks: str) -> Iterator[Database]:
    """Lend a broken library that nobody else looks at."""
    with copied(laboratory.server(version), laboratory.sound(version).template) as database:
        database.run(breaks)
        yield database


def apply(database: Database, *words: object) -> subprocess.CompletedProcess[str]:
    return fixer(*APPLY, *LIBRARY, *words, "--dsn", database.dsn)
