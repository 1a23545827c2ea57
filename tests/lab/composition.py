"""Random contracts: schemas, odd names, all kinds of keys, types, references, partitions, computed columns, hints."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Enum,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, UUID, ExcludeConstraint
from sqlalchemy.types import TypeEngine

from fixer.model.expression import quoted

SCHEMAS = (None, "Shop %")
NAMES = ("orders", "User", "select", 'na"me', "größe", "dotted.name")
COLUMNS = ("a", "B c", "order", 'x"y', "naïve", "50%", "amount_of_it")
# What a column of each kind holds in row n, each value once, and what it defaults to: its backfill is row 900's.
KINDS: dict[str, tuple[TypeEngine[object], str, str]] = {
    "smallint": (SmallInteger(), "{n} * 2", "3"),
    "integer": (Integer(), "{n} * 3", "7"),
    "bigint": (BigInteger(), "{n} * 100", "8"),
    "text": (Text(), "'text ' || {n}", "'x'"),
    "varchar": (String(30), "'word ' || {n}", "'y'"),
    "char": (CHAR(30), "'sign ' || {n}", "'z'"),
    "numeric": (Numeric(10, 2), "{n} + 0.25", "1.5"),
    "boolean": (Boolean(), "{n} % 2 = 0", "false"),
    "timestamptz": (TIMESTAMP(timezone=True), "timestamptz '2026-01-01 00:00+00' + {n} * interval '1 h'", "now()"),
    "date": (Date(), "date '2026-01-01' + {n}", "'2026-02-03'"),
    "interval": (Interval(), "{n} * interval '1 day'", "'1 h'"),
    "uuid": (UUID(), "lpad(({n} + 700)::text, 32, '0')::uuid", "gen_random_uuid()"),
    "bytea": (LargeBinary(), "decode(lpad({n}::text, 4, '0'), 'hex')", "'\\x00'"),
    "json": (JSON(), "json_build_object('n', {n})", "'{{}}'"),
    "jsonb": (JSONB(), "jsonb_build_object('n', {n})", "'{{}}'"),
    "array": (ARRAY(Text()), "ARRAY['e' || {n}]", "'{{}}'"),
    "range": (INT4RANGE(), "int4range({n} * 10, {n} * 10 + 5)", "'empty'"),
    "enum": (Text(), "CASE WHEN {n} % 2 = 0 THEN 'a' ELSE 'b' END", "'a'"),
}
REPEATING = ("boolean", "enum", "json")
CHECKED = ("smallint", "integer", "bigint", "numeric")
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
    coded: bool  # whether texts of old keys stand in a column `code`
    renamed: bool
    resident: bool  # whether its first row is a default row of the contract
    rounds: int | None = None  # the place of a later table that it references as well

    @property
    def full(self) -> str:
        """Its qualified name in SQL."""
        return f"{quoted(self.schema or 'public')}.{quoted(self.name)}"

    def enum(self, field: Field) -> str:
        """The name of the type of one of its columns."""
        return f"kind of {self.name} {field.name}"


Models = tuple[Model, ...]


@st.composite
def contracts(draw: st.DrawFn) -> Models:
    """Return one to three tables, each of which may reference itself and earlier ones, and the first the last."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    last = len(names) - 1
    rounds = last if last and draw(st.integers(0, 3)) == 0 else None
    models = [draw(_models(name, place, rounds if place == 0 else None)) for place, name in enumerate(names)]
    return tuple(models)


@st.composite
def _models(draw: st.DrawFn, name: str, place: int, rounds: int | None) -> Model:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True))
    key = draw(st.sampled_from([*KEYS, "pair"]))
    parted = key != "identity" and draw(st.integers(0, 5)) == 0  # whose partitions have none before PostgreSQL 17
    fields = tuple(draw(_fields(each, parted)) for each in names)
    references = tuple(draw(st.lists(_references(place), max_size=2)))
    schema, computed, coded = draw(st.sampled_from(SCHEMAS)), draw(st.booleans()), draw(st.booleans())
    known = any(f.unique == "yes" and not f.nullable for f in fields) and all(r.nullable for r in references)
    resident, renamed = known and draw(st.booleans()), draw(st.integers(0, 3)) == 0
    return Model(name, schema, key, fields, references, computed, parted, coded, renamed, resident, rounds)


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


def metadata(models: Models, version: int) -> MetaData:
    """Return the contract of these tables, as a version of PostgreSQL can keep it."""
    found = MetaData()
    for model in models:
        how = {"postgresql_partition_by": "HASH (id)"} if model.parted else {}
        table = Table(model.name, found, *_key(model), schema=model.schema, info=_hints(model), **how)
        for field in model.fields:
            _add_field(table, model, field, version)
        for number, reference in enumerate(model.references):
            _add_reference(table, models[reference.target], reference, f"ref {number}")
        base = next((f for f in model.fields if f.kind in CHECKED), None)
        if model.computed and base:
            table.append_column(Column("computed", Numeric, Computed(f"{quoted(base.name)} * 2", persisted=True)))
    for model in models:
        if model.rounds is not None:
            round_ = Reference(model.rounds, True, "NO ACTION", "NO ACTION", "", False, False)
            key = f"{model.schema}.{model.name}" if model.schema else model.name
            _add_reference(found.tables[key], models[model.rounds], round_, "round")
    return found


def _key(model: Model) -> list[Column[object]]:
    info = {"legacy_keys": ["code"]} if model.coded else {}
    if model.key == "pair":
        tenant: Column[object] = Column("tenant", Integer, primary_key=True, autoincrement=False)
        return [tenant, Column("id", Integer, primary_key=True, autoincrement=True)]
    if model.key == "identity":
        return [Column("id", BigInteger, Identity(), primary_key=True, info=info)]
    if model.key == "uuid":
        return [Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()"))]
    return [Column("id", String(20) if model.key == "text" else Integer, primary_key=True, info=info)]


def _hints(model: Model) -> dict[str, object]:
    hints: dict[str, object] = {"legacy_names": [f"old {model.name}"]} if model.renamed else {}
    if model.resident:
        cells = {field.name: cell(model, field, "1") for field in model.fields if "json" not in field.kind}
        if model.key in ("uuid", "text"):
            cells["id"] = KEYS[model.key].format(n="1")
        elif model.key == "pair":
            cells["tenant"] = "2"
        hints["default_rows"] = [{name: text(value.replace(":", "\\:")) for name, value in cells.items()}]
    return hints


def cell(model: Model, field: Field, at: str) -> str:
    """Return in SQL what a column holds in a row."""
    value = KINDS[field.kind][1].format(n=at)
    if field.kind != "enum":
        return value
    return f"({value})::{quoted(model.schema or 'public')}.{quoted(model.enum(field))}"


def _add_field(table: Table, model: Model, field: Field, version: int) -> None:
    type_, _, default = KINDS[field.kind]
    if field.kind == "enum":
        type_ = Enum("a", "b", "c", name=model.enum(field), schema=model.schema)
    default = default.replace("{{", "{").replace("}}", "}")
    filled = text(cell(model, field, "900").replace(":", "\\:"))
    info: dict[str, object] = {"backfill": filled} if field.backfilled else {}
    if field.renamed:
        info["legacy_names"] = [f"old {field.name}"]
    given = text(default) if field.defaulted else None
    column: Column[object] = Column(field.name, type_, nullable=field.nullable, server_default=given, info=info)
    table.append_column(column)
    _keep_apart(table, column, field.unique, version)
    if field.checked:
        table.append_constraint(CheckConstraint(column >= 0))


def _keep_apart(table: Table, column: Column[object], unique: str, version: int) -> None:
    """Let no two rows of a table have the same in a column, in one of the ways of UNIQUES."""
    if unique == "alone":
        table.append_constraint(
            ExcludeConstraint((column, "&&"), using="gist", name=f"alone {table.name} {column.name}")
        )
    elif unique == "partial":
        Index(f"part {table.name} {column.name}", column, unique=True, postgresql_where=column.is_not(None))
    elif unique == "expression":
        Index(f"low {table.name} {column.name}", func.lower(column), unique=True)
    elif unique:
        late = {"deferrable": True, "initially": "DEFERRED"} if unique == "late" else {}
        how = {"postgresql_nulls_not_distinct": True} if unique == "nulls" and version >= 15 else {}
        table.append_constraint(UniqueConstraint(column.name, **late, **how))  # type: ignore[arg-type]


def _add_reference(table: Table, target: Model, reference: Reference, name: str) -> None:
    own = ("tenant", "id") if target.key == "pair" else ("id",)
    names = [f"{name} {end}" for end in own]
    types = {"serial": Integer, "identity": BigInteger, "uuid": UUID, "text": String(20), "pair": Integer}
    info = {"orphans": reference.orphans} if reference.orphans else {}
    for each in names:
        table.append_column(Column(each, types[target.key], nullable=reference.nullable, info=info))  # type: ignore[arg-type]
    where = f"{target.schema}." if target.schema else ""
    ends: list[str] = [f"{where}{target.name}.{end}" for end in own]
    if "." in target.name or target.name == table.name:
        home = table.metadata.tables[f"{where}{target.name}"]
        ends = [home.c[end] for end in own]  # type: ignore[misc]
    key = ForeignKeyConstraint(
        names,
        ends,
        f"{name} of {table.name}" if name == "round" else None,
        ondelete=reference.deletes,
        onupdate=reference.updates,
        deferrable=True if reference.late else None,
        use_alter=name == "round",
    )
    table.append_constraint(key)
    if reference.indexed:
        Index(f"ix {table.name} {name}", *(table.c[each] for each in names))
