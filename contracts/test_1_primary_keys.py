"""Point 1: every table has its primary key, and its id sequence is past the highest id.

It only reads: a write would advance a lagging sequence and hide the fault.
"""

from __future__ import annotations

import pytest

from contracts.proof.cases import Case
from contracts.proof.claims import assert_nothing_found
from contracts.proof.databases.place import Place

pytestmark = pytest.mark.point1


def test_primary_key_holds(place: Place, case: Case) -> None:
    """The table has its primary key: on exactly its columns, valid, immediate, with no NULL and no duplicate."""
    assert_nothing_found(place, case)


def test_generator_is_ahead(place: Place, case: Case) -> None:
    """A sequence or identity is attached to the column, owned by it, wide enough, and past the highest id."""
    assert_nothing_found(place, case)
