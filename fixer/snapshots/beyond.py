"""What a dump of a schema cannot carry: read from the catalogue of the target, and said in statements for a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any  # rows of psycopg2

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.model.values import dataclass
from fixer.sql.compose import SQL, Composable, Composed, Identifier, Literal

# Objects of the application: not of PostgreSQL, and not of an extension, which makes its own.
OURS = """
n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
AND NOT EXISTS (SELECT FROM pg_depend AS x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid
                AND x.deptype = 'e')
"""
_ROLES = """
SELECT r.rolname FROM pg_roles AS r
 WHERE r.rolname !~ '^pg_' AND (r.oid = 10 OR EXISTS (
       SELECT FROM pg_shdepend AS s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
          AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())))
 ORDER BY 1
"""
# Triggers that PostgreSQL made for constraints, where they do not fire as they are made.
_SLEEPING = """
SELECT n.nspname, c.relname, kn.nspname, kc.relname, k.conname, p.proname, t.tgname, t.tgenabled::text
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_constraint AS k ON k.oid = t.tgconstraint JOIN pg_class AS kc ON kc.oid = k.conrelid
  JOIN pg_namespace AS kn ON kn.oid = kc.relnamespace JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE t.tgisinternal AND t.tgenabled <> 'O'
 ORDER BY 1, 2, 5, 6
"""
_INDEXES = """
SELECT n.nspname, c.relname, c.relkind::text, tn.nspname, t.relname, pg_get_indexdef(c.oid),
       i.indisunique, i.indisvalid, i.indisready, i.indislive,
       k.conname, k.contype::text, k.condeferrable, k.condeferred, pn.nspname, p.relname
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_constraint AS k ON k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_inherits AS h ON h.inhrelid = c.oid
  LEFT JOIN pg_class AS p ON p.oid = h.inhparent LEFT JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND {OURS}
 ORDER BY c.relkind, c.oid
""".replace("{OURS}", OURS)  # those of leaf tables first
_SETTINGS = """
SELECT unnest(s.setconfig) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
 WHERE s.setrole = 0 AND d.datname = current_database()
"""
_VIEWS = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND c.relispopulated AND {OURS} ORDER BY c.oid
""".replace("{OURS}", OURS)
_SEQUENCES = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND {OURS} ORDER BY 1, 2
""".replace("{OURS}", OURS)
# From PostgreSQL 18 on, pg_dump writes NOT NULL where there is a constraint for it.
_UNSAID = """
SELECT n.nspname, c.relname, a.attname
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND {OURS}
   AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
                      AND a.attnum = ANY (k.conkey))
 ORDER BY 1, 2, 3
""".replace("{OURS}", OURS)
_AGED = """
SELECT datcollversion FROM pg_database
 WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)
"""
_LEFT = """
SELECT 'large objects', count(*) FROM pg_largeobject_metadata UNION ALL
SELECT 'rows of foreign tables (tables)', count(*) FROM pg_foreign_table UNION ALL
SELECT 'user mappings', count(*) FROM pg_user_mappings UNION ALL
SELECT 'subscriptions', count(*) FROM pg_stat_subscription UNION ALL
SELECT 'rows that extensions keep (tables)', count(*)
  FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
 WHERE c.relkind = 'r'
"""

_NULLABLE = (
    "UPDATE pg_catalog.pg_attribute SET attnotnull = {} WHERE attrelid = {}::pg_catalog.regclass AND attname = {}"
)
_FLAGS = "UPDATE pg_catalog.pg_index SET {} WHERE indexrelid = {}::pg_catalog.regclass"
_STATES = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_LISTS = ("search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces")
_SLEEP = """
DO $pgmend$
BEGIN
    UPDATE pg_catalog.pg_trigger AS t SET tgname = {trigger}
      FROM pg_catalog.pg_constraint AS k, pg_catalog.pg_proc AS p
     WHERE k.oid = t.tgconstraint AND p.oid = t.tgfoid AND t.tgrelid = {table}::pg_catalog.regclass
       AND k.conrelid = {home}::pg_catalog.regclass AND k.conname = {constraint} AND p.proname = {function};
    EXECUTE pg_catalog.format('ALTER TABLE ONLY %s %s TRIGGER %I', {table}, {state}, {trigger});
END
$pgmend$"""
_SET = """
DO $pgmend$
BEGIN
    EXECUTE pg_catalog.format('ALTER DATABASE %I SET %I = {}', pg_catalog.current_database(), {}, {});
END
$pgmend$"""
_ROLE = """
DO $pgmend$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN
        CREATE ROLE {} NOLOGIN;
    END IF;
END
$pgmend$"""
_AGE = (
    "UPDATE pg_catalog.pg_database SET datcollversion = {}"
    " WHERE datname = pg_catalog.current_database() AND datcollversion IS NOT NULL"
)


def spelt(*name: str) -> Composable:
    """Return the text of a qualified name, as regclass reads it."""
    return Literal(".".join('"' + part.replace('"', '""') + '"' for part in name))


def flagged(index: tuple[str, str], **flags: bool) -> Composed:
    """Return the statement that makes the catalogue say so of an index."""
    said = SQL(", ").join(SQL("{} = {}").format(Identifier(name), Literal(value)) for name, value in flags.items())
    return SQL(_FLAGS).format(said, spelt(*index))


def not_null(table: tuple[str, str], column: str, *, so: bool = True) -> Composed:
    """Return the statement that makes the catalogue say so of a column, whatever its rows hold."""
    return SQL(_NULLABLE).format(Literal(so), spelt(*table), Literal(column))


@dataclass(frozen=True)
class Beyond:
    """What a dump cannot carry: roles that must be there, sequence positions, statements at the end, what is left."""

    roles: tuple[str, ...]
    positions: tuple[Composed, ...]
    indexes: tuple[Composable, ...]
    states: tuple[Composable, ...]
    left: Mapping[str, int]

    def making_roles(self) -> Iterator[Composed]:
        """Yield the statements that create the roles that grants and policies name, where they are lacking."""
        for role in self.roles:
            yield SQL(_ROLE).format(Literal(role), Identifier(role))


def read(cursor: Cursor) -> Beyond:
    """Read what a dump of this database cannot carry, in the transaction of the cursor."""
    ask = _asking(cursor)
    indexes = [*map(_Index._make_of, ask(_INDEXES))]
    states = [*map(_sleeping, ask(_SLEEPING)), *(_refreshed(*row) for row in ask(_VIEWS))]
    states += [_set(*each.partition("=")[::2]) for (each,) in ask(_SETTINGS)]
    if cursor.connection.server_version >= 180000:
        states += [not_null((schema, table), column) for schema, table, column in ask(_UNSAID)]
    if cursor.connection.server_version >= 150000:
        states += [SQL(_AGE).format(Literal(version)) for (version,) in ask(_AGED)]
    return Beyond(
        tuple(role for (role,) in ask(_ROLES)),
        tuple(_positions(cursor, ask(_SEQUENCES))),
        tuple(statement for each in indexes for statement in each.statements()),
        tuple(states),
        {what: count for what, count in ask(_LEFT) if count},
    )


def _asking(cursor: Cursor) -> Callable[[str], Sequence[tuple[Any, ...]]]:
    def ask(query: str) -> Sequence[tuple[Any, ...]]:
        cursor.execute(query)
        return cursor.fetchall()

    return ask


def _positions(cursor: Cursor, names: Sequence[tuple[str, str]]) -> Iterator[Composed]:
    """Yield the statements that set sequences to where they stand; all are asked at once."""
    if not names:
        return
    each = SQL("SELECT {}, last_value, is_called FROM {}")
    asked = (each.format(Literal(place), Identifier(*name)) for place, name in enumerate(names))
    cursor.execute(SQL(" UNION ALL ").join(asked))
    for place, last, called in sorted(cursor.fetchall()):
        setval = SQL("SELECT pg_catalog.setval({}, {}, {})")
        yield setval.format(spelt(*names[place]), Literal(last), Literal(called))


def _sleeping(row: tuple[str, ...]) -> Composed:
    schema, table, home_schema, home, constraint, function, trigger, state = row
    return SQL(_SLEEP).format(
        table=spelt(schema, table),
        home=spelt(home_schema, home),
        constraint=Literal(constraint),
        function=Literal(function),
        trigger=Literal(trigger),
        state=Literal(_STATES[state]),
    )


def _set(name: str, value: str) -> Composed:
    """Return the statement that gives the database a setting; some hold lists, whose members are quoted already."""
    form = SQL("%s" if name in _LISTS and value else "%L")
    return SQL(_SET).format(form, Literal(name), Literal(value))


def _refreshed(schema: str, name: str) -> Composed:
    return SQL("REFRESH MATERIALIZED VIEW {}").format(Identifier(schema, name))


@dataclass(frozen=True)
class _Index:
    """An index that is not valid, which pg_dump leaves out, or makes valid."""

    name: tuple[str, str]
    kind: str
    table: tuple[str, str]
    definition: str
    unique: bool
    flags: Mapping[str, bool]
    constraint: tuple[str, str, bool, bool] | None
    parent: tuple[str, str] | None

    @classmethod
    def _make_of(cls, row: tuple[Any, ...]) -> _Index:
        schema, name, kind, table_schema, table, definition, unique, valid, ready, live, *key, above, parent = row
        flags = {"indisvalid": valid, "indisready": ready, "indislive": live}
        constraint = (key[0], key[1], key[2], key[3]) if key[0] else None
        return cls(
            (schema, name), kind, (table_schema, table), definition, unique, flags, constraint,
            (above, parent) if parent else None,
        )  # fmt: skip

    def statements(self) -> Iterator[Composable]:
        """Yield the statements that make it as it is, whatever rows there are."""
        if self.kind == "i" and not (self.constraint and self.constraint[1] == "x"):
            yield from key_over_rows(self.name, self.table, self.definition, self.constraint)
            if self.parent:
                yield SQL("ALTER INDEX {} ATTACH PARTITION {}").format(Identifier(*self.parent), Identifier(*self.name))
        yield flagged(self.name, **self.flags)


def key_over_rows(
    name: tuple[str, str], table: tuple[str, str], definition: str, constraint: tuple[str, str, bool, bool] | None
) -> Iterator[Composable]:
    """Yield the statements that make an index over rows that break it: plain first, and then it is called unique."""
    unique = definition.startswith("CREATE UNIQUE ")
    yield SQL(definition.replace("CREATE UNIQUE INDEX", "CREATE INDEX", 1))
    if unique:
        yield flagged(name, indisunique=True)
    if constraint:
        called, kind, deferrable, deferred = constraint
        words = "ALTER TABLE ONLY {} ADD CONSTRAINT {} {} USING INDEX {}"
        words += " DEFERRABLE" * deferrable + " INITIALLY DEFERRED" * deferred
        what = SQL("PRIMARY KEY" if kind == "p" else "UNIQUE")
        yield SQL(words).format(Identifier(*table), Identifier(called), what, Identifier(name[1]))
