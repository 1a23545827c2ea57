"""The options of sequences: which of them a contract declares, how they are told, and the SQL that sets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any  # numbers, texts, and whether it cycles

from fixer.model.table import QName, Sequence
from fixer.sql.types import MAXIMA

_BOUNDS = ("minimum", "maximum")


def reach(type_: str) -> tuple[int, int]:
    """Return the lowest and the highest number of a type; of bigint for one that does not hold integers alone."""
    top = MAXIMA.get(type_, MAXIMA["bigint"])
    return -top - 1, top


def is_plain(sequence: Sequence, over: str) -> bool:
    """Return whether SERIAL makes such a sequence for a column of this type."""
    plain = replace(sequence, type=over, start=1, increment=1, minimum=1, maximum=reach(over)[1], cycle=False, cache=1)
    return sequence == plain


def declared(sequence: Sequence, over: str) -> dict[str, Any]:
    """Return the options that a contract declares for a sequence; `over` is the type of the column that counts by it.

    What PostgreSQL takes by default is left open, and so is an end that the type of either sets. Where numbers start
    over, both bounds are declared.
    """
    near, far = _ends(sequence)
    said = {name: getattr(sequence, name) for name in ("increment", "cycle", "cache", *_BOUNDS)}
    ends = said[far] in reach(sequence.type) or not reach(over)[0] < said[far] < reach(over)[1]
    open_ = {
        "increment": sequence.increment == 1,
        "cycle": not sequence.cycle,
        "cache": sequence.cache == 1,
        near: said[near] == (1 if sequence.increment > 0 else -1) and not sequence.cycle,
        far: ends and not sequence.cycle,
    }
    return {name: value for name, value in said.items() if not open_[name]}


def as_declared(wanted: Sequence, over: str, found: Sequence) -> Sequence:
    """Return a sequence as it counts once it does all that the contract declares; what that leaves open, it keeps.

    `over` is the type of the wanted column.
    """
    said = declared(wanted, over)
    if not said:
        return found
    if (wanted.increment > 0) != (found.increment > 0):
        said |= {name: getattr(wanted, name) for name in ("type", "increment", *_BOUNDS)}
    if "cache" in said:
        said["cache"] = max(said["cache"], found.cache)
    meant, far = replace(found, **said), _ends(wanted)[1]
    if meant.minimum >= meant.maximum:  # it ends before it is to begin
        meant = replace(meant, **{far: getattr(wanted, far)})
    lowest, highest = reach(meant.type)
    fits = lowest <= meant.minimum and meant.maximum <= highest
    starts = meant.minimum <= meant.start <= meant.maximum
    return replace(meant, type=meant.type if fits else wanted.type, start=meant.start if starts else wanted.start)


def _ends(sequence: Sequence) -> tuple[str, str]:
    """Return the names of the bound near which a sequence begins, and of the one at which it ends."""
    return _BOUNDS if sequence.increment > 0 else (_BOUNDS[1], _BOUNDS[0])


def ends_early(found: Sequence, wanted: Sequence, over: str) -> bool:
    """Return whether a sequence ends before the wanted one does, and before a column of this type."""
    if (found.increment > 0) != (wanted.increment > 0):
        return False
    lowest, highest = reach(over)
    if wanted.increment > 0:
        return found.maximum < min(wanted.maximum, highest)
    return found.minimum > max(wanted.minimum, lowest)


def told(sequence: Sequence, beside: Sequence | None = None) -> str:
    """Return in words how a sequence counts, or what of it differs from another."""
    return " ".join(_words(sequence, beside))


def _words(sequence: Sequence, beside: Sequence | None) -> Iterator[str]:
    if beside is None or sequence.increment != beside.increment:
        yield f"by {sequence.increment}"
    if beside is None or (sequence.minimum, sequence.maximum) != (beside.minimum, beside.maximum):
        yield f"from {sequence.minimum} to {sequence.maximum}"
    if sequence.cycle != (beside is not None and beside.cycle):
        yield "in circles" if sequence.cycle else "to its end"
    if sequence.cache != (beside.cache if beside else 1):
        yield f"with CACHE {sequence.cache}"


def fresh(name: QName, type_: str, like: Sequence | None, over: str) -> Sequence:
    """Return a new sequence of a type, counting like one of the contract over a column of the type `over`."""
    lowest, highest = reach(type_)
    if like is None:
        return Sequence(name, type_, 1, 1, 1, highest, cycle=False, owner="")
    up = like.increment > 0
    bounds = (1, highest) if up else (lowest, -1)
    return replace(Sequence(name, type_, like.start, 1, *bounds, cycle=False, owner=""), **declared(like, over))
