"""Makes obstacles of what the query of that name answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from fixer.model import obstacle as o

_Maker = Callable[[str, o.Columns, str], o.Obstacle]  # of a name, the columns that it hangs on, and whether it acts
# Kinds whose names are not said to SQL.
SAID_TO_PERSONS = ("view", "bound", "dependent", "unbuilt", "needing", "below", "apart", "loose")


def obstacle(kind: str, name: str, columns: o.Columns, enabled: str) -> o.Obstacle:
    """Return the obstacle of one kind."""
    return _MAKERS[kind](name, columns, enabled)


def _apart(name: str, columns: o.Columns, where: str) -> o.ApartIndex | o.ApartCheck:
    kind, _, told = columns[0].partition(" ")
    part, *expression = json.loads(where)
    return o.ApartCheck(name, told, part, *expression) if kind == "check" else o.ApartIndex(name, kind, told, part)


_MAKERS: Mapping[str, _Maker] = {
    "trigger": lambda name, columns, enabled: o.Trigger(name, enabled, columns),
    "rule": lambda name, columns, enabled: o.Rule(name, enabled, "".join(columns)),
    "policy": lambda name, columns, enabled: o.Policy(name, columns, enabled == "y"),
    "view": lambda name, columns, enabled: o.View(name, columns),
    "bound": lambda name, columns, enabled: o.Bound(name, columns),
    "dependent": lambda name, columns, enabled: o.Dependent(name, columns, "" if enabled == "O" else enabled),
    "unbuilt": lambda name, columns, facts: o.Unbuilt(name, columns, *json.loads(facts)),
    "needing": lambda name, columns, enabled: o.Needing(name, columns),
    "parted": lambda name, columns, enabled: o.PartitionKey(columns),
    "below": lambda name, columns, enabled: o.Below(name, enabled, columns),
    "apart": _apart,
    "loose": lambda name, columns, facts: o.LooseKey(name, columns, *json.loads(facts)),
    "mute": lambda name, columns, told_by: o.MutePublication(name, columns, told_by[:1], told_by[1:]),
    "told": lambda name, columns, enabled: o.ToldByKey(name, columns, enabled[:1] == "O", enabled[1:]),
}
