"""What follows from a check holds in every row: PostgreSQL tries all rows of a small world."""

from __future__ import annotations

from itertools import combinations, permutations

from fixer import introspect
from fixer.compare.examine import snapshot
from fixer.model.table import QName, Table
from fixer.sql.conditions import atoms, conjuncts, follows, meaning_in
from lab.laboratory import Case, Laboratory

CONDITIONS = [
    "n > 0", "n >= 1", "0 < n", "n >= 0", "n < 3", "n <= 2", "n <= 3", "n > -2", "n BETWEEN 0 AND 2", "n = 1",
    "n IN (1, 2)", "n IN (2, 1, 0)", "n = ANY ('{1,2}')", "n <> 1", "n IS NOT NULL", "n IS NULL", "n > 0 OR n IS NULL",
    "n > 0 OR m IS NULL", "n > 0 OR m > 0", "n > 0 AND m > 0", "m > 0", "n > m", "n > 0.5", "n < 2 OR n > 2",
    "s IN ('a', 'b')", "s IN ('b', 'a', 'AND')", "s = 'a'", "s = 'a' OR s = 'b'", "s IN ('a') OR s IS NULL",
    "s <> 'a'", "NOT s = 'a'", "s LIKE 'a%'", "s ~ '^a'", "length(s) <= 3", "length(s) < 3", "char_length(s) > 0",
    "length(s) > 1", "s IS NOT NULL", "s = 'x OR y'", "s IN ('x OR y', 'AND')", "(s = 'a') = (n = 1)",
    "coalesce(n, 0) > 0",
    "CASE WHEN n > 0 AND m > 0 THEN s = 'a' ELSE true END", "t IN ('a', 'b')", "t IN ('b')", "b", "b = true",
    "b IS TRUE",
    "n IN (1, 2) AND s = 'a'", "(n > 0 OR n IS NULL) AND (m > 0 OR m IS NULL)", "n > 0 OR NOT b", "n < 2147483648",
    "n::numeric > 0", "n % 2 = 0", "abs(n) < 2", "-n < 0", "t::text = 'a'", "n > 1 OR n > 2",
    "s = 'b' OR 'a' = s", "s NOT IN ('a', 'b')", "s <> 'b' AND s <> 'a'", "s <> 'b' OR s <> 'a'", "2 >= n AND 0 <= n",
    "NOT (s = 'b' OR s = 'a')", "NOT s IN ('a', 'b')", "m > 0 OR n > 0", "m > 0 AND n > 0", "s = 'a' AND n IN (2, 1)",
    "s = 'a' OR s = 'b' OR n = 1", "n = 1 OR s IN ('b', 'a')", "s IN ('a', 'b') AND s IN ('b')", "lower(s) = 'a'",
    "lower(s) IN ('a', 'b')", "lower(s) = 'b' OR lower(s) = 'a'", "n = 1 OR n = 2 AND s = 'a'", "s IN ('a', NULL)",
    "(n = 1 OR n = 2) AND s = 'a'", "s = 'a' OR t = 'b'", "t = 'b' OR s = 'a'", "s = 't' OR s = 'a'",
    "s = t OR s = 'a'", "f > 0", "f::integer > 0", "f::numeric > 0", "f::bigint > 0", "0 < f::integer",
    "f::numeric(3,1) > 0", "(f + m)::integer > 0", "f + m > 0", "s::varchar(1) = 'a'", "s::char(1) = 'a'",
    "s = 'abc'::varchar(1)", "f = 0.5::numeric(3,0)", "f = 0.5", "f::integer IN (0, 1)", "f IN (0, 1)",
    "f::integer = 1 OR f::integer = 0", "w > 0", "0 < w", "w::bigint > 0", "w IN (1, 2)", "w = 2 OR w = 1",
    "n::boolean", "(n > 0)::integer = 1", "(n > 0)::integer::boolean", "coalesce(f, 0)::integer > 0",
    "coalesce(f, 0) > 0", "f::real > 0.1", "f > 0.1", "n = ANY (ARRAY[1, 2]::bigint[])",
]  # fmt: skip
FEATS = """
CREATE DOMAIN whole AS integer CHECK (VALUE < 9);
CREATE TABLE world (n integer, m integer, s varchar(3), t text, b boolean, f numeric, w whole);
INSERT INTO world
SELECT n, m, s, t, b, f, CASE WHEN abs(n) < 9 THEN n END FROM unnest(ARRAY[NULL, -0.4, 0.1, 0.4, 0.5, 0.6, 1]) f,
       unnest(ARRAY[NULL, -2, -1, 0, 1, 2, 3, 2147483647]) n, unnest(ARRAY[NULL, -1, 1]) m,
       unnest(ARRAY[NULL, '', 'a', 'b', 'ab', 'AND', 'xyz']::varchar(3)[]) s, unnest(ARRAY[NULL, 'a', 'b']) t,
       unnest(ARRAY[NULL, true, false]) b;
"""
EXPECTED = [
    ("n >= 1", "n > 0"), ("n >= 1", "n >= 0"), ("n > 0", "0 < n"), ("n > 0", "n > 0 OR n IS NULL"),
    ("n > 0 OR n IS NULL", "n > 0"), ("n > 0", "n > 0 OR m > 0"), ("n > 0 AND m > 0", "m > 0"),
    ("n BETWEEN 0 AND 2", "n <= 3"), ("n = 1", "n IN (1, 2)"), ("n IN (1, 2)", "n > 0"),
    ("s = 'a' OR s = 'b'", "s IN ('b', 'a', 'AND')"), ("s IN ('a', 'b')", "s = 'a' OR s = 'b'"),
    ("n > 0", "length(s) <= 3"), ("n > 0", "n < 2147483648"), ("s = 'x OR y'", "s IN ('x OR y', 'AND')"),
    ("n = ANY ('{1,2}')", "n = ANY ('{1,2}')"), ("t IN ('b')", "t IN ('a', 'b')"), ("t::text = 'a'", "t IN ('a', 'b')"),
]  # fmt: skip
ALIKE = [
    ("s IN ('a', 'b')", "s = 'a' OR s = 'b'"), ("s IN ('a', 'b')", "s = 'b' OR 'a' = s"), ("n > 0", "0 < n"),
    ("s NOT IN ('a', 'b')", "s <> 'b' AND s <> 'a'"), ("n BETWEEN 0 AND 2", "2 >= n AND 0 <= n"),
    ("NOT (s = 'b' OR s = 'a')", "NOT s IN ('a', 'b')"), ("n > 0 OR m > 0", "m > 0 OR n > 0"),
    ("n > 0 AND m > 0", "m > 0 AND n > 0"), ("n IN (1, 2) AND s = 'a'", "s = 'a' AND n IN (2, 1)"),
    ("s = 'a' OR s = 'b' OR n = 1", "n = 1 OR s IN ('b', 'a')"), ("s = 'a' OR t = 'b'", "t = 'b' OR s = 'a'"),
    ("lower(s) IN ('a', 'b')", "lower(s) = 'b' OR lower(s) = 'a'"),
    ("(n = 1 OR n = 2) AND s = 'a'", "n IN (1, 2) AND s = 'a'"), ("f::integer > 0", "0 < f::integer"),
    ("w > 0", "0 < w"), ("w IN (1, 2)", "w = 2 OR w = 1"), ("f > 0", "f::numeric > 0"),
    ("f::integer IN (0, 1)", "f::integer = 1 OR f::integer = 0"),
    ("n IN (1, 2)", "n = ANY (ARRAY[1, 2]::bigint[])"),
]  # fmt: skip

# Of the conditions of indexes: what the first takes out, the second does as well.
STRICTER = [
    *ALIKE[:-5], *((other, one) for one, other in ALIKE[:-5]), ("s <> 'a'", "s NOT IN ('a', 'b')"),
    ("n > 0", "m > 0 AND n > 0"), ("f::integer IN (0, 1)", "f::integer = 1 OR f::integer = 0"),
]  # fmt: skip


def test_what_follows_holds_in_every_row(laboratory: Laboratory) -> None:
    with laboratory.database(18) as case:
        table = world(case)
        spelt = dict(zip(CONDITIONS, (spelling(table, number) for number in range(len(CONDITIONS))), strict=True))
        claimed = [(a, b) for a in CONDITIONS for b in CONDITIONS if claims(spelt[a], spelt[b], table)]

        assert [pair for pair in claimed if refuted(case, *pair)] == []
        assert [pair for pair in EXPECTED if pair not in claimed] == []
        said = {condition: meaning_in(table, text) for condition, text in spelt.items()}
        alike = [pair for pair in combinations(CONDITIONS, 2) if said[pair[0]] == said[pair[1]]]
        assert [pair for pair in alike if differ(case, *pair)] == []
        assert [pair for pair in ALIKE if said[pair[0]] != said[pair[1]]] == []
        where = {condition: frozenset(conjuncts(text, table)) for condition, text in spelt.items()}
        stricter = [pair for pair in permutations(CONDITIONS, 2) if where[pair[0]] <= where[pair[1]]]
        assert [pair for pair in stricter if lets_out(case, *pair)] == []
        assert [pair for pair in STRICTER if pair not in stricter] == []
        assert all((condition, condition) in claimed for condition in CONDITIONS if "IS NOT NULL" not in condition)


def world(case: Case) -> Table:
    checks = (f"ALTER TABLE world ADD CONSTRAINT c{i} CHECK ({c}) NOT VALID" for i, c in enumerate(CONDITIONS))
    case.break_(FEATS, *checks)
    with snapshot(case.connection) as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return introspect.read(cursor, ["public"]).tables[QName("public", "world")]


def spelling(table: Table, number: int) -> str:
    return next(check.expression for check in table.checks if check.name == f"c{number}")


def claims(known: str, condition: str, table: Table) -> bool:
    return all(follows(atom, atoms(known, table), table) for atom in atoms(condition, table))


def refuted(case: Case, known: str, condition: str) -> bool:
    with case.observer.cursor() as cursor:
        query = "SELECT EXISTS (SELECT FROM world WHERE ({}) IS NOT FALSE AND ({}) IS FALSE)"
        cursor.execute(query.format(known, condition))
        return bool(cursor.fetchone()[0])


def differ(case: Case, one: str, other: str) -> bool:
    with case.observer.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM world WHERE ({one}) IS DISTINCT FROM ({other}))")
        return bool(cursor.fetchone()[0])


def lets_out(case: Case, one: str, other: str) -> bool:
    with case.observer.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM world WHERE ({other}) AND ({one}) IS NOT TRUE)")
        return bool(cursor.fetchone()[0])
