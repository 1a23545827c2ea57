"""Tries a claim with generated examples; it fails with the error of the simplest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any  # examples of all claims
from unittest import SkipTest

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable, UnsatisfiedAssumption
from hypothesis.strategies import SearchStrategy

from contracts.rows import quickly
from fixer.errors import ContractError

TRIES = 20  # rows that a role is refused before it has written one
Example = Any  # what a strategy gives and its claim takes; examples of all claims are kept in one place

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


class NotApplicable(SkipTest):
    """A claim cannot be tried here; its text is the reason. Hypothesis looks for no simpler one."""


class Shut(UnsatisfiedAssumption):
    """The row of an example cannot be written, or not followed: a right is lacking, or a trigger diverts it."""


def for_all(
    strategy: SearchStrategy[Example], count: int, prove: Callable[[Example], None], subject: str = "the table"
) -> None:
    """Prove `count` examples, and raise the error of the simplest that fails; raise NotApplicable where there is none.

    A strategy gives the same examples each time, so the examples that passed are kept and tried again on the next
    database. Where it can make them quickly, they are tried first: most databases refuse none, and need no search.
    """
    known = strategy, count
    examples = _PASSED.get(known) or _made_quickly(strategy, count)
    broken = _try_again(examples, prove) if examples else None
    if examples and broken is None:
        _PASSED[known] = examples
        return
    passed = _try_new(strategy, count, prove, subject)
    if isinstance(broken, Broken):
        raise broken  # although no new example shows it
    _PASSED[known] = passed


_PASSED: dict[tuple[SearchStrategy[Example], int], tuple[Example, ...]] = {}


def _made_quickly(strategy: SearchStrategy[Example], count: int) -> tuple[Example, ...]:
    """Return examples that were made without hypothesis; none where that is not possible."""
    try:
        return quickly(strategy, count)
    except ContractError:  # the search says why
        return ()


def _try_again(examples: Sequence[Example], prove: Callable[[Example], None]) -> Exception | None:
    """Return the error of an example, None where all pass."""
    try:
        for value in examples:
            prove(value)
    except (Broken, UnsatisfiedAssumption) as error:
        return error
    return None


def _try_new(
    strategy: SearchStrategy[Example], count: int, prove: Callable[[Example], None], subject: str
) -> tuple[Example, ...]:
    """Let hypothesis make examples and simplify what fails; return those that passed."""
    passed: list[Example] = []
    excuses = [f"no row of {subject} could be made that the contract and the rows that are there let in"]

    def try_one(value: Example) -> None:  # short, because hypothesis reads its source each time
        try:
            prove(value)
        except UnsatisfiedAssumption as excuse:
            excuses.append(excuse.reason or excuses[-1])
            if isinstance(excuse, Shut) and not passed and len(excuses) > TRIES:
                raise NotApplicable(excuses[-1]) from None
            raise
        passed.append(value)

    try:
        seed(0)(settings(_SETTINGS, max_examples=count)(given(strategy)(try_one)))()
    except Unsatisfiable:
        raise NotApplicable(excuses[-1]) from None
    except ContractError as error:
        raise NotApplicable(str(error)) from None
    except BaseExceptionGroup as group:
        raise [*_leaves(group)][-1] from None  # the simplest comes last
    return tuple(passed)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
