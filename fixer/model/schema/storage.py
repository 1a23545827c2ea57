"""How a table or a column is stored and sampled, where that is not the server's default."""

from __future__ import annotations

from fixer.model.table import QName
from fixer.model.values import dataclass


@dataclass(frozen=True)
class Stored:
    """An option of a table, such as fillfactor, or of a `column`: its STATISTICS, STORAGE or COMPRESSION."""

    table: QName
    column: str  # empty: the table itself
    what: str
    value: str
