"""Questions in which the rows that go have names, so that PostgreSQL plans what many conditions contain only once.

It copies a subquery for each one around it: along a chain of tables, whose rows go after each other, that takes more
memory with each table. A common table expression is planned alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fixer.compare.sessions import ROOM, Row, Session, together
from fixer.model.values import dataclass
from fixer.sql.compose import SQL, Composable, Composed, Gone, Identifier

_ALONE = SQL("{}")
_ROOM = ROOM // 3  # characters of a statement with names, in which subqueries are many and small
_Names = Mapping[str, None]  # in the order in which they can be defined


@dataclass(frozen=True)
class Question:
    """SQL with names for the rows that go, and what it would be without."""

    text: str
    names: _Names
    size: int  # characters without names
    weight: int  # these, each once more for every subquery around it

    @classmethod
    def of(cls, parts: Iterable[Question]) -> Question:
        """Return the parts one after the other."""
        found = list(parts)
        names = dict.fromkeys(name for part in found for name in part.names)
        sizes, weights = sum(part.size for part in found), sum(part.weight for part in found)
        return cls("".join(part.text for part in found), names, sizes, weights)


class Namer:
    """Names the rows that go in the questions of a session, those of equal conditions alike."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: dict[str, str] = {}  # by what they stand for
        self._meaning: dict[str, str] = {}  # by name
        self._known: dict[int, tuple[Composable, Question]] = {}  # by identity, and the object that makes it sure

    def read(self, statement: Composable) -> Question:
        """Return a statement with names."""
        if not isinstance(statement, Composed):
            text = statement.as_string(self._session.cursor)
            return Question(text, {}, len(text), len(text))
        if id(statement) not in self._known:
            whole = Question.of(map(self.read, statement))
            named = self._named(whole) if isinstance(statement, Gone) else whole
            self._known[id(statement)] = statement, named
        return self._known[id(statement)][1]

    def _named(self, gone: Question) -> Question:
        name = self._names.setdefault(gone.text, f"pgmend_gone_{len(self._names)}")
        self._meaning[name] = gone.text
        text = SQL("SELECT * FROM {}").format(Identifier(name)).as_string(self._session.cursor)
        return Question(text, {**gone.names, name: None}, gone.size, gone.weight + gone.size)

    def ask(self, questions: Sequence[Question]) -> Iterator[Row]:
        """Yield the rows of all questions, asked in no more statements than PostgreSQL has room to plan."""
        part = list[Question]()
        for question in questions:
            if part and self.size([*part, question]) > _ROOM:
                yield from self._session.ask(self.together(part))
                part = []
            part.append(question)
        if part:
            yield from self._session.ask(self.together(part))

    def size(self, questions: Sequence[Question]) -> int:
        """Return the characters of one statement for these questions."""
        return sum(len(each.text) for each in questions) + sum(len(self._meaning[name]) for name in _names(questions))

    def together(self, questions: Sequence[Question], around: SQL = _ALONE) -> Composed:
        """Return the statement for all questions, within a query `around` them."""
        asked = around.format(together([SQL(each.text) for each in questions]))
        known = [
            SQL("{} AS MATERIALIZED ({})").format(Identifier(name), SQL(self._meaning[name]))
            for name in _names(questions)
        ]
        return SQL("WITH {}\n{}").format(SQL(",\n").join(known), asked) if known else asked


def _names(questions: Iterable[Question]) -> _Names:
    """Return the names in some questions, each after those that it contains."""
    return dict.fromkeys(name for each in questions for name in each.names)
