"""Fixtures for tests of comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.laboratory import Case, Laboratory


@pytest.fixture
def library(laboratory: Laboratory) -> Iterator[Case]:
    """A sound library: 12 authors, their books, and reviews of those."""
    with laboratory.database(18) as case:
        yield case
