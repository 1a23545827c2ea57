"""The decorator of all values: what a class needs besides its fields is made with its first instance.

`dataclasses.dataclass` compiles six functions a class, which is a third of the start of a command that makes instances
of few classes. This one compiles the constructor alone, when it is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool = False, repr: bool = True, eq: bool = True) -> Callable[[type], type]:
        """Return what makes a class as `dataclasses.dataclass` does; all values are frozen."""
        if not frozen:
            raise TypeError("a value is frozen: for what changes, take dataclasses.dataclass")

        def made(plain: type) -> type:
            kind = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(plain)
            ways = _changing(kind) | (_keeping if slots else {}) | (_comparing(kind) if eq else {})
            ways |= {"__repr__": _shown} if repr else {}
            for name, way in ways.items():
                if plain.__dict__.get(name) is None:
                    setattr(kind, name, way)
            if "__init__" not in plain.__dict__:
                kind.__init__ = _first(kind)
            return kind

        return made


def _first(kind: type[Any]) -> Callable[..., None]:
    """Return what takes the place of the constructor until it is called."""

    def first(value: Any, /, *cells: Any, **named: Any) -> None:
        kind.__init__ = constructor = _constructor(kind)
        constructor(value, *cells, **named)

    first.__qualname__ = f"{kind.__qualname__}.__init__"
    return first


def _constructor(kind: type[Any]) -> Callable[..., None]:
    """Compile the constructor of a class from its fields."""
    given: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
    words: list[str] = []
    named: list[str] = []
    lines: list[str] = []
    for each in dataclasses.fields(kind):
        value, default = each.name, f"_of_{each.name}"
        if each.default_factory is not MISSING:
            given[default] = each.default_factory
            value = f"{default}() if {each.name} is _missing else {each.name}"
            word = f"{each.name}=_missing"
        elif each.default is not MISSING:
            given[default] = each.default
            word = f"{each.name}={default}"
        else:
            word = each.name
        (named if each.kw_only else words).append(word)
        lines.append(f" _set(_self, {each.name!r}, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append(" _self.__post_init__()")
    head = ", ".join(["_self", "/", *words, *(["*", *named] if named else [])])
    exec("\n".join([f"def __init__({head}):", *(lines or [" pass"])]), given)
    constructor: Callable[..., None] = given["__init__"]
    constructor.__qualname__ = f"{kind.__qualname__}.__init__"
    return constructor


def _changing(kind: type[Any]) -> dict[str, Callable[..., None]]:
    """Return what refuses to change a value."""

    def setting(value: Any, name: str, cell: object) -> None:
        if type(value) is kind or name in kind.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(kind, value).__setattr__(name, cell)

    def deleting(value: Any, name: str) -> None:
        if type(value) is kind or name in kind.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(kind, value).__delattr__(name)

    return {"__setattr__": setting, "__delattr__": deleting}


def _comparing(kind: type[Any]) -> dict[str, Callable[..., Any]]:
    """Return what compares values of a class by the cells that count."""
    names = [each.name for each in dataclasses.fields(kind) if each.compare]
    if len(names) > 1:
        cells: Callable[[Any], Any] = attrgetter(*names)
    else:

        def cells(value: Any) -> Any:
            return tuple([getattr(value, name) for name in names])

    def equal(value: Any, other: object) -> bool:
        return bool(cells(value) == cells(other)) if other.__class__ is value.__class__ else NotImplemented

    def hashed(value: Any) -> int:
        return hash(cells(value))

    return {"__eq__": equal, "__hash__": hashed}


def _shown(value: Any) -> str:
    cells = (f"{each.name}={getattr(value, each.name)!r}" for each in dataclasses.fields(value) if each.repr)
    return f"{value.__class__.__qualname__}({', '.join(cells)})"


def _kept(value: Any) -> list[Any]:
    return [getattr(value, each.name) for each in dataclasses.fields(value)]


def _taken(value: Any, kept: list[Any]) -> None:
    for each, cell in zip(dataclasses.fields(value), kept, strict=True):
        object.__setattr__(value, each.name, cell)


_keeping = {"__getstate__": _kept, "__setstate__": _taken}
