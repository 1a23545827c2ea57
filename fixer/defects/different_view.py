"""A view says something else than in the contract.

Costs: queries of it give other rows than their authors meant, and no error says so.
Cure: CREATE OR REPLACE, with permission; its owner, its grants and its comment stay, and so does what is built on it.
If its columns change, it is dropped and created, with its owner, its grants and its comment; then a person decides if
anything is built on it. So a person does about a materialized view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fixer.defects import _code as code
from fixer.defects._desk import DESK_ROWS, desk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.schema.code import Code, FoundCode, Kind
from fixer.model.step import Phase, RefusalError, Repair
from fixer.sql.compose import SQL, Composable

SLUG = "different-view"
POINT = 4
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[FoundCode]]:
    """Yield the views whose definition differs from the contract's."""
    for about in code.different(actual, contract, Kind.VIEW):
        yield Finding(SLUG, POINT, about, f"{about.object} {code.difference(about)}")


def repair(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Repair:
    """Replace the view; refuse if PostgreSQL cannot."""
    about = finding.about
    if "VIEW" not in (about.wanted.word, about.found.word) or about.wanted.word != about.found.word:
        raise RefusalError(f"a materialized view holds rows; run: {about.found.drop}; {'; '.join(about.wanted.create)}")
    code.see_that_it_is_replaceable(about, actual)
    return Repair.of([code.replacing(about, Phase.VIEWS)])


def foresee(finding: Finding[FoundCode], actual: Schema, contract: Contract) -> Schema:
    """Return the schema with the contract's view."""
    return code.found(finding, actual)


def _seen() -> str:
    """Return a contract of a materialized view without an index."""
    return "CREATE TABLE seen (id integer PRIMARY KEY); CREATE MATERIALIZED VIEW lately AS SELECT id FROM seen;"


def _pairs() -> str:
    """Return a contract of a view of two columns."""
    return "CREATE TABLE seen (id integer PRIMARY KEY, n integer); CREATE VIEW pairs AS SELECT id, n FROM seen;"


_PAIRS = "INSERT INTO seen VALUES (1), (2)"
SPECIMENS = (
    Specimen(
        "one that should hold rows, by the same query",
        "DROP MATERIALIZED VIEW lately; CREATE VIEW lately AS SELECT id FROM seen",
        manual=True,
        contract=_seen,
        setup="INSERT INTO seen VALUES (1), (2)",
    ),
    Specimen(
        "other rows, under another view",
        """CREATE OR REPLACE VIEW "Odd.%"."a open" AS SELECT id, title FROM desk.tickets WHERE id > 2""",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "another option",
        "ALTER VIEW desk.open_count SET (security_barrier = true)",
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "other columns",
        "DROP VIEW desk.open_count; CREATE VIEW desk.open_count AS SELECT 1 AS n, 2 AS m",
        also=frozenset({"missing-grant"}),
        hazards=frozenset({"replaces-code"}),
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "its last column is missing",
        "DROP VIEW pairs; CREATE VIEW pairs AS SELECT id FROM seen",
        hazards=frozenset({"replaces-code"}),
        contract=_pairs,
        setup=_PAIRS,
    ),
    Specimen(
        "one that should hold rows",
        "DROP MATERIALIZED VIEW desk.totals;"
        "CREATE VIEW desk.totals AS SELECT 1 AS n, count(*) AS rows FROM desk.tickets",
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "a materialized one",
        "DROP MATERIALIZED VIEW desk.totals; CREATE MATERIALIZED VIEW desk.totals AS SELECT 1 AS n, 2::bigint AS rows",
        manual=True,
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "other columns, with a comment and grants, and a new view over them",
        'DROP VIEW over, pairs; CREATE VIEW pairs AS SELECT n::text AS "o%d", id FROM seen;'
        "COMMENT ON VIEW pairs IS 'it''s'; GRANT SELECT, UPDATE ON pairs TO pg_monitor WITH GRANT OPTION;"
        "GRANT INSERT ON pairs TO PUBLIC; CREATE VIEW over AS SELECT n FROM seen",
        hazards=frozenset({"replaces-code"}),
        contract=lambda: _pairs() + "CREATE VIEW over AS SELECT n FROM pairs;",
        setup=_PAIRS,
    ),
    Specimen(
        "a last column less, with another view over it",
        "DROP VIEW pairs; CREATE VIEW pairs AS SELECT id FROM seen; CREATE VIEW over AS TABLE pairs",
        manual=True,
        contract=_pairs,
        setup=_PAIRS,
    ),
    Specimen(
        "other columns, one with a comment",
        "DROP VIEW pairs; CREATE VIEW pairs AS SELECT n FROM seen; COMMENT ON COLUMN pairs.n IS 'x'",
        manual=True,
        contract=_pairs,
        setup=_PAIRS,
    ),
    Specimen(
        "other columns, and functions take its rows",
        "DROP VIEW pairs; CREATE VIEW pairs AS SELECT n FROM seen;"
        "CREATE FUNCTION odd(pairs[]) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        manual=True,
        contract=_pairs,
        setup=_PAIRS,
    ),
)
NEAR_MISSES = (
    Specimen(
        "of another owner, with a comment and grants",
        "COMMENT ON VIEW desk.open_count IS 'x'; GRANT SELECT ON desk.open_count TO pg_monitor",
        contract=desk,
        setup=DESK_ROWS,
    ),
    Specimen(
        "a name that only a later SELECT of a UNION has, as a restore gives it",
        "DROP VIEW pairs; CREATE VIEW pairs AS SELECT id FROM (TABLE seen UNION ALL SELECT 0, NULL) AS q",
        contract=lambda: (
            "CREATE TABLE seen (id integer PRIMARY KEY, n integer);"
            "CREATE VIEW pairs AS SELECT id FROM (TABLE seen UNION ALL SELECT 0, NULL::integer) AS q;"
        ),
        setup=_PAIRS,
    ),
)


def mutate_code(each: Code) -> Iterator[Composable]:
    """Yield the statement that plants it: give the view another option."""
    if each.key.kind == Kind.VIEW and each.word == "VIEW":
        yield SQL(f"ALTER VIEW {each.spelt} SET (security_barrier = true)")
