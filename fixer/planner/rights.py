"""The rights that a plan needs and its role lacks, with the statements that give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from fixer.model.expression import quoted
from fixer.model.expression.names import Names, names_in, reached
from fixer.model.plan import Plan, PlannedStep
from fixer.model.schema import Schema, Session, Shut
from fixer.model.step import APART, Hazard, Lock
from fixer.model.step.phase import KEEPING
from fixer.model.table import QName
from fixer.sql.by_hand import joining

_OF_ROWS = (Lock.NONE, Lock.ROW_EXCLUSIVE)  # of steps that alter no table, and so no partition
_OURS_IN = "plpgsql"  # the language in which the fixer's own blocks are written
_AS_NEW = ("check", "generated", "index", "domain")  # expressions that every new or changed row is given to


def lacking(
    actual: Schema, plan: Plan, session: Session, shut: Collection[Shut], places: Collection[QName]
) -> Iterator[str]:
    """Yield the sentence with the rights that the role lacks, if it does.

    `shut` is what it may not use, `places` are the tables of ours that a run writes.
    """
    needed = dict.fromkeys(f"{each};" for each in (*_of_tables(actual, plan, session), *_journal(places, session)))
    steps = [*_with_names(plan)] if shut else []
    needed |= {f"{each.opening(session.role)};": None for each in shut if any(_uses(steps, each))}
    if needed:
        grants = "\n  ".join(needed)
        yield f"The role {session.role} lacks rights for this plan; their owner may say:\n  {grants}\n"


def _of_tables(actual: Schema, plan: Plan, session: Session) -> Iterator[str]:
    """Yield the statements that let the role alter the tables of a plan, and create what is new there."""
    for name in sorted(plan.tables):
        table = actual.tables.get(name)
        if table and not table.owned:
            yield joining(table.owner, session, name)
    altered = {step.table for step in plan.steps if step.lock not in _OF_ROWS and step.phase not in APART}
    yield from (joining(owner, session, part) for name, owner, part in sorted(session.may.below) if name in altered)
    role = quoted(session.role)
    if not session.may.languages.get(_OURS_IN, True):
        yield f"GRANT USAGE ON LANGUAGE {_OURS_IN} TO {role}"
    if session.may.tablespace:
        yield f"GRANT CREATE ON TABLESPACE {quoted(session.may.tablespace)} TO {role}"
    for schema in sorted({name.schema for name in plan.tables} & session.schemas - session.may.creatable):
        yield f"GRANT CREATE ON SCHEMA {quoted(schema)} TO {role}"


def _journal(places: Collection[QName], session: Session) -> Iterator[str]:
    """Yield the statements that let the role write the journal, and the quarantine if rows go there."""
    homes, role = {place.schema for place in places}, quoted(session.role)
    if not session.may.can_create and homes - session.may.journals:
        yield f"GRANT CREATE ON DATABASE {quoted(session.database)} TO {role}"
    closed = {each.schema for each in session.may.shut if each in places or not each.name}
    for schema in sorted(homes & closed):
        yield f"GRANT USAGE, CREATE ON SCHEMA {quoted(schema)} TO {role}"
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {quoted(schema)} TO {role}"


# --- what statements call and name


def _with_names(plan: Plan) -> Iterator[tuple[PlannedStep, Names, bool]]:
    """Yield each step with what it names, and whether it evaluates what its table keeps."""
    filled = {step.table for step in plan.steps if step.effect.inserts}
    for step in plan.steps:
        evaluates = step.phase not in KEEPING or (step.phase not in APART and step.table in filled)
        yield step, reached(f"{step.sql}\n{step.batches.batch or ''}"), evaluates


def _uses(steps: Iterable[tuple[PlannedStep, Names, bool]], shut: Shut) -> Iterator[bool]:
    """Yield whether each step, with its names, cannot do without this function, sequence, type or schema."""
    for step, named, evaluates in steps:
        yield _names(step, named, shut, evaluates=evaluates) or any(_gives(step, *part) for part in shut.parts)


def _names(step: PlannedStep, named: Names, shut: Shut, *, evaluates: bool) -> bool:
    """Return whether a step names it where its right is asked for: what is only kept in a default is not called yet."""
    for how, name in named:
        here = {each for each, called in shut.names if called == name}
        if "any" in here or ("type" in here and how == "other" and step.phase not in APART):
            return True
        if evaluates and (how in here or ("domain" in here and how in ("other", "cast"))):
            return True
    return False


def _gives(step: PlannedStep, table: QName, kind: str, name: str) -> bool:
    """Return whether a step gives rows to an expression of a table that stands there."""
    if step.table != table:
        return False
    if kind == "index" and step.hazard is Hazard.REWRITES_TABLE:
        return True
    if not step.effect.writes_rows:
        return False
    return kind in _AS_NEW or (kind == "default" and step.effect.inserts and name not in names_in(step.sql))
