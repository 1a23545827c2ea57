"""Random contracts: schemas, odd names, all kinds of keys, types, references, partitions, computed columns, hints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from fixer.model.expression import quoted

SCHEMAS = (None, "Shop %")
NAMES = ("orders", "User", "select", 'na"me', "größe", "dotted.name")
COLUMNS = ("a", "B c", "order", 'x"y', "naïve", "50%", "amount_of_it")
# What a column of each kind holds in row n, each value once, and what it defaults to: its backfill is row 900's.
KINDS = {
    "smallint": ("{n} * 2", "3"),
    "integer": ("{n} * 3", "7"),
    "bigint": ("{n} * 100", "8"),
    "text": ("'text ' || {n}", "'x'"),
    "varchar": ("'word ' || {n}", "'y'"),
    "char": ("'sign ' || {n}", "'z'"),
    "numeric": ("{n} + 0.25", "1.5"),
    "boolean": ("{n} % 2 = 0", "false"),
    "timestamptz": ("timestamptz '2026-01-01 00:00+00' + {n} * interval '1 h'", "now()"),
    "date": ("date '2026-01-01' + {n}", "'2026-02-03'"),
    "interval": ("{n} * interval '1 day'", "'1 h'"),
    "uuid": ("lpad(({n} + 700)::text, 32, '0')::uuid", "gen_random_uuid()"),
    "bytea": ("decode(lpad({n}::text, 4, '0'), 'hex')", "'\\x00'"),
    "json": ("json_build_object('n', {n})", "'{{}}'"),
    "jsonb": ("jsonb_build_object('n', {n})", "'{{}}'"),
    "array": ("ARRAY['e' || {n}]", "'{{}}'"),
    "range": ("int4range({n} * 10, {n} * 10 + 5)", "'empty'"),
    "enum": ("CASE WHEN {n} % 2 = 0 THEN 'a' ELSE 'b' END", "'a'"),
    "domain": ("{n} * 3", "4"),
}
REPEATING = ("boolean", "enum", "json")
CHECKED = ("smallint", "integer", "bigint", "numeric", "domain")
TEXTS = ("text", "varchar")
UNIQUES = ("", "", "", "yes", "late", "partial", "nulls")  # of no two NULLs, from PostgreSQL 15 on
KEYS = {"serial": "{n}", "identity": "{n}", "uuid": "lpad(({n})::text, 32, '0')::uuid", "text": "'K-' || {n}"}


@dataclass(frozen=True)
class Field:
    """A plain column of a random table."""

    name: str
    kind: str
    nullable: bool
    defaulted: bool
    backfilled: bool
    unique: str  # one of UNIQUES, "expression" or "alone" for no two that overlap
    checked: bool
    renamed: bool  # whether its table once called it otherwise


@dataclass(frozen=True)
class Reference:
    """A reference to a table, by its place."""

    target: int
    nullable: bool
    deletes: str
    updates: str
    orphans: str
    late: bool
    indexed: bool


@dataclass(frozen=True)
class Model:
    """A random table."""

    name: str
    schema: str | None
    key: str  # a kind of KEYS, or "pair"
    fields: tuple[Field, ...]
    references: tuple[Reference, ...]
    computed: bool
    parted: bool
    below: bool  # whether one of its partitions is partitioned in turn
    drawn: bool  # whether a default makes a text of a sequence that stands by itself
    heir: bool  # whether another table INHERITS from it
    coded: bool  # whether texts of old keys stand in a column `code`
    renamed: bool
    resident: bool  # whether its first row is a default row of the contract
    rounds: int | None = None  # the place of a later table that it references as well
    shared: int | None = None  # the place of an earlier table whose keys its own are, as in joined table inheritance

    @property
    def full(self) -> str:
        """Its qualified name in SQL."""
        return f"{quoted(self.schema or 'public')}.{quoted(self.name)}"

    def enum(self, field: Field) -> str:
        """The name of the type of one of its columns."""
        return f"kind of {self.name} {field.name}"

    def domain(self, field: Field) -> str:
        """The name of the domain of one of its columns."""
        return f"domain of {self.name} {field.name}"

    @property
    def sequence(self) -> str:
        """The name of the sequence of which a default makes texts."""
        return f"numbers of {self.name}"


Models = tuple[Model, ...]


@st.composite
def contracts(draw: st.DrawFn) -> Models:
    """Return one to three tables, each of which may reference itself and earlier ones, and the first the last."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    last = len(names) - 1
    rounds = last if last and draw(st.integers(0, 3)) == 0 else None
    models: list[Model] = []
    for place, name in enumerate(names):
        models.append(draw(_models(name, models, rounds if place == 0 else None)))
    return tuple(models)


@st.composite
def _models(draw: st.DrawFn, name: str, earlier: Sequence[Model], rounds: int | None) -> Model:
    names, place = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True)), len(earlier)
    above = [at for at, each in enumerate(earlier) if each.key != "pair"]
    shared = draw(st.sampled_from(above)) if above and draw(st.integers(0, 3)) == 0 else None
    key = draw(st.sampled_from([*KEYS, "pair"])) if shared is None else earlier[shared].key
    parted = key != "identity" and draw(st.integers(0, 5)) == 0  # whose partitions have none before PostgreSQL 17
    fields = tuple(draw(_fields(each, parted)) for each in names)
    references = tuple(draw(st.lists(_references(place), max_size=2)))
    schema, computed, coded = draw(st.sampled_from(SCHEMAS)), draw(st.booleans()), draw(st.booleans())
    known = any(f.unique == "yes" and not f.nullable for f in fields) and all(r.nullable for r in references)
    resident, renamed = known and shared is None and draw(st.booleans()), draw(st.integers(0, 3)) == 0
    below, drawn = parted and draw(st.booleans()), draw(st.integers(0, 3)) == 0
    heir = not parted and schema is None and shared is None and draw(st.integers(0, 4)) == 0
    return Model(
        name,
        schema,
        key,
        fields,
        references,
        computed,
        parted,
        below,
        drawn,
        heir,
        coded,
        renamed,
        resident,
        rounds,
        shared,
    )


@st.composite
def _fields(draw: st.DrawFn, name: str, parted: bool) -> Field:
    kind = draw(st.sampled_from(sorted(KINDS)))
    nullable, defaulted, backfilled = (draw(st.booleans()) for _ in range(3))
    ways = [*UNIQUES, *(["expression"] * 2 if kind in TEXTS else []), *(["alone"] * 5 if kind == "range" else [])]
    unique = "" if parted or kind in REPEATING else draw(st.sampled_from(ways))
    checked = kind in CHECKED and draw(st.booleans())
    return Field(name, kind, nullable, defaulted, backfilled, unique, checked, draw(st.integers(0, 3)) == 0)


@st.composite
def _references(draw: st.DrawFn, place: int) -> Reference:
    target = draw(st.integers(0, place))
    nullable = draw(st.booleans()) or target == place
    deletes = draw(st.sampled_from(["NO ACTION", "RESTRICT", "CASCADE", *(["SET NULL"] if nullable else [])]))
    updates = draw(st.sampled_from(["NO ACTION", "NO ACTION", "CASCADE"]))
    orphans = draw(st.sampled_from(["", "quarantine", *(["null"] if nullable else [])]))
    return Reference(target, nullable, deletes, updates, orphans, draw(st.integers(0, 3)) == 0, draw(st.booleans()))


def cell(model: Model, field: Field, at: str) -> str:
    """Return in SQL what a column holds in a row."""
    value = KINDS[field.kind][0].format(n=at)
    if field.kind != "enum":
        return value
    return f"({value})::{quoted(model.schema or 'public')}.{quoted(model.enum(field))}"
