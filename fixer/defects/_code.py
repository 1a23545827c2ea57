"""What the classes about code share: what of it is missing or different, and the steps that create or replace it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest

from fixer.model.contract import Contract
from fixer.model.expression import as_needed
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, Coded, FoundCode, Kind, OfCode, same
from fixer.model.step import Hazard, Lock, Phase, RefusalError, Shape, Step
from fixer.model.table import QName
from fixer.repair.constraints import partitions
from fixer.repair.owners import keeper, new_owner, see_that_it_may_create
from fixer.sql import ddl
from fixer.sql.by_hand import of_another
from fixer.sql.compose import SQL, Composable, Composed, Identifier

_UNCHECKED = "SET LOCAL check_function_bodies = off"  # what a body names may come later, and nothing of it runs
_ACTING = (Kind.TRIGGER, Kind.RULE, Kind.POLICY, Kind.SECURITY)  # on a table
_SHOWN = 60  # characters of a line that a message shows


def wanted(actual: Schema, contract: Contract, kind: Kind) -> Iterable[Code]:
    """Return the code of a kind that the contract declares; of what acts on a table, if that exists."""
    code = contract.schema.code
    if not (code and actual.code):
        return ()
    if kind not in _ACTING:
        return code.of(kind)
    views = (each.home for each in actual.code.of(Kind.VIEW))
    there = {*actual.tables, *views, *parts_to_come(actual, contract)}
    return (part for part in code.of(kind) if part.home in there)


def parts_to_come(actual: Schema, contract: Contract) -> set[QName]:
    """Return the partitions that are missing, which the plan creates."""
    return {part.name for part in partitions.missing(actual, contract)}


def declares(contract: Contract, kind: Kind, table: QName, part: str = "") -> bool:
    """Return whether a contract declares code of a kind for a table, of this name if one is given."""
    there = contract.schema.code.at(table) if contract.schema.code else ()
    return any(each.key.kind == kind and part in ("", each.key.part) for each in there)


def missing(actual: Schema, contract: Contract, kind: Kind) -> Iterator[OfCode]:
    """Yield the code of a kind that is missing."""
    there = actual.code.by_key if actual.code else {}
    return (OfCode(each.home, each) for each in wanted(actual, contract, kind) if each.key not in there)


def schemas(actual: Schema, contract: Contract) -> set[str]:
    """Return the schemas of the code that is missing."""
    parts = contract.schema.code.parts if contract.schema.code else ()
    there = actual.code
    return {each.key.schema for each in parts if there and each.key not in there.by_key}


def pairs(actual: Schema, contract: Contract, kind: Kind) -> Iterator[FoundCode]:
    """Yield the code of a kind that is there, whatever it says."""
    there = actual.code.by_key if actual.code else {}
    for each in wanted(actual, contract, kind):
        if found := there.get(each.key):
            yield FoundCode(each.home, each, found)


def different(actual: Schema, contract: Contract, kind: Kind) -> Iterator[FoundCode]:
    """Yield the code of a kind that is defined otherwise than in the contract."""
    versions = _versions(actual, contract)
    return (each for each in pairs(actual, contract, kind) if not same(each.wanted, each.found, versions))


def enabled_otherwise(actual: Schema, contract: Contract, kind: Kind = Kind.TRIGGER) -> Iterator[FoundCode]:
    """Yield what is defined as in the contract, and enabled otherwise, be it in a partition alone.

    One that sleeps in a partition of the contract may be awake.
    """
    versions = _versions(actual, contract)
    for each in pairs(actual, contract, kind):
        known = {each.wanted.enabled, *("O" if each.wanted.enabled == "S" else "")}
        if each.found.enabled not in known and same(each.wanted, each.found, versions):
            yield each


def is_asleep(about: FoundCode) -> bool:
    """Return whether a trigger does not fire that should, at least in a partition."""
    return about.found.enabled == "D" or (about.found.enabled == "S" and about.wanted.enabled != "D")


def trigger_phase(about: OfCode, actual: Schema) -> Phase:
    """Return when a trigger or a rule is created: one of a view concerns no table."""
    table = actual.tables.get(about.table)
    return Phase.TRIGGERS if table and table.is_table else Phase.VIEW_TRIGGERS


def _versions(actual: Schema, contract: Contract) -> set[int]:
    return {each.version for each in (actual.code, contract.schema.code) if each}


def difference(about: FoundCode) -> str:
    """Return the first line in which two definitions differ, as the end of a sentence."""
    if about.wanted.word != about.found.word:
        return f"should be a {about.wanted.word.lower()}, is a {about.found.word.lower()}"
    lines = zip_longest(*(each.definition.splitlines() for each in (about.wanted, about.found)), fillvalue="")
    one, other = next(((a, b) for a, b in lines if a.rstrip() != b.rstrip()), ("", ""))
    return f"should say {_line(one)}, says {_line(other)}"


def _line(text: str) -> str:
    short = " ".join(text.split())
    return (short if len(short) <= _SHOWN else f"{short[:_SHOWN]} …") or "nothing more"


def see_that_it_fits(code: Code, actual: Schema, contract: Contract) -> None:
    """Raise RefusalError if code cannot be created: its schema, a type or a role is missing, or a right."""
    there = actual.code
    if there is None:
        return
    if not code.key.part:
        see_that_it_may_create(str(code.home), code.key.schema, actual)
    view = actual.tables.get(code.home)
    if code.key.kind in (Kind.TRIGGER, Kind.RULE) and view and not view.is_table and not view.owned:
        raise RefusalError(of_another(view.owner, actual))
    see_that_it_may_be_written(code, actual)
    see_that_roles_exist(code, actual)
    absent, lacking = {*code.needs} & there.absent, {*code.types} & there.lacking  # almost always none
    for need in sorted(absent - contract.tables.keys() - _parts(contract)) if absent else ():
        raise RefusalError(f"{need} is missing, on which it depends: create that, then plan again")
    for each in sorted(lacking - _coming(contract)) if lacking else ():
        raise RefusalError(f"the type {each} is missing: create it, then plan again")


def see_that_it_may_be_written(code: Code, actual: Schema) -> None:
    """Raise RefusalError if this role may not write such code, or not call what it calls."""
    session = actual.session
    if not session or session.superuser:
        return
    role = as_needed(session.role)
    if code.reserved:
        raise RefusalError(f"it {code.reserved}, which only a superuser may create: let one apply the plan")
    if code.language and not session.may.languages.get(code.language):
        raise RefusalError(f"GRANT USAGE ON LANGUAGE {as_needed(code.language)} TO {role}; then plan again")
    uncallable = actual.code.uncallable if actual.code and code.key.kind == Kind.TRIGGER else {}
    for need in code.needs:
        if need in uncallable:
            raise RefusalError(f"GRANT EXECUTE ON FUNCTION {uncallable[need]} TO {role}; then plan again")


def see_that_roles_exist(code: Code, actual: Schema) -> None:
    """Raise RefusalError if a role is missing that code names."""
    for each in code.roles:
        if actual.code and each in actual.code.lacking:
            raise RefusalError(f"the role {each} is missing: CREATE ROLE {as_needed(each)}; then plan again")


def _parts(contract: Contract) -> set[QName]:
    return {part.name for part in contract.schema.partitions}


def _coming(contract: Contract) -> set[str]:
    """Return the types that the plan creates along with tables and columns."""
    columns = (column for table in contract.tables.values() for column in table.columns.values())
    return {f"{as_needed(each.home)}.{each.enum}" if each.home else each.enum for each in columns if each.enum}


def is_late(code: Code, actual: Schema, contract: Contract) -> bool:
    """Return whether a function can be created only when tables and types of the plan are there."""
    declared = contract.schema.code or Coded()
    seen, left = set[Code](), [code]
    while left:
        each = left.pop()
        seen.add(each)
        if actual.code and {*each.types} & actual.code.lacking:
            return True
        needed = {need: [part for part in declared.at(need) if part.key.kind == Kind.FUNCTION] for need in each.needs}
        if any(not found and need not in actual.tables for need, found in needed.items()):
            return True
        left += [part for found in needed.values() for part in found if part not in seen]
    return False


def creating(code: Code, phase: Phase, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the step that creates a function or a view, and gives it to the role that owns most tables."""
    owner = actual.owner_of_most(contract.tables)
    given = new_owner(owner, code.key.schema, actual) or keeper(owner, actual)
    statements: list[SQL | Composed] = [SQL(_as_new(each)) for each in code.create]
    if code.closed:
        statements.append(SQL(f"REVOKE ALL ON ROUTINE {code.spelt} FROM PUBLIC"))
    if given:
        handed = SQL("ALTER {} {} OWNER TO {}").format(SQL(code.word), SQL(code.spelt), Identifier(given))
        statements.append(handed)
    title = f"create {code.told}"
    if code.definer and actual.session:
        title += f", which runs with the rights of {given or actual.session.role}"
    yield _step(phase, code, title, statements, Lock.NONE)


def _as_new(statement: str) -> str:
    """Return a statement that fails if something came meanwhile."""
    other = "CREATE OR REPLACE "
    return f"CREATE {statement.removeprefix(other)}" if statement.startswith(other) else statement


def acting(code: Code, phase: Phase, lock: Lock = Lock.SHARE_ROW_EXCLUSIVE) -> Step:
    """Return the step that creates a trigger, a rule or a policy, or turns row level security on."""
    title = f"{code.key.part} for {code.home}" if code.key.kind == Kind.SECURITY else f"create {code.told}"
    return _step(phase, code, title, [SQL(each) for each in code.create], lock)


def replacing(about: FoundCode, phase: Phase) -> Step:
    """Return the step that lets a definition take the place of another, with the comment that is there."""
    code, found = about.wanted, about.found
    statements: list[Composable] = [SQL(each) for each in (found.drop, *code.create, *found.rest)]
    if code.key.kind in (Kind.FUNCTION, Kind.VIEW):
        fits = code.key.kind == Kind.FUNCTION or code.shape == found.shape or _is_longer(code, found)
        statements = [SQL(_replaced(code)) if fits else ddl.view_anew(code.spelt, code.create[0])]
    lock = Lock.NONE if len(statements) == 1 else Lock.ACCESS_EXCLUSIVE
    step = _step(phase, code, f"replace {code.told}", statements, lock)
    return replace(step, hazard=Hazard.REPLACES_CODE)


def _is_longer(code: Code, found: Code) -> bool:
    """Return whether a view has new columns after those that are found."""
    return code.shape.startswith(f"{found.shape}, ")


def _replaced(code: Code) -> str:
    return f"CREATE OR REPLACE {_as_new(code.create[0]).removeprefix('CREATE ')}"


def _step(phase: Phase, code: Code, title: str, statements: Iterable[Composable], lock: Lock) -> Step:
    said = [SQL(_UNCHECKED), *statements] if code.key.kind == Kind.FUNCTION else [*statements]
    return Step(phase, code.home, title, SQL(";\n").join(said), lock, shape=Shape(code=(code.key,)))


def see_that_it_is_owned(about: FoundCode, actual: Schema) -> None:
    """Raise RefusalError if the session may not change the found code."""
    if not about.found.owned and actual.session:
        raise RefusalError(of_another(about.found.owner, actual))


def see_that_it_is_replaceable(about: FoundCode, actual: Schema) -> None:
    """Raise RefusalError if no definition can take the place of the found one."""
    found = about.found
    see_that_it_is_owned(about, actual)
    see_that_it_may_be_written(about.wanted, actual)
    if found.shape == about.wanted.shape:
        return
    if found.key.kind != Kind.VIEW:
        what = "its arguments or its result would change, and PostgreSQL replaces none with others"
        raise RefusalError(f"{what}: {found.drop}; then plan again")
    see_that_it_may_create(str(found.home), found.key.schema, actual)
    session = actual.session
    theirs = session and not session.superuser and found.owner != session.role
    held = f"it belongs to {found.owner}" if theirs else found.held
    if held and _is_longer(about.wanted, found):
        way = f"run: {_replaced(about.wanted)}; then plan again"
        raise RefusalError(f"undo could not take its new columns back, because {held}; {way}")
    if held:
        raise RefusalError(f"its columns would change, and {held}: {found.drop}; then plan again")


def found(finding: Finding[OfCode], actual: Schema) -> Schema:
    """Return the schema with the code that a finding wants."""
    return with_parts([finding.about.wanted], actual)


def with_parts(parts: Iterable[Code], actual: Schema) -> Schema:
    """Return the schema with code that the plan creates or replaces."""
    if actual.code is None:
        return actual
    new = {part.key: part for part in parts}
    is_new = new.keys().isdisjoint(actual.code.by_key)
    others = actual.code.parts if is_new else (each for each in actual.code.parts if each.key not in new)
    made = replace(actual.code, parts=(*others, *new.values()), coming=actual.code.coming | new.keys())
    return replace(actual, code=made)
