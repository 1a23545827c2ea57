"""What a contract does not name, and no repair may change: comments, grants, and tables and views beside it."""

from __future__ import annotations

from collections import Counter

from psycopg2 import sql

from fixer.model.contract import Contract
from lab.laboratory import Case

_BESIDE = """
CREATE TABLE public."beside it" (id integer PRIMARY KEY, note text);
INSERT INTO public."beside it" VALUES (1, 'kept');
COMMENT ON TABLE public."beside it" IS 'kept';
CREATE VIEW public.seen AS SELECT note FROM public."beside it";
GRANT SELECT ON public.seen TO pg_monitor;
"""
_SEEN = """
SELECT 'comment on ' || c.relname || ': ' || d.description
  FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^(pg_|information_schema$|fixer_)'
 UNION ALL
SELECT 'grant on ' || c.relname || ': ' || a.privilege_type || ' to ' || a.grantee::regrole
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
 WHERE n.nspname !~ '^(pg_|information_schema$|fixer_)' AND a.grantee::regrole::text = 'pg_monitor'
 UNION ALL
SELECT 'view ' || pg_get_viewdef('public.seen'::regclass)
 UNION ALL
SELECT 'row ' || b::text FROM public."beside it" b
"""


def planted(case: Case, contract: Contract) -> str:
    """Return the statements that put bystanders beside and onto the tables of a contract."""
    onto = [
        sql.SQL("COMMENT ON TABLE {0} IS 'kept'; GRANT SELECT ON {0} TO pg_monitor").format(sql.Identifier(*name))
        for name in contract.tables
    ]
    return _BESIDE + sql.SQL(";\n").join(onto).as_string(case.observer)


def bystanders(case: Case) -> Counter[str]:
    """Return the bystanders as they are."""
    cursor = case.observer.cursor()
    cursor.execute(_SEEN)
    return Counter(line for (line,) in cursor.fetchall())
