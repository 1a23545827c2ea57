"""What a contract does not name, and no repair may change: comments, grants, and tables and views beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

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
WITH c AS (
    SELECT c.*, n.nspname AS home, regexp_replace(c.relname, '^old ', '') AS name -- as the contract calls it
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname !~ '^(pg_|information_schema$|fixer_)'
)
SELECT format('comment on %s.%s: %s', c.home, c.name, d.description)
  FROM pg_description d JOIN c ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
 UNION ALL
SELECT format('comment on %s.%s.%s: %s', c.home, c.name, regexp_replace(a.attname, '^old ', ''), d.description)
  FROM pg_description d JOIN c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
 UNION ALL
SELECT format('comment on a constraint of %s.%s: %s', c.home, c.name, d.description)
  FROM pg_description d JOIN pg_constraint o ON o.oid = d.objoid AND d.classoid = 'pg_constraint'::regclass
  JOIN c ON c.oid = o.conrelid
 UNION ALL
SELECT format('grant on %s.%s: %s to %s', c.home, c.name, a.privilege_type, a.grantee::regrole)
  FROM c, aclexplode(c.relacl) a WHERE a.grantee::regrole::text = 'pg_monitor'
 UNION ALL
SELECT format('grant on %s.%s.%s to %s', c.home, c.name, regexp_replace(o.attname, '^old ', ''), a.grantee::regrole)
  FROM c JOIN pg_attribute o ON o.attrelid = c.oid, aclexplode(o.attacl) a
 WHERE a.grantee::regrole::text = 'pg_read_all_stats'
 UNION ALL
SELECT format('view %s of %s columns: %s', c.name, c.relnatts, c.relacl) FROM c WHERE c.relkind = 'v'
   AND obj_description(c.oid) = 'kept'
 UNION ALL
SELECT format('trigger on %s: %s %s', c.name, t.tgname, t.tgenabled) FROM pg_trigger t JOIN c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal
 UNION ALL
SELECT 'publication ' || pubname || puballtables FROM pg_publication
 UNION ALL
SELECT 'view ' || pg_get_viewdef('public.seen'::regclass)
 UNION ALL
SELECT 'row ' || b::text FROM public."beside it" b
"""
_COLUMN = "COMMENT ON COLUMN {0}.{1} IS 'kept'; GRANT SELECT ({1}) ON {0} TO pg_read_all_stats"
_VIEW = """
CREATE VIEW {1} AS SELECT * FROM {0};
COMMENT ON VIEW {1} IS 'kept';
GRANT SELECT ON {1} TO pg_monitor
"""
_TRIGGER = """
CREATE TRIGGER "{{beside}}" BEFORE UPDATE ON {0} FOR EACH ROW EXECUTE FUNCTION public.letting()
"""
_LETTING = "CREATE FUNCTION public.letting() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;"
KINDS = ("view", "trigger", "publication")


def planted(case: Case, contract: Contract, kinds: Collection[str] = ()) -> str:
    """Return the statements that put bystanders beside and onto the tables of a contract."""
    onto: list[sql.Composable] = [sql.SQL(_LETTING)] if "trigger" in kinds else []
    for name, wanted in contract.tables.items():
        table = sql.Identifier(*name)
        onto.append(sql.SQL("COMMENT ON TABLE {0} IS 'kept'; GRANT SELECT ON {0} TO pg_monitor").format(table))
        onto += [sql.SQL(_COLUMN).format(table, sql.Identifier(column)) for column in wanted.columns]
        marks = [each.name for each in (*wanted.checks, *wanted.foreign_keys)]
        marks += [index.name for index in wanted.indexes if index.constraint]
        comment = sql.SQL("COMMENT ON CONSTRAINT {1} ON {0} IS {2}")
        onto += [comment.format(table, sql.Identifier(each), sql.Literal(each.replace('"', ""))) for each in marks]
        if "view" in kinds:
            onto.append(sql.SQL(_VIEW).format(table, sql.Identifier("public", f"view of {name.name}")))
        if "trigger" in kinds:
            onto.append(sql.SQL(_TRIGGER).format(table))
    onto += [sql.SQL("CREATE PUBLICATION beside FOR ALL TABLES")] if "publication" in kinds else []
    return _BESIDE + sql.SQL(";\n").join(onto).as_string(case.observer)


def bystanders(case: Case) -> Counter[str]:
    """Return the bystanders as they are."""
    cursor = case.observer.cursor()
    cursor.execute(_SEEN)
    return Counter(line for (line,) in cursor.fetchall())
