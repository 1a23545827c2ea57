"""Values as JSON and back, for what is kept between runs.

A contract of thousands of tables is decoded at every start. So a dataclass is kept as the list of its cells,
each type gets its decoder once, and columns that are equal are kept and made once: most have their like.
What people and pipelines read is an object with names instead, and has the parts of a value beside each other.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum, IntEnum
from functools import cache, partial
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fixer.model.table import Column, QName

Decoder = Callable[[Any], Any]


def encode(value: Any) -> dict[str, Any]:
    """Return a value as JSON keeps it; what equals its default at the end of a dataclass is left out."""
    columns: dict[Column, int] = {}
    kept = _encode(value, columns)
    return {"columns": [_cells(column, {}) for column in columns], "value": kept}


def decode(kind: Any, kept: Mapping[str, Any]) -> Any:
    """Return the value of a type that `encode` made `kept` of."""
    columns = [*map(_dataclass_decoder(Column, _refused), kept["columns"])]
    return _decoder(kind, _cells_decoder(columns.__getitem__))(kept["value"])


def to_json(value: Any) -> dict[str, Any]:
    """Return a dataclass as an object; the fields of its parts stand beside its own."""
    kept: dict[str, Any] = {}
    for each in fields(value):
        cell = getattr(value, each.name)
        kept |= to_json(cell) if is_dataclass(cell) else {each.name: _plain(cell)}
    return kept


def from_json(kind: Any, kept: Mapping[str, Any]) -> Any:
    """Return the dataclass that `to_json` made `kept` of.

    Raises KeyError where something is lacking, TypeError and ValueError where a cell is of another type.
    """
    whole = get_origin(kind) or kind
    cells = {}
    for each in fields(whole):
        hint = _hints(whole)[each.name]
        if is_dataclass(get_origin(hint) or hint):
            cells[each.name] = from_json(hint, kept)
        else:
            cells[each.name] = _object_decoder(hint)(kept[each.name])
    return whole(**cells)


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


def _plain(cell: Any) -> Any:
    if is_dataclass(cell):
        return to_json(cell)
    if isinstance(cell, QName):
        return str(cell)
    if isinstance(cell, Enum):
        return cell.name.lower() if isinstance(cell, IntEnum) else str(cell)
    return [*map(_plain, cell)] if isinstance(cell, tuple) else cell


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


def _decoder(kind: Any, decoder_of: Callable[[Any], Decoder | None]) -> Decoder:
    """Return what makes a value of this type; `decoder_of` knows how columns and dataclasses are kept."""
    if own := decoder_of(kind):
        return own
    origin, parts = get_origin(kind), get_args(kind)
    if kind in (str, int, bool, float) or isinstance(kind, TypeVar):
        return _as_it_is
    if kind is QName:
        return QName._make
    if isinstance(kind, type) and issubclass(kind, Enum):
        return (lambda kept: kind[kept.upper()]) if issubclass(kind, IntEnum) else kind
    if origin in (Union, types.UnionType) and len(parts) == 2 and type(None) in parts:
        some = _decoder(next(part for part in parts if part is not type(None)), decoder_of)
        return lambda kept: None if kept is None else some(kept)
    if origin is tuple and parts[-1] is not Ellipsis:
        each = [_decoder(part, decoder_of) for part in parts]
        return lambda kept: tuple([decoder(cell) for decoder, cell in zip(each, kept, strict=True)])
    if origin in (tuple, frozenset):
        one = _decoder(parts[0], decoder_of)
        return (lambda kept: origin(kept)) if one is _as_it_is else lambda kept: origin(map(one, kept))
    if origin is Mapping:
        key, cell = (_decoder(part, decoder_of) for part in parts)
        return lambda kept: {key(k): cell(v) for k, v in kept}
    raise TypeError(f"{kind} is not kept")


def _cells_decoder(column: Decoder) -> Callable[[Any], Decoder | None]:
    """Return what knows the decoders of lists of cells, `column` making a column of its number."""

    def decoder_of(kind: Any) -> Decoder | None:
        if kind is Column:
            return column
        return _dataclass_decoder(kind, column) if isinstance(kind, type) and is_dataclass(kind) else None

    return decoder_of


@cache
def _object_decoder(kind: Any) -> Decoder:
    """Return what makes a value of this type that is kept with names."""
    return _decoder(kind, lambda part: partial(from_json, part) if is_dataclass(get_origin(part) or part) else None)


def _dataclass_decoder(kind: type, column: Decoder) -> Decoder:
    hints = _hints(kind)
    decoders = [_later(hints[each.name], column) for each in fields(kind)]

    def decoder(kept: list[Any]) -> Any:
        return kind(*[decode(cell) for decode, cell in zip(decoders, kept, strict=False)])

    return decoder


def _later(kind: Any, column: Decoder) -> Decoder:
    """Return the decoder of a part; that of what is never kept refuses only when it is asked."""
    try:
        return _decoder(kind, _cells_decoder(column))
    except TypeError:
        return _refused


def _as_it_is(kept: Any) -> Any:
    return kept


def _refused(kept: Any) -> Any:
    raise TypeError(f"{kept!r} is not kept")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
