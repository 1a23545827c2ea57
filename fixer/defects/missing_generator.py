"""Nothing numbers the key, but the contract wants a sequence or an identity.

Costs: every insert without an id fails with 23502 null value in column "id" violates not-null constraint; or with
23505, where the default is the same for each row of a transaction.
Cure: give it an identity, or a sequence of its own as default, set past the highest id. Where the default may give two
rows one number, such as max(id) + 1 or chance, or a trigger may number new rows, a person decides; a function that
draws numbers stays. A table that INHERITs the number counts by the sequence of the other, where the contract lets it.
If a row has the last number of the column's type, a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from fixer.defects import _planting as plant
from fixer.defects import _walk as walk
from fixer.defects._counters import BOXES, SEATED, boxed, by_steps, seats
from fixer.defects._databases import COMPANY_ROWS, company
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding, Probe
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import WantedColumn
from fixer.model.table import Column, QName, Table
from fixer.repair.columns import counter_of
from fixer.repair.counting.heirs import elder_of, is_heirs, leader_of
from fixer.repair.defaults.drawing import Draws, draws
from fixer.repair.defaults.left_out import filled_by
from fixer.repair.numbers import held
from fixer.repair.probe import rows_where
from fixer.repair.sequences import end_of, give_generator
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Literal
from fixer.sql.types import family

SLUG = "missing-generator"
POINT = 1
STAGE = Stage.PARTS


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[WantedColumn]]:
    """Yield the columns that should be numbered and have no sequence, no identity and no default that draws numbers."""
    for table, wanted, found in walk.numbered_columns(actual, contract):
        if like := elder_of(table.name, wanted, actual, contract):
            if not (found.sequence or like.is_followed_by(found)):  # shared-sequence is about those of others
                has = f"DEFAULT {found.default}" if found.default else "no default"
                message = f"{table.name.name}.{wanted.name} should be numbered like {like.table.name}, has {has}"
                yield Finding(SLUG, POINT, WantedColumn(table.name, wanted), message)
            continue
        if is_heirs(table.name, wanted, contract):  # the column above is missing, and stays so
            continue
        given = Draws.ALWAYS if found.generates else draws(table.name, found, actual)
        if given is Draws.ALWAYS:
            continue
        has = f"DEFAULT {found.default}" if found.default else "no default"
        if found.default and "(" in found.default:
            has = f"{has}, which gives {given.value}"
        message = f"{table.name.name}.{wanted.name} should be numbered by a sequence, has {has}"
        about = WantedColumn(table.name, wanted)
        if trigger := filled_by(table, found):
            drop = f"DROP TRIGGER {q.quoted([trigger])} ON {q.quoted(table.name)}"
            why = refuse(f"if a sequence should number it instead, run: {drop}; then plan again")
            message = f"{message}, and the trigger {trigger} may number it"
            yield Finding(SLUG, POINT, about, message, severity="warning", repair=why)
        elif given is Draws.NEVER:
            yield Finding(SLUG, POINT, about, message, asks=_at_the_end(about, found, actual, contract))
        else:
            yield Finding(SLUG, POINT, about, message, severity="warning", repair=_decided(table.name, found.name))


def _at_the_end(about: WantedColumn, found: Column, actual: Schema, contract: Contract) -> Callable[[], Probe] | None:
    """Return what asks for rows whose number is the last that a sequence may give; None where none is a number."""
    if family(found.base or found.type) not in ("integer", "numeric"):
        return None
    cell, (end, pace) = q.column(found.name), end_of(about.wanted, found, counter_of(about.wanted, contract))
    beyond = SQL("{} > {}" if pace > 0 else "{} < {}").format(cell, Literal(end - pace))
    return lambda: replace(rows_where(actual, about.table, beyond, own=True), show=(cell,), downwards=pace > 0)


def _decided(table: QName, column: str) -> Repair:
    drop = f"ALTER TABLE {q.quoted(table)} ALTER COLUMN {q.quoted([column])} DROP DEFAULT"
    return refuse(f"if it should count by a sequence, run: {drop}; then plan again")


def repair(finding: Finding[WantedColumn], actual: Schema, contract: Contract) -> Repair:
    """Give it an identity, or a sequence of its own."""
    table, column = finding.table, finding.about.wanted
    found = actual.tables[table].columns[column.name]
    if family(found.base or found.type) == "text":  # so it stays, for wrong-type or text-key is left to a person
        return refuse(f"{column.name} holds texts, past which no sequence can count: let it be converted as well")
    if like := leader_of(table, column, actual, contract):
        return Repair.of(like.followed_by(table, column.name))
    if finding.rows:
        last, wider = finding.sample[0][0], "give it a wider type, here and in the contract, or that row another number"
        return refuse(f"{table.name}.{column.name} holds {last}, and a sequence has no number beyond: {wider}")
    taken, meant = held(table, column.name, actual, contract.schema), counter_of(column, contract)
    return Repair.of(give_generator(table, column, actual, taken, like=meant))


_DEFAULT = "ALTER TABLE reviews ALTER COLUMN id SET DEFAULT {}"
_FUNCTION = "CREATE FUNCTION numbers() RETURNS integer LANGUAGE {} AS $$ {} $$;" + _DEFAULT.format("numbers()")
_TRIGGER = (
    "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;"
    "CREATE TRIGGER fill BEFORE INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION fill();"
    "ALTER TABLE reviews ALTER id DROP DEFAULT"
)
SPECIMENS = (
    Specimen("the default is gone", "ALTER TABLE reviews ALTER COLUMN id DROP DEFAULT"),
    Specimen(
        "the identity is gone, which counts by tens",
        "INSERT INTO orders DEFAULT VALUES; INSERT INTO orders DEFAULT VALUES;"
        "ALTER TABLE orders ALTER id DROP IDENTITY",
        contract=by_steps,
    ),
    Specimen("a sequence with options is gone", 'DROP SEQUENCE "box.no" CASCADE', contract=boxed, setup=BOXES),
    Specimen(
        "identities with options are gone",
        "ALTER TABLE boxes ALTER place DROP IDENTITY; ALTER TABLE falling ALTER id DROP IDENTITY",
        contract=boxed,
        setup=BOXES,
    ),
    Specimen("the sequence is gone", "DROP SEQUENCE reviews_id_seq CASCADE"),
    Specimen(
        "the sequence is there and not wired",
        "ALTER TABLE reviews ALTER COLUMN id DROP DEFAULT; ALTER SEQUENCE reviews_id_seq OWNED BY NONE",
    ),
    Specimen(
        "rows have numbers that the contract's type has not",
        "DROP SEQUENCE reviews_id_seq CASCADE; ALTER TABLE reviews ALTER COLUMN id TYPE bigint;"
        "INSERT INTO reviews (id, book_id) VALUES (3000000000, 1)",
    ),
    Specimen(
        "another table took the sequence's name",
        "DROP SEQUENCE reviews_id_seq CASCADE; CREATE TABLE reviews_id_seq (x integer)",
    ),
    Specimen(
        "the identity is gone",
        "ALTER TABLE employees ALTER COLUMN id DROP IDENTITY",
        contract=company,
        setup=COMPANY_ROWS,
    ),
    Specimen(
        "the identity is gone, and a sequence of the column is left over",
        "ALTER TABLE employees ALTER COLUMN id DROP IDENTITY; ALTER TABLE employees ADD COLUMN n serial;"
        "ALTER SEQUENCE employees_n_seq OWNED BY employees.id; ALTER TABLE employees DROP COLUMN n",
        contract=company,
        setup=COMPANY_ROWS,
    ),
    Specimen("the default repeats the last number", _DEFAULT.format("currval('reviews_id_seq')")),
    Specimen("the default is one number, computed", _DEFAULT.format("abs(-5)::bigint")),
    Specimen("a function gives one number", _FUNCTION.format("sql", "SELECT 1000 /* nextval() */")),
    Specimen("a function counts rows", _FUNCTION.format("sql", "SELECT max(id) + 1 FROM reviews"), manual=True),
    Specimen("the clock", _DEFAULT.format("extract(epoch FROM now())::integer")),
    Specimen(
        "a trigger numbers",
        _TRIGGER.format("IF NEW.id IS NULL THEN NEW.id := nextval('reviews_id_seq'); END IF;"),
        manual=True,
    ),
    Specimen("a trigger does other things", _TRIGGER.format("IF NEW.id = 1 THEN NEW.body = 'id := 1'; END IF;")),
    Specimen("chance", _DEFAULT.format("(random() * 1000000)::integer"), manual=True),
    Specimen(
        "a row has the last number",
        "DROP SEQUENCE reviews_id_seq CASCADE; INSERT INTO reviews (id, book_id) VALUES (2147483647, 1)",
        rows=1,
        manual=True,
    ),
    Specimen("of an heir of an heir", "ALTER TABLE stalls ALTER id DROP DEFAULT", contract=seats, setup=SEATED),
    Specimen("of all heirs too", 'ALTER TABLE "se%ats" ALTER id DROP DEFAULT', contract=seats, setup=SEATED),
)
NEAR_MISSES = (
    Specimen(
        "an identity in place of a sequence",
        "ALTER TABLE reviews ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE reviews_id_seq;"
        "ALTER TABLE reviews ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 1000)",
    ),
    Specimen("a function numbers", _FUNCTION.format("sql", "SELECT nextval('reviews_id_seq')::integer")),
    Specimen(
        "a function counts in a table",
        "CREATE TABLE counter AS SELECT 1000 AS n;"
        + _FUNCTION.format("sql", "UPDATE counter SET n = n + 1 RETURNING n"),
    ),
    Specimen(
        "a function asks another one",
        "CREATE FUNCTION inner_numbers() RETURNS integer LANGUAGE sql AS 'SELECT nextval(''reviews_id_seq'')::integer';"
        + _FUNCTION.format("plpgsql", "BEGIN RETURN inner_numbers(); END"),
    ),
    Specimen("every other number of a sequence", _DEFAULT.format("nextval('reviews_id_seq') * 2")),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: drop what numbers a column."""
    for column in plant.writable(table):
        if column.generates:
            what = "IDENTITY" if column.identity else "DEFAULT"
            yield plant.altered(table.name, f"ALTER COLUMN {{}} DROP {what}", column.name)
