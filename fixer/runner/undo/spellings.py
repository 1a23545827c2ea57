"""Finds texts that PostgreSQL reads as the definitions that were there: some of its own it reads as something else.

It spells ``kind IN ('a', 'b')`` over a varchar as ``… ANY ((ARRAY['a'::character varying, …])::text[])``. Reading that,
it applies the cast to each element, and spells the result differently. Without the cast, it reads what was there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from fixer.connect.failures import told
from fixer.model.expression.patterns import pattern
from fixer.model.step import JOURNAL
from fixer.model.table import QName
from fixer.runner.journal.definitions import Definitions, Item, Key
from fixer.sql import compose as q
from fixer.sql.compose import SQL, Identifier

_CAST = pattern(r'\)::(?:"(?:[^"]|"")+"|[\w .(),])+?\[\]')
_PART = pattern(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|.""", re.DOTALL)

log = logging.getLogger("pgmend.undo")


def as_read(cursor: Cursor, then: Definitions, lacking: frozenset[Key]) -> Definitions:
    """Return the definitions; those that are lacking get a text that is read as what was there, if one is known."""
    items = {item.key: _as_read(cursor, then, item) for item in _doubtful(then, lacking)}
    return replace(then, items={**then.items, **items})


def _doubtful(then: Definitions, lacking: frozenset[Key]) -> Iterator[Item]:
    for item in then.items.values():
        parsed = item.key in lacking and item.kind in ("constraint", "index") and item.of in then.relations
        if parsed and without_casts(item.detail["definition"]) != item.detail["definition"]:
            yield item


def _as_read(cursor: Cursor, then: Definitions, item: Item) -> Item:
    """Return the item without casts, if an empty copy of its table shows that this is read as what was there."""
    other = replace(item, detail={**item.detail, "definition": without_casts(item.detail["definition"])})
    cursor.execute("SAVEPOINT pgmend_spelling")
    try:
        same = _tail(cursor, item, then.table(item.of)) == _on_a_copy(cursor, other, then.table(item.of))
    except psycopg2.Error as error:
        log.info("the spelling of %s is taken as it is: %s", item.name, told(error))
        same = False
    cursor.execute("ROLLBACK TO SAVEPOINT pgmend_spelling; RELEASE SAVEPOINT pgmend_spelling")
    return other if same else item


def _on_a_copy(cursor: Cursor, item: Item, table: QName) -> str:
    """Return how PostgreSQL spells a definition that it has read, for an empty copy of the table."""
    copy = QName(JOURNAL, table.name)  # of the same name: a definition may use it for the whole row
    cursor.execute(SQL("CREATE TABLE {} (LIKE {})").format(q.name(copy), q.name(table)))
    if item.kind == "constraint":
        add = SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        cursor.execute(add.format(q.name(copy), Identifier(item.name), SQL(item.detail["definition"])))
        spelt = (
            "SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"
            " WHERE conrelid = %s::pg_catalog.regclass AND conname = %s"
        )
    else:
        unique = "UNIQUE " if item.detail["definition"].startswith("CREATE UNIQUE") else ""
        create = SQL(f"CREATE {unique}INDEX {{}} ON {{}} USING {{}}")
        cursor.execute(create.format(Identifier(item.name), q.name(copy), SQL(_tail(cursor, item, table))))
        spelt = (
            "SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i"
            " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = %s::pg_catalog.regclass AND c.relname = %s"
        )
    cursor.execute(spelt, (q.quoted(copy), item.name))
    (text,) = cursor.fetchone() or ("",)
    return _tail(cursor, replace(item, detail={"definition": text}), copy)


def _tail(cursor: Cursor, item: Item, table: QName) -> str:
    """Return the definition of a constraint, or what follows the table in the definition of an index."""
    text = str(item.detail["definition"])
    if item.kind == "constraint":
        return text
    cursor.execute("SELECT pg_catalog.format('%%I.%%I USING ', %s::text, %s::text)", table)
    (home,) = cursor.fetchone() or ("",)
    return text.partition(home)[2]


def without_casts(text: str) -> str:
    """Return a definition without the casts of its arrays, ``(ARRAY[…])::type[]``."""
    parts = [(match[0], match.start()) for match in _PART.finditer(text)]
    for place, (_, start) in enumerate(parts):
        if not text.startswith("(ARRAY[", start):
            continue
        depth = 0
        for part, at in parts[place + 1 :]:
            depth += (part == "[") - (part == "]")
            if part == "]" and depth == 0:
                if cast := _CAST.match(text, at + 1):
                    inner = without_casts(text[start + 1 : at + 1])
                    return text[:start] + inner + without_casts(text[cast.end() :])
                break
    return text
