"""What a finding says of its subject, and what may be a defect class."""

from __future__ import annotations

from types import ModuleType

import pytest

from fixer import defects
from fixer.model.finding import Finding
from fixer.model.subject import (
    ColumnUnderIndex,
    OfCheck,
    OfColumn,
    OfDefaultRow,
    OfForeignKey,
    OfIndex,
    OfPrimaryKey,
    OfTable,
    StrandedColumn,
    StrayIndex,
    Subject,
    Unreadable,
    WantedColumn,
)
from fixer.model.table import Check, Column, ForeignKey, Index, QName

BOOKS = QName("public", "books")
INDEX = Index("ix", ("title", "id"), "USING btree (title, id)")
LOWER = Index("ix", ("", "id"), "USING btree (lower(title), id)")
CHECK = Check("positive", "(price > 0)", ("price",))
PAIR = ForeignKey("fk", BOOKS, ("tenant", "author"), QName("public", "authors"), ("tenant", "id"))
SUBJECTS: dict[str, tuple[Subject, str, str | None, object]] = {
    "a table": (OfTable(BOOKS), "public.books", None, None),
    "a column": (OfColumn(BOOKS, "title"), "public.books.title", "title", None),
    "a wanted column": (WantedColumn(BOOKS, Column("title", "text")), "public.books.title", "title", None),
    "a column under an index": (ColumnUnderIndex(BOOKS, "title", INDEX), "public.books.title", "title", INDEX),
    "a primary key": (OfPrimaryKey(BOOKS, INDEX), "public.books", None, INDEX),
    "an index": (OfIndex(BOOKS, INDEX), "public.books.ix", "title", INDEX),
    "an index that begins with an expression": (OfIndex(BOOKS, LOWER), "public.books.ix", None, LOWER),
    "an index that nobody wants": (StrayIndex(BOOKS, INDEX), "public.books.ix", None, None),
    "a check": (OfCheck(BOOKS, CHECK), "public.books.positive", None, CHECK),
    "a foreign key": (OfForeignKey(PAIR), "public.books.tenant,author", "tenant,author", PAIR),
    "a column whose key is gone": (StrandedColumn(PAIR, "author"), "public.books.author", "author", PAIR),
    "a default row": (OfDefaultRow(BOOKS, {}), "public.books", None, {}),
    "rows that cannot be read": (Unreadable(BOOKS, OfCheck(BOOKS, CHECK)), "public.books", None, CHECK),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_finding_names_what_it_is_about(subject: str) -> None:
    about, called, column, part = SUBJECTS[subject]
    finding = Finding("some-defect", 4, about, "it should be otherwise")

    assert (finding.table, finding.object, finding.column, finding.part) == (BOOKS, called, column, part)


def test_a_module_that_lacks_something_is_no_defect_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "import_module", ModuleType)

    with pytest.raises(TypeError, match="is no defect class"):
        defects.all_classes.__wrapped__()
