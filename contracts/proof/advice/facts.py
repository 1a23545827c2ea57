"""What a target knows about its tables, beyond the models."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import psycopg2
from psycopg2 import errors as pg
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - it is a class
from sqlalchemy import Table

from contracts.proof.advice.defaults import refusal, unfit_defaults
from contracts.proof.advice.judge import Judge
from contracts.proof.advice.partitions import Partitions, partitions_of
from contracts.proof.databases.place import Place
from contracts.proof.writing.paths import AFRESH
from contracts.rows.insertions import Row
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.laws.apart import Apart, apart_of
from contracts.rows.laws.generated import generated
from contracts.rows.laws.groups import Group, Hopeless, groups_of
from contracts.rows.laws.law import Law, laws_of
from contracts.rows.laws.references import foreign
from contracts.rows.laws.unique import ROOMY, room
from contracts.rows.tables import columns_of, takes_null
from fixer.model.expression import unquoted
from fixer.model.table import QName

_HEIRS = """
  WITH RECURSIVE heir AS (
       SELECT i.inhrelid FROM pg_catalog.pg_inherits i
        WHERE i.inhparent = pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s))
        UNION
       SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN heir h ON i.inhparent = h.inhrelid)
SELECT c.relname FROM heir h JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid
"""
# The names of functions in the context of an error, which are spelt as SQL spells them.
_FUNCTION = re.compile(r"^PL/pgSQL function (.+)\(\) line", re.MULTILINE)
# Classes of errors: of cardinality, data, constraints, PL/pgSQL (which has that of an ASSERT), WITH CHECK OPTION, and
# limits, which a trigger meets that calls itself without end.
_REFUSALS = ("21", "22", "23", "P0", "44", "54")
_OF_APPLICATION = re.compile(r"\w\.\w")
_TRIGGERS = """
SELECT coalesce(bool_or(p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype), false)
  FROM unnest(%s::text[]) AS u (name)
  JOIN pg_catalog.pg_proc p ON p.pronargs = 0
   AND p.proname = (pg_catalog.parse_ident(u.name))[pg_catalog.cardinality(pg_catalog.parse_ident(u.name))]
"""
_OF_SETTING = """
SELECT FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
 WHERE d.adrelid = pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s)) AND a.attname = %s
   AND pg_catalog.strpos(pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'current_setting(') > 0
"""
_TRIGGERS_OF_SETTINGS = """
SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
 WHERE t.tgrelid = pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s)) AND NOT t.tgisinternal
   AND t.tgenabled IN ('O', 'A') AND pg_catalog.strpos(p.prosrc, 'current_setting(') > 0
"""
# Of a table that is missing, it finds nothing; one that takes a name would raise.
_POLICIES = """
SELECT pg_catalog.row_security_active(c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = %s
"""


@functools.cache
def facts_of(place: Place) -> Facts:
    """Return the facts of a place."""
    return Facts(place)


class Facts:
    """What one target knows about its tables; each table is asked about once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._judges: dict[Table, Judge] = {}
        self._partitions: dict[Table, Partitions | None] = {}
        self._groups: dict[Table, tuple[Group, ...]] = {}
        self._apart: dict[Table, tuple[Law, ...]] = {}
        self._filtered: dict[QName, bool] = {}
        self._unfit: dict[QName, Mapping[str, str]] = {}

    def name(self, table: Table) -> QName:
        """Return the qualified name of a table in the target."""
        return QName(table.schema or self.place.schema, table.name)

    def cursor(self) -> Cursor:
        """Return a cursor in the transaction of this item, which sees no row of an example that is over."""
        cursor = self.place.connection.cursor()
        if self.place.stale:
            cursor.execute(AFRESH)
            self.place.stale = False
        return cursor

    def judge(self, table: Table) -> Judge:
        """Return the judge of rows of a table."""
        if table not in self._judges:
            name = self.name(table)
            with self.cursor() as cursor:
                cursor.execute(
                    "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute"
                    " WHERE attrelid = pg_catalog.to_regclass(pg_catalog.format('%%I.%%I', %s, %s))"
                    " AND attnum > 0 AND NOT attisdropped",
                    name,
                )
                self._judges[table] = Judge(table, dict(cursor.fetchall()))
        return self._judges[table]

    def partitions(self, table: Table) -> Partitions | None:
        """Return the partitions of a table, None where it has none."""
        if table not in self._partitions:
            with self.cursor() as cursor:
                self._partitions[table] = partitions_of(cursor, table, self.name(table))
        return self._partitions[table]

    def is_filtered(self, name: QName) -> bool:
        """Return whether policies bind this role on a table."""
        if name not in self._filtered:
            with self.cursor() as cursor:
                cursor.execute(_POLICIES, name)
                self._filtered[name] = cursor.fetchone() == (True,)
        return self._filtered[name]

    def heirs(self, name: QName) -> frozenset[str]:
        """Return the names of the tables that inherit from a table, into which a trigger may divert its rows."""
        with self.cursor() as cursor:
            cursor.execute(_HEIRS, name)
            return frozenset(heir for (heir,) in cursor.fetchall())

    def laws(self, table: Table) -> tuple[Law, ...]:
        """Return the laws that only the target knows: which rows have a partition, which keys are taken."""
        partitions = self.partitions(table)
        placing = [partitions.law] if partitions and partitions.law else []
        return (*placing, *(each.law(self.name(table)) for each in _scarce(table)))

    def apart(self, table: Table) -> tuple[Law, ...]:
        """Return a law for each key of a table, in the order of `apart_of`: no existing row has the same values."""
        if table not in self._apart:
            self._apart[table] = tuple(each.law(self.name(table)) for each in apart_of(table))
        return self._apart[table]

    def groups(self, table: Table) -> tuple[Group, ...]:
        """Return the groups of a table."""
        partitions = self.partitions(table)
        if partitions and partitions.without:
            raise Hopeless(f"{table.name} has no partition, so no row has a place in it")
        if table not in self._groups:
            self._groups[table] = groups_of(table, self.laws(table))
        return self._groups[table]

    # --- what a refusal means

    def unfit_default(self, name: QName, error: psycopg2.Error) -> str:
        """Return the column of a table whose default is refused with this error, since it cannot hold that."""
        if error.diag.context or not isinstance(error, psycopg2.DataError | psycopg2.IntegrityError):
            return ""
        if name not in self._unfit:
            with self.cursor() as cursor:
                self._unfit[name] = unfit_defaults(cursor, name)
        return self._unfit[name].get(refusal(error), "")

    def is_refused_by_trigger(self, error: psycopg2.Error) -> bool:
        """Return whether a trigger, or a function that it calls, refuses what is written.

        It may raise an error, meet a value of which it can make nothing, or write rows that another table refuses. A
        trigger that names what is not there refuses nothing: it is broken.
        """
        refuses = is_raised(error) or (error.pgcode or "")[:2] in _REFUSALS
        names = _FUNCTION.findall(error.diag.context or "") if refuses else []
        with self.cursor() as cursor:
            cursor.execute(_TRIGGERS, (names,))
            return bool((cursor.fetchone() or (False,))[0])

    def needs_setting(self, name: QName, error: psycopg2.Error) -> bool:
        """Return whether a row is refused because the session lacks a setting, of which the database makes a value.

        Only an application has settings of two words; a function that asks for another one is wrong.
        """
        if isinstance(error, pg.UndefinedObject) and (error.diag.source_file or "").endswith("guc.c"):
            return not error.diag.context or _OF_APPLICATION.search(error.diag.message_primary or "") is not None
        column = error.diag.column_name if isinstance(error, pg.NotNullViolation) else None
        with self.cursor() as cursor:
            if column is not None and column not in self.place.contract.tables[name].columns:
                cursor.execute(_OF_SETTING, (*name, column))
                if cursor.rowcount:
                    return True
            if column is None and not (isinstance(error, psycopg2.DataError) and error.diag.context):
                return False
            cursor.execute(_TRIGGERS_OF_SETTINGS, name)
            return cursor.rowcount > 0

    def is_unfit(self, table: Table, row: Row) -> bool:
        """Return whether the known values of a row break a law of the contract."""
        return not self._obeys(table, row, (*laws_of(table), *self.laws(table)))

    def cannot_be_computed(self, table: Table, row: Row) -> bool:
        """Return whether a check, a generated column or an index of the contract fails for a row."""
        return not self._obeys(table, row, [replace(law, binding=False) for law in laws_of(table)])

    def is_repeated(self, table: Table, row: Row) -> bool:
        """Return whether the contract forbids this row beside an existing one."""
        return not self._obeys(table, row, self.apart(table))

    def repeats_nothing(self, table: Table, index: str, row: Row) -> bool:
        """Return whether an expression of a unique index is NULL for a row, so that it is like no other."""
        found = next((each for each in apart_of(table) if each.name == f"the unique index {index}"), None)
        elements = [text for text, operator in found.elements if operator == "="] if found else []
        texts = [text for text in elements if unquoted(text) not in columns_of(table)]
        if found is None or not texts:
            return False
        law = Law(" AND ".join(f"({text}) IS NOT NULL" for text in texts), found.columns)
        return not self._obeys(table, row, [law])

    def has_no_place(self, table: Table, row: Row) -> bool:
        """Return whether no partition holds a row."""
        partitions = self.partitions(table)
        if partitions is None or partitions.law is None:
            return partitions is not None and partitions.without
        return not self._obeys(table, row, [partitions.law])

    def _obeys(self, table: Table, row: Row, laws: Iterable[Law]) -> bool:
        judge = self.judge(table)
        known = [law for law in laws if law.columns and judge.knows(row, law)]
        with self.cursor() as cursor:
            return bool(judge.fitting(cursor, known, [row], 1))

    def is_unsure(self, table: Table, row: Row) -> bool:
        """Return whether a hard law cannot be judged before the row is inserted."""
        judge = self.judge(table)
        with self.cursor() as cursor:
            return any(
                law.hard and not (judge.knows(row, law) and judge.understands(cursor, law)) for law in laws_of(table)
            )


def is_raised(error: psycopg2.Error) -> bool:
    """Return whether a function of the database raised an error itself, by RAISE."""
    return (error.diag.context or "").partition("\n")[0].endswith(" RAISE")


@functools.cache
def _scarce(table: Table) -> tuple[Apart, ...]:
    """Return the keys that have few values, or that allow one NULL only."""
    columns, found = columns_of(table), []
    for each in apart_of(table):
        if any(operator not in ("=", "IS NOT DISTINCT FROM") for _, operator in each.elements) or each.where:
            continue
        if any(kind_or_none(columns[n]) is None for n in each.columns):
            continue
        roomy = any(generated(columns[n]) or n in foreign(table) or room(columns[n]) >= ROOMY for n in each.columns)
        alike = any(operator != "=" for _, operator in each.elements)
        if not roomy or (alike and any(takes_null(columns[n]) for n in each.columns)):
            found.append(each)
    return tuple(found)
