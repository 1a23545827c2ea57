"""Plans on their way: written by `fixer plan`, read by `fixer apply`, shown and asked about before it begins."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fixer.api import Session
from fixer.cli import outcome
from fixer.cli.options import Settings
from fixer.cli.outputs import STANDARD, files
from fixer.cli.outputs.documents import Forms
from fixer.errors import NeedsPermission, PlanRefused, UsageError
from fixer.model.choice import EVERYTHING, Choice
from fixer.model.plan import Plan, from_json
from fixer.model.run import Run
from fixer.report import json as as_json
from fixer.report import text as as_text
from fixer.runner.limits import Bounds
from fixer.runner.preflight import permit

if TYPE_CHECKING:
    from fixer.model.report import Report
    from fixer.report.account import Account
    from fixer.snapshots.proof import Kept


def write(path: str, text: str) -> None:
    """Write a file; `-` is the standard output."""
    if path == STANDARD:
        return outcome.emit(text)
    return files.write(path, text)


def given(path: str | None, mode: str | None, choice: Choice, proof: Kept | None = None) -> Plan | None:
    """Return the plan of a file, or of a proof; raise PlanRefused if the proof is of another."""
    if (path or proof) and choice != EVERYTHING:
        raise UsageError("What a plan leaves out is chosen when it is made: give --skip and --only to `fixer plan`.")
    plan = read(path, mode) if path else _of(proof, mode)
    if plan and proof:
        proof.see_that_it_is_of(plan)
    return plan


def _of(proof: Kept | None, mode: str | None) -> Plan | None:
    return _for(proof.plan, mode) if proof else None


def read_proof(path: str | None) -> Kept | None:
    """Read the proof that `fixer prove -o` wrote, if one is named."""
    if path is None:
        return None
    from fixer.snapshots import proof

    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The proof cannot be read: {error.strerror}: {path}.") from None
    except UnicodeDecodeError:
        text = ""
    return proof.read(text)


def see_that_it_is_proved(plan: Plan | None, proof: Kept | None, session: Session) -> None:
    """Raise PlanRefused if the database has changed since a plan was proved: its schema, or what is found there."""
    if plan is None or proof is None:
        return
    from fixer.snapshots.proof import facts_of

    report = session.check(deep=proof.deep, choice=plan.choice)
    apart = sorted({*facts_of(report.findings)} ^ proof.findings)
    if report.comparison.actual.fingerprint != plan.fingerprint or apart:
        which = f" ({apart[0][0]} of {apart[0][1]})" if apart else ""
        raise PlanRefused(f"The database has changed since the proof{which}: prove again. Nothing was changed.")


def read(path: str, mode: str | None) -> Plan:
    """Read a plan that `fixer plan -o` wrote, for this mode, where it is named."""
    return _for(_read(path), mode)


def _for(plan: Plan, mode: str | None) -> Plan:
    if mode not in (None, plan.mode):
        raise PlanRefused(f"The plan was made for the mode {plan.mode}, not for {mode}: plan again.")
    return plan


def see_that_it_is_for(contract: str, plan: Plan | None) -> None:
    """Raise PlanRefused if a plan was made for another contract."""
    if plan and plan.contract != contract:
        raise PlanRefused(f"The plan was made for the contract {plan.contract}, not for {contract}: plan again.")


def _read(path: str) -> Plan:
    try:
        return from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        if "://" in path:
            raise UsageError("A plan is a file of `fixer plan -o`, not a database: name that by --dsn.") from None
        raise UsageError(f"The plan cannot be read: {error.strerror}: {path}.") from None
    except ValueError:
        raise PlanRefused(f"The file is not a plan of `fixer plan -o`: {path}.") from None


def announce(settings: Settings, plan: Plan) -> None:
    """Show a plan before anything is changed: where it cannot be written, nothing is."""
    if settings.speaks and (plan.steps or plan.refusals):
        as_text.show(settings.console(), as_text.of_plan(plan, verbose=settings.verbose > 0, following=None))
        sys.stdout.flush()


def permit_or_report(settings: Settings, plan: Plan, allowed: Iterable[str], bounds: Bounds, session: Session) -> None:
    """Raise NeedsPermission where a plan needs what was not allowed, or moves too many rows, or unknown many.

    Machines get the run that was not begun.
    """
    try:
        permit(plan, allowed)
        bounds.permit(plan)
    except NeedsPermission:
        settings.document(forms_of_run(Run(session.link.target, session.contract.name, plan), settings))
        raise


def forms_of_plan(plan: Plan, report: Report | None, settings: Settings, following: str, *, passed: bool) -> Forms:
    """Return the forms of a plan, with the report that it was made from."""

    def html(show_values: bool) -> str:
        from fixer.report.html import of_plan

        return of_plan(plan, report, show_values=show_values)

    def account() -> Account:
        from fixer.report.account import of_plan

        return of_plan(plan, following=following, place=settings.place, passed=passed)

    shown = partial(as_text.of_plan, plan, verbose=settings.verbose > 0, following=following)
    return Forms(shown, partial(as_json.of_plan, plan), account, html)


def forms_of_run(run: Run, settings: Settings) -> Forms:
    """Return the forms of a run, or of one that was not begun."""

    def html(show_values: bool) -> str:
        from fixer.report.html import of_run

        return of_run(run, show_values=show_values)

    def account() -> Account:
        from fixer.report.account import of_run

        return of_run(run, place=settings.place)

    shown = partial(as_text.of_run, run, verbose=settings.verbose > 0)
    return Forms(shown, partial(as_json.of_run, run), account, html)


def ask(question: str, deed: str) -> None:
    """Ask for consent; raise UsageError without it, or without a terminal to ask on."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        raise UsageError(f"There is no terminal to ask on: add --yes {deed}. Nothing was changed.")
    if not click.confirm(question, err=True):
        raise UsageError("Not confirmed. Nothing was changed.")
