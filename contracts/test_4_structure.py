"""Point 4: columns, types, nullability, defaults, unique constraints, checks and indexes match the contract."""

from __future__ import annotations

import pytest

from contracts.proof.cases import Case
from contracts.proof.claims import assert_nothing_found
from contracts.proof.databases.place import Place

pytestmark = pytest.mark.point4


def test_structure_holds(place: Place, case: Case) -> None:
    """The column is there, with its type or a wider one, its nullability and its default."""
    assert_nothing_found(place, case)


def test_unique_holds(place: Place, case: Case) -> None:
    """A unique constraint or index stands on these columns, and no two rows break it."""
    assert_nothing_found(place, case)


def test_check_holds(place: Place, case: Case) -> None:
    """The check is there, validated, and every row obeys it."""
    assert_nothing_found(place, case)


def test_index_holds(place: Place, case: Case) -> None:
    """A valid index stands on these columns."""
    assert_nothing_found(place, case)


def test_nothing_else_is_wrong(place: Place, case: Case) -> None:
    """The table is there, and nothing is wrong with it that has no item of its own."""
    assert_nothing_found(place, case)
