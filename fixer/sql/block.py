"""SQL bodies of more than a few lines: they are files in the folder blocks, to be read and edited as SQL.

In a file, `{name}` is a placeholder for composed SQL. Lines of comment are for the reader, and are not sent.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.sql import SQL, Composable, Composed, Literal

from fixer.model.expression.digest import sha256
from fixer.model.expression.patterns import pattern


def written(file: str, /, **parts: Composable) -> Composed:
    """Return the SQL in a file of the folder blocks, with these parts for its placeholders."""
    return _body(file).format(**parts)


def block(file: str, /, **parts: Composable) -> Block:
    """Return the anonymous block whose body is the SQL that `written` returns."""
    return Block(written(file, **parts))


@cache
def _body(file: str) -> SQL:
    text = (Path(__file__).parent / "blocks" / f"{file}.sql").read_text(encoding="utf-8")
    return SQL("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")))


class Gone(Composed):
    """A SELECT for some rows that refers to nothing around it, so that it may be asked once for all that contain it."""


class Quoted(Composable):
    """A body as a dollar-quoted text, under a tag that the body does not contain."""

    def __init__(self, body: Composable) -> None:
        super().__init__(body)
        self._body = body

    def as_string(self, context: Connection | Cursor) -> str:
        """Return the quoted body."""
        body = self._body.as_string(context)
        tag = "$fixer$"
        while tag in body:
            tag = f"{tag[:-1]}_$"
        return f"{tag}\n{body}\n{tag}"


class Block(Quoted):
    """An anonymous block (DO), for statements whose text depends on what they find when they run."""

    def as_string(self, context: Connection | Cursor) -> str:
        """Return the DO statement."""
        return f"DO {super().as_string(context)}"


class Own(Composable):
    """The call of a database's own function by a default; the function may need the application's search_path.

    So it runs under the session's own search_path, in a function that `made` creates first.
    """

    def __init__(self, call: str, type_: str) -> None:
        super().__init__((call, type_))
        self._name = f"pgmend_default_{sha256(f'{type_} {call}')[:12]}"
        self._call, self._type = call, type_

    @classmethod
    def is_call(cls, default: str) -> bool:
        """Return whether a default is nothing but a call of a function that is not PostgreSQL's own."""
        bare = _QUOTED.sub(lambda found: "" if found[0].startswith("'") else '"name"', default)
        return bool(_CALL.match(bare)) and not set(bare) & set("+-*/<>=~!@#%^&|`?")

    @property
    def made(self) -> Block:
        """The block that creates the function, for this session only."""
        body = Literal(f"BEGIN RETURN {self._call}; END")
        type_ = SQL(self._type.replace("'", "''"))
        return block("columns/own_default", type=type_, name=Literal(self._name), body=body)

    def as_string(self, context: Connection | Cursor) -> str:
        """Return the call of that function."""
        return f'pg_temp."{self._name}"()'


class Drawn(Composable):
    """A number that a default gives to an old row, as a new row gets it: only if no row has it yet.

    Nothing else could tell that a function is behind the rows of its table.
    """

    def __init__(self, number: Composable, complaint: str) -> None:
        super().__init__((number, complaint))
        self._number, self.complaint = number, complaint

    @property
    def made(self) -> Composable:
        """The blocks that create what it calls, for this session only."""
        taken = block("columns/taken")
        return SQL("{};\n{}").format(self._number.made, taken) if isinstance(self._number, Own) else taken

    def as_string(self, context: Connection | Cursor) -> str:
        """Return the number."""
        return self._number.as_string(context)


_QUOTED = pattern(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_CALL = pattern(r'(?:"name"|\w+)\.(?:"name"|\w+)\([^()]*\)$')
