"""Steps that bring a column to another type, for the defect classes that need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from fixer.contract.build import Contract
from fixer.model.expression import canonical
from fixer.model.finding import Finding, Probe, ordered, rows_where
from fixer.model.schema import Check, Column, Index, QName, Schema, Table
from fixer.model.step import (
    JOURNAL,
    RUN_NUMBER,
    STEP_NUMBER,
    Hazard,
    Lock,
    Phase,
    Repair,
    Reversal,
    Step,
    alter,
    drop_constraint,
    drop_foreign_key,
    refuse,
)
from fixer.repair import constraints_online as online
from fixer.repair.conversion.indexes import clinging, merging, refused
from fixer.repair.exchange import exchanged
from fixer.repair.quarantine import Mover
from fixer.repair.rows import identity
from fixer.repair.shadow import Shadow, cleared, is_guard, without_beside
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.compose import SQL, Composable, Identifier, Literal
from fixer.sql.conversions import Conversion, conversion
from fixer.sql.row_image import cells, image, likeness
from fixer.sql.types import family, shape


def misfits(finding: Finding, actual: Schema, contract: Contract) -> Iterator[Finding]:
    """Yield the finding with the probe for values that the conversion does not understand, and what stands in its way.

    That is each unique index under which texts that differ would become one value.
    """
    way = way_of(finding, actual, contract)
    if isinstance(way, str):
        yield replace(finding, repair=refuse(way))
        return
    yield replace(finding, asks=partial(_misfits, finding, way, actual))
    table = actual.tables[finding.table]
    for index in table.indexes:
        ways = _ways_under(index, finding, actual, contract)
        if next(iter(ways), None) == finding.column:
            yield merging(finding, table, index, ways)


def _ways_under(index: Index, finding: Finding, actual: Schema, contract: Contract) -> dict[str, Conversion]:
    """Return the columns under a unique index whose texts are converted, each with its way."""
    ways: dict[str, Conversion] = {}
    if not index.unique or not index.valid:
        return ways
    columns, wanted = actual.tables[finding.table].columns, contract.tables[finding.table].columns
    for column in filter(None, index.columns):
        text = family(columns[column].type) == "text" and columns[column].now is None
        if text and column in wanted and family(wanted[column].type) != "text":
            way = way_of(replace(finding, column=column), actual, contract)
            ways |= {} if isinstance(way, str) else {column: way}
    return ways


def _misfits(finding: Finding, way: Conversion, actual: Schema) -> Probe:
    column = q.column(str(finding.column))
    odd = SQL("{} IS NOT NULL AND NOT ({})").format(column, _understood(finding, way, actual))
    probe = rows_where(actual, finding.table, odd)
    return replace(probe, show=(*probe.show, ordered(actual.tables[finding.table], str(finding.column))))


def way_of(finding: Finding, actual: Schema, contract: Contract) -> Conversion | str:
    """Return how the column's values get to the wanted type, or why they cannot."""
    column = str(finding.column)
    found = actual.tables[finding.table].columns[column]
    wanted = contract.tables[finding.table].columns[column]
    return conversion(found, wanted, contract.hints[finding.table].of(column))


def _understood(finding: Finding, way: Conversion, actual: Schema) -> Composable:
    """Return the condition under which a value can be kept as it is.

    A float with more digits than the contract wants is kept in a column with more digits: only what is
    no number at all does not fit.
    """
    found = actual.tables[finding.table].columns[str(finding.column)]
    if _exact(found, way):
        return SQL("{}::text NOT IN ('NaN', 'Infinity', '-Infinity')").format(q.column(found.name))
    return way.fits


def _exact(found: Column, way: Conversion) -> bool:
    """Tell whether all digits are kept, in a column that has room for more than the contract wants."""
    return family(found.type) == "float" and family(way.type) == "numeric"


def converted(finding: Finding, actual: Schema, contract: Contract) -> Repair:
    """Return the steps that convert the column, or the reason why a person has to."""
    if left := refused(finding):
        return left
    way = way_of(finding, actual, contract)
    if isinstance(way, str):
        return refuse(way)
    name, column = finding.table, str(finding.column)
    if what := actual.tables[name].binds(column):
        return refuse(f"the {what} depends on {name.name}.{column}: drop it, and create it again afterwards")
    if index := clinging(actual.tables[name], column, way.type):
        return refuse(
            f"the index {index.name} depends on the type of {name.name}.{column}:"
            " drop it, and create it again afterwards"
        )
    for key in actual.keys_over(name, column):
        if not any(k.table == key.table and k.pairs == key.pairs for k in contract.foreign_keys()):
            return refuse(
                f"the foreign key {key.name} of {key.table}, which the contract does not know, needs it as it is"
            )
    bare = actual.with_table(without_beside(actual.tables[name], column))
    steps = [*cleared(actual.tables[name], column), *_steps(finding, way, bare, contract)]
    lightly = _beside(finding, way, actual, contract, next(step for step in steps if step.phase is Phase.CONVERT))
    return Repair(tuple(_in_one_go(steps, name) if lightly is None else _exchanged(steps, lightly)))


def _beside(
    finding: Finding, way: Conversion, actual: Schema, contract: Contract, convert: Step
) -> tuple[Step, ...] | None:
    """Return what stands online for the conversion itself: a column beside. None where there is no such way."""
    name, found = finding.table, actual.tables[finding.table].columns[str(finding.column)]
    wanted = contract.tables[name].columns[found.name]
    if found.generates:
        return None
    # The digits of floats that are yet to be written are not known: online the column takes them all.
    exactly = _exact(found, way)
    shadow = Shadow(
        table=actual.tables[name],
        column=found,
        type="numeric" if exactly else way.type,
        home="" if exactly else way.home,
        value=SQL("{}::text::numeric").format(q.column(found.name)) if exactly else way.value,
        understood=_understood(finding, way, actual),
        back=_back(way, found.name, found),
        default=None if found.default is None or wanted.sequence else wanted.default,
        checks=tuple((old, new) for old, new in _wanted_checks(finding, actual, contract) if new),
    )
    return exchanged(shadow, replace(convert, title=f"convert {name.name}.{found.name} to {shadow.type}"), actual)


def _exchanged(steps: list[Step], lightly: tuple[Step, ...]) -> Iterator[Step]:
    """Yield the steps, of which online only those stay that make room for the column beside."""
    for step in steps:
        if step.phase is Phase.CONVERT:
            yield replace(step, online=lightly)
        elif step.phase is Phase.UNLINK or step.hazard or step.moves or step.restores:
            yield step
        else:
            yield replace(step, online=())


def _in_one_go(steps: list[Step], table: QName) -> Iterator[Step]:
    """Yield the steps, of which online those around the conversion are one: nobody writes between image and cast."""
    convert = next(step for step in steps if step.phase is Phase.CONVERT)
    around = [
        s
        for s in steps
        if s is convert or (s.phase in (Phase.MISFITS, Phase.DEFAULTS) and not s.moves and not s.restores)
    ]
    lock = SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(q.name(table))
    whole = replace(
        convert,
        sql=SQL(";\n").join([lock, *(step.sql for step in around)]),
        action=None,
        respells=tuple(column for step in around for column in step.respells),
        known_by=next((step.known_by for step in around if step.respells), ()),
    )
    for step in steps:
        if step is convert:
            yield replace(step, online=(whole,))
        else:
            yield replace(step, online=()) if step in around else step


def _steps(finding: Finding, way: Conversion, actual: Schema, contract: Contract) -> Iterator[Step]:
    name, column = finding.table, str(finding.column)
    found = actual.tables[name].columns[column]
    wanted = contract.tables[name].columns[column]
    for key in actual.keys_over(name, column):
        yield drop_foreign_key(key, "the type of its column changes")
    yield from _checks(finding, actual, contract)
    if finding.rows:
        odd = SQL("{} IS NOT NULL AND NOT ({})").format(q.column(column), _understood(finding, way, actual))
        reason = f"its {column} does not fit {way.type}"
        yield from Mover(actual, contract).quarantine(Phase.MISFITS, name, odd, reason, rows=finding.rows)
    if not way.reversible:
        yield _keep_spelling(actual.tables[name], found, way)
    if found.default is not None and not found.generates:
        action = SQL("ALTER COLUMN {} DROP DEFAULT").format(Identifier(column))
        yield alter(Phase.MISFITS, name, f"drop the default {found.default} of {name.name}.{column}", action)
    yield _convert(finding, way, found, actual)
    if found.default is not None and wanted.default is not None and not wanted.sequence:
        action = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column), SQL(wanted.default))
        yield alter(Phase.DEFAULTS, name, f"let {name.name}.{column} default to {wanted.default}", action)


def _checks(finding: Finding, actual: Schema, contract: Contract) -> Iterator[Step]:
    """Yield the steps for checks that speak of the old type: the contract's are made anew, others go."""
    name = finding.table
    for check, new in _wanted_checks(finding, actual, contract):
        if new is None:
            title = f"drop the check {check.name}: it speaks of the old type of {finding.column}"
            yield drop_constraint(name, check.name, title, hazard=Hazard.REPLACES_CONSTRAINT)
        else:
            yield drop_constraint(name, check.name, f"drop the check {check.name}, to be added again for the new type")
            title = f"add the check {check.name} again"
            add = alter(Phase.RULES, name, title, SQL("ADD {}").format(ddl.check_clause(check.name, new)))
            yield replace(add, online=online.check(name, check.name, new, title))


def _wanted_checks(finding: Finding, actual: Schema, contract: Contract) -> Iterator[tuple[Check, Check | None]]:
    """Yield the checks that speak of the column, each with what the contract wants in its place."""
    wanted = contract.tables[finding.table].checks
    for check in actual.tables[finding.table].checks_over(str(finding.column)):
        if not is_guard(check.name):
            same = next((w for w in wanted if canonical(w.expression) == canonical(check.expression)), None)
            yield check, replace(same, name=check.name) if same else None


def _keep_spelling(table: Table, found: Column, way: Conversion) -> Step:
    """Return the step that keeps an image of each row whose value is spelt otherwise when it comes back."""
    name, column = table.name, found.name
    known_by = identity(table, None, Phase.MISFITS)
    if column in known_by:
        known_by = ()
    # As undo will find the cell, unless somebody wrote it since.
    reverted = q.over(_back(way, column, found), column, _left(way, found))
    mark = SQL("{} || jsonb_build_object({}, {}::text)").format(
        cells(known_by) if known_by else likeness(), Literal(column), reverted
    )
    statement = SQL(
        'INSERT INTO {} (run, step, source, reason, "row", mark)\n'
        "SELECT {}, {}, {}, {}, {}, {} FROM {} AS t\n"
        "WHERE {}::text IS DISTINCT FROM {}::text"
    ).format(
        Identifier(JOURNAL, "before_image"),
        RUN_NUMBER,
        STEP_NUMBER,
        Literal(str(name)),
        Literal(f"{column} is converted to {way.type}"),
        image(table, early=True),
        mark,
        q.name(name),
        reverted,
        q.column(column),
    )
    title = f"keep the spelling of {name.name}.{column} in the journal"
    return Step(Phase.MISFITS, name, title, statement, Lock.ROW_EXCLUSIVE, respells=(column,), known_by=known_by)


def _left(way: Conversion, found: Column) -> Composable:
    """Return the new value as the run leaves it: a float keeps all its digits, whatever size is wanted."""
    if family(found.type) == "float" and shape(way.type).size is not None:
        return SQL("{}::text::numeric").format(q.column(found.name))
    return way.value


def _back(way: Conversion, column: str, found: Column) -> Composable:
    """Return the old value over the new cell: the text of it, unless there is a better way."""
    text = SQL("{}::text::{}").format(q.column(column), SQL(found.full_type))
    return way.back if way.back is not None else text


def reversal(way: Conversion, found: Column, forth: Composable | None = None) -> Reversal:
    """Return how undo brings the column's type back."""
    back = _back(way, found.name, found)
    return Reversal(found.name, back, forth or q.over(way.value, found.name, back))


def _convert(finding: Finding, way: Conversion, found: Column, actual: Schema) -> Step:
    name, column = finding.table, str(finding.column)
    type_: Composable = SQL(way.full_type)
    value = _only_what_fits(finding, way, actual)
    title = f"convert {name.name}.{column} from {found.type} to {way.type}"
    rows = actual.tables[name].estimated_rows
    if _exact(found, way) and shape(way.type).size is not None:
        return _convert_exactly(finding, way, found, title, rows)
    action = SQL("ALTER COLUMN {} TYPE {} USING {}").format(Identifier(column), type_, value)
    return alter(
        Phase.CONVERT,
        name,
        title,
        action,
        hazard=Hazard.REWRITES_VALUES,
        changes=(column,),
        rows=rows,
        merge=True,
        reverts=(reversal(way, found),),
    )


def _only_what_fits(finding: Finding, way: Conversion, actual: Schema) -> Composable:
    """Return the new value for USING; one that came in since the plan was made and does not fit is an error.

    A cast would cut or round it, and nobody would have been told.
    """
    cell = Identifier(str(finding.column))
    understood, value = (
        q.over(each, str(finding.column), cell) for each in (_understood(finding, way, actual), way.value)
    )
    why = Literal(f", which came in since the plan was made, is no {way.type}: plan again")
    # Over the cell, or else the error would be raised when the statement is planned.
    failing = SQL("({}::text || {})::integer::text::{}").format(cell, why, SQL(way.full_type))
    return SQL("CASE WHEN {} IS NULL OR ({}) THEN {} ELSE {} END").format(cell, understood, value, failing)


def _convert_exactly(finding: Finding, way: Conversion, found: Column, title: str, rows: int) -> Step:
    """Return the step that converts to the wanted numeric if all digits fit, else to an unbounded one."""
    name, column = finding.table, str(finding.column)
    action = SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {} USING {}")
    exact = action.format(
        q.name(name), Identifier(column), SQL(way.full_type), q.over(way.value, column, Identifier(column))
    )
    wide = action.format(
        q.name(name), Identifier(column), SQL("numeric"), SQL("{}::text::numeric").format(Identifier(column))
    )
    cell = q.column(column)
    body = q.block("columns/convert_exactly", table=q.name(name), cell=cell, fits=way.fits, wide=wide, exact=exact)
    return Step(
        Phase.CONVERT,
        name,
        f"{title} (unbounded where digits would be lost)",
        body,
        hazard=Hazard.REWRITES_VALUES,
        changes=(column,),
        rows=rows,
        reverts=(reversal(way, found, SQL("{}::text::numeric").format(_back(way, column, found))),),
    )


def foresee_conversion(finding: Finding, actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column converted, and without what is dropped for it."""
    way = way_of(finding, actual, contract)
    if isinstance(way, str):
        return actual
    name, column = finding.table, str(finding.column)
    gone = frozenset((key.table, key.name) for key in actual.keys_over(name, column))
    schema = actual.without_foreign_keys(gone)
    table = without_beside(schema.tables[name], column)
    found = table.columns[column]
    cell = q.today(found)
    now = SQL("CASE WHEN {} THEN {} END").format(
        q.over(_understood(finding, way, actual), column, cell), q.over(way.value, column, cell)
    )
    if _exact(found, way):
        now = SQL("CASE WHEN {} THEN {}::text::numeric END").format(
            q.over(_understood(finding, way, actual), column, cell), cell
        )
    wanted = contract.tables[name].columns[column]
    default = wanted.default if found.default is not None else None
    after = replace(found, type=wanted.type, home=wanted.home, labels=wanted.labels, default=default, now=now)
    kept = {canonical(check.expression) for check in contract.tables[name].checks}
    checks = tuple(
        check for check in table.checks if column not in check.columns or canonical(check.expression) in kept
    )
    return schema.with_table(replace(table.with_column(after), checks=checks))
