"""Writes docs/defects.md from the defect classes: `python docs/defects.py`; `--check` only compares.

What a class says of itself is its docstring; what its repairs need is seen on its specimens. What is seen is also kept
in fixer/report/explain/seen.json, for `fixer explain`, which has no database.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast

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
from fixer.model.plan import Plan
from fixer.report.explain import told
from fixer.report.explain.told import Told

PLACE = Path(__file__).with_name("defects.md")
SEEN = Path(told.__file__).with_name("seen.json")
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
- What the code of a trigger or a default names in dynamic statements, or where it makes tables, looks in the
  catalogue or handles errors; and what functions name that no table calls: because only a call shows what is missing.
- Which tables the code of a trigger or a default reads and writes: because rights on them are asked only then.
- What the application's role lacks, if nobody names it with `--role`: because a database does not say which role it is.
- What an event trigger does: because it acts on definitions, not on rows. It sees the statements of the fixer, too; if
  it refuses one, the run ends with its message.
"""
NO_HAZARDS = ("automatic", "a person", "report")
COLUMNS = "| slug | what is wrong | what it costs | the cure | it needs |\n|---|---|---|---|---|"


def page(seen: dict[str, Any]) -> str:
    """Return the whole page, with what was seen on the specimens."""
    parts = [HEAD]
    for point, title in POINTS.items():
        rows = [_row(each, seen[each.slug]["needs"]) for each in told.every() if each.point == point]
        parts += [f"## Point {point}: {title}\n", COLUMNS, *rows, ""]
    return "\n".join([*parts, TAIL])


def _row(defect: Told, needs: Iterable[str]) -> str:
    cure = f"{defect.cure} Hint: {defect.hint}" if defect.hint else defect.cure
    cells = [f"`{defect.slug}`", defect.what, defect.costs, cure, ", ".join(map(_marked, needs))]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _marked(need: str) -> str:
    return f"*{need}*" if need in NO_HAZARDS else f"`{need}`"


# --- what repairs need ------------------------------------------------------------------------------


def seen() -> dict[str, Any]:
    """Return what the repair of each class needs, and its first specimen as an example, by slug."""
    with servers.embedded() as server:
        found = {defect.SLUG: _of_class(defect, server) for defect in defects.all_classes()}
    # Databases have random names, and triggers are counted as they come.
    text = re.sub(r"pgmend_[0-9a-f]{12}", "library", json.dumps(found))
    text = re.sub(r"((?:RI|Unique)_ConstraintTrigger(?:_[ac])?)_\d+", r"\1_16408", text)
    return cast(dict[str, Any], json.loads(text))


def _of_class(defect: DefectClass, server: Server) -> dict[str, Any]:
    needs, example = list[str](), None
    for specimen in (each for each in defect.SPECIMENS if each.minimum_version <= server.version):
        findings, plan = _seen_on(specimen, server, planned=example is None)
        own = [finding for finding in findings if finding.slug == defect.SLUG]
        needs += [need for finding in own for need in _needs(finding)]
        if example is None and own and plan:
            example = _example(specimen, own[0], plan)
    # Without a specimen, the contract itself is at fault, so that no database can be one.
    return {"needs": _in_order(needs) or ["a person"], "example": example}


def _needs(finding: Finding) -> Iterator[str]:
    if not finding.breaks:
        yield "report"
    elif finding.repair.label == "manual":
        yield "a person"
    elif finding.repair.hazards:
        yield from map(str, finding.repair.hazards)
    else:
        yield "automatic"


def _in_order(needs: Iterable[str]) -> list[str]:
    return sorted(set(needs), key=lambda need: (need != "automatic", need in NO_HAZARDS, need))


def _example(specimen: Specimen, finding: Finding, plan: Plan) -> dict[str, Any]:
    """Return a specimen as an example: its SQL, what check says about it, and the steps that repair it."""
    steps = [step for step in plan.steps if step.slug == finding.slug] if not finding.repair.refusal else []
    return {
        "name": specimen.name,
        "sql": specimen.breaks.strip(),
        "message": finding.message,
        "rows": finding.rows,
        "repair": finding.repair.label if finding.breaks else "",
        "refusal": finding.repair.refusal or "",
        "steps": [{"title": s.title, "lock": str(s.lock).lower(), "hazard": str(s.hazard or "")} for s in steps],
    }


def _seen_on(specimen: Specimen, server: Server, *, planned: bool) -> tuple[tuple[Finding, ...], Plan | None]:
    """Return what is found in a specimen, and its repair if that is wanted."""
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
        plan = api.plan(connection, wanted, deep=True) if planned else None
    server.drop_database(name)
    return found, plan


# --- the command ------------------------------------------------------------------------------------


def main(arguments: list[str]) -> None:
    """Write the page and what was seen, or tell how those that stand there differ."""
    found = seen()
    kept = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    for place, fresh in ((PLACE, page(found)), (SEEN, kept)):
        old = place.read_text("utf-8") if place.exists() else ""
        if "--check" not in arguments:
            place.write_text(fresh, encoding="utf-8")
            print(f"{place} is written.")
        elif fresh != old:
            both = (old.splitlines(True), fresh.splitlines(True))
            sys.stdout.writelines(difflib.unified_diff(*both, "as it is", "as it should be"))
            sys.exit(f"{place.name} lags behind fixer/defects: run python docs/defects.py.")


if __name__ == "__main__":
    main(sys.argv[1:])
