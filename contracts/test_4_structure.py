"""Point 4: columns, types, nullability, defaults, unique constraints, checks and indexes match the contract."""

from __future__ import annotations

import pytest

from contracts.proof.cases import Case
from contracts.proof.claims import assert_nothing_found
from contracts.proof.databases.place import Place

pytestmark = pytest.mark.point4


def test_structure_holds(place: Place, case: Case) -> None:
    """The column exists, with its type or a wider one, its nullability and its default."""
    assert_nothing_found(place, case)


def test_unique_holds(place: Place, case: Case) -> None:
    """These columns have a unique constraint or index, and no two rows break it."""
    assert_nothing_found(place, case)


def test_check_holds(place: Place, case: Case) -> None:
    """The check exists, is validated, and every row obeys it."""
    assert_nothing_found(place, case)


def test_index_holds(place: Place, case: Case) -> None:
    """These columns have a valid index."""
    assert_nothing_found(place, case)


def test_nothing_else_is_wrong(place: Place, case: Case) -> None:
    """The table exists, and no finding is left that has no item of its own."""
    assert_nothing_found(place, case)
