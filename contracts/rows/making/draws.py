"""Where the choices of an example come from: hypothesis, which finds the simplest that fails, or quickly from chance.

The engine of hypothesis takes longer over a row than PostgreSQL. So what is made of choices can be made without it, of
values that it drew once; only where one fails does the engine look for the simplest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar  # strategies of any kind
from weakref import WeakKeyDictionary

from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.strategies import DrawFn, SearchStrategy

from contracts.rows.making.pools import pool

_PATIENCE = 4  # examples that are tried for one that no law discards

Made = TypeVar("Made")
Choice = TypeVar("Choice")


class Draws:
    """The choices of one example, which hypothesis makes."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        """Choose a number from 0 to `count` - 1."""
        return self._draw(st.integers(0, count - 1))

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """Choose one of several."""
        return choices[0] if len(choices) == 1 else self._draw(st.sampled_from(choices))

    def value(self, strategy: SearchStrategy[Made]) -> Made:
        """Choose a value of a strategy that serves for many examples."""
        return self._draw(strategy)

    def single(self, strategy: SearchStrategy[Made]) -> Made:
        """Choose a value of a strategy that serves for this example only."""
        return self._draw(strategy)

    def made(self, strategy: SearchStrategy[Made]) -> Made:
        """Make what a strategy of `made_by` gives."""
        return self._draw(strategy)


class NotQuick(Exception):
    """An example can be made by hypothesis only."""


class Quick(Draws):
    """The choices of one example, which its number makes: 0 those of the simplest one, any other at random."""

    def __init__(self, number: int) -> None:
        self._random = Random(number) if number else None

    def below(self, count: int) -> int:
        """Choose a number from 0 to `count` - 1."""
        return self._random.randrange(count) if self._random else 0

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """Choose one of several."""
        return choices[self.below(len(choices))]

    def value(self, strategy: SearchStrategy[Made]) -> Made:
        """Choose one of the values that hypothesis drew once."""
        found: Sequence[Made] = pool(strategy)
        if not found:
            raise NotQuick
        return self.one_of(found)

    def single(self, strategy: SearchStrategy[Made]) -> Made:
        """Leave it to hypothesis: to draw several values for one example takes longer than the example."""
        raise NotQuick

    def made(self, strategy: SearchStrategy[Made]) -> Made:
        """Make what a strategy of `made_by` gives."""
        return _maker(strategy)(self)


_MAKERS: WeakKeyDictionary[SearchStrategy[Any], Any] = WeakKeyDictionary()  # each makes what its strategy gives


def _maker(strategy: SearchStrategy[Made]) -> Callable[[Draws], Made]:
    found: Callable[[Draws], Made] = _MAKERS[strategy]
    return found


def made_by(make: Callable[[Draws], Made]) -> SearchStrategy[Made]:
    """Return the strategy that gives what a function makes of choices."""
    strategy = _made(make)
    _MAKERS[strategy] = make
    return strategy


@st.composite
def _made(draw: DrawFn, make: Callable[[Draws], Made]) -> Made:
    return make(Draws(draw))


def quickly(strategy: SearchStrategy[Made], count: int) -> tuple[Made, ...]:
    """Return so many examples of a strategy, the simplest first, the same each time; none where that takes hypothesis.

    Raises what the strategy raises.
    """
    if strategy not in _MAKERS:
        return ()
    found, number = list[Made](), 0
    while len(found) < count and number < _PATIENCE * count:
        try:
            found.append(Quick(number).made(strategy))
        except NotQuick:
            return ()
        except UnsatisfiedAssumption:
            pass
        number += 1
    return tuple(found) if len(found) == count else ()
