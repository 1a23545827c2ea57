r"""GitHub Actions: annotations, the summary of the step, and its outputs.

GitHub shows ten annotations of a kind for each step: the worst come first, and the tenth says how many more there are.
What follows stands in the log as plain lines, in which no text of a database can begin a command of the runner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from fixer.model.finding import Finding
from fixer.report.account import Account, repair_of, rows_of, worst_first
from fixer.report.words import counted, time_of

SHOWN = 10  # annotations of one kind
_KINDS = {"error": "error", "warning": "warning", "info": "notice"}
_LISTED = 500  # rows of a table in the summary
_LARGEST = 1_000_000  # bytes of a summary, of which GitHub takes 1 MiB
_CUT = "\n\n… cut short: GitHub takes no longer summary.\n"


# --- annotations ------------------------------------------------------------------------------------


def log(account: Account) -> str:
    """Return the lines for the log."""
    if account.error:
        return _command("error", account.error, account, f"fixer {account.command}") + "\n"
    lines = [_command("error", account.undone, account, "fixer apply")] if account.undone else []
    lines += _of_findings(account)
    lines += [f"refused: {_plain(each)}" for each in account.refusals]
    lines += [f"stale: {_plain(each.finding)} is accepted, and this check does not find it" for each in account.stale]
    lines += [f"gone: {_plain(each.id)} is in the baseline, and this check does not find it" for each in account.gone]
    lines += [_plain(said) for _, said in account.limits]
    return "\n".join([*lines, _plain(_verdict(account))]) + "\n"


def _of_findings(account: Account) -> Iterator[str]:
    """Yield annotations for what is new, and plain lines for the rest."""
    for kind in _KINDS.values():
        mine = [finding for finding in worst_first(account.new) if _KINDS[finding.severity] == kind]
        if kind == "warning":
            mine += [finding for finding in account.known if finding.grown]
        shown = mine if len(mine) <= SHOWN else mine[: SHOWN - 1]
        yield from (_command(kind, _message(each), account, each.id) for each in shown)
        if rest := mine[len(shown) :]:
            yield _command(kind, f"{len(rest)} more: see the log and the summary of this step.", account, "pgmend")
            yield from map(_line, rest)
    yield from (f"known {_line(each)}" for each in account.known if not each.grown)
    yield from (f"accepted {_line(each)}" for each in account.accepted)


def _command(kind: str, message: str, account: Account, title: str) -> str:
    """Return a command of the runner, whose values are escaped as it reads them."""
    place = f",file={_property(account.place)},line=1" if account.place else ""
    return f"::{kind} title={_property(title)}{place}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _line(finding: Finding) -> str:
    return f"{finding.severity} {_plain(finding.id)}: {_plain(_message(finding))}"


def _plain(text: str) -> str:
    """Return a text as one line that begins no command: neither by :: at its start, nor by the older ##[ anywhere."""
    return re.sub(r"[\r\n\v\f\x85\u2028\u2029]+", " ", text).replace("##[", "## [")


def _message(finding: Finding) -> str:
    rows = rows_of(finding)
    return f"{finding.message}{f': {rows}' if rows else ''} ({repair_of(finding)})"


def _verdict(account: Account) -> str:
    if account.run is not None:
        return f"Run {account.run}: {counted(len(account.steps), 'step')} done."
    if account.command == "plan" and not account.new and not account.steps:
        return "Nothing to do."
    new = [finding for finding in account.failing if not finding.known]
    if new:
        return f"{counted(len(new), 'new finding' if account.baseline else 'finding')} against the contract."
    if account.failing:
        return f"{counted(len(account.failing), 'known finding')} with more rows than the baseline knows."
    if account.ok:
        return "The contract holds."
    return "Nothing is new: all that was found is known." if account.known else "The contract does not hold."


# --- the summary of the step ------------------------------------------------------------------------


def summary(account: Account) -> str:
    """Return the summary in Markdown."""
    parts = [f"### pgmend {account.command}: {_outcome(account)}", _about(account)]
    if account.error:
        parts.append(f"> {_cell(account.error)}")
    else:
        parts += ["| point | holds |\n|---|---|\n" + "\n".join(_points(account))]
        parts += [*_sections(account), *_plan(account), *_after(account)]
    whole = "\n\n".join(part for part in parts if part) + "\n"
    kept = whole.encode()[:_LARGEST].decode("utf-8", "ignore")
    return whole if kept == whole else kept.rpartition("\n")[0] + _CUT


def _outcome(account: Account) -> str:
    if account.error:
        return "could not work"
    if account.run is not None:
        return f"run {account.run} done"
    if account.undone:
        return "nothing was applied"
    if account.ok:
        return "the contract holds"
    return "nothing new" if account.passed and account.baseline else "the contract does not hold"


def _about(account: Account) -> str:
    contract = f" against `{_code(account.contract)}`" if account.contract else ""
    return f"`{_code(account.target)}`{contract}" if account.target else ""


def _points(account: Account) -> Iterator[str]:
    return (f"| {number} {title} | {'✅' if ok else '❌'} |" for number, title, ok in account.points)


def _sections(account: Account) -> Iterator[str]:
    new = "New" if account.baseline else "Findings"
    yield from _table(new, worst_first(account.new), repair_of)
    yield from _table("Known, by the baseline", account.known, repair_of)
    yield from _table("Accepted", account.accepted, lambda f: f.accepted.reason if f.accepted else "")
    if account.stale or account.gone:
        lines = [f"- `{_code(each.finding)}` is accepted, and not found: take it out" for each in account.stale]
        lines += [f"- `{_code(each.id)}` is in the baseline, and not found any more" for each in account.gone]
        yield _titled("Stale", len(lines), "\n".join(lines[:_LISTED]))
    if account.limits:
        yield _titled("Not proved", len(account.limits), "\n".join(f"- {_cell(said)}" for _, said in account.limits))


def _table(title: str, findings: Sequence[Finding], last: Callable[[Finding], str]) -> Iterator[str]:
    if not findings:
        return
    rows = [_row(finding, last(finding)) for finding in findings[:_LISTED]]
    more = f"\n\n… and {len(findings) - _LISTED} more." if len(findings) > _LISTED else ""
    head = "| severity | finding | rows | |\n|---|---|---|---|\n"
    yield _titled(title, len(findings), head + "\n".join(rows) + more)


def _titled(title: str, count: int, body: str) -> str:
    return f"#### {title} ({count})\n\n{body}"


def _row(finding: Finding, last: str) -> str:
    rows = f"was {finding.was}, now {finding.rows}" if finding.grown else str(finding.rows or "")
    return f"| {finding.severity} | {_cell(finding.message)}<br>`{_code(finding.id)}` | {rows} | {_cell(last)} |"


def _plan(account: Account) -> Iterator[str]:
    if account.steps:
        rows = [
            f"| {step.number} | {_cell(step.title)} | {str(step.lock).lower()} | {step.hazard or ''} |"
            f" {step.effect.rows or ''} | {time_of(step.cost.seconds)} |"
            for step in account.steps[:_LISTED]
        ]
        head = "| # | step | lock | hazard | rows | time |\n|---|---|---|---|---|---|\n"
        yield _titled("Steps", len(account.steps), head + "\n".join(rows))
    if account.refusals:
        yield _titled("For a person", len(account.refusals), "\n".join(f"- {_cell(each)}" for each in account.refusals))
    if account.ledger:
        rows = [
            f"| {_cell(str(each.table))} | {each.before} | {each.inserted} | {each.after} | {each.quarantined} |"
            for each in account.ledger
        ]
        head = "| table | before | inserted | after | quarantined |\n|---|---|---|---|---|\n"
        yield _titled("Ledger", len(rows), head + "\n".join(rows))


def _after(account: Account) -> Iterator[str]:
    """Yield the command that repairs."""
    if account.following and not account.ok:
        told = "See the repair with" if account.command == "check" else "Run it with"
        fence = "`" * (max(map(len, re.findall("`+", account.following)), default=0) + 3)
        yield f"{told}:\n\n{fence}sh\n{account.following}\n{fence}"


def _cell(text: str) -> str:
    """Return a text as Markdown shows it in one cell, whatever it holds."""
    flat = " ".join(text.split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~@!])", r"\\\1", flat)


def _code(text: str | None) -> str:
    """Return a text between backticks, in which it can hold neither these nor the end of a cell."""
    return " ".join((text or "").split()).replace("`", "'").replace("|", "\\|")


# --- the outputs of the step ------------------------------------------------------------------------


def outputs(account: Account) -> str:
    """Return the outputs of the step, one a line."""
    said: Iterable[tuple[str, object]] = (
        ("ok", account.ok),
        ("passed", account.passed),
        ("findings", len(account.findings)),
        ("new", len(account.new)),
        ("known", len(account.known)),
        ("accepted", len(account.accepted)),
        ("stale", len(account.stale) + len(account.gone)),
        ("errors", sum(finding.breaks for finding in account.findings)),
        ("warnings", sum(finding.severity == "warning" for finding in account.findings)),
        ("steps", len(account.steps)),
        ("run", account.run if account.run is not None else ""),
        ("error", " ".join(account.error.split())),
    )
    return "".join(f"{name}={str(value).lower() if isinstance(value, bool) else value}\n" for name, value in said)
