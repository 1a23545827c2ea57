"""By what a kept contract is found: whatever changes the DDL of the models makes another key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.compiler import compiles

from fixer.contract.models import shapes
from fixer.contract.models.build import content
from fixer.contract.models.statements import spelt
from fixer.contract.places import Places, wanted_at

ROOT = Path(__file__).parents[2]
Change = Callable[[dict[str, Any]], object]


class Coloured(sa.types.UserDefinedType[str]):
    """A type of the user's own, whose name depends on what nobody sees in it."""

    spelling = "text"

    def get_col_spec(self, **_: object) -> str:
        return self.spelling


class Loud(Coloured):
    spelling = "varchar(7)"


class Padded(sa.types.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.CHAR(9))


class Shout(sa.sql.expression.ColumnElement[str]):
    inherit_cache = False

    def __init__(self, said: str) -> None:
        self.said = said


@compiles(Shout)
def _shout(element: Shout, compiler: object, **_: object) -> str:
    return f"upper('{element.said}')"


class Ours(sa.Column[Any]):
    inherit_cache = True


def said() -> dict[str, Any]:
    """Return the parts of two tables of all kinds, each of which a test changes by itself."""
    return {
        "metadata": {},
        "table": {},
        "name": "name",
        "type": sa.String(20),
        "number": {"nullable": False, "server_default": "1"},
        "keyed": {},
        "column": sa.Column,
        "reference": {"ondelete": "CASCADE"},
        "check": sa.text("number > 0"),
        "checked": {"name": "number_check"},
        "unique": {"name": "name_key"},
        "index": {},
        "name of index": "number_idx",
        "over": ["number"],
        "more": [],
        "after": lambda metadata, table: None,
    }


def made(parts: dict[str, Any]) -> sa.MetaData:
    metadata = sa.MetaData(**parts["metadata"])
    column = parts["column"]
    sa.Table("parents", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("other", sa.Integer))
    table = sa.Table(
        "children",
        metadata,
        column("id", sa.Integer, *parts.get("counted", ()), primary_key=True, **parts["keyed"]),
        column(parts["name"], parts["type"], key="called"),
        sa.Column("number", sa.Integer, *parts.get("on", ()), **parts["number"]),
        sa.Column("parent", sa.ForeignKey(parts.get("target", "parents.id"), name="fk", **parts["reference"])),
        sa.CheckConstraint(parts["check"], **parts["checked"]),
        sa.UniqueConstraint("called", **parts["unique"]),
        sa.Index(parts["name of index"], *parts["over"], **parts["index"]),
        *parts["more"],
        **parts["table"],
    )
    parts["after"](metadata, table)
    return metadata


def key(metadata: sa.MetaData, schema: str = "public") -> str:
    tables = wanted_at(metadata.tables.values(), "contract", schema)
    return "\0".join(content(metadata, "contract", Places(schema, tables, {})))


def ddl(metadata: sa.MetaData) -> set[str]:
    return {each.text for each in spelt(metadata, "contract", [[table] for table in metadata.tables.values()])}


def over(part: str, **said: object) -> Change:
    return lambda parts: parts[part].update(said)


def put(part: str, value: object) -> Change:
    return lambda parts: parts.update({part: value})


def more(*parts: Callable[[], object]) -> Change:
    return lambda all_: all_["more"].extend(part() for part in parts)


def after(change: Callable[[sa.MetaData, sa.Table], object]) -> Change:
    return put("after", change)


SEVERAL = {"ck": "ck_%(table_name)s_%(constraint_name)s", "ix": "ix_%(column_0_label)s"}
CHANGES: dict[str, Change] = {
    "a name": put("name", "title"),
    "a name in capitals": put("name", "Name"),
    "a name that is quoted": put("name", sa.sql.quoted_name("name", True)),
    "a type": put("type", sa.Text()),
    "a length": put("type", sa.String(21)),
    "a collation": put("type", sa.String(20, collation="C")),
    "an array": put("type", sa.ARRAY(sa.String(20))),
    "an array of another": put("type", sa.ARRAY(sa.String(21))),
    "an array of two dimensions": put("type", sa.ARRAY(sa.String(20), dimensions=2)),
    "a variant": put("type", sa.String(20).with_variant(pg.VARCHAR(9), "postgresql")),
    "a type of the user's": put("type", Coloured()),
    "another type of the user's": put("type", Loud()),
    "a decorated type": put("type", Padded(20)),
    "an enum": put("type", sa.Enum("a", "b", name="kind")),
    "an enum with another label": put("type", sa.Enum("a", "c", name="kind")),
    "a bit": put("type", pg.BIT(3)),
    "a varying bit": put("type", pg.BIT(3, varying=True)),
    "an interval": put("type", pg.INTERVAL(fields="DAY TO SECOND")),
    "a precise time": put("type", pg.TIMESTAMP(precision=3)),
    "nullable": over("number", nullable=True),
    "a default": over("number", server_default="2"),
    "a default in SQL": over("number", server_default=sa.text("1 + 1")),
    "a default that is a function": over("number", server_default=sa.func.floor(2.5)),
    "a default that is another function": over("number", server_default=sa.func.floor(3.5)),
    "a default of the user's": over("number", server_default=Shout("a")),
    "another default of the user's": over("number", server_default=Shout("b")),
    "no default": over("number", server_default=None),
    "computed": lambda parts: parts.update(on=[sa.Computed("id + 1")], number={}),
    "computed otherwise": lambda parts: parts.update(on=[sa.Computed("id + 2")], number={}),
    "computed and kept": lambda parts: parts.update(on=[sa.Computed("id + 1", persisted=True)], number={}),
    "an identity": lambda parts: parts.update(on=[sa.Identity()], number={}),
    "an identity from 5": lambda parts: parts.update(on=[sa.Identity(start=5)], number={}),
    "an identity by threes": lambda parts: parts.update(on=[sa.Identity(increment=3)], number={}),
    "an identity that is always so": lambda parts: parts.update(on=[sa.Identity(always=True)], number={}),
    "an identity in a circle": lambda parts: parts.update(on=[sa.Identity(cycle=True, maxvalue=9)], number={}),
    "a sequence": lambda parts: parts.update(counted=[sa.Sequence("numbers")]),
    "a sequence from 7": lambda parts: parts.update(counted=[sa.Sequence("numbers", start=7)]),
    "no counting": over("keyed", autoincrement=False),
    "a key that Python makes": over("keyed", default=lambda: 1),
    "a check on a column": lambda parts: parts.update(on=[sa.CheckConstraint("number < 9", name="few")]),
    "a comment": over("number", comment="how many"),
    "a comment on the table": over("table", comment="theirs"),
    "a comment on a constraint": over("unique", comment="one each"),
    "another schema": over("table", schema="app"),
    "a schema of all": over("metadata", schema="app"),
    "unlogged": over("table", prefixes=["UNLOGGED"]),
    "partitioned": over("table", postgresql_partition_by="RANGE (id)"),
    "an heir": over("table", postgresql_inherits="parents"),
    "storage": over("table", postgresql_with={"fillfactor": 70}),
    "other storage": over("table", postgresql_with={"fillfactor": 80}),
    "on delete": over("reference", ondelete="SET NULL"),
    "on update": over("reference", onupdate="CASCADE"),
    "match": over("reference", match="FULL"),
    "deferrable": over("reference", deferrable=True),
    "deferred": over("reference", deferrable=True, initially="DEFERRED"),
    "not valid": over("reference", postgresql_not_valid=True),
    "another target": put("target", "parents.other"),
    "altered": over("reference", use_alter=True),
    "a check": put("check", sa.text("number > 1")),
    "a check with a value": put("check", sa.column("number") > 5),
    "a check with another value": put("check", sa.column("number") > 6),
    "a check by another name": over("checked", name="many"),
    "a check without a name": over("checked", name=None),
    "a unique without a name": over("unique", name=None),
    "a unique of NULLs": over("unique", postgresql_nulls_not_distinct=True),
    "a unique with more": over("unique", postgresql_include=["number"]),
    "a deferrable unique": over("unique", deferrable=True),
    "a unique index": over("index", unique=True),
    "an index by another name": put("name of index", "other_idx"),
    "an index of another kind": over("index", postgresql_using="hash"),
    "an index of some rows": over("index", postgresql_where=sa.column("number") > 5),
    "an index of other rows": over("index", postgresql_where=sa.column("number") > 6),
    "an index with an operator class": over("index", postgresql_ops={"number": "int4_ops"}),
    "an index with more": over("index", postgresql_include=["parent"]),
    "an index over an expression": put("over", [sa.text("(number + 1)")]),
    "an index over another expression": put("over", [sa.text("(number + 2)")]),
    "an index over a function": put("over", [sa.func.abs(sa.column("number"))]),
    "an index the other way": put("over", [sa.column("number").desc()]),
    "an index over more": put("over", ["number", "parent"]),
    "an index over more in another order": put("over", ["parent", "number"]),
    "two constraints without a name": more(lambda: sa.CheckConstraint("id > 1"), lambda: sa.CheckConstraint("id > 2")),
    "these in another order": more(lambda: sa.CheckConstraint("id > 2"), lambda: sa.CheckConstraint("id > 1")),
    "an exclusion": more(lambda: pg.ExcludeConstraint(("number", "="), name="alone")),
    "a convention": over("metadata", naming_convention=SEVERAL),
    "a convention for what has no name": lambda parts: parts.update(
        metadata={"naming_convention": {"uq": "u_%(column_0_name)s", "ix": "i_%(column_0_name)s"}}, unique={}
    ),
    "a column more": more(lambda: sa.Column("extra", sa.Integer)),
    "a check on another server": more(lambda: sa.CheckConstraint("id > 3").ddl_if(dialect="postgresql")),
    "a check on no server": more(lambda: sa.CheckConstraint("id > 3").ddl_if(dialect="sqlite")),
    "a listener": after(lambda m, t: sa.event.listen(t, "after_create", sa.DDL("CREATE VIEW v AS SELECT 1"))),
    "another listener": after(lambda m, t: sa.event.listen(t, "after_create", sa.DDL("CREATE VIEW v AS SELECT 2"))),
    "a listener of all": after(lambda m, t: sa.event.listen(m, "before_create", sa.DDL("CREATE SCHEMA s"))),
    "a sequence of all": after(lambda m, t: sa.Sequence("alone", metadata=m)),
    "a table more": after(lambda m, t: sa.Table("more", m, sa.Column("id", sa.Integer))),
    "a column of the user's class": put("column", Ours),
}
WITHOUT = """a check on another server, a check on no server, a column of the user's class, a decorated type,
a listener, a listener of all, a sequence, a sequence from 7, a sequence of all, a type of the user's, a variant,
an enum, an enum with another label, an exclusion, another listener, another type of the user's"""
SAME = ("a column of the user's class", "a check on no server")  # by which the DDL does not change


def changed(name: str) -> sa.MetaData:
    parts = said()
    CHANGES[name](parts)
    return made(parts)


def test_whatever_changes_the_ddl_makes_another_key() -> None:
    keys = {name: key(changed(name)) for name in CHANGES}
    texts = {name: frozenset(ddl(changed(name))) for name in CHANGES}
    known, spelling = key(made(said())), frozenset(ddl(made(said())))

    assert {name for name in CHANGES if texts[name] == spelling} == set(SAME)
    assert {name for name in CHANGES if keys[name] == known and texts[name] != spelling} == set()
    pairs = [(a, b) for a in CHANGES for b in CHANGES if a < b and keys[a] == keys[b] and texts[a] != texts[b]]
    assert pairs == []


def test_the_key_stays_while_the_models_do() -> None:
    differing = {name for name in CHANGES if key(changed(name)) != key(changed(name))}

    assert differing == set()


KEY = """
import sys
sys.path.insert(0, "tests/contract")
from test_kept import CHANGES, SAME, changed, key, made, said
print(key(made(said())), [key(changed(name)) for name in CHANGES])
"""


def test_the_key_stays_once_the_models_are_made() -> None:
    before = {name: (key(metadata := changed(name)), metadata) for name in CHANGES}
    for _, metadata in before.values():
        spelt(metadata, "contract", [[*metadata.tables.values()]], {None: "pg_temp"})

    assert {name for name, (known, metadata) in before.items() if key(metadata) != known} == set()


def test_the_key_is_the_same_in_another_process() -> None:
    keys = {
        subprocess.run(
            [sys.executable, "-c", KEY], cwd=ROOT, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip

    assert len(keys) == 1


@pytest.mark.parametrize("schema", ["public", "app"])
def test_a_key_is_of_one_place(schema: str) -> None:
    assert (key(made(said()), schema) == key(made(said()))) == (schema == "public")


OWN = """
import os, sys
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDDLCompiler, PGTypeCompiler
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable, CreateColumn
from fixer.contract.models import shapes
for words in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    metadata = sa.MetaData()
    table = sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(9)))
    exec(words)
    print(shapes.teller_of(metadata)(table) is None, flush=True)
    os._exit(0)
"""
SPELT_BY_OTHERS = (
    "compiles(CreateTable)(lambda element, compiler, **_: 'CREATE TABLE t (id int)')",
    "compiles(sa.String)(lambda element, compiler, **_: 'text')",
    "compiles(CreateColumn, 'postgresql')(lambda element, compiler, **_: 'id int')",
    "PGDDLCompiler.post_create_table = lambda compiler, table: ' WITH (fillfactor = 70)'",
    "sa.event.listen(sa.Table, 'before_create', lambda *_, **__: None)",
    "sa.event.listen(sa.MetaData, 'after_create', lambda *_, **__: None)",
    "PGTypeCompiler.visit_VARCHAR = staticmethod(lambda type_, **_: 'text')",
    "table.somehow = True",
    "table.c.name.default = sa.Sequence('s')",
)


def test_what_others_spell_has_no_shape() -> None:
    words = [sys.executable, "-c", OWN, "pass", *SPELT_BY_OTHERS]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.split() == ["False", *["True"] * len(SPELT_BY_OTHERS)], done.stderr


def shape(metadata: sa.MetaData) -> bytes | None:
    found = [table for table in metadata.tables.values() if table.name == "children"]
    return shapes.teller_of(metadata)(found[0])


def test_most_tables_have_a_shape() -> None:
    without = {name for name in CHANGES if shape(changed(name)) is None}

    assert shape(made(said())) is not None
    assert without == {name for name in CHANGES if name in WITHOUT.replace("\n", " ").split(", ")}
