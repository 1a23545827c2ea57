"""JSON of `check`, `plan` and `apply`: the keys are fixed, because pipelines lean on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fixer.apply import ledger
from fixer.apply.journal import PastRun
from fixer.apply.run import Run
from fixer.apply.undo import Undone
from fixer.examine import Report
from fixer.findings import POINTS, Finding
from fixer.plan import VERSION, Plan, step_to_json


def of_report(report: Report) -> str:
    """Return what `check` found."""
    return _text(head(report.target, report.contract, report.findings))


def of_plan(plan: Plan) -> str:
    """Return a plan, as `-o` keeps it and `apply` reads it."""
    return _text({**head(plan.target, plan.contract, plan.findings), **plan_body(plan)})


def plan_body(plan: Plan) -> dict[str, Any]:
    """Return what a plan has beyond the head that all share."""
    return {
        "identity": plan.identity,
        "mode": plan.mode,
        "fingerprint": plan.fingerprint,
        "schemas": list(plan.schemas),
        "hazards": sorted(str(hazard) for hazard in plan.hazards),
        "refusals": list(plan.refusals),
        **({"published": asdict(plan.published)} if plan.published else {}),
        "question": plan.question,
        "steps": [step_to_json(step) for step in plan.steps],
    }


def of_run(run: Run) -> str:
    """Return what `apply` did."""
    findings = run.report.findings if run.report else run.plan.findings
    return _text(
        {
            **head(run.target, run.contract, findings),
            "run": run.run,
            "steps": [step_to_json(step) for step in run.steps],
            "ledger": ledger.to_json(run.ledger),
        }
    )


def of_undone(done: Undone) -> str:
    """Return what `undo` did."""
    entries = ledger.to_json(done.ledger)
    return _text({"version": VERSION, "target": done.target, "undone": done.undone, "run": done.run, "ledger": entries})


def of_history(target: str, runs: Sequence[PastRun]) -> str:
    """Return past runs."""
    return _text({"version": VERSION, "target": target, "runs": [asdict(run) for run in runs]})


def head(target: str, contract: str, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Return the keys that all commands share."""
    broken = {finding.point for finding in findings if finding.breaks}
    return {
        "version": VERSION,
        "target": target,
        "contract": contract,
        "ok": not broken,
        "points": [{"point": n, "title": title, "ok": n not in broken} for n, title in POINTS.items()],
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "slug": finding.slug,
        "point": finding.point,
        "severity": finding.severity,
        "object": finding.object,
        "message": finding.message,
        "rows": finding.rows,
        "sample": [list(row) for row in finding.sample],
        "repair": finding.repair.label,
    }


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
