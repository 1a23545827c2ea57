"""Fixtures for tests of undo."""

from __future__ import annotations

import pytest

from fixer.model.plan import MODES


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)
