"""Writes docs/defects.md from the defect classes: `python docs/defects.py`; `--check` only compares.

What a class says of itself is its docstring; which hazards its repairs carry is seen on its specimens.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import psycopg2
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from fixer import api, defects
from fixer.connect import servers
from fixer.connect.servers import Server
from fixer.contract import declared as read
from fixer.defects import DefectClass
from fixer.defects import _databases as specimens
from fixer.model.contract import Contract
from fixer.model.defect import Specimen
from fixer.model.finding import POINTS, Finding

PLACE = Path(__file__).with_name("defects.md")
HEAD = """\
# Defect classes

Written by `python docs/defects.py` from the files in `fixer/defects/`, one class a file; do not edit it here.

`fixer check` prints the slug in brackets, and as `slug` in JSON. The last column shows what the repair may need, as
seen on the specimens at the end of each file:

- *automatic*: the repair needs no permission;
- the name of a hazard: the repair needs `--allow-hazards` with this name, some repairs with several;
- *a person*: some cases, or all, need a human decision; the refusal says what was found;
- *report*: it is a warning that does not break the contract, and there is nothing to repair.

A plan may also need hazards for what is repaired along with a finding, such as an index that is rebuilt: `fixer plan`
lists them all before anything is changed.
"""
TAIL = """\
## What a check cannot judge

Only rows show these; `pytest --pyargs contracts` writes some, rolls them back, and names what acts on the table.

- Which values a trigger changes, which rows a constraint trigger refuses, and what a trigger does in another language
  than PL/pgSQL: because a definition does not say what its code does to a row.
- Which rows a policy hides, or refuses, by its condition: because that may depend on settings of the session.
- Which tables the code of a trigger or a default reads and writes: because rights on them are asked only then.
- What the application's role lacks, if nobody names it with `--role`: because a database does not say which role it is.
- What an event trigger does: because it acts on definitions, not on rows. It sees the statements of the fixer, too; if
  it refuses one, the run ends with its message.
"""
COLUMNS = "| slug | what is wrong | what it costs | the cure | it needs |\n|---|---|---|---|---|"


def page() -> str:
    """Return the whole page."""
    needs = seen()
    parts = [HEAD]
    for point, title in POINTS.items():
        classes = sorted((each for each in defects.all_classes() if point == each.POINT), key=lambda each: each.SLUG)
        rows = [_row(each, needs[each.SLUG]) for each in classes]
        parts += [f"## Point {point}: {title}\n", COLUMNS, *rows, ""]
    return "\n".join([*parts, TAIL])


def _row(defect: DefectClass, needs: Iterable[str]) -> str:
    cells = [f"`{defect.SLUG}`", *claims(defect), ", ".join(needs)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def claims(defect: DefectClass) -> tuple[str, str, str]:
    """Return what a class says of itself: what is wrong, what it costs, the cure."""
    text = " ".join((inspect.getdoc(defect) or "").split())
    parts = re.fullmatch(r"(.+?) Costs: (.+?) Cure: (.+)", text)
    if parts is None:
        sys.exit(f"The docstring of {defect.SLUG} should say what is wrong, then 'Costs: …', then 'Cure: …'.")
    return parts[1], parts[2], parts[3]


# --- what repairs need ------------------------------------------------------------------------------


def seen() -> dict[str, list[str]]:
    """Return what the repair of each class needs, as seen on its specimens."""
    with servers.embedded() as server:
        return {
            defect.SLUG: _in_order(
                need
                for specimen in defect.SPECIMENS
                if specimen.minimum_version <= server.version
                for finding in _findings(specimen, server)
                if finding.slug == defect.SLUG
                for need in _needs(finding)
            )
            or ["*a person*"]  # the contract itself is at fault, so that no database can be a specimen
            for defect in defects.all_classes()
        }


def _needs(finding: Finding) -> Iterator[str]:
    if not finding.breaks:
        yield "*report*"
    elif finding.repair.label == "manual":
        yield "*a person*"
    elif finding.repair.hazards:
        yield from (f"`{hazard}`" for hazard in finding.repair.hazards)
    else:
        yield "*automatic*"


def _in_order(needs: Iterable[str]) -> list[str]:
    return sorted(set(needs), key=lambda need: (need != "*automatic*", need.startswith("*"), need))


def _findings(specimen: Specimen, server: Server) -> tuple[Finding, ...]:
    """Return what is found in a specimen."""
    name = server.create_database()
    connect = partial(psycopg2.connect, server.database_dsn(name))
    wanted: Contract | MetaData
    if isinstance(declared := (specimen.contract or specimens.library)(), str):
        with closing(connect()) as maker, maker, maker.cursor() as cursor:
            cursor.execute(declared)
        with closing(connect()) as reader:
            wanted = read.prepare(reader, "contract.sql")
    else:
        wanted = declared
        declared.create_all(create_engine("postgresql+psycopg2://", creator=connect, poolclass=NullPool))
    with closing(connect()) as breaker:
        for statements in (specimen.setup or ("SELECT" if specimen.contract else specimens.ROWS), specimen.breaks):
            with breaker, breaker.cursor() as cursor:
                cursor.execute(statements)
    with closing(connect()) as connection:  # another one, for a break may be a setting of the database
        found = api.check(connection, wanted, deep=True).findings
    server.drop_database(name)
    return found


# --- the command ------------------------------------------------------------------------------------


def main(arguments: list[str]) -> None:
    """Write the page, or tell how the one that stands there differs."""
    fresh, old = page(), PLACE.read_text("utf-8") if PLACE.exists() else ""
    if "--check" not in arguments:
        PLACE.write_text(fresh, encoding="utf-8")
        print(f"{PLACE} is written.")
    elif fresh != old:
        sys.stdout.writelines(
            difflib.unified_diff(old.splitlines(True), fresh.splitlines(True), "as it is", "as it should be")
        )
        sys.exit("docs/defects.md lags behind fixer/defects: run python docs/defects.py.")


if __name__ == "__main__":
    main(sys.argv[1:])
