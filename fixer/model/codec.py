"""Values as JSON and back: the contract cache, and plans on disk.

The cache must be fast, because every start decodes a contract that may have thousands of tables. So it keeps a
dataclass as the list of its cells, builds the decoder of each field once, and keeps equal columns once.
People and pipelines read plans, so a plan keeps its values as objects with field names.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum, IntEnum
from functools import cache, partial
from threading import Lock
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints  # values of any kind, and their JSON

from fixer.model.table import Column, QName

Decoder = Callable[[Any], Any]


def encode(value: Any) -> dict[str, Any]:
    """Return a value as JSON, without the last fields of a dataclass that equal their defaults."""
    columns: dict[Column, int] = {}
    kept = _encode(value, columns)
    return {"columns": [_cells(column, {}) for column in columns], "value": kept}


def decode(kind: Any, kept: Mapping[str, Any]) -> Any:
    """Return the value of type `kind` that `encode` turned into `kept`."""
    with _one_by_one:
        _columns[:] = map(_dataclass_decoder(Column, _refused), kept["columns"])
        try:
            return _whole_decoder(kind)(kept["value"])
        finally:
            _columns.clear()


_one_by_one = Lock()
_columns = list[Column]()  # of what is decoded now: decoders are built once, and look columns up by number


@cache
def _whole_decoder(kind: Any) -> Decoder:
    return _decoder(kind, _cells_decoder(_columns.__getitem__))


def to_json(value: Any) -> dict[str, Any]:
    """Return a dataclass as an object; the fields of a nested dataclass are merged into it."""
    kept: dict[str, Any] = {}
    for each in fields(value):
        cell = getattr(value, each.name)
        kept |= to_json(cell) if is_dataclass(cell) else {each.name: _plain(cell)}
    return kept


def from_json(kind: Any, kept: Mapping[str, Any]) -> Any:
    """Return the dataclass of type `kind` that `to_json` turned into `kept`.

    Raises KeyError if a field is missing, TypeError or ValueError if a cell cannot be decoded. It does not check that
    a text is a text, or a number a number.
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
    """Return a text that changes with the fields of these dataclasses, and so marks the form in which they are kept."""
    return repr([(kind.__name__, [(f.name, str(f.type), _told(f)) for f in fields(kind)]) for kind in kinds])


def _told(each: Field[Any]) -> str:
    """Return the default of a field as text; empty without one, because MISSING has an address in its repr."""
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
    """Return the decoder of a type; `decoder_of` gives those of columns and dataclasses."""
    if own := decoder_of(kind):
        return own
    origin, parts = get_origin(kind), get_args(kind)
    if kind in (str, int, bool, float) or isinstance(kind, TypeVar):
        return _as_it_is
    if isinstance(kind, type) and issubclass(kind, tuple) and {*_hints(kind).values()} == {str}:
        return lambda kept: kind(*kept)  # a named tuple of texts
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
    """Return a `decoder_of` for dataclasses kept as lists of cells; `column` turns a number into its column."""

    def decoder_of(kind: Any) -> Decoder | None:
        if kind is Column:
            return column
        return _dataclass_decoder(kind, column) if isinstance(kind, type) and is_dataclass(kind) else None

    return decoder_of


@cache
def _object_decoder(kind: Any) -> Decoder:
    """Return the decoder of a type whose dataclasses are kept as objects with field names."""
    return _decoder(kind, lambda part: partial(from_json, part) if is_dataclass(get_origin(part) or part) else None)


@cache
def _dataclass_decoder(kind: type, column: Decoder) -> Decoder:
    hints = _hints(kind)
    decoders = [_later(each, hints[each.name], column) for each in fields(kind)]

    def decoder(kept: list[Any]) -> Any:
        return kind(*[decode(cell) for decode, cell in zip(decoders, kept, strict=False)])

    return decoder


def _later(each: Field[Any], kind: Any, column: Decoder) -> Decoder:
    """Return the decoder of a field; if its type is never kept, that of its default alone."""
    try:
        return _decoder(kind, _cells_decoder(column))
    except TypeError:
        return partial(_unless_told, each)


def _unless_told(each: Field[Any], kept: Any) -> Any:
    """Return the default of a field; raise TypeError if another value was kept."""
    default = _default(each)
    return default if _encode(default, {}) == kept else _refused(kept)


def _as_it_is(kept: Any) -> Any:
    return kept


def _refused(kept: Any) -> Any:
    raise TypeError(f"{kept!r} is not kept")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
