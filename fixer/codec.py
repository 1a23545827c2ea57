"""Schema values as JSON and back, for what is kept between runs."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from fixer.schema import QName


def encode(value: Any) -> Any:
    """Return a value as JSON keeps it; what equals its default is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: getattr(value, f.name) for f in fields(value)}
        return {name: encode(cell) for name, cell in kept.items() if cell != _defaults(type(value)).get(name, MISSING)}
    if isinstance(value, Mapping):
        return [[encode(key), encode(cell)] for key, cell in value.items()]
    if isinstance(value, (tuple, list)):
        return [encode(cell) for cell in value]
    if isinstance(value, frozenset):
        return sorted(encode(cell) for cell in value)
    return value


def decode(kind: Any, kept: Any) -> Any:
    """Return the value of a type that `encode` made `kept` of."""
    if kept is None or kind in (str, int, bool):
        return kept
    if kind is QName:
        return QName(*kept)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: decode(_hints(kind)[name], cell) for name, cell in kept.items()})
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return decode(next(part for part in parts if part is not type(None)), kept)
    if origin is tuple:
        each = [parts[0]] * len(kept) if parts[-1] is Ellipsis else parts
        return tuple(decode(part, cell) for part, cell in zip(each, kept, strict=True))
    if origin is frozenset:
        return frozenset(decode(parts[0], cell) for cell in kept)
    if origin is Mapping:
        return {decode(parts[0], key): decode(parts[1], cell) for key, cell in kept}
    raise TypeError(f"{kind} is not kept")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _defaults(kind: type) -> dict[str, Any]:
    made = {f.name: f.default_factory() for f in fields(kind) if f.default_factory is not MISSING}
    return made | {f.name: f.default for f in fields(kind) if f.default is not MISSING}
