"""Conditions for rows that leave a table after others, and the reason that is kept with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fixer.model.table import ForeignKey, QName, Table
from fixer.model.values import dataclass
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable, Composed, Gone, Identifier, Literal


class Before(Composed):
    """A condition over tables as they are before the plan converts or adds a column, whatever stands around it."""


def before(table: QName, condition: Composable) -> Before:
    """Return the condition that the row, whatever it has become, fulfilled another one then."""
    then = SQL("SELECT t.tableoid, t.ctid FROM {} AS t WHERE {}").format(q.name(table), condition)
    return Before([SQL("(t.tableoid, t.ctid) IN ("), Gone(then), SQL(")")])


def orphaned(key: ForeignKey, parents: Composable | None = None) -> Composed:
    """Return the condition that the row has no parent; `parents` may stand in for the parent table."""
    given = q.not_null(key.columns)
    if key.match == "f":  # a row with only some of its columns NULL is an orphan too
        given = q.any_of(SQL("{} IS NOT NULL").format(q.column(column)) for column in key.columns)
    return SQL("({}) AND NOT EXISTS (SELECT FROM {} WHERE {})").format(
        given,
        parents or SQL("{} AS p").format(q.name(key.target)),
        q.equal(key.target_columns, key.columns, "p", "t", key.equalities),
    )


def truly_orphaned(key: ForeignKey, table: Table | None, parents: Composable | None = None) -> Composable:
    """Return `orphaned`, also where PostgreSQL 18 leaves out IS NOT NULL although a partition's is NOT VALID."""
    if table is None or not set(key.columns) & table.unproved_below.keys():
        return orphaned(key, parents)
    return SQL("{} AND {}").format(orphaned(key, parents), references(key))


def references(key: ForeignKey) -> Composed:
    """Return the condition that the row references something, which PostgreSQL always looks at."""
    counted = "pg_catalog.num_nonnulls({}) > 0" if key.match == "f" else "pg_catalog.num_nulls({}) = 0"
    return SQL(counted).format(q.columns(key.columns))


def under(key: ForeignKey, condition: Composable, *, itself_stays: bool = False) -> Composed:
    """Return the condition that the row references one that fulfils `condition`, and with `itself_stays` is not one."""
    gone = SQL("SELECT {} FROM {} AS t WHERE {}").format(q.columns(key.target_columns), q.name(key.target), condition)
    among = q.among_values(key.columns, Gone(gone), key.equalities, "gone")
    return SQL("{} AND ({}) IS NOT TRUE").format(among, condition) if itself_stays else among


class Link(Protocol):
    """How rows reference others by a foreign key whose columns do not mean them yet."""

    @property
    def carried(self) -> tuple[str, ...]:
        """The columns of a row that others mean."""

    def on(self, child: str, parent: str) -> Composable:
        """Return the condition that one row means another, by their aliases."""


Links = Mapping[ForeignKey, Link]


def _on(links: Links | None, key: ForeignKey, child: str, parent: str) -> Composable:
    return links[key].on(child, parent) if links and key in links else q.referencing(key, child, parent)


def with_descendants(keys: Sequence[ForeignKey], condition: Composable, links: Links | None = None) -> Composable:
    """Return the condition for these rows and their descendants within the same table, by any of its keys to itself.

    It compares table and place, because the same place is another row in each partition.
    """
    if not keys:
        return condition
    named = (links[key].carried if links and key in links else key.target_columns for key in keys)
    targets = dict.fromkeys(column for each in named for column in each)
    gone = SQL(
        "WITH RECURSIVE gone AS"
        " (SELECT t.tableoid AS part, t.ctid AS place, {columns} FROM {table} AS t WHERE {condition}"
        " UNION SELECT t.tableoid, t.ctid, {columns} FROM {table} AS t JOIN gone ON {link})"
        " SELECT part, place FROM gone"
    ).format(
        columns=q.columns(targets),
        table=q.name(keys[0].table),
        condition=condition,
        link=q.any_of(_on(links, key, "t", "gone") for key in keys),
    )
    return SQL("(t.tableoid, t.ctid) IN ({})").format(Gone(gone))


@dataclass(frozen=True)
class Turns:
    """Rows of a table, and all that follow them by `keys` of several tables, which may reference each other by turns.

    If they are all `indexed`, followers are looked up row by row; otherwise the tables are joined once.
    """

    keys: tuple[ForeignKey, ...]
    start: QName
    indexed: bool
    links: Links | None = None

    def rows(self, condition: Composable) -> Composable:
        """Return the condition that `t`, a row of any of the tables, is one of them; `condition` is for the first."""
        gone = SQL("{} SELECT part, place FROM gone").format(self._gone(condition))
        return SQL("(t.tableoid, t.ctid) IN ({})").format(Gone(gone))

    def circle(self, condition: Composable) -> Composable:
        """Return the SELECT whether two of them, in different tables, follow each other."""
        return SQL(
            "{gone}, way AS (SELECT g.part AS from_part, g.place AS from_place, c.part, c.place, c.crosses"
            " FROM gone AS g {first}"
            " UNION SELECT w.from_part, w.from_place, c.part, c.place, w.crosses OR c.crosses FROM way AS w {further})"
            " SELECT EXISTS (SELECT FROM way WHERE from_part = part AND from_place = place AND crosses)"
        ).format(gone=self._gone(condition), first=self._followed("g"), further=self._followed("w"))

    def _gone(self, condition: Composable) -> Composable:
        return SQL(
            "WITH RECURSIVE {links}gone AS ("
            "SELECT t.tableoid AS part, t.ctid AS place FROM {table} AS t WHERE {condition}"
            " UNION SELECT c.part, c.place FROM gone AS g {followed})"
        ).format(
            links=SQL("" if self.indexed else "link AS MATERIALIZED ({}), ").format(self._links(SQL(""))),
            table=q.name(self.start),
            condition=condition,
            followed=self._followed("g"),
        )

    def _followed(self, of: str) -> Composable:
        """Return the join of each row `of` with those that reference it, as `c`."""
        if not self.indexed:
            same = "JOIN link AS c ON c.from_part = {of}.part AND c.from_place = {of}.place"
            return SQL(same).format(of=Identifier(of))
        place = SQL(" WHERE p.tableoid = {of}.part AND p.ctid = {of}.place").format(of=Identifier(of))
        return SQL("CROSS JOIN LATERAL ({}) AS c").format(self._links(place))

    def _links(self, where: Composable) -> Composable:
        """Return the SELECT for pairs of a row and one that references it by one of the keys."""
        each = SQL(
            "SELECT p.tableoid AS from_part, p.ctid AS from_place, t.tableoid AS part, t.ctid AS place,"
            " {crosses} AS crosses FROM {child} AS t JOIN {parent} AS p ON {same}{where}"
        )
        return SQL(" UNION ALL ").join(
            each.format(
                crosses=Literal(key.table != key.target),
                child=q.name(key.table),
                parent=q.name(key.target),
                same=_on(self.links, key, "t", "p"),
                where=where,
            )
            for key in self.keys
        )


def reason_under(key: ForeignKey) -> Composed:
    """Return the reason for a row that goes after its parent; it names the parent by what the row holds."""
    parts: list[Composable] = []
    for target, column in zip(key.target_columns, key.columns, strict=True):
        parts += [Literal(f"{', ' if parts else ''}{target} "), q.column(column)]
    return SQL("pg_catalog.concat({}, {}, {})").format(
        Literal(f"its row of {key.target.name} ("), SQL(", ").join(parts), Literal(") is in quarantine")
    )


def reason_of(keys: Sequence[ForeignKey], condition: Composable, reason: Composable, whole: Composable) -> Composable:
    """Return the reason for each row of a table and its descendants: its own, or the parent that goes as well."""
    if not keys:
        return reason
    return SQL("CASE WHEN {} THEN {} ELSE {} END").format(condition, reason, reason_after(keys, whole))


def reason_after(keys: Sequence[ForeignKey], gone: Composable) -> Composable:
    """Return the reason for each row that goes after its parent: the first of these keys whose parent is `gone`."""
    *first, last = keys
    ways = [SQL("WHEN {} THEN {}").format(under(key, gone), reason_under(key)) for key in first]
    return SQL("CASE {} ELSE {} END").format(SQL(" ").join(ways), reason_under(last)) if ways else reason_under(last)
