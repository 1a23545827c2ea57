"""Fixtures for tests of the runner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.database import STORY, Database, lent_copy, load
from lab.laboratory import Laboratory

TRADES = """
INSERT INTO paper_trades (user_id, symbol, action, quantity, price)
SELECT CASE WHEN n % 10 = 0 THEN 100000 + n ELSE 2 + n % 9 END, 'M&M', 'BUY', n, 1 FROM generate_series(1, 20000) AS n
"""


@pytest.fixture
def large(laboratory: Laboratory) -> Iterator[Database]:
    def make(database: Database) -> None:
        load(database, STORY)
        database.run(TRADES)

    with lent_copy(laboratory, 18, "large", make) as database:
        yield database
