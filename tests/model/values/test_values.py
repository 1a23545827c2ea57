"""Values are as `dataclasses.dataclass` makes them, although most of a class is made later."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, field, fields, replace

import pytest

from fixer.model.values import dataclass
from fixer.model.values.patterns import pattern


@dataclass(frozen=True)
class Plain:
    """A value of each kind of field."""

    name: str
    size: int = 3
    parts: Mapping[str, int] = field(default_factory=dict)
    note: str = field(default="", compare=False, repr=False)
    last: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Heir(Plain):
    """A value with a field more."""

    more: int = 0


@dataclass(frozen=True, slots=True)
class Slotted:
    """A value without a dictionary."""

    name: str
    size: int = 3


@dataclass(frozen=True)
class Named:
    """A value whose field is called as parts of its constructor may be."""

    value: int
    cells: int = 0


@dataclass(frozen=True)
class Bounded:
    """A value that looks at itself, with a hash of its own."""

    size: int

    def __post_init__(self) -> None:
        """Refuse a negative size."""
        if self.size < 0:
            raise ValueError("negative")

    def __hash__(self) -> int:
        return 7


def test_the_constructor_takes_fields_by_place_and_by_name() -> None:
    made = Heir("a", 1, {"b": 2}, "c", 4, last=True)
    assert dataclasses.asdict(made) == {"name": "a", "size": 1, "parts": {"b": 2}, "note": "c", "more": 4, "last": True}
    assert Plain(name="a") == Plain("a", 3)
    assert Named(value=1, cells=2) == Named(1, 2)
    assert Plain("a").parts is not Plain("a").parts


def test_a_wrong_call_is_refused_in_the_words_of_python() -> None:
    with pytest.raises(TypeError, match=r"Plain.__init__\(\) missing 1 required positional argument: 'name'"):
        Plain()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        Plain("a", other=1)  # type: ignore[call-arg]


def test_cells_that_count_are_compared_and_hashed() -> None:
    assert Slotted("a", 1) == Slotted("a", 1)
    assert Slotted("a", 1) != Slotted("a", 2)
    assert hash(Slotted("a", 1)) == hash(Slotted("a", 1))
    assert Plain("a", note="b") == Plain("a", note="c")
    assert Plain("a") != Heir("a")
    assert hash(Bounded(1)) == 7


@pytest.mark.parametrize("value", [Plain("a"), Heir("a"), Slotted("a"), Bounded(1)])
def test_no_value_changes(value: Plain) -> None:
    first = fields(value)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(value, first, "b")
    with pytest.raises(FrozenInstanceError):
        delattr(value, first)


def test_a_value_shows_its_cells() -> None:
    assert repr(Plain("a", note="b")) == "Plain(name='a', size=3, parts={}, last=False)"
    assert repr(Slotted("a")) == "Slotted(name='a', size=3)"


def test_a_value_is_replaced_copied_and_pickled() -> None:
    assert replace(Heir("a", more=2), size=5) == Heir("a", 5, more=2)
    for value in (Heir("a", more=2), Slotted("b", 4)):
        assert copy.copy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value


def test_a_value_looks_at_itself_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="negative"):
        Bounded(-1)


def test_what_changes_is_no_value() -> None:
    with pytest.raises(TypeError, match="frozen"):
        dataclass(frozen=False)


def test_a_pattern_is_compiled_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = pattern("a[0-9]+", re.IGNORECASE)
    asked: list[str] = []
    real = re.compile

    def noted(words: str, flags: int) -> re.Pattern[str]:
        asked.append(words)
        return real(words, flags)

    monkeypatch.setattr(re, "compile", noted)
    assert asked == []
    assert digits.sub("-", "A12b") == "-b"
    assert digits.sub("-", "a1") == "-"
    assert asked == ["a[0-9]+"]
