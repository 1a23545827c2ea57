"""Names in PostgreSQL's spelling: how to quote them, and which columns, types and sequences an expression names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from fixer.model.expression.patterns import pattern

# Words that no name may be without quotes (PostgreSQL manual, appendix C).
RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
        all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
        collation column concurrently constraint create cross current_catalog current_date current_role
        current_schema current_time current_timestamp current_user default deferrable desc distinct do else end
        except false fetch for foreign freeze from full grant group having ilike in initially inner intersect
        into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null
        offset on only or order outer overlaps placing primary references returning right select session_user
        similar some symmetric system_user table tablesample then to trailing true union unique user using
        variadic verbose when where window with
        """,
    )
)
_PLAIN_NAME = pattern("[a-z_][a-z0-9_]*")
TEXT = pattern(r"'(?:[^']|'')*'")  # a literal
TOKEN = pattern(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|.""", re.DOTALL)
# A name that a cast, a bracket or a dot makes that of a type, a function or a schema is no column's.
_REFERENCE = pattern(
    r"""(?P<other>'(?:[^']|'')*'
      | ::\s*(?:(?:"(?:[^"]|"")*"|\w+)\.)?(?:(?:character|bit)\ varying|double\ precision
             |time(?:stamp)?(?:\(\d\))?\ with(?:out)?\ time\ zone|"(?:[^"]|"")*"|\w+)
      | (?:"(?:[^"]|"")*"|\w+)(?=[(.]))
      | (?P<name>"(?:[^"]|"")*"|\w+) | .""",
    re.DOTALL | re.VERBOSE,
)


# --- names


def quoted(name: str) -> str:
    """Return a name in quotation marks."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL says it, where a person will read it: `sql.Literal` is what goes to a server."""
    return "'" + text.replace("'", "''") + "'"


def unquoted(name: str) -> str:
    """Return the name that a quoted or bare word means."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def parts_of_name(text: str) -> tuple[str, ...]:
    """Return the parts of a relation's name, as the literal of a regclass spells it."""
    parts = re.findall(r'"(?:[^"]|"")*"|[^".]+', text.replace("''", "'"))
    return tuple(unquoted(part) if part.startswith('"') else part.lower() for part in parts)


def sequences_in(expression: str) -> list[tuple[str, ...]]:
    """Return the parts of each name of a sequence that an expression calls; it may be found only as it runs."""
    return [parts_of_name(found) for found in _CALLED.findall(expression)]


_CALLED = pattern(r"\bnextval\(\(*'((?:[^']|'')+)'(?:::text)?\)*(?:::regclass)?\)", re.IGNORECASE)


Names = Set[tuple[str, tuple[str, str]]]  # by schema and name, each after what it is taken for


def reached(statement: str) -> Names:
    """Return what a statement names in full, by schema and name, each after what it is taken for.

    That is a function, an operator, or another: a type, a table, a column. Bodies of functions count as texts.
    """
    found = set()
    for each in _REACHED.finditer(statement):
        if each["schema"] and not each["cast"]:
            how = "function" if each["called"] else "other"
            found.add((how, (unquoted(each["schema"]), unquoted(each["name"]))))
        elif each["home"]:
            found.add(("operator", (unquoted(each["home"]), each["sign"])))
        elif each["cast"]:
            found.add(("cast", (unquoted(each["schema"]), unquoted(each["name"]))))
    return found | {("sequence", name) for name in _pairs(sequences_in(statement))}


def _pairs(names: Iterable[tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name[0], name[1]) for name in names if len(name) == 2]


_REACHED = pattern(
    r"""(?P<body>\$function\w*\$).*?(?P=body) | '(?:[^']|'')*'
      | OPERATOR\((?P<home>"(?:[^"]|"")*"|\w+)\.(?P<sign>[^\s)\w]+)\)
      | (?P<cast>::\s*)?(?P<schema>"(?:[^"]|"")*"|\b[^\W\d]\w*)\.(?P<name>"(?:[^"]|"")*"|[^\W\d]\w*)
        (?P<called>\s*\()?""",
    re.DOTALL | re.VERBOSE,
)


def as_needed(name: str, words: Collection[str] = RESERVED) -> str:
    """Return a name, quoted unless it is plain lower case; reserved `words` are quoted too."""
    return name if _PLAIN_NAME.fullmatch(name) and name not in words else quoted(name)


def names_column(text: str, column: str) -> bool:
    """Return whether an expression names a column."""
    return mentioned(text, column) > 0


def mentioned(text: str, column: str) -> int:
    """Return how often an expression names a column."""
    return sum(_means(found["name"], column) for found in _REFERENCE.finditer(text))


def names_in(text: str) -> list[str]:
    """Return the words and quoted names of a statement."""
    return [unquoted(token) for token in TOKEN.findall(text) if re.match(r'"|\w', token)]


def respelt(text: str, old: str, new: str) -> str:
    """Return an expression with the column `old` renamed to `new`."""
    return _REFERENCE.sub(lambda found: as_needed(new) if _means(found["name"], old) else found[0], text)


def with_relations(text: str, relations: Mapping[tuple[str, str], str]) -> str:
    """Return a query as PostgreSQL spells it, with these queries in place of relations, by schema and name.

    It has to spell all names in full; functions and types of the same names stay as they are.
    """
    tokens, done, place = TOKEN.findall(text), list[str](), 0
    while place < len(tokens):
        name = _relation_at(tokens, place)
        if name in relations:
            place += 3
            done.append(f"({relations[name]})" + ("" if _has_alias(tokens, place) else f" AS {quoted(name[1])}"))
        else:
            done.append(tokens[place])
            place += 1
    return "".join(done)


def as_texts(text: str, columns: Mapping[str, str], types: Collection[tuple[str, ...]], *, empty: bool = False) -> str:
    """Return an expression that reads columns as these types of text, and literals of `types`, by their names, as text.

    It is the expression itself if texts would be compared by their order, which a type may have of its own; but not if
    all these columns are `empty`, and so have none.
    """

    def cast(found: re.Match[str]) -> str:
        name = (unquoted(found["schema"] or ""), unquoted(found["type"] or ""))
        return "::text" if found["type"] and name in types else found[0]

    def cell(found: re.Match[str]) -> str:
        read = next((type_ for column, type_ in columns.items() if _means(found["name"], column)), "")
        is_field = text[: found.start()].endswith(".")  # of a composite value
        return f"({found[0]})::{read}" if read and not is_field else found[0]

    said = _CAST_TO.sub(cast, _REFERENCE.sub(cell, text))
    return text if not empty and _ORDERED.search(said) else said


_CAST_TO = pattern(r"""'(?:[^']|'')*'|::(?P<schema>"(?:[^"]|"")*"|\w+)\.(?P<type>"(?:[^"]|"")*"|\w+)""")
_ORDERED = pattern(
    r"""::text\)*\s*(?:<(?!>)|>)  # a text before the operator, or after it
      | (?:<=?|(?<!<)>=?)\s*\(*(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+)\)?::text""",
    re.VERBOSE,
)


def of_row(text: str, table: str, columns: Iterable[str]) -> str:
    """Return an expression over a table as one over its row `t`, in which the whole row has these columns.

    PostgreSQL spells the whole row by the name of the table, and leaves that out before a column.
    """
    cells = ", ".join(f"t.{quoted(column)}" for column in columns)

    def whole(found: re.Match[str]) -> str:
        if not found["all"] or unquoted(found["name"]) != table:
            return found[0]
        return f"ROW({cells}){found['test']}" if found["test"] else "t.*"

    return _WHOLE_ROW.sub(whole, text)


_WHOLE_ROW = pattern(
    r"""'(?:[^']|'')*'|(?<![\w".])(?P<name>"(?:[^"]|"")*"|\w+)(?P<all>\.\*(?P<test>\s+IS\s+(?:NOT\s+)?NULL\b)?)?"""
)


def _relation_at(tokens: Sequence[str], place: int) -> tuple[str, str]:
    """Return the schema and name of the relation that is named from this place on; two empty texts without one."""
    before, after = tokens[place - 1] if place else "", tokens[place + 3] if place + 3 < len(tokens) else ""
    one, dot, other = tokens[place : place + 3] if len(tokens) > place + 2 else ("", "", "")
    return (unquoted(one), unquoted(other)) if dot == "." and before not in (".", ":") and after != "(" else ("", "")


def _has_alias(tokens: Sequence[str], place: int) -> bool:
    """Return whether another name follows a relation: PostgreSQL spells words of its own in capitals."""
    rest = next((token for token in tokens[place:] if not token.isspace()), "")
    return re.match('["a-z_]', rest) is not None


def _means(token: str | None, name: str) -> bool:
    if token is None:
        return False
    if token.startswith('"'):
        return unquoted(token) == name
    return token == name and _PLAIN_NAME.fullmatch(name) is not None


# --- types and sequences


def bare_type(type_: str) -> str:
    """Return the name of a type without quotes; for an array, the name of its element type."""
    return unquoted(re.sub(r"(\[\])+$", "", type_))


def in_full(text: str, types: Mapping[str, str], sequences: Mapping[str, str]) -> str:
    """Return an expression with its types and sequences qualified; `types` and `sequences` map names to schemas."""

    def full(found: re.Match[str]) -> str:
        if found["type"]:
            home = types.get(unquoted(found["type"]))
            return f"::{as_needed(home)}.{found['type']}" if home else found[0]
        if found["sequence"]:
            home = sequences.get(unquoted(found["sequence"].replace("''", "'")))
            return f"'{as_needed(home)}.{found['sequence']}'::regclass" if home else found[0]
        return found[0]

    return _NAMES.sub(full, text)


_NAMES = pattern(
    r"""'(?P<sequence>(?:[^']|'')*)'::regclass\b|'(?:[^']|'')*'|(?<!::)"(?:[^"]|"")*"|"""
    r"""::(?P<type>"(?:[^"]|"")+"|\w+)(?![\w.])"""
)
