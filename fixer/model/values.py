"""Frozen dataclasses that are made when they are first used: a command uses a quarter of all there are."""

from __future__ import annotations

import dataclasses
from abc import ABCMeta
from collections.abc import Callable, Iterator
from threading import RLock
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool = False, **options: bool) -> Callable[[type], type]:
        """Decorate as `dataclasses.dataclass` does, which makes the class once somebody asks for what it makes."""

        def decorate(written: type) -> type:
            if not frozen or not _can_wait(written, slots, options):
                return dataclasses.dataclass(frozen=frozen, slots=slots, **options)(written)
            given = {name: value for name, value in vars(written).items() if name not in _PYTHONS}
            public = _with_slots(written, given) if slots else written
            _Maker(public, given, {"frozen": True, "slots": slots, **options}).stand_in()
            return public

        return decorate


_LOCK = RLock()  # one for all: making a class makes its bases
_PYTHONS = ("__dict__", "__weakref__")  # every class has its own
_GUARDS = ("__setattr__", "__delattr__")
_FIRST = ("__init__", "__match_args__", "__dataclass_fields__", "__getstate__", "__setstate__")
_SELDOM = ("__eq__", "__hash__", "__repr__", "__dataclass_params__")  # most instances are never compared, nor shown


def _can_wait(written: type, slots: bool, options: dict[str, bool]) -> bool:
    """Whether all that is made of a class is what others stand in for until then."""
    own = {*vars(written), *getattr(written, "__abstractmethods__", ())}
    return (
        type(written) in (type, ABCMeta)
        and bool(written.__doc__)
        and options.keys() <= {"eq", "repr"}
        and own.isdisjoint((*_FIRST, *_SELDOM, *_GUARDS))
        and not (slots and any("__slots__" not in vars(base) for base in written.__mro__[1:-1]))
    )


def _with_slots(written: type, given: dict[str, Any]) -> type:
    """Return the class with slots for its fields; their defaults are left to the one that is made."""
    names = [name for name, kind in written.__annotations__.items() if not str(kind).startswith("ClassVar")]
    theirs = {name for base in written.__mro__[1:-1] for name in vars(base)["__slots__"]}
    kept = {name: value for name, value in given.items() if name not in names}
    slots = tuple(name for name in names if name not in theirs)
    public = type(written)(written.__name__, written.__bases__, {**kept, "__slots__": slots})
    public.__qualname__ = written.__qualname__
    return public


class _Maker:
    """What makes a class: what an instance needs, and what few need later; each once."""

    def __init__(self, public: type, given: dict[str, Any], options: dict[str, bool]) -> None:
        self.public, self._given, self._options = public, given, options

    def stand_in(self) -> None:
        """Put something into the class for all that will be made, and the guards, which need no making."""
        fields = [name for name, value in self._given.items() if isinstance(value, dataclasses.Field)]
        for name in (*_FIRST, *_SELDOM, *(() if self._options["slots"] else fields)):
            setattr(self.public, name, _Later(self, name))
        for name, guard in zip(_GUARDS, _guards(self.public), strict=True):
            setattr(self.public, name, guard)

    def make(self, name: str) -> None:
        """Make the class apart, and put what was made in place of what stands in: another thread sees either."""
        with _LOCK:
            if not isinstance(vars(self.public).get(name), _Later):
                return
            seldom = name in _SELDOM
            public, options = self.public, self._options if seldom else {**self._options, "eq": False, "repr": False}
            twin = type(public)(public.__name__, public.__bases__, dict(self._given))
            twin.__qualname__ = public.__qualname__
            made = vars(dataclasses.dataclass(**options)(twin))
            for each in self._waiting(seldom):
                if each not in made:
                    delattr(public, each)
            for each, value in made.items():
                if self._is_new(each, value) and (seldom or each not in _SELDOM):
                    setattr(public, each, value)

    def _waiting(self, seldom: bool) -> Iterator[str]:
        """Yield the names that something stands in for; without those that few need, unless they are asked for."""
        for name, value in [*vars(self.public).items()]:
            if isinstance(value, _Later) and (seldom or name not in _SELDOM):
                yield name

    def _is_new(self, name: str, value: Any) -> bool:
        """Whether the class has this only now."""
        theirs = name in _PYTHONS or name in _GUARDS or name == "__slots__" or isinstance(value, MemberDescriptorType)
        return not theirs and value is not self._given.get(name, self)


class _Later:
    """Stands in a class for what is made; who asks for it gets what was made."""

    __slots__ = ("_maker", "_name")

    def __init__(self, maker: _Maker, name: str) -> None:
        self._maker, self._name = maker, name

    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return what was made, of the class that it was made for."""
        self._maker.make(self._name)
        public = self._maker.public
        if self._name not in vars(public):
            return getattr(super(public, owner if instance is None else instance), self._name)
        found = vars(public)[self._name]
        return found.__get__(instance, owner) if hasattr(found, "__get__") else found


def _guards(public: Any) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return what keeps an instance from being changed, as dataclasses word it."""

    def refuse(self: object, name: str, change: str) -> None:
        if type(self) is public or name in {field.name for field in dataclasses.fields(public)}:
            raise dataclasses.FrozenInstanceError(f"cannot {change} field {name!r}")

    def __setattr__(self: object, name: str, value: object) -> None:  # noqa: N807 - it becomes one
        refuse(self, name, "assign to")
        super(public, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:  # noqa: N807
        refuse(self, name, "delete")
        super(public, self).__delattr__(name)

    return __setattr__, __delattr__
