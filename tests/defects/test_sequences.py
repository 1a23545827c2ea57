"""The sequence behind a default is known by its identity: in whatever schema, shared on purpose, or unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    NullPool,
    Sequence,
    String,
    Table,
    create_engine,
    text,
)

import fixer
from fixer.compare import reading
from fixer.connect.target import resolve
from fixer.defects import code_behind
from fixer.errors import ApplyFailed
from fixer.model.plan import MODES
from lab.database import Database, all_of, differences, role
from lab.examples.models import contract, key, once_called
from lab.hook import ask
from lab.laboratory import Laboratory

SCANS = "SELECT seq_scan FROM pg_sleep(0.3), pg_stat_user_tables WHERE relname = 't'"
APART = "CREATE SCHEMA apart; CREATE SEQUENCE apart.numbers;"
ELSEWHERE = f"{APART} CREATE TABLE t (id integer PRIMARY KEY DEFAULT nextval('apart.numbers'));"
SHARED = """CREATE SEQUENCE ids; CREATE TABLE a (id integer PRIMARY KEY DEFAULT nextval('ids'));
    CREATE TABLE b (id integer PRIMARY KEY DEFAULT nextval('ids') REFERENCES a)"""


def engine(dsn: str) -> Engine:
    return create_engine(dsn.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)


def slugs(dsn: str, metadata: MetaData) -> list[str]:
    return [finding.slug for finding in fixer.check(engine(dsn), metadata, deep=True).findings]


def reflected(dsn: str) -> MetaData:
    metadata = MetaData()
    metadata.reflect(engine(dsn))
    return metadata


def one_for_all() -> MetaData:
    metadata = MetaData()
    ids = Sequence("ids", metadata=metadata)
    Table("a", metadata, Column("id", Integer, ids, server_default=ids.next_value(), primary_key=True))
    Table("b", metadata, Column("id", ForeignKey("a.id"), ids, server_default=ids.next_value(), primary_key=True))
    return metadata


def test_a_sequence_of_another_schema_is_moved_past_the_rows(empty: Database) -> None:
    empty.run(f"{ELSEWHERE} INSERT INTO t SELECT generate_series(1, 9)")

    found = slugs(empty.dsn, contract(t=(key(),)))
    fixer.apply(engine(empty.dsn), contract(t=(key(),)))

    assert found == ["sequence-behind"]
    assert empty.ask("INSERT INTO t DEFAULT VALUES RETURNING id") == 10


def test_a_sequence_in_a_schema_without_tables_of_the_contract_is_no_fault_of_the_contract(empty: Database) -> None:
    empty.run(f"{ELSEWHERE} CREATE SEQUENCE numbers; ALTER TABLE t ADD COLUMN n integer DEFAULT nextval('numbers')")
    wanted = MetaData()
    there, here = Sequence("numbers", schema="apart", metadata=wanted), Sequence("numbers", metadata=wanted)
    own = Column("id", Integer, there, server_default=there.next_value(), primary_key=True)
    Table("t", wanted, own, Column("n", Integer, server_default=here.next_value()))

    assert slugs(empty.dsn, wanted) == []


def test_a_sequence_of_another_schema_that_is_ahead_yields_nothing(empty: Database) -> None:
    empty.run(f"{ELSEWHERE} INSERT INTO t DEFAULT VALUES")

    assert slugs(empty.dsn, contract(t=(key(),))) == []


MADE = {
    "a text": (String(20), "'T' || nextval('ids')"),
    "a multiple": (Integer, "nextval('ids') * 10"),
    "the same": (Integer, "nextval('ids')::integer"),
}


@pytest.mark.parametrize("models", ["of the same default", "that number"])
@pytest.mark.parametrize("made", MADE)
def test_what_is_made_of_a_number_is_a_default_like_any_other(empty: Database, made: str, models: str) -> None:
    type_, default = MADE[made]
    spelt = "varchar" if made == "a text" else "integer"
    empty.run(f"CREATE SEQUENCE ids; CREATE TABLE t (id {spelt} PRIMARY KEY DEFAULT {default})")
    empty.run("INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES")
    same = Column("id", type_, primary_key=True, server_default=sqlalchemy.text(default))
    wanted = contract(t=(same if models == "of the same default" or made == "a text" else key(),))

    assert set(slugs(empty.dsn, wanted)) <= ({"unowned-sequence"} if made == "the same" else set())


@pytest.mark.parametrize("models", ["one Sequence", "reflected"])
def test_a_sequence_that_the_contract_shares_stays_shared(empty: Database, models: str) -> None:
    empty.run(SHARED)
    metadata = reflected(empty.dsn) if models == "reflected" else one_for_all()

    assert slugs(empty.dsn, metadata) == []


@pytest.mark.parametrize("models", ["one Sequence", "reflected"])
def test_a_shared_sequence_is_moved_past_the_rows_of_each_table(empty: Database, models: str) -> None:
    empty.run(f"{SHARED}; INSERT INTO a SELECT generate_series(1, 9)")
    metadata = reflected(empty.dsn) if models == "reflected" else one_for_all()

    found = slugs(empty.dsn, metadata)
    fixer.apply(engine(empty.dsn), metadata)

    assert found == ["sequence-behind"]
    assert empty.ask("INSERT INTO a DEFAULT VALUES RETURNING id") == 10


def test_a_sequence_that_the_role_may_not_read_is_reported(empty: Database) -> None:
    empty.run(f"{ELSEWHERE} INSERT INTO t VALUES (1); GRANT USAGE ON SCHEMA public TO PUBLIC")
    with role(empty, "GRANT SELECT ON t TO {}") as reader:
        [finding] = fixer.check(engine(empty.seen_by(reader)), contract(t=(key(),))).findings

    assert finding.slug == "sequence-behind"
    assert "this role may not read where apart.numbers stands" in finding.message
    assert f"GRANT SELECT ON SEQUENCE apart.numbers TO {reader}" in str(finding.repair.refusal)


# ---- new numbers for old rows come from what numbers the table once it is repaired


def one_for_both() -> MetaData:
    metadata = MetaData()
    ids = Sequence("ids", metadata=metadata)
    for name in "ab":
        number = Column("id", Integer, ids, server_default=ids.next_value(), primary_key=True)
        Table(name, metadata, number, Column("n", Integer))
    return metadata


BOTH = """CREATE SEQUENCE ids; CREATE TABLE a (id integer PRIMARY KEY DEFAULT nextval('ids'), n integer);
    CREATE TABLE b (id integer DEFAULT nextval('ids'), n integer);
    INSERT INTO a (n) VALUES (1); INSERT INTO b VALUES (7, 1), (7, 2), (8, 3), (8, 4), (NULL, 5)"""


@pytest.mark.parametrize("mode", MODES)
def test_old_rows_count_by_the_sequence_that_the_contract_shares(empty: Database, mode: str) -> None:
    empty.run(BOTH)

    fixer.apply(engine(empty.dsn), one_for_both(), mode=mode, allow_hazards="all")
    rows = empty.run("SELECT n, id > 8 FROM b ORDER BY n")

    assert rows == [(1, False), (2, True), (3, False), (4, True), (5, True)]
    assert empty.ask("INSERT INTO b (n) VALUES (6) RETURNING id") > empty.ask("SELECT max(id) FROM b WHERE n < 6")


def test_a_role_that_may_not_move_the_sequence_is_told_who_may(empty: Database) -> None:
    empty.run(BOTH)
    with role(empty, "GRANT USAGE ON SEQUENCE ids TO {}", "GRANT CREATE ON SCHEMA public TO {}") as owner:
        empty.run(f"ALTER TABLE a OWNER TO {owner}; ALTER TABLE b OWNER TO {owner}")
        plan = fixer.plan(engine(empty.seen_by(owner)), one_for_both())

    assert plan.refusals
    assert all(f"let postgres say ALTER SEQUENCE public.ids OWNER TO {owner}" in why for why in plan.refusals)


DRAWN = "nextval('public.hidden')::integer"
GIVEN = {"behind": f"SELECT {DRAWN}", "always one": f"SELECT 77 + 0 * {DRAWN}"}
FUNCTION = """CREATE SEQUENCE hidden; CREATE FUNCTION given() RETURNS integer LANGUAGE sql AS $$ {} $$;
    CREATE TABLE t (id integer NOT NULL DEFAULT given(), a integer, n text);
    INSERT INTO t SELECT n, 1, 'a' || n FROM generate_series(1, 5) AS n;
    INSERT INTO t VALUES (2, 1, 'x'), (3, 1, 'y')"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("given", GIVEN)
def test_no_row_gets_a_number_from_a_function_that_another_has(empty: Database, given: str, mode: str) -> None:
    empty.run(FUNCTION.format(GIVEN[given]))
    before = empty.run("SELECT * FROM t ORDER BY n")
    wanted = contract(t=(key(), Column("a", Integer), Column("n", String)))

    with pytest.raises(ApplyFailed, match=r"give 2 rows of t new numbers.*(other rows have|duplicate key)"):
        fixer.apply(engine(empty.dsn), wanted, mode=mode, allow_hazards="all")

    assert before == empty.run("SELECT * FROM t ORDER BY n")


# ---- sequences that only defaults call


def called() -> MetaData:
    """Return a contract that calls one sequence of another schema, and one by its text that two tables count by too."""
    wanted = MetaData()
    Sequence('N.o"', schema="a.B", start=5, metadata=wanted)
    ids = Sequence("ids", metadata=wanted)
    code = text('lpad(nextval(\'"a.B"."N.o"""\')::text, 6, \'0\')')
    late = text("'L' || nextval(('public.ids'::text)::regclass)")
    Table("codes", wanted, Column("id", Integer, primary_key=True), Column("code", String, server_default=code))
    for name in "ab":
        number = Column("id", Integer, ids, server_default=ids.next_value(), primary_key=True)
        Table(name, wanted, number, Column("late", String, server_default=late, unique=True))
    return wanted


@pytest.mark.parametrize("mode", MODES)
def test_what_only_defaults_call_is_created_before_them_and_undone(empty: Database, mode: str) -> None:
    empty.run('CREATE SCHEMA "a.B"')
    called().create_all(engine(empty.dsn))
    gone = 'DROP TABLE codes; DROP SEQUENCE "a.B"."N.o""" CASCADE; DROP SEQUENCE ids CASCADE'
    empty.run(f"INSERT INTO codes (id) VALUES (1); INSERT INTO a DEFAULT VALUES; INSERT INTO b VALUES (7); {gone}")
    there = "SELECT schemaname, sequencename FROM pg_sequences ORDER BY 1, 2"
    before, broken = empty.run(there), slugs(empty.dsn, called())

    fixer.apply(engine(empty.dsn), called(), mode=mode)
    made = empty.run(there)
    sound = slugs(empty.dsn, called())
    fixer.undo(engine(empty.dsn), 1)

    assert [each for each in broken if each == "missing-sequence"] == ["missing-sequence"] * 2
    new = [("a.B", 'N.o"'), ("public", "codes_id_seq"), ("public", "ids")]
    assert [each for each in made if each not in before] == new
    assert (sound, empty.run(there), slugs(empty.dsn, called())) == ([], before, broken)
    fixer.apply(engine(empty.dsn), called(), mode=mode)
    assert empty.ask("INSERT INTO codes DEFAULT VALUES RETURNING code") == "000005"
    assert empty.ask("INSERT INTO a DEFAULT VALUES RETURNING id") > 7
    assert empty.ask("SELECT count(*) FROM pg_depend WHERE objid = 'ids'::regclass AND deptype = 'a'") == 0


# ---- partitions count with their root

PARTS = """CREATE TABLE q (id serial PRIMARY KEY); CREATE SEQUENCE ids;
CREATE TABLE p (id integer PRIMARY KEY DEFAULT nextval('q_id_seq')) PARTITION BY RANGE (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
CREATE TABLE "p %s""0" PARTITION OF p0 DEFAULT; CREATE TABLE p1 (id integer NOT NULL DEFAULT nextval('ids'));
ALTER TABLE p ATTACH PARTITION p1 DEFAULT; CREATE TABLE s (id serial PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE s0 PARTITION OF s DEFAULT; ALTER TABLE s0 ALTER id SET DEFAULT nextval('q_id_seq');
CREATE TABLE u (id integer PRIMARY KEY DEFAULT nextval('ids')) PARTITION BY RANGE (id);
CREATE TABLE u0 PARTITION OF u DEFAULT; INSERT INTO p VALUES (3), (12)"""
COUNTED_BY = """SELECT relname::text, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_class c ON c.oid = adrelid
WHERE relnamespace = 'public'::regnamespace AND relname <> 'q' """


@pytest.mark.parametrize("mode", MODES)
def test_partitions_count_by_the_sequence_of_their_root(empty: Database, mode: str) -> None:
    empty.run(PARTS)
    wanted, before = contract(p=(key(),), q=(key(),), s=(key(),), u=(key(),)), all_of(empty)
    found = {each.message for each in fixer.check(engine(empty.dsn), wanted).findings}
    run = fixer.apply(engine(empty.dsn), wanted, mode=mode, allow_hazards=["replaces-constraint"])
    counted = {name: default.split("'")[1] for name, default in empty.run(COUNTED_BY)}
    fixer.undo(engine(empty.dsn), 1)

    assert found == {
        "p.id should have a sequence of its own, counts by q_id_seq of q.id",
        "s0.id should count by s_id_seq like s, counts by q_id_seq of q.id",
        "u.id should have a sequence of its own, counts by ids of p1.id",
    }
    assert (run.report.ok, differences(before, empty)) == (True, [])
    roots = dict.fromkeys(('p %s"0', "p", "p0", "p1"), "p_id_seq")
    assert counted == {**roots, "s": "s_id_seq", "s0": "s_id_seq", "u": "u_id_seq", "u0": "u_id_seq"}


def test_a_sequence_of_a_table_and_its_partitions_is_theirs_alone(empty: Database) -> None:
    empty.run(
        "CREATE SEQUENCE ids; CREATE TABLE p (id integer PRIMARY KEY DEFAULT nextval('ids')) PARTITION BY RANGE (id);"
        "CREATE TABLE p0 PARTITION OF p DEFAULT"
    )

    assert slugs(empty.dsn, contract(p=(key(),))) == ["unowned-sequence"]


def test_codes_of_a_large_table_are_looked_up_and_read_only_if_deep(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHEAP_BYTES", 0)
    empty.run(
        "CREATE SEQUENCE n; CREATE TABLE t (id integer PRIMARY KEY, c text UNIQUE DEFAULT 'A-' || nextval('n'));"
        "INSERT INTO t SELECT id FROM generate_series(1, 3000) AS id"
    )
    for join in ("hashjoin", "mergejoin"):  # the table is large
        empty.run(f"ALTER DATABASE {empty.name} SET enable_{join} = off")
    made = Column("c", String, server_default=text("'A-' || nextval('n')"), unique=True)
    wanted = contract(t=(key(autoincrement=False), made))
    Sequence("n", metadata=wanted)
    found = []
    for last in (3000, 2990, 500):
        empty.run(f"SELECT setval('n', {last})")
        before = empty.ask(SCANS)
        found.append([each.rows for each in fixer.check(engine(empty.dsn), wanted).findings])
        found.append(empty.ask(SCANS) - before)

    assert found == [[], 0, [10], 0, [1000], 0]
    assert [each.rows for each in fixer.check(engine(empty.dsn), wanted, deep=True).findings] == [2500]
    assert fixer.apply(engine(empty.dsn), wanted).report.ok
    assert empty.ask("INSERT INTO t VALUES (3001) RETURNING c") == "A-3001"


def test_a_sequence_from_which_the_application_takes_its_numbers_is_kept_ahead_of_the_rows(empty: Database) -> None:
    """No default calls it, so that only the models know; and one that they declare alone is wanted as well."""
    wanted = MetaData()
    Sequence("papers", start=7, metadata=wanted)
    Table("t", wanted, Column("id", Integer, Sequence("T ids"), primary_key=True))
    wanted.create_all(engine(empty.dsn))
    sound = slugs(empty.dsn, wanted)
    empty.run("INSERT INTO t SELECT generate_series(1, 9)")
    behind = slugs(empty.dsn, wanted)
    empty.run('DROP SEQUENCE "T ids", papers')
    missing = slugs(empty.dsn, wanted)
    fixer.apply(engine(empty.dsn), wanted)

    assert (sound, behind) == ([], ["sequence-behind"])
    assert sorted(missing) == ["missing-sequence", "missing-sequence", "sequence-behind"]
    assert empty.run("SELECT nextval('\"T ids\"'), nextval('papers')") == [(10, 7)]


def test_a_sequence_that_sql_declares_is_wanted(empty: Database, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text('CREATE TABLE t (id integer PRIMARY KEY); CREATE SEQUENCE "no\'s" START 5')
    empty.run("CREATE TABLE t (id integer PRIMARY KEY)")

    found = fixer.check(engine(empty.dsn), str(tmp_path / "schema.sql")).findings

    assert [each.object for each in found] == ["public.no's"]


def test_a_sequence_that_ends_before_its_rows_do_is_not_made_anew_in_vain(empty: Database) -> None:
    """A person decides beforehand: the plan could only fail at its end."""
    wanted = MetaData()
    down = Sequence("down", start=-1, increment=-1, minvalue=-5, metadata=wanted)
    Table("t", wanted, Column("id", Integer, down, server_default=down.next_value(), primary_key=True))
    wanted.create_all(engine(empty.dsn))
    empty.run("INSERT INTO t SELECT FROM generate_series(1, 5); DROP SEQUENCE down CASCADE")

    refusals = [each.repair.refusal for each in fixer.check(engine(empty.dsn), wanted).findings]
    empty.run("DELETE FROM t WHERE id < -3")
    fixer.apply(engine(empty.dsn), wanted)

    assert any("down has no number beyond" in (each or "") for each in refusals)
    assert empty.ask("INSERT INTO t DEFAULT VALUES RETURNING id") == -4


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_codes_are_looked_for_by_the_steps_that_their_sequence_will_take(
    laboratory: Laboratory, mode: str, last: int
) -> None:
    with laboratory.database(18, code_behind.SPECIMENS[0]) as case:  # with the codes of 1 to 6
        case.break_(f"ALTER SEQUENCE invoice_numbers INCREMENT BY {last * 4}; SELECT setval('invoice_numbers', {last})")

        assert case.apply(mode=mode).report.ok
        assert ask(case, "SELECT nextval('invoice_numbers')") == [(7,)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize(
    "by", [Identity(start=1_000, increment=5), Sequence("s", 1_000, 5)], ids=["identity", "sequence"]
)
def test_numbers_begin_where_the_contract_says(empty: Database, by: Identity | Sequence, rows: int, mode: str) -> None:
    empty.run("CREATE TABLE t (id integer PRIMARY KEY, n integer)")
    empty.run(f"INSERT INTO t SELECT n, n FROM generate_series(1, {rows}) AS n")
    wanted = contract(t=(Column("id", Integer, by, primary_key=True), Column("n", Integer)))
    fixer.apply(empty.dsn, wanted, mode=mode)
    counter = "pg_get_serial_sequence('t', 'id')" if isinstance(by, Identity) else "'s'"

    assert [empty.ask(f"SELECT nextval({counter})") for _ in range(2)] == [1_000, 1_005]


@pytest.mark.parametrize("mode", MODES)
def test_a_sequence_that_a_session_moved_meanwhile_is_not_set_back(empty: Database, mode: str) -> None:
    empty.run("CREATE TABLE t (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)")
    wanted = contract(t=(Column("id", Integer, Identity(start=10, minvalue=10), primary_key=True),))
    plan = fixer.plan(empty.dsn, wanted, mode=mode)
    empty.run("SELECT setval('t_id_seq', 70)")
    fixer.apply(empty.dsn, wanted, plan=plan, mode=mode)

    assert empty.ask("SELECT nextval('t_id_seq')") == 71


def test_a_bound_that_only_a_type_sets_is_none_that_the_contract_declares(empty: Database, tmp_path: Path) -> None:
    empty.run("CREATE TABLE t (id bigserial PRIMARY KEY, n bigserial, m bigserial); ALTER SEQUENCE t_m_seq CACHE 9")
    (tmp_path / "schema.sql").write_text(
        "CREATE SEQUENCE t_n_seq AS smallint; CREATE SEQUENCE far MAXVALUE 2147483647;"
        "CREATE TABLE t (id serial PRIMARY KEY, n bigint NOT NULL DEFAULT nextval('t_n_seq'),"
        " m integer NOT NULL DEFAULT nextval('far')); ALTER SEQUENCE far OWNED BY t.m;"
        " ALTER SEQUENCE t_n_seq OWNED BY t.n"
    )

    assert slugs(empty.dsn, str(tmp_path / "schema.sql")) == []


TEXTS = "CREATE SEQUENCE s; CREATE TABLE t (id integer PRIMARY KEY, code text NOT NULL DEFAULT nextval('s'))"
OF_TEXTS = {
    "sound": TEXTS,
    "no default": TEXTS.replace(" DEFAULT nextval('s')", ""),
    "no column": "CREATE SEQUENCE s; CREATE TABLE t (id integer PRIMARY KEY)",
    "nothing": "CREATE TABLE u (id integer PRIMARY KEY)",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("there", OF_TEXTS.values(), ids=OF_TEXTS.keys())
def test_texts_that_a_sequence_gives_are_a_default_and_no_numbers(
    empty: Database, there: str, mode: str, tmp_path: Path
) -> None:
    (wanted := tmp_path / "wanted.sql").write_text(f"{TEXTS};")
    empty.run(there)
    if "TABLE t" in there:
        cells = "(1, 'x'), (2, '7')" if "code" in there else "(1), (2)"
        empty.run(f"INSERT INTO t VALUES {cells}")
    fixer.apply(resolve(empty.dsn), str(wanted), mode=mode, allow_hazards="all")

    assert fixer.check(resolve(empty.dsn), str(wanted), deep=True).findings == ()


def test_a_sequence_that_will_no_longer_start_over_is_told_to_be_near_its_end(empty: Database) -> None:
    empty.run("CREATE TABLE t (id serial PRIMARY KEY); SELECT setval('t_id_seq', 2147483000)")
    empty.run("ALTER SEQUENCE t_id_seq CYCLE")

    assert slugs(empty.dsn, contract(t=(key(),))) == ["cycling-sequence", "ending-sequence"]


def test_a_sequence_of_a_table_and_its_partitions_is_theirs_under_a_legacy_name(empty: Database) -> None:
    empty.run("CREATE TABLE old (id serial PRIMARY KEY) PARTITION BY HASH (id)")
    empty.run("CREATE TABLE old_0 PARTITION OF old FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
    empty.run("INSERT INTO old DEFAULT VALUES; ALTER SEQUENCE old_id_seq OWNED BY NONE")
    wanted = once_called(contract(t=(key(),)), "t", "old")
    fixer.apply(engine(empty.dsn), wanted)

    assert empty.ask("SELECT pg_get_serial_sequence('t', 'id')") == "public.old_id_seq"
    assert slugs(empty.dsn, wanted) == []


@pytest.mark.parametrize("mode", MODES)
def test_numbers_are_not_looked_for_in_a_table_that_is_left_out(empty: Database, mode: str) -> None:
    empty.run("CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES")
    empty.run("ALTER TABLE t ALTER id DROP DEFAULT")
    wanted = contract(t=(key(),), u=(key(), Column("t_id", ForeignKey("t.id"))))
    fixer.apply(engine(empty.dsn), wanted, mode=mode, skip=["missing-table:public.u"])

    assert empty.ask("INSERT INTO t DEFAULT VALUES RETURNING id") == 2
