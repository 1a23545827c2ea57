"""The facts of a schema in the text of pg_dump: what two dumps must share to be the same schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class ColumnFacts:
    type: str
    default: str | None = None  # without casts
    not_null: bool = False
    generator: str | None = None  # "always" or "by default" of identities; "serial" where a sequence is owned
    generated: str | None = None


@dataclass(frozen=True)
class SequenceFacts:
    type: str = "bigint"
    minimum: str | None = None
    maximum: str | None = None
    increment: str = "1"
    cycle: bool = False
    cache: int = 1

    @property
    def ends(self) -> tuple[str | None, str | None]:
        """The bound near which its numbers begin, and the one at which they end; None where it is PostgreSQL's own."""
        return (self.maximum, self.minimum) if self.increment.startswith("-") else (self.minimum, self.maximum)


@dataclass
class TableFacts:
    owner: str = ""
    unlogged: bool = False
    columns: dict[str, ColumnFacts] = field(default_factory=dict)
    primary_key: str | None = None
    uniques: set[tuple[tuple[str, ...], str]] = field(default_factory=set)  # columns, and how
    foreign_keys: list[tuple[str, str]] = field(default_factory=list)  # columns, and all the rest
    checks: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    sequences: dict[str, SequenceFacts] = field(default_factory=dict)  # by the column that owns it


_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_QNAME = rf"({_NAME}\.{_NAME})"


def facts(text: str) -> dict[str, TableFacts]:
    """Return the facts of each table of a dump, by its qualified name as pg_dump quotes it."""
    return read(statements(text))


def read(found: Iterable[str]) -> dict[str, TableFacts]:
    """Return the facts of each table that these statements make."""
    reader = _Reader()
    for statement in found:
        reader.read(statement)
    return reader.finish()


def statements(text: str) -> Iterator[str]:
    """Yield the statements of a dump without comments, rows and psql's own commands."""
    lines, waiting = iter(text.splitlines()), ""
    for line in lines:
        if not waiting and (not line or line.startswith(("--", "\\"))):
            continue
        waiting = f"{waiting}\n{line}" if waiting else line
        if not line.endswith(";") or not _closed(waiting):
            continue
        if waiting.startswith("COPY "):
            for row in lines:
                if row == "\\.":
                    break
        yield waiting.removesuffix(";")
        waiting = ""


def _closed(statement: str) -> bool:
    dollars = re.findall(r"\$(?:[A-Za-z_]\w*)?\$", statement)
    return not (len(dollars) % 2 or statement.count("'") % 2 or statement.count('"') % 2)


class _Reader:
    def __init__(self) -> None:
        self.tables: dict[str, TableFacts] = {}
        self.sequences: dict[str, SequenceFacts] = {}
        self.owned: dict[str, tuple[str, str]] = {}

    def read(self, statement: str) -> None:
        for pattern, handler in self._handlers:
            if match := re.match(pattern, statement, re.DOTALL):
                handler(self, *match.groups())
                return

    def table(self, unlogged: str | None, name: str, body: str) -> None:
        facts = self.tables[name] = TableFacts(unlogged=bool(unlogged))
        for item in _split(body):
            if match := re.match(rf"CONSTRAINT {_NAME} (CHECK .*)$", item, re.DOTALL):
                facts.checks.add(expression(match[1]))
            else:
                column, definition = _column(item)
                facts.columns[column] = definition

    def owner(self, name: str, owner: str) -> None:
        if name in self.tables:
            self.tables[name].owner = owner

    def default(self, table: str, column: str, value: str) -> None:
        self._change(table, column, default=expression(value))

    def not_null(self, table: str, column: str) -> None:
        self._change(table, column, not_null=True)

    def identity(self, table: str, column: str, kind: str, options: str) -> None:
        self._change(table, column, generator=kind.lower())
        self.tables[table].sequences[column] = replace(_sequence(options), type=self.tables[table].columns[column].type)

    def sequence(self, name: str, options: str) -> None:
        self.sequences[name] = _sequence(options)

    def owned_by(self, sequence: str, table: str, column: str) -> None:
        self.owned[sequence] = (table, column)

    def constraint(self, table: str, definition: str) -> None:
        facts, words = self.tables[table], " ".join(definition.split())
        if match := re.match(r"PRIMARY KEY (.*)$", words):
            facts.primary_key = match[1]
        elif match := re.match(r"UNIQUE (?:NULLS DISTINCT )?\((.*?)\)(.*)$", words):
            facts.uniques.add((tuple(_split(match[1])), match[2].strip()))
        elif match := re.match(r"FOREIGN KEY \((.*?)\) (.*)$", words):
            facts.foreign_keys.append((match[1], match[2]))
        else:
            facts.checks.add(expression(words))

    def index(self, unique: str | None, table: str, definition: str) -> None:
        # Over a domain, a column was cast to its base type, in parentheses of its own.
        words = re.sub(r'\(\(("(?:[^"]|"")*"|\w+)\)\)', r"(\1)", expression(definition, parentheses=True))
        if unique and (match := re.fullmatch(r"btree \(([^()]*)\)", words)):
            self.tables[table].uniques.add((tuple(_split(match[1])), ""))
        self.tables[table].indexes.add(f"{unique or ''}{words}")

    def finish(self) -> dict[str, TableFacts]:
        """Tie the sequences to the columns that own them."""
        for sequence, (table, column) in self.owned.items():
            if table not in self.tables:
                continue
            default = self.tables[table].columns[column].default or ""
            if default == f"nextval({_quoted(sequence)})":
                self._change(table, column, default=None, generator="serial")
                self.tables[table].sequences[column] = self.sequences[sequence]
        shared = {f"nextval({_quoted(name)})": f"nextval(that of {of}.{by})" for name, (of, by) in self.owned.items()}
        for name, facts in self.tables.items():  # what it is called does not count, only whose it is
            for column, known in [*facts.columns.items()]:
                if known.default in shared:
                    self._change(name, column, default=shared[known.default])
        return self.tables

    def _change(self, table: str, column: str, **what: object) -> None:
        columns = self.tables[table].columns
        if column in columns:  # an heir does not list those of its parent
            columns[column] = replace(columns[column], **what)  # type: ignore[arg-type]

    _handlers = (
        (rf"CREATE (UNLOGGED )?TABLE {_QNAME} \((.*)\n\)(?:\s.*)?$", table),
        (rf"ALTER TABLE {_QNAME} OWNER TO (.*)$", owner),
        (
            rf"ALTER TABLE {_QNAME} ALTER COLUMN ({_NAME}) ADD GENERATED (ALWAYS|BY DEFAULT) AS IDENTITY \((.*)\)",
            identity,
        ),
        (rf"ALTER TABLE (?:ONLY )?{_QNAME} ALTER COLUMN ({_NAME}) SET DEFAULT (.*)$", default),
        (rf"ALTER TABLE (?:ONLY )?{_QNAME} ALTER COLUMN ({_NAME}) SET NOT NULL$", not_null),
        (rf"CREATE (?:UNLOGGED )?SEQUENCE {_QNAME}(.*)$", sequence),
        (rf"ALTER SEQUENCE {_QNAME} OWNED BY {_QNAME}\.({_NAME})$", owned_by),
        (rf"ALTER TABLE (?:ONLY )?{_QNAME}\s+ADD CONSTRAINT {_NAME} (.*)$", constraint),
        (rf"CREATE (UNIQUE )?INDEX {_NAME} ON (?:ONLY )?{_QNAME} USING (.*)$", index),
    )


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _sequence(options: str) -> SequenceFacts:
    def option(pattern: str) -> str | None:
        found = re.search(pattern, options)
        return found[1] if found else None

    return SequenceFacts(
        type=option(r"\bAS (\w+)") or "bigint",
        minimum=option(r"(?<!NO )MINVALUE (-?\d+)"),
        maximum=option(r"(?<!NO )MAXVALUE (-?\d+)"),
        increment=option(r"INCREMENT BY (-?\d+)") or "1",
        cycle=bool(re.search(r"(?<!NO )\bCYCLE\b", options)),
        cache=int(option(r"CACHE (\d+)") or 1),
    )


def _column(item: str) -> tuple[str, ColumnFacts]:
    """Read one column of a CREATE TABLE."""
    match = re.match(rf"({_NAME})\s+(.*)$", item, re.DOTALL)
    assert match, item
    name, rest = match[1], match[2]
    rest = re.sub(rf"\s+CONSTRAINT {_NAME} NOT NULL", " NOT NULL", rest)
    collation = re.search(rf" COLLATE {_NAME}\.{_NAME}(?= NOT NULL$|$)", rest)  # a dump has it last
    rest = rest.replace(collation[0], "") if collation else rest
    bare = rest.removesuffix(" NOT NULL")
    generated = re.search(r"\sGENERATED ALWAYS AS (.*)$", bare, re.DOTALL)
    if generated:
        bare = bare[: generated.start()]
    default = re.search(r"\sDEFAULT (.*)$", bare, re.DOTALL)
    if default:
        bare = bare[: default.start()]
    return name, ColumnFacts(
        type=bare.strip() + (collation[0] if collation else ""),
        default=expression(default[1]) if default else None,
        not_null=rest != rest.removesuffix(" NOT NULL"),
        generated=generated and expression(generated[1]),
    )


def _split(body: str) -> list[str]:
    """Split at the commas that stand in no parentheses and no quotes."""
    items, depth, start = [], 0, 0
    for match in re.finditer(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[(),]", body):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if match[0] == "," and not depth:
            items.append(body[start : match.start()])
            start = match.end()
    return [item.strip() for item in [*items, body[start:]] if item.strip()]


_TYPE = (
    r"(?:character varying|double precision|bit varying|time(?:stamp)?(?:\(\d\))? with(?:out)? time zone"
    rf"|{_NAME}(?:\.{_NAME})?)(?:\(\d+(?:, ?-?\d+)?\))?(?:\[\])*"
)
_ATOM = r"(?:'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[\w.+-]+|ARRAY\[[^\[\]()]*\])"


def expression(text: str, *, parentheses: bool = False) -> str:
    """Spell an expression without its casts, blanks and idle parentheses: a dump respells those."""
    texts: list[str] = []

    def hide(match: re.Match[str]) -> str:
        texts.append(match[0])
        return f"\0{len(texts) - 1}\0"

    text = re.sub(r"'(?:[^']|'')*'", hide, " ".join(text.split()))
    text = re.sub(rf"::{_TYPE}", "", text)
    atom = _ATOM.replace("'(?:[^']|'')*'", r"\0\d+\0")
    before = None
    while not parentheses and before != text:
        before = text
        text = re.sub(rf"(?<![\w\"])\(({atom})\)", r"\1", text)
        text = re.sub(r"\(\(([^()]*)\)\)", r"(\1)", text)
    text = re.sub(r"^\((.*)\)$", r"\1", text) if not parentheses and text.count("(") == 1 else text
    return re.sub(r"\0(\d+)\0", lambda match: texts[int(match[1])], text)
