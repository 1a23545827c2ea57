"""Which found foreign key stands for which wanted one, where a contract has several on the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fixer.model.table import ForeignKey

Fits = Callable[[ForeignKey, ForeignKey], bool]


def pairs(
    wanted: Sequence[ForeignKey], found: Sequence[ForeignKey]
) -> Iterator[tuple[ForeignKey, tuple[ForeignKey, ...]]]:
    """Yield each wanted foreign key with the found ones on its columns, each of which stands for one wanted key.

    Of equal wanted keys, one that no found key stands for is left out: its twin does its work.
    """
    groups: dict[frozenset[str], list[ForeignKey]] = {}
    for key in wanted:
        groups.setdefault(frozenset(key.columns), []).append(key)
    for columns, keys in groups.items():
        there = [key for key in found if set(key.columns) == columns]
        yield from _shared_out(keys, there) if len(keys) > 1 else [(keys[0], tuple(there))]


def equals(one: ForeignKey, other: ForeignKey) -> bool:
    """Return whether two foreign keys do the same."""
    return one.points_as(other) and one.behaviour == other.behaviour


def _shared_out(
    wanted: Sequence[ForeignKey], found: Sequence[ForeignKey]
) -> Iterator[tuple[ForeignKey, tuple[ForeignKey, ...]]]:
    """Yield the wanted keys of one set of columns: those that do as wanted first, then those that point as wanted."""
    shares: list[list[ForeignKey]] = [[] for _ in wanted]
    left = list(found)
    for fits in (equals, ForeignKey.points_as):
        _take(wanted, shares, left, fits)
    idle = {place for place, key in enumerate(wanted) if not shares[place] and _stands(key, wanted, shares)}
    open_ = [place for place, share in enumerate(shares) if not share and place not in idle]
    for extra in left:
        meant = [place for place, key in enumerate(wanted) if shares[place] and extra.points_as(key)]
        shares[(meant or open_ or [0])[0]].append(extra)
    yield from ((key, tuple(shares[place])) for place, key in enumerate(wanted) if place not in idle)


def _stands(key: ForeignKey, wanted: Sequence[ForeignKey], shares: Sequence[list[ForeignKey]]) -> bool:
    """Return whether a found key stands for an equal one of the wanted keys."""
    return any(equals(other, key) for other, share in zip(wanted, shares, strict=True) if share)


def _take(wanted: Sequence[ForeignKey], shares: list[list[ForeignKey]], left: list[ForeignKey], fits: Fits) -> None:
    """Give each wanted key without a share the best of the keys that are left and fit."""
    for key, share in zip(wanted, shares, strict=True):
        fitting = [each for each in left if fits(each, key)] if not share else []
        for best in sorted(fitting, key=lambda each: (not each.holds, each.name != key.name, each.name))[:1]:
            share.append(best)
            left.remove(best)
