"""JUnit XML for the test reports of GitLab, Jenkins and others: a suite for each point, a case for each finding."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from fixer.model.baseline import Known
from fixer.model.expression.patterns import pattern
from fixer.model.finding import Finding
from fixer.report.account import Account, repair_of, rows_of
from fixer.report.findings import evidence
from fixer.report.words import time_of

# What XML 1.0 has no way to hold.
_IMPOSSIBLE = pattern("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
NAME = "pgmend"


def of_account(account: Account) -> str:
    """Return the suites of one run."""
    suites = [_suite(account, number, title, ok) for number, title, ok in account.points]
    if account.steps or account.refusals:
        suites.append(_steps(account))
    if account.limits:
        suites.append(_limits(account))
    if account.error or account.undone:
        suites = [_failed(account), *(suite for suite in suites if suite.find("testcase") is not None)]
    whole = ET.Element("testsuites", {"name": NAME, **_totals(suites)})
    whole.extend(suites)
    ET.indent(whole)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(whole, encoding="unicode")}\n'


def _suite(account: Account, number: int, title: str, ok: bool) -> ET.Element:
    """Return the suite of a point: what is wrong fails, what one lives with is skipped, and notes pass."""
    name = f"{number} {title}"
    found = [finding for finding in account.findings if finding.point == number]
    cases = [_case(account, finding, name) for finding in found]
    cases += [_gone(known, name) for known in account.gone if known.point == number]
    if not (any(account.fails(finding) for finding in found) or account.error or account.undone):
        cases.insert(0, _element("testcase", name=title, classname=f"{NAME}.{name}", time="0"))
    return _with_counts(account, name, cases)


def _case(account: Account, finding: Finding, point: str) -> ET.Element:
    case = _element("testcase", name=finding.id, classname=f"{NAME}.{point}", time="0")
    said = _message(finding)
    if finding.accepted:
        case.append(_element("skipped", message=f"{finding.accepted.term}: {finding.accepted.reason}"))
    elif account.fails(finding):
        case.append(_element("failure", said, message=finding.message, type=finding.slug))
        return case
    elif finding.known:
        case.append(_element("skipped", message=f"known: {account.baseline} has it"))
    case.append(_element("system-out", f"{finding.severity}: {said}"))
    return case


def _gone(known: Known, point: str) -> ET.Element:
    case = _element("testcase", name=known.id, classname=f"{NAME}.{point}", time="0")
    case.append(_element("system-out", f"In the baseline, and not found any more: {known.message}"))
    return case


def _message(finding: Finding) -> str:
    rows = [evidence(finding)] if finding.sample else []
    return "\n".join([finding.message, *rows, *([rows_of(finding)] if finding.grown else []), repair_of(finding)])


def _steps(account: Account) -> ET.Element:
    """Return the suite of the steps: done by an apply, to do by a plan; what needs a person fails."""
    name = "steps" if account.run is not None else "plan"
    cases = []
    for step in account.steps:
        case = _element("testcase", name=f"{step.number} {step.title}", classname=f"{NAME}.{name}", time="0")
        hazard = f", hazard {step.hazard}" if step.hazard else ""
        about = f"lock {str(step.lock).lower()}{hazard}, about {time_of(step.cost.seconds)}\n{step.sql}"
        case.append(_element("system-out", about))
        cases.append(case)
    for number, refusal in enumerate(account.refusals, 1):
        case = _element("testcase", name=f"decision {number}", classname=f"{NAME}.{name}", time="0")
        case.append(_element("failure", refusal, message=refusal, type="decision"))
        cases.append(case)
    return _with_counts(account, name, cases)


def _limits(account: Account) -> ET.Element:
    """Return the suite of what was not counted, compared or read: nothing is wrong, and nothing is proved."""
    cases = []
    for number, (_, said) in enumerate(account.limits, 1):
        case = _element("testcase", name=f"limit {number}", classname=f"{NAME}.limits", time="0")
        case.append(_element("skipped", message=said))
        cases.append(case)
    return _with_counts(account, "limits", cases)


def _failed(account: Account) -> ET.Element:
    """Return the suite that says why the command could not work, or did nothing."""
    case = _element("testcase", name=account.command, classname=NAME, time="0")
    state = f"SQLSTATE {account.sqlstate}" if account.sqlstate else ""
    if account.error:
        case.append(_element("error", state, message=account.error, type="error"))
    else:
        case.append(_element("failure", message=account.undone, type="permission"))
    return _with_counts(account, account.command, [case])


def _with_counts(account: Account, name: str, cases: list[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", {"name": _possible(name), **_counted(cases), "time": "0"})
    about = {"target": account.target, "contract": account.contract}
    properties = ET.SubElement(suite, "properties")
    properties.extend(_element("property", name=key, value=value) for key, value in about.items() if value)
    suite.extend(cases)
    return suite


def _counted(cases: list[ET.Element]) -> dict[str, str]:
    counts = {plural: sum(case.find(one) is not None for case in cases) for plural, one in _COUNTS.items()}
    return {"tests": str(len(cases)), **{name: str(count) for name, count in counts.items()}}


def _totals(suites: Iterable[ET.Element]) -> dict[str, str]:
    counts = [{name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors")} for suite in suites]
    return {name: str(sum(each[name] for each in counts)) for name in ("tests", "failures", "errors")}


def _element(tag: str, text: str = "", **attributes: str) -> ET.Element:
    made = ET.Element(tag, {name: _possible(value) for name, value in attributes.items()})
    made.text = _possible(text) or None
    return made


def _possible(text: str) -> str:
    """Return a text without characters that XML cannot hold, each spelt as in Python instead."""
    return _IMPOSSIBLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
