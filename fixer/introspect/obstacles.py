"""Makes obstacles of what the query of that name answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fixer.model import obstacle as o

_Maker = Callable[[str, o.Columns, str], o.Obstacle]  # of a name, the columns that it hangs on, and whether it acts
SAID_TO_PERSONS = ("view", "bound", "dependent", "needing", "below", "apart")  # kinds whose names are not said to SQL


def obstacle(kind: str, name: str, columns: o.Columns, enabled: str) -> o.Obstacle:
    """Return the obstacle of one kind."""
    return _MAKERS[kind](name, columns, enabled)


def _apart(name: str, columns: o.Columns, _: str) -> o.ApartIndex | o.ApartCheck:
    kind, _, told = columns[0].partition(" ")
    return o.ApartCheck(name, told) if kind == "check" else o.ApartIndex(name, kind, told)


_MAKERS: Mapping[str, _Maker] = {
    "trigger": lambda name, columns, enabled: o.Trigger(name, enabled, columns),
    "rule": lambda name, columns, enabled: o.Rule(name, enabled, "".join(columns)),
    "policy": lambda name, columns, enabled: o.Policy(name, columns, enabled == "y"),
    "view": lambda name, columns, enabled: o.View(name, columns),
    "bound": lambda name, columns, enabled: o.Bound(name, columns),
    "dependent": lambda name, columns, enabled: o.Dependent(name, columns),
    "needing": lambda name, columns, enabled: o.Needing(name, columns),
    "parted": lambda name, columns, enabled: o.PartitionKey(columns),
    "below": lambda name, columns, enabled: o.Below(name, enabled, columns),
    "apart": _apart,
    "mute": lambda name, columns, enabled: o.MutePublication(name, columns),
}
