"""Reading a catalogue: ours, the bare queries, SQLAlchemy's reflection, Alembic's comparison."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from bench.harness import Options, Result, alternate, run_sql, say, session
from fixer import introspect
from fixer.connect import servers
from fixer.connect.target import resolve

SMALL, FULL = (200, 1_000), (200, 2_000, 10_000)
OURS, BARE, SAME = "fixer.introspect.read", "bare queries", "the queries of fixer.introspect, fetchall"
ALEMBIC = "Alembic compare_metadata"

# Eight columns, a primary key with its sequence, a foreign key, a check, a unique and two indexes.
TABLES = sql.SQL("""
DO $$ BEGIN FOR n IN {first}..{last} LOOP
  EXECUTE format('CREATE TABLE t%1$s (id serial PRIMARY KEY, parent integer REFERENCES t%2$s (id) ON DELETE CASCADE,
    name varchar(50) NOT NULL UNIQUE, status varchar(20) NOT NULL DEFAULT ''active'', amount numeric(15,2),
    quantity integer NOT NULL CHECK (quantity > 0), note text, created_at timestamptz NOT NULL DEFAULT now())',
    n, greatest(n / 10, 1));
  EXECUTE format('CREATE INDEX ON t%1$s (parent)', n);
  EXECUTE format('CREATE INDEX ON t%1$s (created_at)', n);
END LOOP; END $$
""")

# What the reader learns, as raw as the catalogue keeps it: nothing is spelt out that could be compared as numbers.
QUERIES = (
    "SELECT c.oid, c.relname, c.relkind, c.relowner, c.relpersistence, c.relispartition, c.relrowsecurity,"
    " c.relforcerowsecurity, c.reltuples, pg_relation_size(c.oid), has_table_privilege(c.oid, 'SELECT')"
    " FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
    "SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated,"
    " a.attcollation, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " AND a.attnum > 0 AND NOT a.attisdropped",
    "SELECT k.conrelid, k.conname, k.contype, k.conkey, k.confrelid, k.confkey, k.confdeltype, k.confupdtype,"
    " k.confmatchtype, k.condeferrable, k.condeferred, k.convalidated, pg_get_expr(k.conbin, k.conrelid)"
    " FROM pg_constraint k WHERE k.connamespace = 'public'::regnamespace",
    "SELECT i.indrelid, x.relname, i.indkey::text, i.indclass::text, i.indoption::text, i.indcollation::text,"
    " i.indnkeyatts, i.indisunique, i.indisprimary, i.indisvalid, i.indisready, i.indislive,"
    " pg_get_expr(i.indpred, i.indrelid), pg_get_expr(i.indexprs, i.indrelid)"
    " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE x.relnamespace = 'public'::regnamespace",
    "SELECT c.relname, s.seqtypid, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle, d.refobjid,"
    " d.refobjsubid, pg_sequence_last_value(c.oid) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid"
    " LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid"
    " AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
    " WHERE c.relnamespace = 'public'::regnamespace",
    "SELECT g.tgrelid, g.tgname, g.tgconstraint, g.tgenabled, g.tgisinternal FROM pg_trigger g"
    " JOIN pg_class c ON c.oid = g.tgrelid WHERE c.relnamespace = 'public'::regnamespace",
    "SELECT atttypid, atttypmod, format_type(atttypid, atttypmod) FROM (SELECT DISTINCT a.atttypid, a.atttypmod"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace"
    " AND a.attnum > 0) AS t",
)


def run(options: Options) -> Result:
    """Measure catalogues of several sizes."""
    result = Result("catalog")
    sizes = options.pick(SMALL, FULL)
    with servers.embedded(options.version) as server:
        for tables in sizes:
            dsn = server.database_dsn(server.create_database())
            fill(dsn, tables)
            say(f"{tables:,} tables: reading them")
            engine = create_engine(resolve(dsn).url, poolclass=NullPool)
            with session(dsn) as connection:
                bounds = {OURS: "≤ 1.3", ALEMBIC: "≥ 10 × ours"}
                result.compare(tables, alternate(_subjects(connection, engine), options.runs), BARE, bounds)
    _per_table(result, sizes)
    return result


def fill(dsn: str, tables: int) -> None:
    """Make so many tables, each with a foreign key to another, ten to one."""
    say(f"{tables:,} tables: making them")
    for first in range(1, tables + 1, 500):
        last = min(first + 499, tables)
        run_sql(dsn, TABLES.format(first=sql.Literal(first), last=sql.Literal(last)))
    run_sql(dsn, "VACUUM (ANALYZE)")


# What every reading asks; spellings and types only where numbers do not tell them.
READ = ("session", "relations", "columns", "defaults", "indexes", "constraints", "sequences", "obstacles", "unproved")


def _subjects(connection: Connection, engine: Engine) -> dict[str, Callable[[], object]]:
    metadata = MetaData()
    metadata.reflect(engine)  # the same shape on both sides: it finds nothing to do

    def bare() -> None:
        with connection.cursor() as cursor:
            for query in QUERIES:
                cursor.execute(query)
                cursor.fetchall()

    def same() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('pgmend.schemas', '{public}', false)")
            for name in READ:
                cursor.execute(introspect.query(name))
                cursor.fetchall()

    def ours() -> None:
        with connection.cursor() as cursor:
            introspect.read(cursor, ["public"], "BEGIN;")
            cursor.execute("ROLLBACK")

    def alembic() -> None:
        with engine.connect() as mine, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compare_metadata(MigrationContext.configure(mine), metadata)

    return {
        BARE: bare,
        SAME: same,
        OURS: ours,
        "MetaData.reflect": lambda: MetaData().reflect(engine),
        ALEMBIC: alembic,
    }


def _per_table(result: Result, sizes: tuple[int, ...]) -> None:
    """Compare the time for one table of each size with that of the smallest."""
    ours = {figure.size: figure.value for figure in result.figures if figure.subject == OURS}
    first = sizes[0]
    for size in sizes:
        each = ours[size] / size
        result.add(
            "fixer.introspect.read, one table", size, each * 1000, unit="ms",
            reference="" if size == first else f"of {first:,}",
            ratio=None if size == first else each / (ours[first] / first), bound="flat",
        )  # fmt: skip
