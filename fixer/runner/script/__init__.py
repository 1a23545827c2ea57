"""A plan as a psql script: one transaction that checks its own ledger, and that may be run again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from fixer.connect.settings import DEFAULTS, EXACTLY, QUIETLY, SAFELY, SEEING_ALL, SOUNDLY, assigning
from fixer.model.plan import Plan, PlannedStep, step_to_json
from fixer.model.run import package_version
from fixer.model.table import QName
from fixer.planner.build import Render
from fixer.repair.rows import quarantine_table
from fixer.runner.atomic import lock_modes
from fixer.runner.journal import tables, writing
from fixer.runner.locking.transaction import ADVISORY_LOCK
from fixer.runner.preflight import undecided
from fixer.runner.script.moment import Moment, runs_of
from fixer.runner.standing import guarded
from fixer.sql.compose import SQL, Block, Composable, Literal, name

_TIMEOUTS = ("lock_timeout", "statement_timeout")


def of_plan(plan: Plan, render: Render, settings: Mapping[str, str] = DEFAULTS, moment: Moment | None = None) -> str:
    """Return the script, with the timeouts of these settings.

    A second run reports that the plan was applied; one on tables that are not what they were at that `moment` fails. So
    does that of a plan which needs a human decision, as `apply` would.
    """
    return "\n".join(_lines(plan, render, settings, moment or Moment())) + "\n"


def _lines(plan: Plan, render: Render, settings: Mapping[str, str], moment: Moment) -> Iterator[str]:
    yield _comment(f"A repair by pgmend {package_version()}, plan {plan.identity}, contract {plan.contract}.")
    yield "-- Review it, then run it with:  psql -X -f FILE   All of it is done, or nothing is."
    for step in plan.steps:
        yield _comment(f"  {step.number}. {_told(step)}")
    for guard in plan.guards:
        yield _comment(f"The event trigger {guard.name} may refuse it: {guard.way}.")
    for need in plan.needs:
        yield _comment(f"Before it can run: {' '.join(need.split())}")
    if plan.published and plan.published.heard:
        advice = "Subscribers stop until they have the same: run there first"
        yield _comment(f"{plan.published.opening} what it makes. {advice}")
        yield from (_comment(f"  {table};") for table in plan.published.tables)
        yield from (_comment(f"  what step {number} does") for number in plan.published.steps)
    yield from (_comment(f"Left to a person: {' '.join(each.split())}") for each in plan.refusals)
    yield from (_comment(f"Left out: {left.slug}:{left.object}, {left.why}") for left in plan.left)
    yield "\\set ON_ERROR_STOP on"
    if why := undecided(plan):
        yield from _statement(render, _failing(why))
    yield "BEGIN ISOLATION LEVEL READ COMMITTED;"
    yield f"{SAFELY.rstrip()[:-1]}{SOUNDLY};"
    for timeout in _TIMEOUTS:
        value = Literal(settings.get(timeout, DEFAULTS[timeout]))
        yield from _statement(render, SQL("SET LOCAL {} = {}").format(SQL(timeout), value))
    yield from (assigning(SEEING_ALL), assigning(EXACTLY), assigning(QUIETLY))
    yield from _guard(plan, render, moment)
    yield "\\if :applied"
    yield f"  \\echo 'This plan was applied already: nothing was changed. {_BACK}'"
    yield "  ROLLBACK;"
    yield "  \\quit"
    yield "\\endif"
    yield from _body(plan, render, moment)
    yield "COMMIT;"
    left = "; what is left out, named at the top of this script, remains" if plan.left else ""
    yield f"\\echo 'Done: {len(plan.steps)} steps{left}. Prove it with: fixer check --deep'"


_BACK = "If the fault is back, make a new script with fixer plan --sql."


def _guard(plan: Plan, render: Render, moment: Moment) -> Iterator[str]:
    yield "SELECT to_regclass('fixer_journal.run') IS NOT NULL AS journal \\gset"
    yield "\\set runs 0"
    yield "\\if :journal"
    yield f"  {render(runs_of(plan))} \\gset"
    yield "\\endif"
    yield f"SELECT :runs > {moment.runs} AS applied \\gset"


def _body(plan: Plan, render: Render, moment: Moment) -> Iterator[str]:
    renamed = {new: old for old, new in plan.renamed.items()}
    modes = {t: m for t, m in lock_modes(plan).items() if t not in plan.created and t not in renamed}
    yield from _statement(
        render,
        Block(
            SQL("BEGIN\n    IF NOT pg_try_advisory_xact_lock({}) THEN\n        {}\n    END IF;\nEND").format(
                Literal(ADVISORY_LOCK), _raise("Another fixer is at work on this database.")
            )
        ),
    )
    for table, mode in sorted(modes.items()):
        yield from _statement(render, SQL("LOCK TABLE {} IN {} MODE").format(name(table), SQL(mode)))
    for guard in filter(None, (moment.guard(plan), guarded(plan.steps))):
        yield from _statement(render, guard)
    yield "SET CONSTRAINTS ALL IMMEDIATE;"
    for statement in tables.statements(tables.moving_tables(plan.steps)):
        yield from _statement(render, statement)
    yield render(writing.new_run(plan, "script")) + " AS run \\gset"
    yield "SELECT set_config('pgmend.run', :'run', true);"
    counted = sorted(modes.keys() - moment.within)
    for number, table in enumerate(counted):
        count = SQL("SELECT set_config({}, count(*)::text, true) FROM {}").format(
            Literal(f"pgmend.before_{number}"), name(table)
        )
        yield from _statement(render, count)
    for step in plan.steps:
        yield from _step(step, render)
    yield "\n-- The ledger: no row is lost."
    after = [next((new for new, old in renamed.items() if old == table), table) for table in counted]
    for number, table in enumerate(after):
        yield from _statement(render, _proof(plan, number, table))
    ledger = SQL(",\n").join(_entry(plan, number, table) for number, table in enumerate(after))
    close = SQL("UPDATE {} SET finished_at = clock_timestamp(), ledger = jsonb_build_array(\n{})\nWHERE id = {}")
    run = SQL("current_setting('pgmend.run')::bigint")
    yield from _statement(render, close.format(tables.RUN, ledger, run))


def _raise(message: str) -> Composable:
    return SQL("RAISE EXCEPTION USING MESSAGE = {};").format(Literal(message))


def _failing(message: str) -> Block:
    return Block(SQL("BEGIN\n    {}\nEND").format(_raise(message)))


def _step(step: PlannedStep, render: Render) -> Iterator[str]:
    yield ""
    yield _comment(f"{step.number}. {_told(step)}")
    yield f"SELECT set_config('pgmend.step', '{step.number}', true);"
    if step.batches.known:
        yield f"{step.batches.known};"
    yield f"{step.sql};"
    entry = SQL("INSERT INTO {} (run, number, step) VALUES (current_setting('pgmend.run')::bigint, {}, {})")
    kept = Literal(json.dumps(step_to_json(step)))
    yield from _statement(render, entry.format(tables.STEP, Literal(step.number), kept))


def _entry(plan: Plan, number: int, table: QName) -> Composable:
    """Return one table's entry in the ledger."""
    return SQL(
        "jsonb_build_object('table', {}::text, 'before', current_setting({})::bigint, 'inserted', {},"
        " 'after', (SELECT count(*) FROM {}), 'quarantined', {})"
    ).format(
        Literal(str(table)),
        Literal(f"pgmend.before_{number}"),
        Literal(_inserts(plan, table)),
        name(table),
        _moved(plan, table),
    )


def _inserts(plan: Plan, table: QName) -> int:
    return sum(step.effect.rows for step in plan.steps if step.effect.inserts and step.table == table)


def _moved(plan: Plan, table: QName) -> Composable:
    if table not in tables.moving_tables(plan.steps):
        return Literal(0)
    counted = "(SELECT count(*) FROM {} WHERE run = current_setting('pgmend.run')::bigint AND source = {})"
    return SQL(counted).format(name(quarantine_table(table)), Literal(str(table)))


def _proof(plan: Plan, number: int, table: QName) -> Block:
    moved, inserts = _moved(plan, table), Literal(_inserts(plan, table))
    complaint = Literal(f"The rows of {table} do not add up: everything is rolled back.")
    return Block(
        SQL(
            "BEGIN\n    IF current_setting({})::bigint + {} <> (SELECT count(*) FROM {}) + {} THEN\n"
            "        RAISE EXCEPTION USING MESSAGE = {};\n    END IF;\nEND"
        ).format(Literal(f"pgmend.before_{number}"), inserts, name(table), moved, complaint)
    )


def _statement(render: Render, statement: Composable) -> Iterator[str]:
    yield f"{render(statement)};"


def _told(step: PlannedStep) -> str:
    return f"{step.title} [{step.hazard}]" if step.hazard else step.title


def _comment(text: str) -> str:
    """Return a comment of one line, because psql would run what a name puts on the next."""
    return f"-- {' '.join(text.splitlines())}"
