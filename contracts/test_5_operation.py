"""Point 5: the database accepts generated good rows and refuses bad ones, as an application writes them."""

from __future__ import annotations

import pytest

from contracts.proof.cases import Case
from contracts.proof.claims import assert_behaves, assert_nothing_found
from contracts.proof.databases.place import Place

pytestmark = pytest.mark.point5


def test_nothing_unknown_is_demanded(place: Place, case: Case) -> None:
    """The table requires nothing of a row that the contract lacks."""
    assert_nothing_found(place, case)


def test_good_rows_go_in_change_and_go_out(place: Place, case: Case) -> None:
    """Good rows can be inserted, read back unchanged, updated and deleted."""
    from contracts.proof.good_rows import good_rows_live

    assert_behaves(good_rows_live, place, case)


def test_rows_alike_outside_their_keys_go_in(place: Place, case: Case) -> None:
    """A row goes in beside another that it repeats wherever no key needs them to differ."""
    from contracts.proof.good_rows import alike_rows_live

    assert_behaves(alike_rows_live, place, case)


def test_bad_row_is_refused(place: Place, case: Case) -> None:
    """A row that is bad in this one way is refused with the right SQLSTATE."""
    from contracts.proof.bad_rows import bad_row_is_refused

    assert_behaves(bad_row_is_refused, place, case)


def test_oversized_value_is_refused_or_kept_whole(place: Place, case: Case) -> None:
    """A value that oversteps its type is refused, or kept whole where the column is wider."""
    from contracts.proof.bad_rows import oversized_is_refused_or_kept

    assert_behaves(oversized_is_refused_or_kept, place, case)


def test_nul_is_refused_cleanly(place: Place, case: Case) -> None:
    """A text with a NUL is refused, and the connection goes on."""
    from contracts.proof.bad_rows import nul_is_refused

    assert_behaves(nul_is_refused, place, case)
