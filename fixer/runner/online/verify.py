"""Begins an online run by noting what it finds; ends it by checking constraints and ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

from fixer import introspect
from fixer.errors import ApplyFailed
from fixer.model.contract import Contract
from fixer.model.plan import ONLINE, Plan, PlannedStep
from fixer.model.report import Report
from fixer.model.run import Run, ledger_to_json
from fixer.model.step import Lock, Phase
from fixer.runner import marks
from fixer.runner.journal import definitions, ledger, reading, tables, writing
from fixer.runner.journal.definitions import Definitions, Item, is_unproved
from fixer.runner.journal.reading import Account
from fixer.runner.online.overtaken import OvertakenError
from fixer.runner.online.pace import Pace, look_ahead
from fixer.runner.online.steps import Standing, Work, at_once
from fixer.runner.online.transactions import Transactions
from fixer.runner.preflight import check_schema, counted_tables, watched_tables
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier

log = logging.getLogger("pgmend.apply")


def begin(transactions: Transactions, contract: Contract, plan: Plan, pace: Pace) -> Standing:
    """Open a run, or resume the interrupted one."""
    standing = Standing()
    with transactions.short() as cursor:
        check_schema(cursor, contract, plan)
        look_ahead(cursor, pace)
        tables.make(cursor, plan)
        unfinished = reading.unfinished(cursor)
        if unfinished is None:
            number = writing.open_run(cursor, plan, ONLINE, Definitions())
        else:
            number, standing.offset = unfinished
            log.info("run %s was interrupted: going on", number)
    transactions.run = number
    transactions.spell_as_before()
    widen(transactions, standing, plan)
    return standing


def widen(transactions: Transactions, standing: Standing, plan: Plan) -> None:
    """Note definitions (for undo) and row counts (for the ledger) of tables that the run has not touched so far."""
    run = transactions.run
    with transactions.short() as cursor:
        actual = introspect.read(cursor, transactions.schemas)
        tables.make(cursor, plan)
        watched = watched_tables(plan, actual)
        own = reading.created_by(cursor, run)
        relations = definitions.oids(cursor, watched | plan.tables) - own.keys()
        found = transactions.defined(cursor, relations, below=True, code=plan.code).without(own.keys())
        was = writing.widen(cursor, run, plan, found)
        writing.note_rows(cursor, run, ledger.count(cursor, counted_tables(watched - set(own.values()), actual)))
    standing.was = was
    standing.relations |= relations | was.relations | own.keys()


def settle(work: Work, standing: Standing) -> None:
    """End what interrupted or abandoned plans left open: constraints NOT VALID, a replica identity for a while."""
    transactions = work.transactions
    with transactions.short() as cursor:
        account = _account(reading.account(cursor, transactions.run))
        now = transactions.defined(cursor, standing.relations)
    _prove_again(work, standing, account.before or Definitions(), now)
    _close(work, standing, reading.left_open(each.step for each in account.steps))


def _prove_again(work: Work, standing: Standing, before: Definitions, now: Definitions) -> None:
    """Validate constraints that were valid before the run, and are not now."""
    transactions = work.transactions
    for left in _left_unproved(before, now):
        standing.offset += 1
        table = now.table(left.of)
        sql = SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(q.name(table), Identifier(left.name))
        step = PlannedStep(
            standing.offset,
            f"prove {left.name} of {table.name} again",
            table,
            Phase.EXCHANGE_PROOFS,
            str(sql.as_string(transactions.connection)),
            Lock.SHARE_UPDATE_EXCLUSIVE,
        )
        try:
            at_once(work, standing, [step])
        except OvertakenError as broken:
            raise ApplyFailed(f"{step.title}: {broken}. {transactions.stands()}") from None


def _close(work: Work, standing: Standing, left: Iterable[PlannedStep]) -> None:
    """End what steps began."""
    for begun in left:
        standing.offset += 1
        title = f"end what step {begun.number} began: {begun.title}"
        sql = begun.shape.closing or ""
        at_once(work, standing, [PlannedStep(standing.offset, title, begun.table, Phase.FINISH, sql, begun.lock)])


def _left_unproved(before: Definitions, now: Definitions) -> Iterator[Item]:
    """Yield the constraints that are NOT VALID now and were valid before."""
    for key in before.of_kind("constraint"):
        left = now.items.get(key.key)
        if left and is_unproved(left) and not is_unproved(key):
            yield left


def finish(work: Work, standing: Standing, plan: Plan, report: Report) -> Run:
    """Check that the ledger adds up, and close the run."""
    transactions = work.transactions
    with transactions.short() as cursor:
        done = _account(reading.account(cursor, transactions.run))
        steps = tuple(each.step for each in done.steps)
        entries = writing.balance(cursor, transactions.run, steps)
        after = transactions.defined(cursor, standing.relations, below=True, code=standing.was.code)
        if marks.kept(cursor, standing.was, after):
            after = transactions.defined(cursor, standing.relations, below=True, code=standing.was.code)
        writing.close_run(cursor, transactions.run, ledger_to_json(entries), after)
    return Run(plan.target, plan.contract, replace(plan, steps=steps), transactions.run, entries, report)


def _account(done: Account | None) -> Account:
    """Return the account of this run; raise ApplyFailed if somebody has deleted it meanwhile."""
    if done is None:
        raise ApplyFailed("The run is not in the journal any more.")
    return done
