"""Domains: who holds one besides the columns of the contract's schemas, and the step that lets it demand more."""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.finding import Probe
from fixer.model.schema import Schema
from fixer.model.step import Lock, Phase, Step
from fixer.model.table import Column, QName, Table
from fixer.repair.columns import in_full, named
from fixer.repair.probe import shown
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.conditions import condition
from fixer.sql.types import element

# PostgreSQL changes no domain for another role, nor one that other types are made of: a person has to see to these.
_OWNER = """
SELECT 'its owner, ' || pg_catalog.pg_get_userbyid(d.typowner) AS v
  FROM pg_catalog.pg_type AS d WHERE d.oid = {domain}::regtype AND NOT pg_catalog.pg_has_role(d.typowner, 'USAGE')
"""
_BEYOND = """
SELECT 'the type ' || t.oid::regtype FROM pg_catalog.pg_type AS t WHERE t.typbasetype = {domain}::regtype
 UNION ALL
SELECT 'the table ' || c.oid::regclass FROM pg_catalog.pg_class AS c WHERE c.reloftype = {domain}::regtype
 UNION ALL
SELECT 'the column ' || c.oid::regclass || '.' || a.attname
  FROM pg_catalog.pg_type AS d
  JOIN pg_catalog.pg_attribute AS a ON a.atttypid IN (d.oid, d.typarray) AND NOT a.attisdropped
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'c', 'f', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE d.oid = {domain}::regtype AND (n.nspname, c.relname, a.attname) NOT IN (VALUES {known})
"""


def coming(column: Column, stands: Column) -> list[str]:
    """Return what the contract's domain of a column demands of each value, and the one that stands does not yet."""
    return [] if element(column.type) else [guard for guard in column.guards if guard not in stands.guards]


def refusing(guards: Iterable[str], value: Composable, base: str) -> Composable:
    """Return the condition that one of these demands of a domain refuses a value, of the type it is made of."""
    broken = ("value IS NULL" if guard == "NOT NULL" else f"NOT {condition(guard, 'value')}" for guard in guards)
    return SQL("(SELECT {} FROM (SELECT ({})::{} AS value) AS given)").format(
        q.any_of(map(SQL, broken)), value, SQL(base)
    )


def holders(domain: QName, actual: Schema) -> list[tuple[Table, str]]:
    """Return the columns of the schemas that hold values of a domain, or arrays of them, each after its table."""
    stored = (table for table in actual.tables.values() if table.kind in "rpm" and not table.created)
    columns = ((table, column) for table in stored for column in table.columns.values() if not column.added)
    return [(table, each.name) for table, each in columns if each.base and named(each.full_type) == domain]


def is_nested(domain: QName, actual: Schema) -> bool:
    """Return whether arrays of a domain are held: PostgreSQL does not read their elements, and refuses."""
    return any(element(table.columns[column].type) for table, column in holders(domain, actual))


def will_be_nested(domain: QName, actual: Schema) -> bool:
    """Return whether the plan brings columns of arrays of a domain, which is then too late to be changed."""
    coming = (c for t in actual.tables.values() for c in t.columns.values() if t.created or c.added)
    return any(each.base and element(each.type) and named(each.full_type) == domain for each in coming)


def beyond(domain: QName, actual: Schema) -> Composable:
    """Return the SELECT for what keeps a domain from being changed, besides rows of the schemas."""
    known = [(t.stored_as or t.name, t.columns[c].stored_as or c) for t, c in holders(domain, actual)]
    listed = [SQL("({}, {}, {})").format(*map(Literal, (*table, column))) for table, column in known]
    spelt, none = Literal(in_full(domain)), SQL("('', '', '')")
    rest = SQL(_BEYOND).format(domain=spelt, known=SQL(", ").join(listed or [none]))
    return SQL("{} UNION ALL {}").format(SQL(_OWNER).format(domain=spelt), rest)


def of_others(domain: QName) -> Probe:
    """Return the probe that finds the owner of a domain, if this role may not alter it."""
    source = SQL("({}) AS t").format(SQL(_OWNER).format(domain=Literal(in_full(domain))))
    return Probe(source, SQL("true"), (SQL("t.v"),))


def users(type_: QName) -> Probe:
    """Return the probe for all that holds a type or is made of it, and for its owner, if this role may not alter it."""
    spelt = Literal(in_full(type_))
    parts = SQL("{} UNION ALL {}").format(
        SQL(_OWNER).format(domain=spelt), SQL(_BEYOND).format(domain=spelt, known=SQL("('', '', '')"))
    )
    return Probe(SQL("({}) AS t").format(parts), SQL("true"), (SQL("t.v"),))


def breaking(domain: QName, breaks: Iterable[tuple[Table, Composable]], actual: Schema) -> Probe:
    """Return the probe for the rows that break what a domain is to demand, and for what else keeps it as it is."""
    parts = [
        SQL("SELECT {}::text AS v FROM {} WHERE {}").format(shown(table)[0], q.rows_of(table), condition)
        for table, condition in breaks
        if not table.part_of
    ]
    source = SQL(" UNION ALL ").join([*parts, beyond(domain, actual)])
    return Probe(SQL("({}) AS t").format(source), SQL("true"), (SQL("t.v"),))


def changed(domain: QName, table: QName, title: str, action: Composable, actual: Schema) -> Step:
    """Return the step that changes a domain; PostgreSQL reads the rows of all that hold it, and keeps writers out."""
    touches = tuple(dict.fromkeys(each.name for each, _ in holders(domain, actual) if each.name != table))
    return Step(
        Phase.RULES, table, title, SQL("ALTER DOMAIN {} {}").format(q.name(domain), action), Lock.SHARE, touches=touches
    )
