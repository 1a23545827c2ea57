"""Keeps values of a strategy that hypothesis drew once: bounds, awkward texts, examples, each as often as it came."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from fixer.errors import ContractError

_AT_ONCE, _EXAMPLES = 16, 3  # together as many values as one claim would draw for a column; the first is the simplest

Value = TypeVar("Value")


@functools.cache
def pool(strategy: SearchStrategy[Value]) -> Sequence[Value]:
    """Return values of a strategy, the simplest first; none where it gives too few."""
    found: list[Value] = []

    def keep(values: list[Value]) -> None:
        found.extend(values if found else values[:1])

    try:
        seed(0)(_SETTINGS(given(st.lists(strategy, min_size=_AT_ONCE, max_size=_AT_ONCE))(keep)))()
    except (Unsatisfiable, ContractError):
        return ()
    return sorted(found, key=lambda value: (value is not None, len(spelt := repr(value)), spelt))


_SETTINGS = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
