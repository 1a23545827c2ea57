"""What a step will cost, estimated from the sizes in the catalogue: a guide, not a promise.

Bytes a second were measured at five million rows with PostgreSQL's default settings; see bench/.
"""

from __future__ import annotations

from fixer.model.plan import Cost
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Phase, Step
from fixer.model.table import QName

_READ, _SORT, _PROBE, _WRITE = 1e9, 300e6, 80e6, 65e6  # bytes a second
_INDEX_ENTRY = 24  # bytes: a number, its place, and the space that a page wastes
_ROW = 100  # bytes, if the number of rows is unknown
_BY_NUMBER = 0.0001  # seconds to write a row by its place, with its image and its index entries
_INDEXES = (Phase.INDEXES, Phase.KEYS_PROMOTED)
_DROPS = (Phase.RELEASE, Phase.REPLACED)
_PROOFS = (Phase.RULES, Phase.PROOFS, Phase.KEY_PROOFS)


def cost(step: Step, actual: Schema, *, online: bool) -> Cost:
    """Return the estimated cost of a step in a mode."""
    size, rows = _size(step.table, actual), _rows(step.table, actual)
    if step.batches.pages and online:
        return _cost(size, size, size / _WRITE, disk=size)
    if _rewrites(step):
        return _cost(size, size, size / _WRITE, disk=2 * size)
    if (step.concurrent and step.phase not in _DROPS) or (step.phase in _INDEXES and not online):
        times = 2 if step.concurrent else 1
        written = rows * _INDEX_ENTRY
        return _cost(times * size, written, times * size / _SORT, disk=written)
    if step.touches and (step.phase is Phase.FOREIGN_KEYS or _proves(step)):
        read = size + sum(_size(parent, actual) for parent in step.touches)
        return _cost(read, 0, read / _PROBE)
    if _proves(step) or (step.phase in _PROOFS and not online):
        return _cost(size, 0, size / _READ)
    if step.effect.writes_rows and not step.effect.inserts:
        width = size // rows if rows else _ROW
        read = size + sum(_size(parent, actual) for parent in step.touches)
        return _cost(
            read,
            2 * step.effect.rows * width,
            read / _SORT + step.effect.rows * _BY_NUMBER,
            disk=2 * step.effect.rows * width,
        )
    return Cost()


def _cost(reads: int, writes: int, seconds: float, *, disk: int = 0) -> Cost:
    return Cost(round(0.001 + seconds, 3), reads, writes, disk)


def _rewrites(step: Step) -> bool:
    converts = step.phase is Phase.CONVERT and bool(step.effect.changes)
    return converts or (step.hazard is Hazard.REWRITES_TABLE and not step.batches.pages)


def _proves(step: Step) -> bool:
    """Return whether a step reads existing rows to prove a constraint, as VALIDATE does."""
    return step.lock is Lock.SHARE_UPDATE_EXCLUSIVE and not step.concurrent


def _size(table: QName, actual: Schema) -> int:
    return actual.tables[table].bytes if table in actual.tables else 0


def _rows(table: QName, actual: Schema) -> int:
    found = actual.tables.get(table)
    return (found.estimated_rows or found.bytes // _ROW) if found else 0
