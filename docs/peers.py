"""Writes docs/peers.md from what `python -m bench detection` measured; `--check` only compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PLACE = Path(__file__).with_name("peers.md")
MEASURED = Path(__file__).parents[1] / "bench" / "results" / "detection.json"
MARKS = {"found": "✓", "note": "note", "missed": "", "failed": "fails"}
HEAD = """\
# Who finds what

Written by `python docs/peers.py` from bench/results/detection.json; do not edit it here. One command measures it again:

```sh
bench/peers  # installs the peers, each by itself
python -m bench detection --json bench/results/detection.json && python docs/peers.py
```

{count} faults (`bench/faults.sql`) were planted one at a time in a sound clinic of 7 tables, with a view, a function, a
trigger and a policy (`bench/clinic.py`), on PostgreSQL {postgresql}. A fault counts as found if a detector says
something that it does not say of the sound database.

Read it with care. We wrote the faults and one of the detectors. The others compare definitions, and most of them write
the migration, too: to look at rows was never their task.
"""


def page(kept: dict[str, Any]) -> str:
    """Return the page."""
    faults, names = kept["faults"], list(kept["detectors"])
    silence = {each["subject"]: each["note"].replace("says 1 things", "says one thing") for each in kept["figures"]}
    lines = [HEAD.format(count=len(faults), postgresql=kept["postgresql"]), "## In one table\n"]
    lines += [f"| detector | how | found, of {len(faults)} | of the sound database |", "|---|---|---|---|"]
    for name in names:
        found = sum(each["found"][name] == "found" for each in faults)
        lines.append(_row([name, kept["detectors"][name], str(found), silence[name] or "silent"]))
    lines += [
        "",
        *(f"{note.partition(':')[0]}.\n" for note in kept["notes"] if "cannot look" in note),
        *_missed(faults, names),
    ]
    lines += ["## Fault by fault\n", _legend(names), _row(["fault", *map(str, range(1, len(names) + 1))])]
    lines.append("|---" * (len(names) + 1) + "|")
    for each in faults:
        marks = (MARKS[each["found"][name]] for name in names)
        lines.append(_row([f"{each['area']}: {each['what']}", *marks]))
    return "\n".join(lines) + "\n"


def _missed(faults: list[dict[str, Any]], names: list[str]) -> list[str]:
    """Return what we miss, whatever the contract is."""
    ours = [name for name in names if name.startswith("pgmend")]
    missed = [each for each in faults if all(each["found"][name] != "found" for name in ours)]
    listed = [f"- {each['area']}: {each['what']}{_by(each, names)}" for each in missed]
    return ["## What we miss\n", "Whatever the contract is:\n", *(listed or ["Nothing of these."]), ""]


def _by(fault: dict[str, Any], names: list[str]) -> str:
    found = [name for name in names if fault["found"][name] == "found"]
    noted = any(fault["found"][name] == "note" for name in names)
    return f" (found by {', '.join(found)})" if found else " (only a note)" if noted else ""


def _legend(names: list[str]) -> str:
    listed = "; ".join(f"{number} {name}" for number, name in enumerate(names, 1))
    marks = "✓ found; *note*: said, and breaks nothing; *fails*: it ended with an error of its own; empty: missed."
    return f"{marks}\n{listed}.\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Write the page, or say that it lags."""
    fresh = page(json.loads(MEASURED.read_text("utf-8")))
    if "--check" not in arguments:
        PLACE.write_text(fresh, encoding="utf-8")
        print(f"{PLACE} is written.")
    elif not PLACE.exists() or PLACE.read_text("utf-8") != fresh:
        sys.exit("docs/peers.md lags behind bench/results/detection.json: run python docs/peers.py.")


if __name__ == "__main__":
    main(sys.argv[1:])
