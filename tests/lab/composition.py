"""Random contracts with rows: schemas, odd names, all kinds of keys, types, references, computed columns."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
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
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.types import TypeEngine

from fixer.model.expression import quoted

SCHEMAS = (None, "Shop %")
NAMES = ("orders", "User", "select", 'na"me', "größe")
COLUMNS = ("a", "B c", "order", 'x"y', "naïve", "50%", "amount_of_it")
ROWS = 6
# What a column of each kind holds in row n, each value once, and what it defaults to; None: rows may repeat values.
KINDS: dict[str, tuple[TypeEngine[object], str, str]] = {
    "integer": (Integer(), "{n} * 3", "7"),
    "bigint": (BigInteger(), "{n} * 100", "8"),
    "text": (Text(), "'text ' || {n}", "'x'"),
    "varchar": (String(30), "'word ' || {n}", "'y'"),
    "numeric": (Numeric(10, 2), "{n} + 0.25", "1.5"),
    "boolean": (Boolean(), "{n} % 2 = 0", "false"),
    "timestamptz": (TIMESTAMP(timezone=True), "timestamptz '2026-01-01 00:00+00' + {n} * interval '1 h'", "now()"),
    "date": (Date(), "date '2026-01-01' + {n}", "'2026-02-03'"),
    "jsonb": (JSONB(), "jsonb_build_object('n', {n})", "'{{}}'"),
    "array": (ARRAY(Text()), "ARRAY['e' || {n}]", "'{{}}'"),
    "enum": (Text(), "CASE WHEN {n} % 2 = 0 THEN 'a' ELSE 'b' END", "'a'"),
}
REPEATING = ("boolean", "enum")
CHECKED = ("integer", "bigint", "numeric")
KEYS = {"serial": "{n}", "identity": "{n}", "uuid": "lpad(({n})::text, 32, '0')::uuid", "text": "'K-' || {n}"}


@dataclass(frozen=True)
class Field:
    """A plain column of a random table."""

    name: str
    kind: str
    nullable: bool
    defaulted: bool
    backfilled: bool
    unique: str  # "", "yes" or "late"
    checked: bool


@dataclass(frozen=True)
class Reference:
    """A reference to an earlier table, by its place, or to the table itself."""

    target: int
    nullable: bool
    deletes: str
    orphans: str
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

    @property
    def full(self) -> str:
        """Its qualified name in SQL."""
        return f"{quoted(self.schema or 'public')}.{quoted(self.name)}"


Models = tuple[Model, ...]


@st.composite
def contracts(draw: st.DrawFn) -> Models:
    """Return one to three tables, each of which may reference itself and earlier ones."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return tuple(draw(_models(name, place)) for place, name in enumerate(names))


@st.composite
def _models(draw: st.DrawFn, name: str, place: int) -> Model:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4, unique=True))
    fields = tuple(draw(_fields(each)) for each in names)
    references = draw(st.lists(_references(place), max_size=2, unique_by=lambda each: each.target))
    key = draw(st.sampled_from([*KEYS, "pair"]))
    return Model(name, draw(st.sampled_from(SCHEMAS)), key, fields, tuple(references), draw(st.booleans()))


@st.composite
def _fields(draw: st.DrawFn, name: str) -> Field:
    kind = draw(st.sampled_from(sorted(KINDS)))
    nullable, defaulted, backfilled = (draw(st.booleans()) for _ in range(3))
    unique = "" if kind in REPEATING or kind == "jsonb" else draw(st.sampled_from(["", "", "yes", "late"]))
    checked = kind in CHECKED and draw(st.booleans())
    return Field(name, kind, nullable, defaulted, backfilled, unique, checked)


@st.composite
def _references(draw: st.DrawFn, place: int) -> Reference:
    target = draw(st.integers(0, place))
    nullable = draw(st.booleans()) or target == place
    deletes = draw(st.sampled_from(["NO ACTION", "CASCADE", *(["SET NULL"] if nullable else [])]))
    orphans = draw(st.sampled_from(["quarantine", *(["null"] if nullable else [])]))
    return Reference(target, nullable, deletes, orphans, draw(st.booleans()))


def metadata(models: Models) -> MetaData:
    """Return the contract of these tables."""
    found = MetaData()
    for model in models:
        table = Table(model.name, found, *_key(model), schema=model.schema)
        for field in model.fields:
            _add_field(table, model, field)
        for number, reference in enumerate(model.references):
            _add_reference(table, models[reference.target], reference, number)
        base = next((f for f in model.fields if f.kind in CHECKED), None)
        if model.computed and base:
            table.append_column(Column("computed", Numeric, Computed(f"{quoted(base.name)} * 2", persisted=True)))
    return found


def _key(model: Model) -> list[Column[object]]:
    if model.key == "pair":
        tenant: Column[object] = Column("tenant", Integer, primary_key=True, autoincrement=False)
        return [tenant, Column("id", Integer, primary_key=True, autoincrement=True)]
    if model.key == "identity":
        return [Column("id", BigInteger, Identity(), primary_key=True)]
    if model.key == "uuid":
        return [Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()"))]
    return [Column("id", String(20) if model.key == "text" else Integer, primary_key=True)]


def _add_field(table: Table, model: Model, field: Field) -> None:
    type_, _, default = KINDS[field.kind]
    if field.kind == "enum":
        type_ = Enum("a", "b", "c", name=f"kind of {model.name} {field.name}", schema=model.schema)
    default = default.replace("{{", "{").replace("}}", "}")
    info = {"backfill": text(default)} if field.backfilled else {}
    given = text(default) if field.defaulted else None
    column: Column[object] = Column(field.name, type_, nullable=field.nullable, server_default=given, info=info)
    table.append_column(column)
    if field.unique:
        late = {"deferrable": True, "initially": "DEFERRED"} if field.unique == "late" else {}
        table.append_constraint(UniqueConstraint(field.name, **late))  # type: ignore[arg-type]
    if field.checked:
        table.append_constraint(CheckConstraint(column >= 0))


def _ends(model: Model) -> tuple[str, ...]:
    return ("tenant", "id") if model.key == "pair" else ("id",)


def _add_reference(table: Table, target: Model, reference: Reference, number: int) -> None:
    names = [f"ref {number} {end}" for end in _ends(target)]
    types = {"serial": Integer, "identity": BigInteger, "uuid": UUID, "text": String(20), "pair": Integer}
    info = {"orphans": reference.orphans}
    for name in names:
        table.append_column(Column(name, types[target.key], nullable=reference.nullable, info=info))  # type: ignore[arg-type]
    where = f"{target.schema}." if target.schema else ""
    ends = [f"{where}{target.name}.{end}" for end in _ends(target)]
    if target.name == table.name:
        ends = [table.c[end] for end in _ends(target)]  # type: ignore[misc]
    table.append_constraint(ForeignKeyConstraint(names, ends, ondelete=reference.deletes))
    if reference.indexed:
        Index(f"ix {table.name} {number}", *(table.c[name] for name in names))


def rows(models: Models) -> str:
    """Return the statements that insert rows into the tables of these models."""
    return ";\n".join(part for model in models for part in (_inserted(model, models), *_counted(model)))


def _inserted(model: Model, models: Models) -> str:
    cells = _key_cells(model, "", "n")
    for field in model.fields:
        value = KINDS[field.kind][1].format(n="n")
        if field.kind == "enum":
            home = f"{quoted(model.schema or 'public')}.{quoted(f'kind of {model.name} {field.name}')}"
            value = f"({value})::{home}"
        cells[field.name] = f"CASE WHEN n % 5 > 0 THEN {value} END" if field.nullable else value
    for number, reference in enumerate(model.references):
        own = models[reference.target] is model
        at = "nullif(n / 2, 0)" if own else f"(1 + n % {ROWS})"
        for name, value in _key_cells(models[reference.target], f"ref {number} ", at).items():
            cells[name] = f"CASE WHEN n % 3 > 0 THEN {value} END" if reference.nullable else value
    names = ", ".join(map(quoted, cells))
    values = ", ".join(cells.values())
    return (
        f"INSERT INTO {model.full} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM generate_series(1, {ROWS}) n"
    )


def _key_cells(model: Model, prefix: str, at: str) -> dict[str, str]:
    if model.key == "pair":
        return {f"{prefix}tenant": f"1 + {at} % 2", f"{prefix}id": at}
    return {f"{prefix}id": KEYS[model.key].format(n=at)}


def _counted(model: Model) -> list[str]:
    if model.key not in ("serial", "identity", "pair"):
        return []
    name = model.full.replace("'", "''")
    return [f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {ROWS})"]
