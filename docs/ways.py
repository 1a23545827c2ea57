"""Writes docs/ways.md from what `python -m bench ways` measured; `--check` only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLACE = Path(__file__).with_name("ways.md")
MEASURED = Path(__file__).parents[1] / "bench" / "results" / "ways.json"
QUIET = "no repair"
HEAD = """\
# What a repair costs

Written by `python docs/ways.py` from bench/results/ways.json; do not edit it here. One command measures it again:

```sh
bench/peers  # installs the peers, each by itself
python -m bench ways --size {users} --json bench/results/ways.json && python docs/ways.py
```

A trading database of {rows:,} rows without any constraint (`bench/data.py`: numbers and rows that repeat, orphans,
NULLs, prices kept as text, symbols longer than the models allow) is brought under its contract on PostgreSQL
{postgresql}, each time from a fresh copy, while a writer and a reader of the application try {rate} transactions a
second each. Every way ran once, on a machine of {cpus} processors whose load was {load:.1f} before the start; the first
line below is what that alone costs.

Read it with care. We wrote the database, the contract, the scripts by hand and one of the tools. The other tools write
DDL from a comparison of definitions; to look at rows was never their task. So each of them that stopped, or did not
keep every row, was tried again after more was done for it by hand, outside the measured time: first the rows
(`bench/clean_rows.sql` sets aside what stands in the way), then also the price was converted and the models were given
the longer symbols. What PostgreSQL cancelled as a deadlock with the application was started again, up to five
times, if it had left the definitions as they were.
"""
WORDS = """\
*Longest wait*: the longest transaction of the writer and of the reader, in ms, and the errors that they got.
*Rows a second*: the rows of both tables, by the seconds from the first command to the end of the last.
*Lost*: rows of before, and trades that the writer entered meanwhile, which are in no table now, and not set aside
either. *Changed*: rows that are there with other values in cells that no repair has to change. *Left*: kinds of errors
that `fixer check --deep` finds afterwards.
"""


def page(kept: dict[str, Any]) -> str:
    """Return the page."""
    ways = kept["ways"]
    through = [each for each in ways if not each["stopped"]]
    lines = [HEAD.format(**kept, cpus=kept["machine"]["cpus"]), "## Who got through\n", WORDS]
    lines += _table(
        [
            "way",
            "starts from",
            "longest wait: writer",
            "reader",
            "rows a second",
            "lost",
            "changed",
            "left",
            "way back",
        ],
        (_through(each, kept["rows"]) for each in through),
    )
    lines += ["## Who stopped, and with which words\n"]
    lines += _table(["way", "starts from", "it said", "it left the database"], _stopped(ways))
    lines += ["## What we do worse\n", *_worse(through, kept["rows"]), ""]
    lines += ["## What each is made for, and how it was run\n"]
    lines += _table(["way", "made for", "run by"], _listed(ways))
    return "\n".join(lines)


def _through(each: dict[str, Any], rows: int) -> list[str]:
    waits = [_wait(each, name) for name in ("writer", "reader")]
    if each["way"] == QUIET:
        return [each["way"], each["stage"], *waits, *[""] * 5]
    left = f"{len(each['left'])}: {', '.join(each['left'])}" if each["left"] else "none"
    return [
        each["way"], each["stage"] + _tries(each), *waits, f"{rows / each['seconds']:,.0f}", _lost(each),
        f"{each['changed']:,}", left, _back(each),
    ]  # fmt: skip


def _wait(each: dict[str, Any], name: str) -> str:
    errors = each[f"{name}_errors"]
    listed = ", ".join(f"{count} × {code}" for code, count in errors.items())
    return f"{each[f'{name}_longest_ms']:,.0f}" + (f" ({listed})" if listed else "")


def _lost(each: dict[str, Any]) -> str:
    """Return how many rows are lost, and which of them are less bad, or worse."""
    parts = []
    if each["copies_lost"]:
        parts.append(f"{each['copies_lost']:,} of them copies of a row that stays")
    if each["entered_lost"]:
        parts.append(f"{each['entered_lost']:,} of them entered meanwhile")
    return f"{each['lost'] + each['entered_lost']:,}" + (f", {', '.join(parts)}" if parts else "")


def _back(each: dict[str, Any]) -> str:
    if not each["undo"]:
        return "offers none"
    if each["undo_failed"]:
        return f"{each['undo']}: stopped: {each['undo_failed']}"
    same = {name: each[f"{name}_as_before"] for name in ("definitions", "rows")}
    ended = [f"{name} {'as before' if as_before else 'are not as before'}" for name, as_before in same.items()]
    return f"{each['undo']}: {', '.join(ended)}"


def _stopped(ways: list[dict[str, Any]]) -> Iterator[list[str]]:
    for each in ways:
        if each["stopped"]:
            same = each["definitions_as_before"] and each["rows_as_before"]
            left = "as it was" if same else f"half done; rows lost: {_lost(each)}"
            said = each["stopped"].replace("|", "\\|") + _tries(each)
            yield [each["way"], each["stage"], said, left]


def _tries(each: dict[str, Any]) -> str:
    return f" ({each['tries']} tries)" if each["tries"] > 1 else ""


def _worse(through: list[dict[str, Any]], rows: int) -> list[str]:
    """Return where another way does better than ours that also keeps every row and leaves nothing."""
    sound = [each for each in through if each["way"] != QUIET and not (_gone(each) or each["left"])]
    ours, others = ([each for each in sound if each["way"].startswith("pgmend") is mine] for mine in (True, False))
    lines = []
    for each in ours:
        for other in others:
            for name in ("writer", "reader"):
                mine, theirs = each[f"{name}_longest_ms"], other[f"{name}_longest_ms"]
                if theirs < mine:
                    lines.append(
                        f"- {each['way']}: the {name} waits {mine:,.0f} ms; with the {other['way']} {theirs:,.0f} ms."
                    )
            if other["seconds"] < each["seconds"]:
                speeds = (f"{rows / one['seconds']:,.0f}" for one in (each, other))
                lines.append(f"- {each['way']}: {next(speeds)} rows a second; the {other['way']}: {next(speeds)}.")
    return lines or ["Nothing of the above."]


def _gone(each: dict[str, Any]) -> int:
    return int(each["lost"] + each["entered_lost"] + each["changed"])


def _listed(ways: list[dict[str, Any]]) -> Iterator[list[str]]:
    listed = {each["way"]: [each["way"], each["made_for"], each["how"]] for each in ways if each["way"] != QUIET}
    yield from listed.values()


def _table(heads: list[str], rows: Iterator[list[str]]) -> list[str]:
    return [_row(heads), "|---" * len(heads) + "|", *map(_row, rows), ""]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Write the page, or say that it lags."""
    fresh = page(json.loads(MEASURED.read_text("utf-8")))
    if "--check" not in arguments:
        PLACE.write_text(fresh, encoding="utf-8")
        print(f"{PLACE} is written.")
    elif not PLACE.exists() or PLACE.read_text("utf-8") != fresh:
        sys.exit("docs/ways.md lags behind bench/results/ways.json: run python docs/ways.py.")


if __name__ == "__main__":
    main(sys.argv[1:])
