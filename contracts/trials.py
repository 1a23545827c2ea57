"""Trials: a claim is tried with generated examples, and fails with what the simplest of them says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from fixer.errors import ContractError

_SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


class Broken(Exception):
    """A claim does not hold; its text is the evidence."""


class NotApplicable(Exception):
    """A claim cannot be tried here; its text is the reason."""


def for_all(strategy: SearchStrategy[Any], count: int, prove: Callable[[Any], None]) -> None:
    """Try examples, and raise what the simplest one raises that fails."""

    def try_one(value: Any) -> None:  # short, since hypothesis reads its source each time
        prove(value)

    try:
        seed(0)(settings(_SETTINGS, max_examples=count)(given(strategy)(try_one)))()
    except Unsatisfiable:
        raise NotApplicable("no row could be made that a check of its own would take") from None
    except ContractError as error:
        raise NotApplicable(str(error)) from None
    except BaseExceptionGroup as group:
        raise next(_leaves(group)) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
