"""Frozen dataclasses that are made when they are first used: a command uses a quarter of all there are.

`dataclasses` compiles a text for each method that it makes, which takes longer than all that a small check asks of the
class. So an instance is filled, compared and hashed by functions that serve every class, until a class is used often;
`dataclasses` itself tells its fields, and makes what few ask for.
"""

from __future__ import annotations

import dataclasses
from abc import ABCMeta
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any  # fields of any kind

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


Method = Callable[..., Any]
_LOCK = RLock()  # one for all: making a class makes its bases
_PYTHONS = ("__dict__", "__weakref__")  # every class has its own
_GUARDS = ("__setattr__", "__delattr__")
_FIELDS = ("__dataclass_fields__", "__match_args__")
_COMPARING = ("__eq__", "__hash__")
_STATE = ("__getstate__", "__setstate__")  # of a class with slots
_SELDOM = ("__repr__", "__dataclass_params__", *_STATE)  # most instances are never shown, nor copied
OFTEN = 1000  # uses from which on it pays to let `dataclasses` make what serves one class alone
_set = object.__setattr__


def _can_wait(written: type, slots: bool, options: dict[str, bool]) -> bool:
    """Whether all that is made of a class is what others stand in for until then."""
    own = {*vars(written), *getattr(written, "__abstractmethods__", ())}
    return (
        type(written) in (type, ABCMeta)
        and bool(written.__doc__)
        and options.keys() <= {"eq", "repr"}
        and own.isdisjoint({"__init__", *_FIELDS, *_COMPARING, *_SELDOM, *_GUARDS} - {"__repr__"})
        and not any(str(kind).startswith(("InitVar", "KW_ONLY")) for kind in written.__annotations__.values())
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
        self.public, self._given, self._options, self._used = public, given, options, 0

    def stand_in(self) -> None:
        """Put something into the class for all that will be made, and the guards, which need no making."""
        slots, eq = (self._options.get(name, True) for name in ("slots", "eq"))
        shown = self._options.get("repr", True) and "__repr__" not in self._given  # its own stays
        fields = [name for name, value in self._given.items() if isinstance(value, dataclasses.Field)]
        names = ["__init__", *_FIELDS, "__dataclass_params__", *(_STATE if slots else fields)]
        for name in (*names, *(_COMPARING if eq else ()), *(["__repr__"] if shown else ())):
            setattr(self.public, name, _Later(self, name))
        for name, guard in zip(_GUARDS, _guards(self.public), strict=True):
            setattr(self.public, name, guard)

    def make(self, name: str) -> None:
        """Make what a name stands in for, with all that comes with it: another thread sees either."""
        with _LOCK:
            if not isinstance(vars(self.public).get(name), _Later):
                return
            seldom = name in _SELDOM
            made = self.whole() if seldom else self._first()
            for each, value in [*vars(self.public).items()]:
                if isinstance(value, _Later) and (each in _SELDOM) == seldom:
                    if each in made:
                        setattr(self.public, each, made[each])
                    else:  # a field without a default
                        delattr(self.public, each)

    def whole(self) -> dict[str, Any]:
        """Return all that `dataclasses` makes of the class."""
        public, options = self.public, self._options
        twin = type(public)(public.__name__, public.__bases__, dict(self._given))
        twin.__qualname__ = public.__qualname__
        return dict(vars(dataclasses.dataclass(**options)(twin)))

    def use(self) -> None:
        """Count what is done by what serves every class; once that is often, put what serves this one in its place."""
        self._used += 1
        if self._used == OFTEN:
            made = self.whole()
            for name in {"__init__", *_COMPARING} & vars(self.public).keys():
                setattr(self.public, name, made[name])

    def _first(self) -> dict[str, Any]:
        """Return the fields, which `dataclasses` tells of a class that has only them, and what works by them."""
        names = self.public.__annotations__
        own = {name: value for name, value in self._given.items() if name in names}
        about = {"__annotations__": names, "__doc__": "Fields.", "__module__": self.public.__module__}
        written: type = type(self.public.__name__, (), {**own, **about})
        lean: type = dataclasses.dataclass(init=False, repr=False, eq=False)(written)
        theirs = (getattr(base, _FIELDS[0], {}) for base in self.public.__mro__[-1:0:-1])
        every = {name: each for fields in theirs for name, each in fields.items()} | vars(lean)[_FIELDS[0]]
        self.public.__dataclass_fields__ = every  # type: ignore[attr-defined]
        if replace := vars(lean).get("__replace__"):  # from Python 3.13 on
            self.public.__replace__ = replace  # type: ignore[attr-defined]
        fields = dataclasses.fields(self.public)
        methods = (_filling(self, fields), *_comparing(self, fields))
        for method in methods:
            method.__qualname__ = f"{self.public.__qualname__}.{method.__name__}"
            method.__module__ = self.public.__module__
        by_place = tuple(each.name for each in fields if each.init and not each.kw_only)
        named = {each.__name__: each for each in methods}
        return {**vars(lean), **named, "__dataclass_fields__": every, "__match_args__": by_place}


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


def _filling(maker: _Maker, fields: Sequence[dataclasses.Field[Any]]) -> Method:
    """Return what fills an instance; what does not fit the fields is for `dataclasses` to refuse, in its words."""
    if not all(each.init for each in fields):
        made: Method = maker.whole()["__init__"]
        return made
    names = tuple(each.name for each in sorted(fields, key=lambda each: bool(each.kw_only)))
    by_place = sum(not each.kw_only for each in fields)
    defaults = {each.name: each.default for each in fields if each.default is not dataclasses.MISSING}
    factories = [(f.name, f.default_factory) for f in fields if f.default_factory is not dataclasses.MISSING]
    has_more = hasattr(maker.public, "__post_init__")

    def arranged(values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...] | None:
        maker.use()
        placed = names[: len(values)]
        given = {**defaults, **dict(zip(placed, values, strict=False)), **named}
        for name, factory in factories:
            if name not in given:
                given[name] = factory()
        try:
            chosen = tuple(map(given.__getitem__, names))
        except KeyError:
            return None
        fits = len(values) <= by_place and len(given) == len(names) and named.keys().isdisjoint(placed)
        return chosen if fits else None

    def __init__(self: Any, /, *values: Any, **named: Any) -> None:  # noqa: N807 - it becomes one
        chosen = values if len(values) == len(names) == by_place and not named else arranged(values, named)
        if chosen is None:
            maker.whole()["__init__"](self, *values, **named)
            return
        any(map(_set, repeat(self), names, chosen))  # sets all: each call returns None
        if has_more:
            self.__post_init__()

    return __init__


def _comparing(maker: _Maker, fields: Sequence[dataclasses.Field[Any]]) -> tuple[Method, Method]:
    """Return what compares two instances, and what hashes one."""
    told = _values_of([each.name for each in fields if each.compare])
    known = _values_of([each.name for each in fields if (each.compare if each.hash is None else each.hash)])

    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        maker.use()
        return told(self) == told(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807
        maker.use()
        return hash(known(self))

    return __eq__, __hash__


def _values_of(names: Sequence[str]) -> Callable[[object], tuple[Any, ...]]:
    """Return what gives the values of these fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple(getattr(instance, name) for name in names)


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
