"""JSON of every command: the keys are fixed, because pipelines rely on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from fixer.model.baseline import known_to_json
from fixer.model.finding import POINTS, Accepted, Finding
from fixer.model.plan import VERSION, Plan, step_to_json
from fixer.model.report import Report
from fixer.model.run import PastRun, Run, Undone, ledger_to_json

Document = dict[str, object]


def of_report(report: Report, fail_on: str = "error") -> str:
    """Return what `check` found; where it is a gate for new findings or other severities, whether it passes."""
    known = head(report.target, report.contract, report.findings)
    stale = {"stale": [_said(each) for each in report.comparison.stale]} if report.comparison.stale else {}
    beyond = [{"kind": key.kind, "object": key.home, "there": there} for key, there in report.comparison.beyond]
    unread = [{"table": str(table), "constraints": number} for table, number in report.comparison.unread]
    besides = {**({"not_compared": beyond} if beyond else {}), **({"unread": unread} if unread else {})}
    further = {**besides, **_gate(report, fail_on), **_changes(report)}
    return _text({**known, **_uncounted(report.comparison.uncounted), **stale, **further})


def _gate(report: Report, fail_on: str) -> Document:
    """Return whether a check passes, apart from whether the contract holds."""
    if report.baseline is None and fail_on == "error":
        return {}
    failing = [finding.id for finding in report.failing(fail_on)]
    gate: Document = {"passed": not failing, "fail_on": fail_on, "failing": failing}
    if report.baseline is not None:
        gate |= {"baseline": report.baseline.file, "gone": [known_to_json(each) for each in report.gone]}
    return {"gate": gate}


def _changes(report: Report) -> Document:
    """Return what changed since an earlier check, if one was named."""
    if report.changes is None:
        return {}
    changed = [{"id": finding.id, "was": was, "rows": finding.rows} for finding, was in report.changes.changed]
    gone = [known_to_json(each) for each in report.changes.gone]
    return {"changes": {"new": [finding.id for finding in report.changes.new], "gone": gone, "changed": changed}}


def _uncounted(why: str) -> Document:
    """Return why the rows that go after others could not be counted, if that is so."""
    return {"uncounted": why} if why else {}


def of_plan(plan: Plan) -> str:
    """Return a plan, as `-o` saves it and `apply` reads it."""
    return _text({**_head_of_plan(plan, plan.target, plan.contract), **plan_body(plan)})


def _head_of_plan(plan: Plan, target: str, contract: str) -> Document:
    """Return the head for a plan; a saved plan has no findings, only steps that show that there were some."""
    return head(target, contract, plan.findings, ok=bool(plan.findings) or not (plan.steps or plan.refusals))


def plan_body(plan: Plan) -> Document:
    """Return what a plan has beyond the common head."""
    return {
        "identity": plan.identity,
        "mode": plan.mode,
        "fingerprint": plan.fingerprint,
        "schemas": list(plan.schemas),
        "hazards": sorted(str(hazard) for hazard in plan.hazards),
        "refusals": list(plan.refusals),
        **({"published": asdict(plan.published)} if plan.published else {}),
        **({"event_triggers": [asdict(guard) for guard in plan.guards]} if plan.guards else {}),
        **({"needs": list(plan.needs)} if plan.needs else {}),
        "question": plan.question,
        **({"choice": asdict(plan.choice), "left": [asdict(each) for each in plan.left]} if plan.left else {}),
        **_uncounted(plan.uncounted),
        "steps": [step_to_json(step) for step in plan.steps],
    }


def of_run(run: Run) -> str:
    """Return what `apply` did."""
    if run.report:
        known = head(run.target, run.contract, run.report.findings)
    else:  # nothing was done
        known = _head_of_plan(run.plan, run.target, run.contract)
    return _text(
        {
            **known,
            "run": run.run,
            "steps": [step_to_json(step) for step in run.steps],
            "ledger": ledger_to_json(run.ledger),
            **_uncounted(run.plan.uncounted),
        }
    )


def of_undone(done: Undone) -> str:
    """Return what `undo` did."""
    entries = ledger_to_json(done.ledger)
    left = {name: [*said] for name, said in (("without", done.without), ("stays", done.stays)) if said}
    known = {"version": VERSION, "target": done.target, "undone": done.undone, "run": done.run, "ledger": entries}
    return _text({**known, **left})


def of_history(target: str, runs: Sequence[PastRun]) -> str:
    """Return past runs."""
    return _text({"version": VERSION, "target": target, "runs": [asdict(run) for run in runs]})


def of_error(
    target: str | None, contract: str | None, findings: tuple[Finding, ...], message: str, sqlstate: str | None
) -> str:
    """Return why a command could not work."""
    error = {"message": message, "sqlstate": sqlstate}
    return _text({**head(target, contract, findings, ok=False), "error": error})


def head(target: str | None, contract: str | None, findings: tuple[Finding, ...], *, ok: bool = True) -> Document:
    """Return the keys that all commands share; if it is not `ok` and there are no findings, no point holds."""
    broken = {finding.point for finding in findings if finding.breaks}
    if not (ok or broken):
        broken = set(POINTS)
    return {
        "version": VERSION,
        "target": target,
        "contract": contract,
        "ok": not broken,
        "points": [{"point": n, "title": title, "ok": n not in broken} for n, title in POINTS.items()],
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(finding: Finding) -> Document:
    return {
        "id": finding.id,
        "slug": finding.slug,
        "point": finding.point,
        "severity": finding.severity,
        "object": finding.object,
        "message": finding.message,
        "rows": finding.rows,
        "sample": [list(row) for row in finding.sample],
        "repair": finding.repair.label,
        **({"known": finding.known} if finding.known is not None else {}),
        **({"was": finding.was} if finding.was is not None else {}),
        **({"accepted": _why(finding.accepted)} if finding.accepted else {}),
    }


def _why(accepted: Accepted) -> Document:
    """Return why the project lives with a finding, and until when."""
    return {"reason": accepted.reason, "until": accepted.until and accepted.until.isoformat()}


def _said(accepted: Accepted) -> Document:
    return {"finding": accepted.finding, **_why(accepted)}


def _text(value: Document) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
