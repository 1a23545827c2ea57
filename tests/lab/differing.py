"""Runs a test with values of a strategy that really differ: Hypothesis alone repeats each with small changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TypeVar
from unittest import SkipTest

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
_DRAWN = 20  # values that are drawn at most for each that is tried


def try_different(
    test: Callable[[T], None],
    values: SearchStrategy[T],
    *,
    count: int,
    first: int,
    differs: Callable[[T], Hashable],
    shrinks: bool,
) -> int:
    """Run a test with so many values, no two of which agree in what `differs`; return how many ran.

    `first` is the seed. If the test fails, that is raised, by the least value with which it does if it `shrinks`.
    """
    seen, failed = set[Hashable](), False

    @seed(first)
    @settings(
        max_examples=_DRAWN * count,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def tried(value: T) -> None:
        nonlocal failed
        if not failed and len(seen) == count:
            raise SkipTest("all have run")  # the one exception that Hypothesis lets through at once
        if not failed and differs(value) in seen:
            return
        seen.add(differs(value))
        try:
            test(value)
        except BaseException:
            failed = True  # from here on, Hypothesis repeats it to shrink it
            raise

    with suppress(SkipTest):
        tried()
    return len(seen)
