"""A function that a trigger, a default, a check or an index of a table calls names what is gone.

That is a table, a column, a function or a type. PostgreSQL's own validators read the body, and run nothing of it; of
PL/pgSQL its statements are read, too, but for dynamic ones, and for bodies that make tables, look in the catalogue, or
handle errors.

Costs: each write that calls it fails with 42P01 relation does not exist, 42703 column does not exist, or 42883 function
does not exist, long after somebody dropped what it names.
Cure: a person creates what is gone, or lets the function do without it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Broken, Schema
from fixer.model.schema.code import Kind
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.values import dataclass

SLUG = "broken-function"
POINT = 5
STAGE = Stage.CODE


@dataclass(frozen=True)
class OfFunction(OfTable):
    """A function that a table of the contract calls."""

    function: str

    @property
    def object(self) -> str:
        """Its name and arguments, in SQL."""
        return self.function


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfFunction]]:
    """Yield the functions that fail, but for those that the plan creates or replaces."""
    replaced = {key[1:3] for key in actual.code.coming if key.kind == Kind.FUNCTION} if actual.code else set()
    for each in actual.broken:
        if not any(schema == each.name.schema and home.startswith(f"{each.name.name}(") for schema, home in replaced):
            yield _finding(each)


def _finding(broken: Broken) -> Finding[OfFunction]:
    caller = broken.callers[0]
    how = "leads to it" if caller.through else "calls it"
    more = f", and {len(broken.callers) - 1} more" if len(broken.callers) > 1 else ""
    message = (
        f"{broken.spelt} should find what it names, {broken.why}: {caller.what} of {caller.table.name} {how}{more}"
    )
    reason = f"create what is gone, or CREATE OR REPLACE FUNCTION {broken.spelt} so that it does without"
    return Finding(SLUG, POINT, OfFunction(caller.table, broken.spelt), message, repair=refuse(reason))


def repair(finding: Finding[OfFunction], actual: Schema, contract: Contract) -> Repair:
    """Refuse, because nobody else knows what the function is to do."""
    return finding.repair


_TRIGGER = """
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION noted();
"""
_NOTES = "CREATE TABLE notes (id serial PRIMARY KEY, said text);"
_INSERT = _TRIGGER.format("INSERT INTO notes (said) VALUES (NEW.id::text);")
_CHECKED = """
CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM notes WHERE said IS NOT NULL';
ALTER TABLE reviews ADD at_most bigint DEFAULT counted();
"""
SPECIMENS = (
    Specimen("its table is gone", f"{_NOTES} {_INSERT} DROP TABLE notes", manual=True),
    Specimen("its column is gone", f"{_NOTES} {_INSERT} ALTER TABLE notes RENAME said TO told", manual=True),
    Specimen("a default in SQL", f"{_NOTES} {_CHECKED} DROP TABLE notes", manual=True),
    Specimen("a column that a default reads", f"{_NOTES} {_CHECKED} ALTER TABLE notes DROP said", manual=True),
    Specimen("a field of its row", _TRIGGER.format("NEW.nobody := 1;"), manual=True),
    Specimen(
        "what it calls in turn",
        _NOTES + "CREATE FUNCTION say() RETURNS void LANGUAGE sql AS 'INSERT INTO notes (said) VALUES (1::text)';"
        f"{_TRIGGER.format('PERFORM say();')} DROP TABLE notes",
        manual=True,
    ),
    Specimen("a function that is gone", _TRIGGER.format("PERFORM nothing(1);"), manual=True),
)
NEAR_MISSES = (
    Specimen("all that it names is there", f"{_NOTES} {_INSERT} {_CHECKED}"),
    Specimen(
        "a trigger that never fires",
        f"{_NOTES} {_INSERT} ALTER TABLE reviews DISABLE TRIGGER note; DROP TABLE notes",
    ),
    Specimen(
        "it handles what is gone",
        _TRIGGER.format("BEGIN INSERT INTO gone VALUES (1); EXCEPTION WHEN undefined_table THEN NULL; END;"),
    ),
    Specimen("dynamic statements", _TRIGGER.format("IF false THEN EXECUTE 'INSERT INTO gone VALUES (1)'; END IF;")),
    Specimen(
        "a table of its own",
        _TRIGGER.format("CREATE TEMP TABLE IF NOT EXISTS own (n integer); INSERT INTO own VALUES (1);"),
    ),
    Specimen(
        "a table that its own search_path finds",
        f"CREATE SCHEMA aside; CREATE TABLE aside.notes (said text); {_INSERT}"
        "ALTER FUNCTION noted() SET search_path = aside",
    ),
    Specimen(
        "names that are none of tables",
        _TRIGGER.format(
            "IF false AND NEW.id IS DISTINCT FROM NULL AND extract(year FROM now()) > substring('7' FROM 1)::integer"
            " THEN WITH gone AS (SELECT 1 AS n), more (n) AS (SELECT n FROM gone) SELECT n INTO NEW.id FROM more"
            " WHERE false; NEW.id := coalesce(NEW.id, 1); END IF;"
        ),
    ),
)
