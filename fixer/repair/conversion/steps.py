"""Steps that convert a column to another type, for the defect classes that need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fixer.model.contract import Contract
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import (
    Effect,
    Hazard,
    Lock,
    Part,
    Phase,
    Repair,
    Shape,
    Step,
    refuse,
)
from fixer.model.subject import OfColumn
from fixer.model.table import Check, Column
from fixer.repair.columns import as_it_stands
from fixer.repair.constraints import online
from fixer.repair.conversion.exchange import exchanged
from fixer.repair.conversion.indexes import clinging, refused
from fixer.repair.conversion.spellings import in_one_go, keep_spelling
from fixer.repair.conversion.standing import bound
from fixer.repair.conversion.values import (
    as_converted,
    back_again,
    keeps_digits,
    only_what_fits,
    reversal,
    settled,
    understood,
)
from fixer.repair.quarantine import Mover
from fixer.repair.rows import MANY, counted, identity, rewrite
from fixer.repair.shadow import Shadow, cleared, is_guard, without_beside
from fixer.sql import compose as q
from fixer.sql import ddl
from fixer.sql.alter import alter, drop_constraint, drop_foreign_key
from fixer.sql.compose import SQL, Composable, Identifier
from fixer.sql.conditions import meaning
from fixer.sql.conversions.further import Conversion
from fixer.sql.types import shape

# What comes before a conversion, and after it, and moves no rows.
_AROUND = (Phase.MISFITS, Phase.SPELLINGS, Phase.DEFAULTS)


def converted(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Repair:
    """Return the repair that converts the column, or the reason why that needs a human decision."""
    if left := refused(finding):
        return left
    way = settled(finding, actual, contract)
    if isinstance(way, str):
        return refuse(way)
    name, column = finding.table, finding.about.column
    if left := bound(actual.tables[name], column, actual.version):
        return left
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
    at_once, early = Repair.of(_parts(finding, way, actual, contract)), actual.before_numbering()
    if early is actual:
        return at_once
    lightly = Repair.of(_parts(finding, way, early, contract)).online
    return replace(at_once, online=tuple(step.before_numbering() for step in lightly))


def _parts(finding: Finding[OfColumn], way: Conversion, actual: Schema, contract: Contract) -> Iterator[Part]:
    """Return the steps that convert the column, with those that replace them online."""
    name, column = finding.table, finding.about.column
    bare = actual.with_table(without_beside(actual.tables[name], column))
    parts = [*cleared(actual.tables[name], column), *_steps(finding, way, bare, contract)]
    convert = next(part.atomic for part in parts if part.atomic.phase is Phase.CONVERT)
    lightly = _beside(finding, way, actual, contract, convert)
    return _in_one_go(parts, convert) if lightly is None else _exchanged(parts, lightly)


def _beside(
    finding: Finding[OfColumn], way: Conversion, actual: Schema, contract: Contract, convert: Step
) -> tuple[Step, ...] | None:
    """Return the steps that replace the conversion online, by a second column; None if that is not possible."""
    name, found = finding.table, actual.tables[finding.table].columns[finding.about.column]
    wanted = contract.tables[name].columns[found.name]
    if found.generates or "NOT NULL" in wanted.guards or (not way.holds and actual.tables[name].estimated_rows <= MANY):
        return None
    # Others may still write floats with any number of digits, so online the column takes them all.
    exactly = keeps_digits(found, way)
    shadow = Shadow(
        table=actual.tables[name],
        column=found,
        type="numeric" if exactly else way.type,
        home="" if exactly else way.home,
        value=SQL("{}::text::numeric").format(q.column(found.name)) if exactly else way.value,
        understood=understood(finding, way, actual),
        back=back_again(way, found.name, found),
        default=None if found.default is None or wanted.sequence else wanted.default,
        checks=tuple((old, new) for old, new in _wanted_checks(finding, actual, contract) if new),
    )
    return exchanged(shadow, replace(convert, title=f"convert {name.name}.{found.name} to {shadow.type}"), actual)


def _exchanged(parts: list[Part], lightly: tuple[Step, ...]) -> Iterator[Part]:
    """Yield the parts; online, only those remain that the second column needs as well."""
    for part in parts:
        step = part.atomic
        if step.phase is Phase.CONVERT:
            yield step.online_as(lightly)
        elif step.phase in (Phase.TABLES, Phase.UNLINK) or step.hazard or step.effect.moves or step.shape.restores:
            yield part
        else:
            yield step.online_as(())


def _in_one_go(parts: list[Part], convert: Step) -> Iterator[Part]:
    """Yield the parts; online, those around the conversion are one step, so nobody writes between image and cast."""
    around = [
        s
        for s in (part.atomic for part in parts)
        if s is convert or (s.phase in _AROUND and not s.effect.moves and not s.shape.restores)
    ]
    whole = in_one_go(convert, around)
    for part in parts:
        if part.atomic is convert:
            yield convert.online_as((whole,))
        else:
            yield part.atomic.online_as(()) if part.atomic in around else part


def _steps(finding: Finding[OfColumn], way: Conversion, actual: Schema, contract: Contract) -> Iterator[Part]:
    name, column = finding.table, finding.about.column
    found = actual.tables[name].columns[column]
    wanted = contract.tables[name].columns[column]
    if wanted.enum:
        yield Step(Phase.TABLES, name, f"create the type {wanted.enum}", ddl.create_type(wanted), Lock.NONE)
    for key in actual.keys_over(name, column):
        yield drop_foreign_key(key, "the type of its column changes")
    yield from _checks(finding, actual, contract)
    if finding.rows:
        odd = SQL("{} IS NOT NULL AND NOT ({})").format(q.column(column), understood(finding, way, actual))
        reason = f"its {column} does not fit {way.type}"
        if _may_be_emptied(finding, actual, contract):
            yield _emptied(finding, odd, reason, actual)
        else:
            yield from Mover(actual, contract).quarantine(Phase.MISFITS, name, odd, reason, rows=finding.rows)
    if not way.reversible:
        yield keep_spelling(actual.tables[name], found, way)
    if found.default is not None and not found.generates:
        action = SQL("ALTER COLUMN {} DROP DEFAULT").format(Identifier(column))
        yield alter(Phase.MISFITS, name, f"drop the default {found.default} of {name.name}.{column}", action)
    yield _convert(finding, way, found, actual)
    if found.default is not None and wanted.default is not None and not wanted.sequence:
        action = SQL("ALTER COLUMN {} SET DEFAULT {}").format(Identifier(column), SQL(wanted.default))
        yield alter(Phase.DEFAULTS, name, f"set the default of {name.name}.{column} to {wanted.default}", action)


def _may_be_emptied(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> bool:
    """Return whether the column is a reference that the contract sets to NULL where it names no row."""
    column, mover = finding.about.column, Mover(actual, contract)
    keys = [key for key in contract.tables[finding.table].foreign_keys if column in key.columns]
    null = all(key.columns == (column,) and mover.policy(key) == "null" for key in keys)
    return bool(keys) and null and not actual.tables[finding.table].columns[column].not_null


def _emptied(finding: Finding[OfColumn], odd: Composable, reason: str, actual: Schema) -> Step:
    table, column = actual.tables[finding.table], finding.about.column
    return rewrite(
        Phase.MISFITS,
        table,
        f"set {column} of {counted(finding.rows)} of {table.name.name} to NULL: {reason}",
        {column: SQL("NULL")},
        odd,
        rows=finding.rows,
        known_by=identity(table, None, Phase.MISFITS),
    )


def _checks(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Iterator[Part]:
    """Yield the steps for checks over the column: the contract's are added again, others are only dropped."""
    name = finding.table
    for check, new in _wanted_checks(finding, actual, contract):
        if new is None:
            title = f"drop the check {check.name}: it speaks of the old type of {finding.column}"
            yield drop_constraint(name, check.name, title, hazard=Hazard.REPLACES_CONSTRAINT)
        else:
            yield drop_constraint(name, check.name, f"drop the check {check.name}, to be added again for the new type")
            title = f"add the check {check.name} again"
            add = alter(Phase.RULES, name, title, SQL("ADD {}").format(ddl.check_clause(check.name, new)))
            yield add.online_as(online.check(name, check.name, new, title))


def _wanted_checks(
    finding: Finding[OfColumn], actual: Schema, contract: Contract
) -> Iterator[tuple[Check, Check | None]]:
    """Yield the checks over the column, each with the one that the contract wants in its place, or None."""
    wanted = contract.tables[finding.table].checks
    for check in actual.tables[finding.table].checks_over(finding.about.column):
        if not is_guard(check.name):
            same = next((w for w in wanted if meaning(w.expression) == meaning(check.expression)), None)
            yield check, replace(same, name=check.name) if same else None


def _convert(finding: Finding[OfColumn], way: Conversion, found: Column, actual: Schema) -> Step:
    name, column = finding.table, finding.about.column
    type_: Composable = SQL(way.full_type)
    value = only_what_fits(finding, way, actual)
    title = f"convert {name.name}.{column} from {found.type} to {way.type}"
    rows = actual.tables[name].estimated_rows
    if keeps_digits(found, way) and shape(way.type).size is not None:
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


def _convert_exactly(finding: Finding[OfColumn], way: Conversion, found: Column, title: str, rows: int) -> Step:
    """Return the step that converts to the wanted numeric if all digits fit, else to an unbounded one."""
    name, column = finding.table, finding.about.column
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
        effect=Effect(changes=(column,), rows=rows),
        shape=Shape(reverts=(reversal(way, found, SQL("{}::text::numeric").format(back_again(way, column, found))),)),
    )


def foresee_conversion(finding: Finding[OfColumn], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the column converted, and without the foreign keys and checks that are dropped for it."""
    way = settled(finding, actual, contract)
    if isinstance(way, str):
        return actual
    name, column = finding.table, finding.about.column
    gone = frozenset((key.table, key.name) for key in actual.keys_over(name, column))
    schema = actual.without_foreign_keys(gone)
    table = without_beside(schema.tables[name], column)
    found = table.columns[column]
    wanted = contract.tables[name].columns[column]
    kept = found.default is not None and (found.generates or not wanted.sequence)  # else missing-generator is next
    default = wanted.default if kept else None
    after = replace(as_it_stands(as_converted(found, wanted, way), actual), default=default)
    same = {meaning(check.expression) for check in contract.tables[name].checks}
    checks = tuple(check for check in table.checks if column not in check.columns or meaning(check.expression) in same)
    return schema.with_table(replace(table.with_column(after), checks=checks))
