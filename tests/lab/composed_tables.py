"""Random contracts as models of SQLAlchemy."""

from __future__ import annotations

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
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import DOMAIN, INT4RANGE, JSONB, UUID, ExcludeConstraint
from sqlalchemy.types import TypeEngine

from fixer.model.expression import quoted
from lab.composition import CHECKED, KEYS, KINDS, Field, Model, Models, Reference, cell

TYPES: dict[str, TypeEngine[object]] = {
    "smallint": SmallInteger(),
    "integer": Integer(),
    "bigint": BigInteger(),
    "text": Text(),
    "varchar": String(30),
    "char": CHAR(30),
    "numeric": Numeric(10, 2),
    "boolean": Boolean(),
    "timestamptz": TIMESTAMP(timezone=True),
    "date": Date(),
    "interval": Interval(),
    "uuid": UUID(),
    "bytea": LargeBinary(),
    "json": JSON(),
    "jsonb": JSONB(),
    "array": ARRAY(Text()),
    "range": INT4RANGE(),
    "enum": Text(),
}


KEY_TYPES = {"serial": Integer, "identity": BigInteger, "uuid": UUID, "text": String(20), "pair": Integer}


def metadata(models: Models, version: int) -> MetaData:
    """Return the contract of these tables, as a version of PostgreSQL can keep it."""
    found = MetaData()
    for model in models:
        how = {"postgresql_partition_by": "HASH (id)"} if model.parted else {}
        table = Table(model.name, found, *_key(model), schema=model.schema, info=_hints(model), **how)
        if model.shared is not None:
            _share(table, models[model.shared])
        for field in model.fields:
            _add_field(table, model, field, version)
        for number, reference in enumerate(model.references):
            _add_reference(table, models[reference.target], reference, f"ref {number}")
        if model.drawn:
            _draw(table, model)
        base = next((f for f in model.fields if f.kind in CHECKED), None)
        if model.computed and base:
            table.append_column(Column("computed", Numeric, Computed(f"{quoted(base.name)} * 2", persisted=True)))
        if model.heir:
            own = [Column(each.name, each.type, primary_key=True, autoincrement=False) for each in table.primary_key]
            heir = Table(f"{model.name} heir", found, *own, postgresql_inherits=model.name)
            heir.add_is_dependent_on(table)
    for model in models:
        if model.rounds is not None:
            round_ = Reference(model.rounds, True, "NO ACTION", "NO ACTION", "", False, False)
            key = f"{model.schema}.{model.name}" if model.schema else model.name
            _add_reference(found.tables[key], models[model.rounds], round_, "round")
    return found


def _draw(table: Table, model: Model) -> None:
    """Add a column whose default makes a text of a sequence that stands by itself."""
    Sequence(model.sequence, metadata=table.metadata, schema=model.schema)
    name = f"{quoted(model.schema or 'public')}.{quoted(model.sequence)}"
    table.append_column(
        Column("number", Text, unique=not model.parted, server_default=text(f"'N-' || nextval('{name}')"))
    )


def _share(table: Table, above: Model) -> None:
    """Let the keys of a table be those of another."""
    target = table.metadata.tables[f"{above.schema}.{above.name}" if above.schema else above.name]
    table.append_constraint(ForeignKeyConstraint(["id"], [target.c.id]))


def _key(model: Model) -> list[Column[object]]:
    info = {"legacy_keys": ["code"]} if model.coded and model.shared is None else {}
    if model.shared is not None:
        return [Column("id", KEY_TYPES[model.key], primary_key=True, autoincrement=False)]  # type: ignore[arg-type]
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


def _add_field(table: Table, model: Model, field: Field, version: int) -> None:
    default = KINDS[field.kind][1].replace("{{", "{").replace("}}", "}")
    filled = text(cell(model, field, "900").replace(":", "\\:"))
    info: dict[str, object] = {"backfill": filled} if field.backfilled else {}
    if field.renamed:
        info["legacy_names"] = [f"old {field.name}"]
    given = text(default) if field.defaulted and field.kind != "domain" else None  # whose domain gives it
    column: Column[object] = Column(
        field.name, _type(model, field), nullable=field.nullable, server_default=given, info=info
    )
    table.append_column(column)
    _keep_apart(table, column, field.unique, version)
    if field.checked:
        plain = type_coerce(column, Integer) if field.kind == "domain" else column  # it warns of operators of domains
        table.append_constraint(CheckConstraint(plain >= 0))


def _type(model: Model, field: Field) -> TypeEngine[object]:
    if field.kind == "enum":
        return Enum("a", "b", "c", name=model.enum(field), schema=model.schema)
    if field.kind == "domain":
        default = text(KINDS["domain"][1]) if field.defaulted else None
        return DOMAIN(model.domain(field), Integer, check="VALUE > -1", default=default, schema=model.schema)
    return TYPES[field.kind]


def _keep_apart(table: Table, column: Column[object], unique: str, version: int) -> None:
    """Let no two rows of a table have the same in a column, in one of the ways of UNIQUES."""
    if unique == "alone":
        table.append_constraint(
            ExcludeConstraint((column, "&&"), using="gist", name=f"alone {table.name} {column.name}")
        )
    elif unique == "partial":
        Index(
            f"part {table.name} {column.name}",
            column,
            unique=True,
            postgresql_where=type_coerce(column, Text).is_not(None),
        )
    elif unique == "expression":
        Index(f"low {table.name} {column.name}", func.lower(column), unique=True)
    elif unique:
        late = {"deferrable": True, "initially": "DEFERRED"} if unique == "late" else {}
        how = {"postgresql_nulls_not_distinct": True} if unique == "nulls" and version >= 15 else {}
        table.append_constraint(UniqueConstraint(column.name, **late, **how))  # type: ignore[arg-type]


def _add_reference(table: Table, target: Model, reference: Reference, name: str) -> None:
    own = ("tenant", "id") if target.key == "pair" else ("id",)
    names = [f"{name} {end}" for end in own]
    info = {"orphans": reference.orphans} if reference.orphans else {}
    for each in names:
        table.append_column(Column(each, KEY_TYPES[target.key], nullable=reference.nullable, info=info))  # type: ignore[arg-type]
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
