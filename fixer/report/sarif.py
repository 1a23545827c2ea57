"""SARIF 2.1.0 for code scanning: classes are rules, findings are results, each marked as new, known or accepted."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Iterable
from typing import Any  # JSON

from fixer.model.baseline import Known
from fixer.model.finding import POINTS, UNREADABLE, Accepted, Finding
from fixer.model.run import ledger_to_json, package_version
from fixer.report.account import Account, repair_of, rows_of

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_LONGEST = 1024  # characters of a description that GitHub takes
_UNREADABLE = (
    "Rows could not be read, so nobody knows whether they keep the contract. Costs: the check proves nothing of them."
    " Cure: let the role read all rows, as the finding says."
)
_ROOT = "The root of the repository that declares the contract."

Object = dict[str, Any]


def of_account(account: Account, *, exit_code: int = 0) -> str:
    """Return the log of one run."""
    rules = _rules()
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [_result(finding, account, index) for finding in account.findings]
    results += [_absent(known, account, index) for known in account.gone]
    run = {
        "tool": {"driver": _driver(rules)},
        "invocations": [_invocation(account, exit_code)],
        "originalUriBaseIds": {
            ROOT: {"description": {"text": "The root of the repository that declares the contract."}}
        },
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": _properties(account),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


# --- rules ------------------------------------------------------------------------------------------


def _driver(rules: list[Object]) -> Object:
    version = package_version()
    semantic = {"semanticVersion": version} if re.fullmatch(r"\d+\.\d+\.\d+", version) else {}
    return {"name": "pgmend", "version": version, **semantic, "rules": rules}


def _rules() -> list[Object]:
    """Return a rule for each defect class, by slug, and one for rows that cannot be read."""
    from fixer import defects

    classes = sorted(defects.all_classes(), key=lambda each: each.SLUG)
    home = _documentation()
    rules = [_rule(each.SLUG, inspect.getdoc(each) or "", POINTS[each.POINT], home) for each in classes]
    return [*rules, _rule(UNREADABLE, _UNREADABLE, "what could not be proved", home)]


def _rule(slug: str, docstring: str, point: str, home: str) -> Object:
    said = " ".join(docstring.split())
    wrong, costs, cure = _parts(said)
    markdown = (
        f"**What is wrong**: {wrong}\n\n**What it costs**: {costs}\n\n**The cure**: {cure}\n\n`fixer explain {slug}`"
    )
    return {
        "id": slug,
        "name": "".join(word.capitalize() for word in slug.split("-")),
        "shortDescription": {"text": _cut(wrong)},
        "fullDescription": {"text": _cut(said)},
        "help": {"text": f"{said} More: fixer explain {slug}", "markdown": markdown},
        **({"helpUri": f"{home.rstrip('/')}/defects.md#{slug}"} if home else {}),
        "defaultConfiguration": {"level": "error"},
        "properties": {
            "tags": ["database", "postgresql", point],
            "precision": "very-high",
            "problem.severity": "error",
        },
    }


def _parts(said: str) -> tuple[str, str, str]:
    """Return what a class says of itself: what is wrong, what it costs, the cure."""
    wrong, _, rest = said.partition(" Costs: ")
    costs, _, cure = rest.partition(" Cure: ")
    return wrong, costs, cure


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _documentation() -> str:
    """Return where the documentation of the installed package stands, if it says so."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("pgmend").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls if ", " in url)
    return str(named.get("Documentation", ""))


# --- results ----------------------------------------------------------------------------------------


def _result(finding: Finding, account: Account, index: dict[str, int]) -> Object:
    compared, marked = account.baseline, any(each.accepted for each in account.findings)
    return {
        "ruleId": finding.slug,
        "ruleIndex": index[finding.slug],
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(finding.object, _parts_of(finding), account.place)],
        "partialFingerprints": fingerprints(finding.id),
        **({"baselineState": _state(finding)} if compared else {}),
        **({"suppressions": _suppressions(finding.accepted)} if marked else {}),
        "properties": _only(
            id=finding.id,
            point=finding.point,
            rows=finding.rows or None,
            was=finding.was,
            repair=finding.repair.label,
            refusal=finding.repair.refusal or None,
        ),
    }


def _message(finding: Finding) -> str:
    rows = rows_of(finding)
    return f"{finding.message}{f': {rows}' if rows else ''}. It {_cure(finding)}."


def _cure(finding: Finding) -> str:
    said = repair_of(finding)
    return f"needs a human decision: {said}" if finding.repair.refusal else said


def _state(finding: Finding) -> str:
    if not finding.known:
        return "new"
    return "unchanged" if finding.was == finding.rows else "updated"


def _suppressions(accepted: Accepted | None) -> list[Object]:
    if accepted is None:
        return []  # an absent list would say that nobody looked
    until = {"properties": {"until": accepted.until.isoformat()}} if accepted.until else {}
    return [{"kind": "external", "status": "accepted", "justification": accepted.reason, **until}]


def _absent(known: Known, account: Account, index: dict[str, int]) -> Object:
    """Return the result for what the baseline has and the check does not find: nothing is wrong there any more."""
    return {
        "ruleId": known.slug,
        **({"ruleIndex": index[known.slug]} if known.slug in index else {}),
        "kind": "pass",
        "level": "none",
        "message": {"text": f"Not found any more: {known.message}."},
        "locations": [_location(known.object, [("object", known.object, known.object)], account.place)],
        "partialFingerprints": fingerprints(known.id),
        "baselineState": "absent",
        **({"suppressions": []} if any(each.accepted for each in account.findings) else {}),
        "properties": {"id": known.id, "point": known.point},
    }


def fingerprints(id_: str) -> dict[str, str]:
    """Return what names a finding from run to run; of these, GitHub reads the hash that is called after a line."""
    digest = hashlib.sha256(id_.encode()).hexdigest()[:16]
    return {"pgmend/v1": digest, "primaryLocationLineHash": f"{digest}:1"}


def _parts_of(finding: Finding) -> list[tuple[str, str, str]]:
    """Return the objects of the database that a finding is in: kind, name, full name."""
    table = finding.table
    parts = [("schema", table.schema, table.schema)]
    parts += [("table", table.name, str(table))] if table.name else []
    if table.name and finding.column:
        parts.append(("column", finding.column, f"{table}.{finding.column}"))
    return parts


def _location(object_: str, parts: Iterable[tuple[str, str, str]], place: str) -> Object:
    from urllib.parse import quote

    logical: list[Object] = [{"kind": k, "name": name, "fullyQualifiedName": full} for k, name, full in parts]
    artifact = {"uri": quote(place), "uriBaseId": ROOT} if place else {"uri": f"database/{quote(object_, safe='')}"}
    region = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}, "logicalLocations": logical[::-1]}


# --- the run ----------------------------------------------------------------------------------------


def _invocation(account: Account, exit_code: int) -> Object:
    told = [_told(level, said) for level, said in account.limits]
    told += [_told("warning", account.undone)] if account.undone else []
    stale = [
        _told("warning", f"stale: {each.finding} is accepted, and this check does not find it")
        for each in account.stale
    ]
    if account.error:
        state = {"properties": {"sqlstate": account.sqlstate}} if account.sqlstate else {}
        told.append({**_told("error", account.error), **state})
    return {
        "executionSuccessful": not account.error,
        "exitCode": exit_code,
        **({"toolExecutionNotifications": told} if told else {}),
        **({"toolConfigurationNotifications": stale} if stale else {}),
    }


def _told(level: str, text: str) -> Object:
    return {"level": level, "message": {"text": text}}


def _properties(account: Account) -> Object:
    steps = [
        _only(
            number=step.number,
            title=step.title,
            lock=str(step.lock),
            hazard=str(step.hazard) if step.hazard else None,
            rows=step.effect.rows or None,
            seconds=step.cost.seconds,
        )
        for step in account.steps
    ]
    return _only(
        command=account.command,
        target=account.target,
        contract=account.contract,
        ok=account.ok,
        passed=account.passed,
        points=[{"point": number, "title": title, "ok": ok} for number, title, ok in account.points],
        steps=steps or None,
        refusals=list(account.refusals) or None,
        run=account.run,
        ledger=ledger_to_json(account.ledger) or None,
        following=account.following or None,
    )


def _only(**said: object) -> Object:
    """Return an object without what is unknown."""
    return {key: value for key, value in said.items() if value is not None}
