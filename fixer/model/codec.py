"""Schema values as JSON and back, for what is kept between runs.

A contract of thousands of tables is decoded at every start. So a dataclass is kept as the list of its cells,
each type gets its decoder once, and columns that are equal are kept and made once: most have their like.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from fixer.model.schema import Column, QName

Decoder = Callable[[Any], Any]


def encode(value: Any) -> dict[str, Any]:
    """Return a value as JSON keeps it; what equals its default at the end of a dataclass is left out."""
    columns: dict[Column, int] = {}
    kept = _encode(value, columns)
    return {"columns": [_cells(column, {}) for column in columns], "value": kept}


def decode(kind: Any, kept: Mapping[str, Any]) -> Any:
    """Return the value of a type that `encode` made `kept` of."""
    columns = [*map(_dataclass_decoder(Column, _refused), kept["columns"])]
    return _decoder(kind, columns.__getitem__)(kept["value"])


def form(*kinds: type) -> str:
    """Return all that the kept form of these dataclasses depends on, by which forms of other versions are told."""
    return repr([(kind.__name__, [(f.name, str(f.type), _told(f)) for f in fields(kind)]) for kind in kinds])


def _told(each: Field[Any]) -> str:
    """Return the default of a field; that there is none, every process says with an address of its own."""
    default = _default(each)
    return "" if default is MISSING else repr(default)


def _encode(value: Any, columns: dict[Column, int]) -> Any:
    if isinstance(value, Column):
        return columns.setdefault(value, len(columns))
    if is_dataclass(value) and not isinstance(value, type):
        return _cells(value, columns)
    if isinstance(value, Mapping):
        return [[_encode(key, columns), _encode(cell, columns)] for key, cell in value.items()]
    if isinstance(value, (tuple, list)):
        return [_encode(cell, columns) for cell in value]
    if isinstance(value, frozenset):
        return sorted(_encode(cell, columns) for cell in value)
    return value


def _cells(value: Any, columns: dict[Column, int]) -> list[Any]:
    cells, used = [], 0
    for place, each in enumerate(fields(value), 1):
        cell = getattr(value, each.name)
        cells.append(_encode(cell, columns))
        if cell != _default(each):
            used = place
    return cells[:used]


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _decoder(kind: Any, column: Decoder) -> Decoder:
    """Return what makes a value of this type, `column` making a column of its number."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind in (str, int, bool):
        return _as_it_is
    if kind is Column:
        return column
    if kind is QName:
        return QName._make
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_decoder(kind, column)
    if origin in (Union, types.UnionType) and len(parts) == 2 and type(None) in parts:
        some = _decoder(next(part for part in parts if part is not type(None)), column)
        return lambda kept: None if kept is None else some(kept)
    if origin is tuple and parts[-1] is not Ellipsis:
        each = [_decoder(part, column) for part in parts]
        return lambda kept: tuple([decoder(cell) for decoder, cell in zip(each, kept, strict=True)])
    if origin in (tuple, frozenset):
        one = _decoder(parts[0], column)
        return (lambda kept: origin(kept)) if one is _as_it_is else lambda kept: origin(map(one, kept))
    if origin is Mapping:
        key, cell = (_decoder(part, column) for part in parts)
        return lambda kept: {key(k): cell(v) for k, v in kept}
    raise TypeError(f"{kind} is not kept")


def _dataclass_decoder(kind: type, column: Decoder) -> Decoder:
    hints = _hints(kind)
    decoders = [_later(hints[each.name], column) for each in fields(kind)]

    def decoder(kept: list[Any]) -> Any:
        return kind(*[decode(cell) for decode, cell in zip(decoders, kept, strict=False)])

    return decoder


def _later(kind: Any, column: Decoder) -> Decoder:
    """Return the decoder of a part; that of what is never kept refuses only when it is asked."""
    try:
        return _decoder(kind, column)
    except TypeError:
        return _refused


def _as_it_is(kept: Any) -> Any:
    return kept


def _refused(kept: Any) -> Any:
    raise TypeError(f"{kept!r} is not kept")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
