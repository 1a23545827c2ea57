"""Scripts taken apart: into the statements that psql would send."""

from __future__ import annotations

import pytest

from fixer.contract.script import Statement, statements
from fixer.errors import ContractError

ROUTINE = (
    "CREATE OR REPLACE FUNCTION g(x integer) RETURNS integer LANGUAGE sql"
    " BEGIN ATOMIC SELECT CASE WHEN x > 1 THEN 1 ELSE 2 END; SELECT 2; END"
)


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b'; SELECT \"c;d\"", ["SELECT 'a;b'", 'SELECT "c;d"']),
        ("SELECT E'it\\';s', 'it'';s'; SELECT 2", ["SELECT E'it\\';s', 'it'';s'", "SELECT 2"]),
        ("SELECT 'a\\'; SELECT 2", ["SELECT 'a\\'", "SELECT 2"]),
        ("-- one; two\nSELECT 1 -- three;\n; /* four; /* five; */ */ SELECT 2", ["SELECT 1 -- three;\n", "SELECT 2"]),
        ("DO $$ BEGIN; END $$; DO $a$ $$; $a$", ["DO $$ BEGIN; END $$", "DO $a$ $$; $a$"]),
        ("SELECT $1, a$b$c; SELECT 2", ["SELECT $1, a$b$c", "SELECT 2"]),
        (f"{ROUTINE}; SELECT 3", [ROUTINE, "SELECT 3"]),
        ("CREATE TABLE \"begin\" (a int); BEGIN; COMMIT", ['CREATE TABLE "begin" (a int)', "BEGIN", "COMMIT"]),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
         ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"]),
        ("COPY public.t (a) FROM stdin;\n1;'\n\\.\nSELECT 1", ["SELECT 1"]),
        ("COPY t FROM stdin;\n1", []),
        ("\\restrict k\nSELECT 1;\n\\unrestrict k\n", ["\\restrict k", "SELECT 1", "\\unrestrict k"]),
        ("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;", ["SELECT 1"]),
        (";;\n ; ", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_script_is_taken_apart(script: str, texts: list[str]) -> None:
    assert [each.text for each in statements(script)] == texts


def test_a_statement_knows_its_line_and_a_command_its_name() -> None:
    assert [*statements("\n\n  SELECT\n1;\n\\i other.sql\n")] == [
        Statement("SELECT\n1", 3),
        Statement("\\i other.sql", 5),
    ]
    assert [each.command for each in statements("SELECT 1;\n\\i other.sql\n\\\n")] == ["", "i", ""]


@pytest.mark.parametrize("script", ["SELECT 'a", 'SELECT "a', "SELECT $$ a", "SELECT 1; /* a"])
def test_what_has_no_end_is_refused_with_its_line(script: str) -> None:
    with pytest.raises(ContractError, match=r"^line 2: .* has no end$"):
        [*statements(f"\n{script}\n\n")]
