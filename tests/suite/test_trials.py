"""Trials: what passed elsewhere is tried as it is, and hides nothing that fails here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from contracts import rows
from contracts.proof.trials import Broken, for_all
from contracts.rows.making.draws import Quick


def seen(strategy: Any) -> list[int]:
    found: list[int] = []
    for_all(strategy, 8, found.append)
    return found


def test_what_passed_elsewhere_is_tried_as_it_is() -> None:
    made: list[int] = []
    strategy = st.integers().map(lambda number: made.append(number) or number)
    first, again = seen(strategy), seen(strategy)

    assert again == first == made
    assert len(made) == 8


def test_what_passed_elsewhere_fails_here_by_its_simplest_example() -> None:
    strategy = st.integers(0)
    for_all(strategy, 50, lambda number: None)

    def prove(number: int) -> None:
        if number > 6:
            raise Broken(str(number))

    with pytest.raises(Broken) as caught:
        for_all(strategy, 50, prove)

    assert str(caught.value) == "7"


def test_what_fails_once_is_told_though_it_cannot_be_shown_again() -> None:
    strategy, tried = st.integers(), []
    for_all(strategy, 8, lambda number: None)

    def prove(number: int) -> None:
        tried.append(number)
        if len(tried) == 3:
            raise Broken("the third")

    with pytest.raises(Broken, match="the third"):
        for_all(strategy, 8, prove)


def test_what_cannot_be_judged_here_is_made_anew() -> None:
    strategy, judged = st.integers(), []
    for_all(strategy, 8, lambda number: None)

    def prove(number: int) -> None:
        if number % 2:
            raise UnsatisfiedAssumption
        judged.append(number)

    for_all(strategy, 8, prove)

    assert len(judged) >= 8


def test_what_failed_is_not_kept() -> None:
    strategy = st.integers()

    def prove(number: int) -> None:
        raise Broken("always")

    for _ in range(2):
        with pytest.raises(Broken, match="always"):
            for_all(strategy, 8, prove)


def test_of_several_failures_the_simplest_is_told() -> None:
    def prove(number: int) -> None:
        if number > 1000:
            raise Broken("large")
        if number > 6:
            raise Broken("small")

    with pytest.raises(Broken) as caught:
        for_all(st.integers(0), 100, prove)

    assert str(caught.value) == "small"


# ---- what is made quickly


def test_what_passes_is_made_without_the_engine() -> None:
    makers: list[rows.Draws] = []

    def make(draws: rows.Draws) -> int:
        makers.append(draws)
        return draws.below(1000)

    found = seen(rows.made_by(make))

    assert found[0] == 0
    assert len({*found}) > 4
    assert {type(draws) for draws in makers} == {Quick}


def test_what_fails_is_told_by_the_simplest_that_the_engine_finds() -> None:
    tried: list[int] = []

    def prove(number: int) -> None:
        tried.append(number)
        if number > 6:
            raise Broken(str(number))

    with pytest.raises(Broken) as caught:
        for_all(rows.made_by(lambda draws: draws.below(1000)), 50, prove)

    assert str(caught.value) == "7"
    assert tried[:2] != [0, 7]


def test_what_fails_only_once_is_told_although_the_engine_does_not_find_it() -> None:
    tried: list[int] = []

    def prove(number: int) -> None:
        tried.append(number)
        if len(tried) == 3:
            raise Broken("the third")

    with pytest.raises(Broken, match="the third"):
        for_all(rows.made_by(lambda draws: draws.below(1000)), 8, prove)


def test_what_only_the_engine_can_make_is_left_to_it() -> None:
    found = seen(rows.made_by(lambda draws: draws.single(st.integers(5, 9))))

    assert {*found} <= {5, 6, 7, 8, 9}
    assert len(found) >= 5
