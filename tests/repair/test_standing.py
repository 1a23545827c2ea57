"""Views and policies over a column that gets another type are taken down, and brought back as they were."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.commands import APPLY, holds, psql, undo
from lab.database import Database, all_of, differences, lent, role, written
from lab.examples.library import LIBRARY, apply, library
from lab.laboratory import Laboratory
from lab.online import Writer
from lab.process import fixer, wait_for

BROKEN = """
DO $$ BEGIN CREATE ROLE "Reader's"; CREATE ROLE lender; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER TABLE books ALTER pages TYPE text, ALTER price TYPE double precision, ALTER title TYPE varchar(10);
"""
STANDING = """
CREATE SCHEMA "odd.%";
GRANT USAGE, CREATE ON SCHEMA "odd.%" TO lender;
GRANT SELECT ON books, authors TO lender;
CREATE VIEW "odd.%"."long ""%s" (no, "Pages %", title) WITH (security_barrier, check_option = cascaded)
    AS SELECT id, pages, title FROM books WHERE title <> '{} ' AND title LIKE 'title _';
ALTER VIEW "odd.%"."long ""%s" ALTER COLUMN no SET DEFAULT 7;
ALTER VIEW "odd.%"."long ""%s" OWNER TO lender;
REVOKE DELETE ON "odd.%"."long ""%s" FROM lender;
GRANT SELECT (title), UPDATE (title) ON "odd.%"."long ""%s" TO "Reader's" WITH GRANT OPTION;
COMMENT ON COLUMN "odd.%"."long ""%s"."Pages %" IS 'how ''many'' {0} %s';
CREATE VIEW zero AS SELECT "Pages %" AS pages, count(*) FROM "odd.%"."long ""%s" GROUP BY 1;
CREATE VIEW above AS
    SELECT z.pages, b.price * 2 AS doubled, a.name FROM zero z JOIN books b ON b.pages = z.pages, authors a;
CREATE RULE "_" AS ON INSERT TO authors DO ALSO NOTHING; DROP RULE "_" ON authors;
GRANT SELECT ON above TO "Reader's" WITH GRANT OPTION; GRANT ALL ON above TO PUBLIC;
COMMENT ON VIEW above IS E'it''s\\\\ "above"';
CREATE VIEW totals AS SELECT author_id, sum(price) AS total FROM books GROUP BY 1 HAVING sum(price) > 0;
CREATE POLICY "few % ""books" ON books AS RESTRICTIVE FOR UPDATE TO "Reader's", lender
    USING (pages IS NOT NULL AND title <> 'x') WITH CHECK (price < 1000);
CREATE POLICY elsewhere ON reviews USING (body <> 'x' AND EXISTS (SELECT FROM above WHERE doubled > 0));
COMMENT ON POLICY elsewhere ON reviews IS 'reads above';
CREATE POLICY plain ON books USING (id > 0);
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER "t %" INSTEAD OF UPDATE ON zero FOR EACH ROW EXECUTE FUNCTION never('{}', 'a b');
CREATE RULE "r %" AS ON INSERT TO zero DO INSTEAD
    UPDATE books SET pages = new.pages WHERE title = '%s' AND pages <> new.pages;
COMMENT ON TRIGGER "t %" ON zero IS 't'; COMMENT ON RULE "r %" ON zero IS 'r';
ALTER TABLE books ENABLE ROW LEVEL SECURITY; ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;
"""


@pytest.fixture(params=[16, 18])
def standing(request: pytest.FixtureRequest, laboratory: Laboratory) -> Iterator[Database]:
    with library(laboratory, request.param, BROKEN + STANDING) as database:
        yield database


@pytest.fixture
def broken(laboratory: Laboratory) -> Iterator[Database]:
    with library(laboratory, 18, BROKEN) as database:
        yield database


def steps(database: Database) -> list[str]:
    answer = json.loads(fixer("plan", "--format", "json", *LIBRARY, "--dsn", database.dsn).stdout)
    return [step["title"] for step in answer["steps"]]


def atomic(database: Database, *words: object) -> subprocess.CompletedProcess[str]:
    return apply(database, "--mode", "atomic", "-q", *words)


# What a dump shows of views and policies, but for how PostgreSQL spells their expressions under other types.
SHOWN = """
SELECT c.oid::regclass::text, c.reloptions::text, c.relacl::text, pg_get_userbyid(c.relowner),
       (SELECT string_agg(concat(a.attname, a.attacl, col_description(c.oid, a.attnum)), ',' ORDER BY a.attnum)
          FROM pg_attribute a WHERE a.attrelid = c.oid), obj_description(c.oid), count(d)
  FROM pg_class c LEFT JOIN pg_attrdef d ON d.adrelid = c.oid
 WHERE c.relkind = 'v' AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
 GROUP BY c.oid
 UNION ALL
SELECT polname, polrelid::regclass::text, polcmd::text, polpermissive::text, polroles::regrole[]::text,
       obj_description(oid), 0
  FROM pg_policy ORDER BY 1
"""


def test_all_comes_back_as_it_was_and_undo_does_the_same(standing: Database) -> None:
    before, shown = all_of(standing), standing.run(SHOWN)
    online = standing.server.version == 16
    ended = apply(standing, "--mode", "online" if online else "atomic", "-q")
    assert (ended.returncode, ended.stderr, holds(standing, *LIBRARY)) == (0, "", True)
    assert standing.run(SHOWN) == shown
    types = (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'above'::regclass AND attnum > 0"
    )
    assert standing.run(types) == [("integer",), ("double precision",), ("character varying(50)",)]

    back = undo(standing, 1, "-q")
    assert (back.returncode, back.stderr, differences(before, standing)) == (0, "", [])


def test_the_plan_says_what_it_takes_down_and_brings_back(standing: Database) -> None:
    titles = steps(standing)
    down = [title.removeprefix("take down the ").partition(", ")[0] for title in titles if "take down" in title]
    up = [title.removeprefix("bring back the ").partition(", ")[0] for title in titles if "bring back" in title]

    assert up == down[::-1]
    assert down == [
        "policy elsewhere on table reviews",
        "view above",
        "view zero",
        "view totals",
        'view "odd.%"."long ""%s"',
        'policy few % "books on table books',
    ]


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_does_not_go_with_the_new_type_stops_all_with_statements_that_help(broken: Database, mode: str) -> None:
    broken.run(
        "CREATE VIEW few AS SELECT id, pages FROM books WHERE pages <> 'it''s  %s';"
        "CREATE VIEW above AS SELECT * FROM few; COMMENT ON VIEW above IS 'two  blanks'"
    )
    before = written(broken)
    ended = apply(broken, "--mode", mode, "-q")
    assert (ended.returncode, len(ended.stderr.splitlines()), written(broken)) == (1, 1, before)
    why = "does not go with its new type: operator does not exist: integer <> text (42883)"
    assert f"the view few depends on books.pages, and {why}" in ended.stderr

    down, up = ended.stderr.partition("create it again afterwards: ")[2].split(" Afterwards: ")
    assert down == "DROP VIEW public.above; DROP VIEW public.few;"
    broken.run(down)
    assert apply(broken, "--mode", mode, "-q").returncode == 0
    broken.run(up.partition(". Nothing was changed.")[0].replace("'it''s  %s'::text", "3"))
    assert broken.ask("SELECT obj_description('above'::regclass)") == "two  blanks"


PERSONS = {
    "materialized view m": "CREATE VIEW v AS SELECT pages FROM books;"
    "CREATE MATERIALIZED VIEW m AS SELECT pages FROM v WHERE pages IS NOT NULL WITH NO DATA;"
    "CREATE UNIQUE INDEX i ON m (pages); COMMENT ON MATERIALIZED VIEW m IS 'm'; GRANT SELECT ON m TO PUBLIC;"
    "COMMENT ON INDEX i IS 'i'; ALTER MATERIALIZED VIEW m CLUSTER ON i; ALTER MATERIALIZED VIEW m OWNER TO lender;"
    "ALTER TABLE m ALTER pages SET STATISTICS 7; CREATE STATISTICS s (ndistinct) ON pages, (pages IS NULL) FROM m",
    "trigger t on table books": "CREATE TRIGGER t BEFORE UPDATE OF pages ON books FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger(); ALTER TABLE books DISABLE TRIGGER t",
    "rule r on table books": "CREATE RULE r AS ON UPDATE TO books WHERE old.title = 'x' AND old.pages IS NULL"
    " DO ALSO SELECT 1; ALTER TABLE books ENABLE ALWAYS RULE r",
    "function f()": "CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT count(pages) FROM books; END;"
    "REVOKE ALL ON FUNCTION f FROM PUBLIC; GRANT EXECUTE ON FUNCTION f TO lender;"
    "CREATE VIEW v AS SELECT f() AS n; CREATE VIEW w AS SELECT n FROM v; CREATE POLICY p ON reviews USING (f() > 0)",
    "publication of table books in publication p": "CREATE PUBLICATION p FOR TABLE books (id, pages)"
    " WHERE (id > 1 AND pages IS NOT NULL)",
    "generated column twice %": 'ALTER TABLE books ADD "twice %" boolean GENERATED ALWAYS AS (pages IS NULL) STORED;'
    """COMMENT ON COLUMN books."twice %" IS 'kept'; CREATE VIEW v AS SELECT pages FROM books""",
    "view v": "CREATE VIEW v AS SELECT id, pages FROM books; GRANT SELECT ON v TO lender"
    " WITH GRANT OPTION; SET ROLE lender; GRANT SELECT ON v TO PUBLIC; RESET ROLE",
}


@pytest.mark.parametrize("what", PERSONS)
def test_what_only_a_person_takes_down_is_refused_with_statements_that_bring_it_back(
    broken: Database, what: str
) -> None:
    broken.run(PERSONS[what])
    before, whole = written(broken), all_of(broken)
    ended = atomic(broken)
    assert (ended.returncode, len(ended.stderr.splitlines()), written(broken)) == (1, 1, before)
    assert f"the {what}" in ended.stderr

    down, up = ended.stderr.partition("create it again afterwards: ")[2].partition(" (and")[0].split(" Afterwards: ")
    broken.run(down)
    assert atomic(broken).stderr == ""
    broken.run(up.partition(". Nothing was changed.")[0])
    assert {line.partition(" IN ")[2] for line in differences(whole, broken)} == {"CREATE TABLE public.books ("}


def test_a_view_that_names_a_column_that_is_renamed_is_left_to_a_person(broken: Database) -> None:
    broken.run("ALTER TABLE books RENAME title TO heading; CREATE VIEW v AS SELECT heading, price FROM books")
    broken.run("CREATE VIEW w AS SELECT pages FROM books")
    before = broken.dump()
    ended = atomic(broken)

    named = (
        "the view v depends on books.price, and names heading, which is renamed to title: drop it, and create it again"
    )
    assert (ended.returncode, named in ended.stderr, broken.dump()) == (1, True, before)


PARTITIONED = """
CREATE TABLE things (id integer NOT NULL, n text, part integer NOT NULL, PRIMARY KEY (id, part))
    PARTITION BY LIST (part);
CREATE SCHEMA "s.x"; CREATE TABLE p0 PARTITION OF things FOR VALUES IN (0);
CREATE TABLE "s.x"."P 1" PARTITION OF things DEFAULT;
INSERT INTO things SELECT n, n, n % 3 FROM generate_series(1, 9) AS n;
CREATE VIEW v AS SELECT n FROM p0; CREATE VIEW w AS SELECT n FROM "s.x"."P 1" UNION ALL SELECT n FROM things;
CREATE POLICY p ON p0 USING (n IS NOT NULL) WITH CHECK (n > n);
"""
THINGS = """
from sqlalchemy import Column, Integer, MetaData, Table
metadata = MetaData()
Table("things", metadata, Column("id", Integer, primary_key=True, autoincrement=False), Column("n", Integer),
      Column("part", Integer, primary_key=True, autoincrement=False), postgresql_partition_by="LIST (part)")
"""


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_stands_over_a_partition_comes_back_too(laboratory: Laboratory, tmp_path: Path, mode: str) -> None:
    (tmp_path / "things.py").write_text(THINGS)
    with lent(laboratory.server(18), None) as database:
        database.run(PARTITIONED)
        before = all_of(database)
        chosen = ("-q", "--mode", mode, "--contract", "things:metadata", "--dsn", database.dsn)
        ended = fixer(*APPLY, *chosen, cwd=tmp_path)
        back = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr, back.stderr, differences(before, database)) == (0, "", "", [])


PAIR = """
CREATE TABLE p (id text PRIMARY KEY, n text, m text);
CREATE TABLE c (id integer PRIMARY KEY, p_id text NOT NULL REFERENCES p);
INSERT INTO p SELECT n, '0' || n, '+' || n FROM generate_series(1, 9) AS n;
INSERT INTO c SELECT n, n FROM generate_series(1, 9) AS n;
CREATE VIEW g AS SELECT id FROM p GROUP BY id; CREATE VIEW j AS SELECT c.id FROM c JOIN p ON c.p_id = p.id;
CREATE VIEW e AS SELECT id FROM p WHERE n = m;
CREATE POLICY q ON c USING (EXISTS (SELECT FROM g WHERE g.id = c.p_id))
"""
BOTH = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
metadata = MetaData()
Table("p", metadata, Column("id", Integer, primary_key=True, autoincrement=False), Column("n", Integer),
      Column("m", Integer))
Table("c", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      Column("p_id", Integer, ForeignKey("p.id"), nullable=False))
"""


def test_what_compares_columns_that_both_get_another_type_comes_back_online(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    (tmp_path / "both.py").write_text(BOTH)
    with lent(laboratory.server(18), None) as database:
        database.run(PAIR)
        before = all_of(database)
        chosen = ("-q", "--mode", "online", "--contract", "both:metadata", "--dsn", database.dsn)
        ended = fixer(*APPLY, *chosen, cwd=tmp_path)
        counted = database.run("SELECT (SELECT count(*) FROM j), (SELECT count(*) FROM e)")
        back = undo(database, 1, "-q")

        assert (ended.returncode, ended.stderr, counted) == (0, "", [(9, 9)])
        assert (back.returncode, back.stderr, differences(before, database)) == (0, "", [])


def test_code_that_it_did_not_run_before_does_not_come_with_the_new_type(broken: Database) -> None:
    broken.run(
        "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT $1'; CREATE VIEW v AS SELECT f(pages) FROM books;"
        "CREATE FUNCTION f(integer) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'; CREATE VIEW w AS TABLE v;"
        "CREATE FUNCTION f(bigint) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';"
        "CREATE VIEW x AS SELECT id, pages, f(title) FROM books"
    )
    before = written(broken)
    ended = atomic(broken)
    assert (ended.returncode, len(ended.stderr.splitlines()), written(broken)) == (1, 1, before)
    assert "its new type: it would call function public.f(integer), which it does not call now: drop it" in ended.stderr

    down, up = ended.stderr.partition("create it again afterwards: ")[2].split(" Afterwards: ")
    broken.run(down)
    assert atomic(broken).returncode == 0
    broken.run(up.partition(". Nothing")[0].replace("(pages)", "(pages::text)"))
    assert broken.ask("SELECT f FROM w LIMIT 1") is not None


def test_names_with_dots_and_a_long_way_up_are_told_apart(broken: Database) -> None:
    broken.run(
        'CREATE SCHEMA a; CREATE SCHEMA "a.b"; CREATE VIEW a."b.c" AS SELECT id, pages FROM books WHERE id > 1;'
        'CREATE VIEW "a.b".c AS SELECT pages FROM books; CREATE VIEW v0 AS TABLE "a.b".c;'
        "DO $$ BEGIN FOR n IN 1..101 LOOP EXECUTE format('CREATE VIEW v%s AS TABLE v%s', n, n - 1); END LOOP; END $$"
    )
    before = all_of(broken)
    ended = atomic(broken)
    back = undo(broken, 1, "-q")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (back.returncode, back.stderr, differences(before, broken)) == (0, "", [])


def test_others_views_over_the_new_type_are_brought_back_when_the_run_is_undone(broken: Database) -> None:
    assert atomic(broken).returncode == 0
    broken.run("CREATE VIEW seen AS SELECT id, title, price FROM books; CREATE VIEW more AS SELECT * FROM seen")
    broken.run("GRANT SELECT ON more TO lender; CREATE POLICY p ON books USING (price > 0)")
    back = undo(broken, 1, "-q")

    seen = broken.run("SELECT relname, relacl::text FROM pg_class WHERE relname IN ('seen', 'more') ORDER BY 1")
    assert (back.returncode, back.stderr) == (0, "")
    assert [name for name, _ in seen] == ["more", "seen"]
    assert "lender=r/" in seen[0][1]


def test_others_views_that_would_not_mean_the_same_keep_the_run_from_being_undone(broken: Database) -> None:
    assert atomic(broken).returncode == 0
    broken.run(
        "CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';"
        "CREATE FUNCTION f(text) RETURNS integer LANGUAGE sql AS 'SELECT 0';"
        "CREATE VIEW v AS SELECT f(pages) FROM books; CREATE VIEW w AS TABLE v"
    )
    before = written(broken)
    back = undo(broken, 1, "-q")
    assert (back.returncode, written(broken)) == (2, before)
    assert "The view v would call the function public.f(text) over the old type, which it does not call" in back.stderr

    broken.run(back.stderr.partition("as the old type needs: ")[2].partition(" Afterwards: ")[0])
    broken.run("CREATE VIEW x AS SELECT pages + 1 AS next FROM books")
    back = undo(broken, 1, "-q")
    assert "(bring back the view x): operator does not exist: text + integer (42883). Drop it before" in back.stderr
    broken.run("DROP VIEW x")
    assert undo(broken, 1, "-q").returncode == 0


def test_a_plan_knows_of_what_changed_since(broken: Database, tmp_path: Path) -> None:
    broken.run("CREATE VIEW v AS SELECT pages FROM books; CREATE VIEW w AS SELECT pages FROM v")
    whole = ("-o", tmp_path / "plan.json", "--sql", tmp_path / "plan.sql")
    fixer("plan", *LIBRARY, "-q", *whole, "--dsn", broken.dsn)
    broken.run("COMMENT ON VIEW w IS 'new'")
    ended = fixer("apply", tmp_path / "plan.json", *APPLY[1:], *LIBRARY, "--dsn", broken.dsn)
    script = psql(broken, tmp_path / "plan.sql")

    assert (ended.returncode, broken.ask("SELECT obj_description('w'::regclass)")) == (2, "new")
    assert "The view w has changed since the plan was made: plan again." in ended.stderr
    assert (script.returncode, "The view public.w has changed since the plan was made" in script.stderr) == (3, True)

    broken.run("COMMENT ON VIEW w IS NULL; CREATE POLICY p ON books USING (pages IS NOT NULL)")
    script = psql(broken, tmp_path / "plan.sql")
    assert (script.returncode, "The policy p on table public.books has changed" in script.stderr) == (3, True)
    broken.run("DROP POLICY p ON books")
    assert psql(broken, tmp_path / "plan.sql").returncode == 0


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_what_does_not_come_back_as_it_was_is_not_left_so(broken: Database, mode: str) -> None:
    broken.run(
        "CREATE VIEW v AS SELECT pages FROM books; CREATE FUNCTION also() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN COMMENT ON VIEW public.v IS 'anew'; END $$;"
        "CREATE EVENT TRIGGER also ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION also()"
    )
    ended = apply(broken, "--mode", mode, "-q")

    assert (ended.returncode, broken.ask("SELECT obj_description('v'::regclass)")) == (2, None)
    assert "The view v could not be brought back as it was." in ended.stderr


def test_nobody_misses_a_view_while_a_table_is_converted_online(broken: Database) -> None:
    broken.run("CREATE VIEW v AS SELECT id, pages FROM books; CREATE VIEW w AS SELECT max(id) AS id FROM v")
    with Writer(broken, "SELECT * FROM w; UPDATE v SET pages = pages WHERE id = 3") as writer:
        wait_for(lambda: writer.went_in > 5)
        ended = apply(broken, "--mode", "online", "-q")

    assert (ended.returncode, ended.stderr, writer.refused) == (0, "", 0)


def test_a_mere_owner_is_told_whose_a_view_is_before_anything_is_changed(broken: Database) -> None:
    owned = "; ".join(f"ALTER TABLE {each} OWNER TO {{}}" for each in ("authors", "books", "reviews"))
    grants = (owned, f"GRANT CREATE ON DATABASE {broken.name} TO {{}}", "GRANT CREATE ON SCHEMA public TO {}, lender")
    broken.run("CREATE VIEW theirs AS SELECT pages FROM books; ALTER VIEW theirs OWNER TO lender")
    with role(broken, *grants) as owner:
        before = written(broken)
        ended = fixer(*APPLY, "-q", *LIBRARY, "--dsn", broken.seen_by(owner))
        assert (ended.returncode, written(broken)) == (1, before)
        whose = f"belongs to lender (GRANT lender TO {owner} WITH INHERIT TRUE, SET TRUE lets it be brought back)"
        why = f"the view theirs depends on books.pages, and {whose}"
        assert why in ended.stderr

        broken.run(f"GRANT lender TO {owner} WITH INHERIT TRUE, SET FALSE")
        assert why in fixer(*APPLY, "-q", *LIBRARY, "--dsn", broken.seen_by(owner)).stderr

        broken.run(f"GRANT lender TO {owner} WITH INHERIT TRUE, SET TRUE")
        ended = fixer(*APPLY, "-q", *LIBRARY, "--dsn", broken.seen_by(owner))
        assert (ended.returncode, ended.stderr) == (0, "")
        assert broken.ask("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'theirs'") == "lender"


def test_a_view_keeps_its_owner_where_another_role_runs_the_script(broken: Database, tmp_path: Path) -> None:
    owned = "; ".join(f"ALTER TABLE {each} OWNER TO {{}}" for each in ("authors", "books", "reviews"))
    view = "CREATE VIEW v AS SELECT pages FROM books; ALTER VIEW v OWNER TO {}; GRANT CREATE ON SCHEMA public TO {}"
    with role(broken, owned, view) as owner:
        broken.run("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO lender")
        before = all_of(broken)
        fixer("plan", "-q", "--sql", tmp_path / "plan.sql", *LIBRARY, "--dsn", broken.seen_by(owner))
        ended = psql(broken, tmp_path / "plan.sql")

        assert (ended.returncode, holds(broken, *LIBRARY)) == (0, True)
        changed = {line.partition(" IN ")[2] for line in differences(before, broken)}
        assert changed == {"CREATE TABLE public.books ("}


MEASURED = """
CREATE STATISTICS "their %" ON pages, id FROM books; CREATE STATISTICS widened ON name, id FROM authors;
ALTER STATISTICS "their %" OWNER TO lender; ALTER STATISTICS widened OWNER TO lender;
ALTER TABLE authors ALTER name TYPE varchar(20);
"""


@pytest.mark.parametrize("mode", ["atomic", "online"])
def test_statistics_of_another_role_are_told_of_before_they_would_change_their_owner(
    laboratory: Laboratory, mode: str
) -> None:
    """PostgreSQL makes them anew with the column, as those of whoever changes its type."""
    words = ("--mode", mode, *LIBRARY)
    with library(laboratory, 18, BROKEN + MEASURED) as database:
        owned = [f"ALTER TABLE {name} OWNER TO {{}}" for name in ("authors", "books", "reviews")]
        rights = [f"GRANT CREATE ON DATABASE {database.name} TO {{}}", "GRANT CREATE ON SCHEMA public TO {}"]
        with role(database, *owned, *rights) as owner:
            dsn = database.seen_by(owner)
            answer = json.loads(fixer("check", "--format", "json", *LIBRARY, "--dsn", dsn).stdout)
            told = {
                f["object"]: f.get("refusal") or f["message"] for f in answer["findings"] if f["repair"] == "manual"
            }
            for name in ('"their %"', "widened"):
                database.run(f"ALTER STATISTICS public.{name} OWNER TO {owner}")
            ended = fixer(*APPLY, *words, "--dsn", dsn)
            undone = undo(Database(database.server, database.name), 1)
            database.run(f"REVOKE ALL ON SCHEMA public FROM {owner}")

    assert sorted(told) == ["public.authors.name", "public.books.pages"], told
    assert ended.returncode == 0, ended.stderr
    assert undone.returncode == 0, undone.stderr
