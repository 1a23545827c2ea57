"""Several indexes or uniques of a table say the same.

Costs: each write keeps all of them, and each takes space.
Cure: a person drops those that are not needed. Nothing is broken, so this is only information.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from fixer.defects import _walk as walk
from fixer.defects._rooms import ROOM_ROWS, rooms
from fixer.model.contract import Contract
from fixer.model.defect import Specimen, Stage
from fixer.model.finding import Finding
from fixer.model.schema import Schema
from fixer.model.step import Repair, refuse
from fixer.model.subject import OfTable
from fixer.model.table import Index, Table
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Composable
from fixer.sql.conditions import tail_meaning
from fixer.sql.uniques import removal

SLUG = "repeated-index"
POINT = 4
STAGE = Stage.PARTS
NAMED = 3  # so many of them a message names


def detect(actual: Schema, contract: Contract) -> Iterable[Finding[OfTable]]:
    """Yield what several valid indexes of a table say alike, more often than the contract does."""
    for wanted, table in walk.tables(actual, contract):
        meant = Counter(_says(index, table) for index in wanted.indexes)
        alike = defaultdict[object, list[Index]](list)
        for index in table.indexes:
            alike[_says(index, table)] += [index] if index.valid else []
        for said, indexes in alike.items():
            if len(indexes) > max(1, meant[said]):
                yield _finding(table, sorted(indexes, key=lambda index: (not index.primary, index.name)))


def _says(index: Index, table: Table) -> object:
    late = (index.deferrable, index.deferred)
    return index.unique, tail_meaning(index.exclusion or index.tail, table), late


def _finding(table: Table, indexes: list[Index]) -> Finding[OfTable]:
    first, *others = indexes
    what = first.exclusion or f"{'UNIQUE' if first.unique else 'an index'} {first.tail.removeprefix('USING btree ')}"
    named = ", ".join(index.name for index in others[:NAMED]) + (", …" if len(others) > NAMED else "")
    message = f"{table.name.name} needs {what} once, has it {len(indexes)} times: {first.name}, {named}"
    why = refuse(f"drop those that no foreign key uses, such as by: {removal(others[-1], table.name)}")
    return Finding(SLUG, POINT, OfTable(table.name), message, severity="info", repair=why, aspect=what)


def repair(finding: Finding[OfTable], actual: Schema, contract: Contract) -> Repair:
    """Refuse, as `detect` says."""
    return finding.repair


SPECIMENS = (
    Specimen(
        "a unique three times", "ALTER TABLE authors ADD UNIQUE (name), ADD CONSTRAINT odd UNIQUE (name)", manual=True
    ),
    Specimen(
        "an exclusion twice",
        "ALTER TABLE rooms ADD EXCLUDE USING btree (place WITH =) DEFERRABLE INITIALLY DEFERRED",
        contract=rooms,
        setup=ROOM_ROWS,
        manual=True,
    ),
    Specimen("an index twice", "CREATE INDEX odd ON books (editor_id)", manual=True),
    Specimen(
        "an index that the contract does not know, twice",
        "CREATE INDEX ON books (pages); CREATE INDEX ON books (pages)",
        manual=True,
    ),
)
NEAR_MISSES = (
    Specimen("an index whose columns begin another", "CREATE INDEX odd ON books (editor_id, id)"),
    Specimen("a partial one beside", "CREATE INDEX odd ON books (editor_id) WHERE id > 3"),
)


def mutate(table: Table) -> Iterator[Composable]:
    """Yield statements that plant it in a table: add an index again."""
    for index in table.indexes:
        if not index.constraint:
            unique = SQL("UNIQUE " if index.unique else "")
            yield SQL("CREATE {}INDEX ON {} {}").format(unique, q.name(table.name), SQL(index.tail))
