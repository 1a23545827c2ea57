"""The plan: what waits for it and for how long, its steps with locks and times, and what it needs to run."""

from __future__ import annotations

from collections.abc import Iterator

from fixer.model.plan import ATOMIC, Plan, PlannedStep
from fixer.model.step import APART, Lock
from fixer.model.table import QName
from fixer.report.html.markup import Markup, Value, code, inner, name_of, tag
from fixer.report.html.values import Values
from fixer.report.text import command_of, hazards_of, plan_words, published
from fixer.report.words import bytes_of, time_of

_WAITS = {
    Lock.ACCESS_EXCLUSIVE: "reading and writing wait",
    Lock.SHARE_ROW_EXCLUSIVE: "writing waits, reading goes on",
    Lock.SHARE: "writing waits, reading goes on",
    Lock.SHARE_UPDATE_EXCLUSIVE: "nobody waits, but for other changes of the schema",
    Lock.ROW_EXCLUSIVE: "nobody waits, but for the rows that it writes",
    Lock.NONE: "nobody waits",
}
_BLOCKING = (Lock.ACCESS_EXCLUSIVE, Lock.SHARE_ROW_EXCLUSIVE, Lock.SHARE)
_STRENGTH = {lock: place for place, lock in enumerate(Lock)}  # the strongest first
_BAR = 60  # pixels of a bar as long as all the time


def section(plan: Plan, values: Values, *, done: bool = False) -> Markup:
    """Return a plan, or what was `done` by it."""
    parts: list[Markup] = [tag("h2", "What was done" if done else "Plan", id="plan-title")]
    if plan.steps:
        parts += [_summary(plan, done), *([] if done else [_needs(plan)]), _locks(plan, done), _steps(plan)]
    elif not plan.refusals:
        parts.append(tag("p", "Nothing to do."))
    parts[1:1] = [] if done else _refusals(plan, values)
    return tag("section", parts, *_notes(plan), id="plan", aria_labelledby="plan-title")


def _summary(plan: Plan, done: bool) -> Markup:
    moves = sum(plan.moves.values())
    gone = f" {moves:,} {'row goes' if moves == 1 else 'rows go'} to quarantine." if moves and not done else ""
    return tag("p", f"{plan_words(plan)}{gone} Its identity is ", code(plan.identity), ".")


def _needs(plan: Plan) -> Markup:
    """Return what must be allowed, and the command that does it."""
    entries = [tag("li", code(hazard), ": ", name_of(words)) for hazard, words in hazards_of(plan)]
    listed = (tag("p", "It needs your permission for:"), tag("ul", entries)) if entries else ()
    if plan.refusals:
        return inner(listed)
    return inner([*listed, tag("p", "Run it with the same options: ", code(command_of(plan)), class_="command")])


def _refusals(plan: Plan, values: Values) -> Iterator[Markup]:
    if plan.refusals:
        yield tag("p", tag("strong", "This plan cannot be applied: it needs a human decision."), class_="bad")
        entries = [tag("li", name_of(values.words(each, *plan.findings))) for each in plan.refusals]
        yield tag("ul", entries, class_="refusals")
        if plan.way_out:
            yield tag("p", "To repair the rest, add: ", code(plan.way_out))


def _notes(plan: Plan) -> Iterator[Markup]:
    """Yield what it leaves out, and what may be in its way."""
    lines = [f"The event trigger {each.name} may refuse this plan: {each.way}." for each in plan.guards]
    lines += [f"Before this plan can run: {need}" for need in plan.needs]
    if plan.uncounted:
        lines.append(f"The rows that go after others could not be counted: {plan.uncounted}")
    lines += [f"left out: {each.slug}:{each.object}, {each.why}" for each in plan.left]
    if lines:
        yield tag("ul", [tag("li", name_of(line)) for line in lines], class_="notes")
    if plan.published:
        yield tag("p", name_of(published(plan.published).plain), class_="published")


# ---- locks


def _locks(plan: Plan, done: bool) -> Markup:
    """Return what waits for this plan, table by table, and for how long."""
    rows = [*(_held(plan) if plan.mode == ATOMIC else _taken(plan))]
    if not rows:
        return inner(None)
    words = (
        "All locks are taken together at the beginning, and held until the end."
        if plan.mode == ATOMIC
        else "Each step takes its locks for itself, and gives them back at its end; the time is that of the longest."
    )
    names = ("table", "lock", "meanwhile", "for about")
    head = tag("tr", [tag("th", each, scope="col", class_="number" if each == names[-1] else None) for each in names])
    body = [_lock(*row) for row in rows]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="stack", aria_labelledby="locks-title")
    title = "Who waited" if done else "Who waits"
    return inner([tag("h3", title, id="locks-title"), tag("p", words, class_="dim"), tag("div", table, class_="wide")])


def _lock(name: QName, lock: Lock, seconds: float) -> Markup:
    return tag(
        "tr",
        tag("th", code(str(name)), scope="row"),
        tag("td", str(lock).lower(), data_label="lock"),
        tag("td", _WAITS[lock], data_label="meanwhile"),
        tag("td", time_of(seconds), class_="number", data_label="for about") if seconds else tag("td"),
    )


def _held(plan: Plan) -> Iterator[tuple[QName, Lock, float]]:
    """Yield each table with its lock, which atomic mode holds from the first step to the last."""
    from fixer.runner.atomic import lock_modes

    seconds = sum(step.cost.seconds for step in plan.steps)
    yield from ((name, lock, seconds) for name, lock in sorted(lock_modes(plan).items()))


def _taken(plan: Plan) -> Iterator[tuple[QName, Lock, float]]:
    """Yield each table with its strongest lock, and the longest step of those that make others wait."""
    strongest, longest = dict[QName, Lock](), dict[QName, float]()
    for step in (step for step in plan.steps if step.phase not in APART):
        for name in (step.table, *step.touches):
            strongest[name] = min(strongest.get(name, Lock.NONE), step.lock, key=_STRENGTH.__getitem__)
            if step.lock in _BLOCKING:
                longest[name] = max(longest.get(name, 0.0), step.cost.seconds)
    for name, lock in sorted(strongest.items()):
        if name.name and lock is not Lock.NONE:
            yield name, lock, longest.get(name, 0.0)


# ---- steps


def _steps(plan: Plan) -> Markup:
    total = sum(step.cost.seconds for step in plan.steps) or 1.0
    names = ("#", "step", "lock", "hazard", "rows", "reads", "writes", "time")
    numbers = {"#", "rows", "reads", "writes", "time"}
    head = tag("tr", [tag("th", each, scope="col", class_="number" if each in numbers else None) for each in names])
    body = [_step(step, step.cost.seconds / total) for step in plan.steps]
    table = tag("table", tag("thead", head), tag("tbody", body), class_="steps stack", aria_labelledby="steps-title")
    return inner([tag("h3", "Steps, in order", id="steps-title"), tag("div", table, class_="wide")])


def _step(step: PlannedStep, share: float) -> Markup:
    rows = f"{step.effect.rows:,}" if step.effect.rows else ""
    sql = tag("details", tag("summary", f"{step.slug}: SQL" if step.slug else "SQL"), tag("pre", tag("code", step.sql)))
    width = max(1.0, share * _BAR)
    bar: dict[str, Value] = {"x": _BAR - width, "width": width, "height": 4, "class_": "bar", "fill": "#5b7db1"}
    drawn = tag("svg", tag("rect", **bar), width=_BAR, height=4, aria_hidden="true")
    hazard = tag("span", str(step.hazard), class_="badge hazard") if step.hazard else ""
    lock, time = str(step.lock).lower(), tag("span", time_of(step.cost.seconds))
    reads, writes = bytes_of(step.cost.reads), bytes_of(step.cost.writes)
    return tag(
        "tr",
        tag("td", str(step.number), class_="number"),
        tag("td", name_of(step.title), sql),
        tag("td", lock, data_label="lock"),
        tag("td", hazard, data_label="hazard" if step.hazard else None),
        *(tag("td", words, class_="number", data_label=label if words else None)
          for label, words in (("rows", rows), ("reads", reads), ("writes", writes))),
        tag("td", time, drawn, class_="number", data_label="time"),
        id=f"step-{step.number}",
    )  # fmt: skip
