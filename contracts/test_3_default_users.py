"""Point 3: the default rows exist, and many processes at the same time create each of them once."""

from __future__ import annotations

import pytest

from contracts.proof.cases import Case
from contracts.proof.claims import assert_behaves, assert_nothing_found
from contracts.proof.databases.place import Place

pytestmark = pytest.mark.point3


def test_default_row_exists(place: Place, case: Case) -> None:
    """The default row exists, and no other row has its key."""
    assert_nothing_found(place, case)


def test_default_row_is_created_once(place: Place, case: Case) -> None:
    """When many processes create a row like the default row at the same time, exactly one creates it."""
    from contracts.proof.default_rows import default_row_is_created_once

    assert_behaves(default_row_is_created_once, place, case)
