"""Fixtures for tests of connections."""

from __future__ import annotations

import pytest

from fixer.connect import target


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between tries, which the tests do not sit out."""
    naps: list[float] = []
    monkeypatch.setattr(target, "sleep", naps.append)
    return naps
