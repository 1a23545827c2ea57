"""Fixtures for tests of the runner."""

from __future__ import annotations

import pytest

from lab.database import Database

TRADES = """
INSERT INTO paper_trades (user_id, symbol, action, quantity, price)
SELECT CASE WHEN n % 10 = 0 THEN 100000 + n ELSE 2 + n % 9 END, 'M&M', 'BUY', n, 1 FROM generate_series(1, 20000) AS n
"""


@pytest.fixture
def large(broken: Database) -> Database:
    broken.run(TRADES)
    return broken
