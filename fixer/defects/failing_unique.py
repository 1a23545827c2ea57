"""A unique index is valid by the catalogue and fails: rows repeat under it, or it does not show every row.

Rows were written while it was not maintained, or an update of the system's libraries sorts texts otherwise. Only a deep
check looks for it, and any check that finds rows without a parent. It counts the rows of the table and the keys of the
index, each for itself. It does not ask amcheck, which few databases have and few roles may call. No mutation plants it:
a superuser would have to write pg_index.
Costs: queries along the index miss rows; a login or an order number may mean two rows; a dump cannot be restored.
Cure: REINDEX. If rows repeat, the constraint and the foreign keys to it are dropped, the rows are settled (see
duplicate-key, duplicate-row and duplicate-values), and both are added again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fixer.defects import _walk as walk
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Hazard, Lock, Part, Phase, Repair, Step, refuse
from fixer.model.subject import StrayIndex
from fixer.model.table import Failure, ForeignKey, QName
from fixer.model.table import Index as FoundIndex
from fixer.repair.rows import counted
from fixer.sql import compose as q
from fixer.sql.alter import drop_constraint, drop_foreign_key, dropping
from fixer.sql.compose import SQL

if TYPE_CHECKING:
    import sqlalchemy as sa

SLUG = "failing-unique"
STAGE = Stage.COLUMNS
POINT = 4


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[StrayIndex]]:
    """Yield the valid unique indexes of the contract's tables that fail."""
    for _, table in walk.tables(actual, contract, alike=True):
        for index in table.indexes if table.failing else ():
            failure = table.failing.get(index.name)
            if failure and (failure.lacks or not (failure.repeats and index.disabled_triggers)):  # see disabled-unique
                message = f"{table.name.name} should have each {index.what} once, {_state(index, failure)}"
                rows = failure.repeats or failure.lacks
                yield Finding(SLUG, 1 if index.primary else POINT, StrayIndex(table.name, index), message, rows=rows)


def _state(index: FoundIndex, failure: Failure) -> str:
    """Return in words how an index fails."""
    if failure.repeats:
        return f"has rows that repeat it under {index.name}, which is valid by the catalogue"
    if failure.lacks:
        return f"{index.name} does not show {counted(failure.lacks)}"
    return f"{index.name} is not in order"


def repair(finding: Finding[StrayIndex], actual: Schema, contract: Contract) -> Repair:
    """Build the index anew; if rows repeat, drop what stands on it, so that it is added again once they are settled."""
    index, table = finding.about.found, actual.tables[finding.table]
    if not table.failing[index.name].repeats:
        if table.inherits:
            return refuse(f"run REINDEX TABLE {q.quoted(table.name)}, outside a transaction, and check again")
        return Repair.of([_rebuilt(table.name, index)])
    keys = _on(index, finding.table, actual)
    if other := next((key for key in keys if not _is_wanted(key, contract)), None):
        drop = dropping(other.table, other.name)
        return refuse(f"a foreign key that the contract lacks stands on it: {drop}, and add it again afterwards")
    return Repair.of(_dropped(index, finding.table, keys))


def _rebuilt(table: QName, index: FoundIndex) -> Part:
    name = q.name(QName(table.schema, index.name))
    title = f"build the index {index.name} of {table.name} anew"
    step = Step(Phase.RELEASE, table, title, SQL("REINDEX INDEX {}").format(name))
    lightly = SQL("REINDEX INDEX CONCURRENTLY {}").format(name)
    return step.online_as((replace(step, sql=lightly, lock=Lock.SHARE_UPDATE_EXCLUSIVE, concurrent=True),))


def _on(index: FoundIndex, table: QName, actual: Schema) -> list[ForeignKey]:
    """Return the foreign keys that may stand on an index."""
    return [key for key in actual.incoming(table) if set(key.target_columns) == set(index.columns)]


def _is_wanted(key: ForeignKey, contract: Contract) -> bool:
    return any(each.table == key.table and each.points_as(key) for each in contract.foreign_keys())


def _dropped(index: FoundIndex, table: QName, keys: Iterable[ForeignKey]) -> Iterator[Step]:
    hazard = Hazard.REPLACES_CONSTRAINT
    for key in keys:
        yield drop_foreign_key(key, "to be added again after the key it uses", hazard=hazard)
    title = f"drop {index.name} of {table.name}, under which rows repeat"
    if index.constraint:
        yield drop_constraint(table, index.name, title, hazard=hazard)
    else:
        drop = SQL("DROP INDEX {}").format(q.name(QName(table.schema, index.name)))
        yield Step(Phase.RELEASE, table, title, drop, hazard=hazard)


def foresee(finding: Finding[StrayIndex], actual: Schema, contract: Contract) -> Schema:
    """Return the schema without the constraint and the foreign keys to it, if rows repeat."""
    index, name = finding.about.found, finding.table
    if not actual.tables[name].failing[index.name].repeats:
        return actual
    actual = actual.without_foreign_keys(frozenset((k.table, k.name) for k in _on(index, name, actual)))
    table = actual.tables[name]
    kept = tuple(other for other in table.indexes if other.name != index.name)
    names = actual.names - {QName(name.schema, index.name)}
    return replace(actual.with_table(replace(table, indexes=kept)), names=names)


def _members() -> sa.MetaData:
    """Return a contract with uniques of every kind."""
    import sqlalchemy as sa

    metadata = sa.MetaData()
    members = sa.Table(
        "members",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(100), nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("gone", sa.Boolean, nullable=False, server_default="false"),
        sa.UniqueConstraint("code", name="members_code_key", deferrable=True, initially="DEFERRED"),
    )
    sa.Index("members_lower", sa.func.lower(members.c.email), unique=True)
    sa.Index("members_here", members.c.email, unique=True, postgresql_where=sa.text("NOT gone"))
    return metadata


MEMBER_ROWS = (
    "INSERT INTO members (email, code) SELECT 'm' || g || '@example.invalid', nullif('c' || g, 'c3')"
    " FROM generate_series(1, 9) AS g"
)


def _behind(index: str, statements: str, mark: str = "SET indisready = {0}, indisvalid = {0}") -> str:
    """Return statements that write rows while the catalogue does not call an index ready or, by `mark`, unique."""
    update = f"UPDATE pg_index {mark} WHERE indexrelid = '{index}'::regclass"
    return "; ".join((update.format("false"), statements, update.format("true")))


UNIQUE = "SET indisunique = {}"
REPLACES = frozenset({"replaces-constraint"})
SPECIMENS = (
    Specimen(
        "rows that it does not show",
        _behind("authors_name_key", "INSERT INTO authors (name) VALUES ('nobody'), ('nobody else')"),
        rows=2,
        superuser=True,
        deep=True,
    ),
    Specimen(
        "a key with references, of which it shows one row",
        _behind("authors_pkey", "INSERT INTO authors (id, name) VALUES (5, 'nobody')"),
        hazards=REPLACES | {"rewrites-values"},
        rows=1,
        also=frozenset({"duplicate-key"}),
        superuser=True,
        deep=True,
        final=True,
    ),
    Specimen(
        "identical rows under a key that was not unique",
        _behind("reviews_pkey", "INSERT INTO reviews SELECT * FROM reviews WHERE id < 4", UNIQUE),
        hazards=REPLACES | {"moves-rows"},
        rows=3,
        quarantined=3,
        also=frozenset({"duplicate-row"}),
        superuser=True,
        deep=True,
        final=True,
    ),
    Specimen(
        "values that repeat",
        _behind("authors_name_key", "UPDATE authors SET name = 'author 4' WHERE id = 12", UNIQUE),
        hazards=REPLACES | {"moves-rows", "rewrites-values"},
        rows=1,
        quarantined=7,
        also=frozenset({"duplicate-values"}),
        superuser=True,
        deep=True,
        final=True,
    ),
    Specimen(
        "expressions that repeat",
        _behind("members_lower", "INSERT INTO members (email, gone) VALUES ('M1@example.invalid', true)"),
        rows=1,
        also=frozenset({"duplicate-values"}),
        superuser=True,
        deep=True,
        manual=True,
        contract=_members,
        setup=MEMBER_ROWS,
    ),
    Specimen(
        "rows that a partial and a deferrable one do not show",
        _behind(
            "members_here",
            _behind("members_code_key", "INSERT INTO members (email, code) VALUES ('n@example.invalid', 'n')"),
        ),
        rows=2,
        superuser=True,
        deep=True,
        contract=_members,
        setup=MEMBER_ROWS,
    ),
)
NEAR_MISSES = (
    Specimen("rows that were moved about", "UPDATE authors SET country = 'XX'; DELETE FROM reviews WHERE id < 9"),
    Specimen(
        "NULLs, and rows that a partial one leaves out",
        "INSERT INTO members (email, gone) VALUES ('x', true); UPDATE members SET gone = true, code = NULL",
        contract=_members,
        setup=MEMBER_ROWS,
    ),
)
