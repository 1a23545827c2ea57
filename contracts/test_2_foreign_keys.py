"""Point 2: every foreign key exists, is enforced, and no row under it is an orphan."""

from __future__ import annotations

import pytest

from contracts.proof.cases import Case
from contracts.proof.claims import assert_nothing_found
from contracts.proof.databases.place import Place

pytestmark = pytest.mark.point2


def test_foreign_key_holds(place: Place, case: Case) -> None:
    """The key references the right columns with its actions, is valid and enforced, and every row has its parent."""
    assert_nothing_found(place, case)
