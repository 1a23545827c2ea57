"""Names and expressions in PostgreSQL's spelling: how to quote them, which columns they name, which are equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

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
_PLAIN_NAME = re.compile("[a-z_][a-z0-9_]*")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|.""", re.DOTALL)
# A name that a cast, a bracket or a dot makes that of a type, a function or a schema is no column's.
_REFERENCE = re.compile(
    r"""(?P<other>'(?:[^']|'')*'
      | ::\s*(?:(?:"(?:[^"]|"")*"|\w+)\.)?(?:(?:character|bit)\ varying|double\ precision
             |time(?:stamp)?(?:\(\d\))?\ with(?:out)?\ time\ zone|"(?:[^"]|"")*"|\w+)
      | (?:"(?:[^"]|"")*"|\w+)(?=[(.]))
      | (?P<name>"(?:[^"]|"")*"|\w+) | .""",
    re.DOTALL | re.VERBOSE,
)
_QUOTES = re.compile(r"""('(?:[^']|'')*')(::regclass\b)?|"((?:[^"]|"")*)\"""")


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


_CALLED = re.compile(r"\bnextval\(\(*'((?:[^']|'')+)'(?:::text)?\)*(?:::regclass)?\)", re.IGNORECASE)


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
    return [unquoted(token) for token in _TOKEN.findall(text) if re.match(r'"|\w', token)]


def respelt(text: str, old: str, new: str) -> str:
    """Return an expression with the column `old` renamed to `new`."""
    return _REFERENCE.sub(lambda found: as_needed(new) if _means(found["name"], old) else found[0], text)


def with_relations(text: str, relations: Mapping[tuple[str, str], str]) -> str:
    """Return a query as PostgreSQL spells it, with these queries in place of relations, by schema and name.

    It has to spell all names in full; functions and types of the same names stay as they are.
    """
    tokens, done, place = _TOKEN.findall(text), list[str](), 0
    while place < len(tokens):
        name = _relation_at(tokens, place)
        if name in relations:
            place += 3
            done.append(f"({relations[name]})" + ("" if _has_alias(tokens, place) else f" AS {quoted(name[1])}"))
        else:
            done.append(tokens[place])
            place += 1
    return "".join(done)


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


_NAMES = re.compile(
    r"""'(?P<sequence>(?:[^']|'')*)'::regclass\b|'(?:[^']|'')*'|(?<!::)"(?:[^"]|"")*"|"""
    r"""::(?P<type>"(?:[^"]|"")+"|\w+)(?![\w.])"""
)


# --- expressions that mean the same


@lru_cache(maxsize=65536)  # the same few are compared again and again
def canonical(expression: str) -> str:
    """Return an expression without redundant casts and parentheses, so that two spellings compare as equal.

    PostgreSQL spells the same check differently over varchar, over text, and after a dump and restore. A cast counts
    where it may change a value, such as one to whole numbers or to so many characters: none that PostgreSQL adds.
    """
    return _apart(expression, _without_idle_casts, plainly=True)


@lru_cache(maxsize=65536)  # as `canonical`
def without_casts(expression: str) -> str:
    """Return an expression as `canonical` does, without any cast: for values of a column, whose type casts them."""
    return _apart(expression, lambda text: _without_spelling(_CAST.sub("", text)), plainly=True)


def _without_idle_casts(text: str) -> str:
    return _without_spelling(_CAST.sub(_unless_idle, text) if "::" in text else text)


def _unless_idle(found: re.Match[str]) -> str:
    """Return a cast as one word, CAST and its type, if it may change the value before it; else nothing."""
    name, zone, size = found["name"], found["zone"] or "", found["size"] or ""
    if name not in _CHANGING and not size and "(" not in zone:
        return ""
    literal = _VALUE_BEFORE.search(found.string[: found.start()])
    if literal and not _cuts(literal, name, size):
        return ""
    type_ = re.sub(r"\W+", "_", f"{name}{zone}{size}").strip("_")
    return f"{CAST}{type_}{'_each' if found['many'] else ''}"


def _cuts(literal: re.Match[str], type_: str, size: str) -> bool:
    """Return whether a cast to a type of this size makes another value of a literal."""
    if literal["text"] is not None and type_ in _TEXTS:
        return bool(size) and len(literal["text"]) > int(size[1:-1])
    scale = int(size.strip("()").partition(",")[2] or 0)
    rounds = type_ in _WHOLE or type_ == "numeric"
    return rounds and len((literal["number"] or "").partition(".")[2].rstrip("0")) > scale


def _without_spelling(text: str) -> str:
    bare = _NOW.sub("now()", text)
    before = ""
    while bare != before:
        before = bare
        bare = _IDLE.sub(r"\1", _DOUBLE.sub(r"(\1)", bare))
    bare = " ".join(bare.split())
    return bare[1:-1] if _OUTER.fullmatch(bare) else bare


@lru_cache(maxsize=65536)  # as `canonical`
def plain(expression: str) -> str:
    """Return an expression as a person would write it: without casts, in one pair of parentheses."""
    return _apart(expression, _in_one_pair, plainly=False)


def _in_one_pair(text: str) -> str:
    bare = re.sub(r"(?<!\w)\((\w+|'[^']*')\)", r"\1", _CAST.sub("", text))
    bare = re.sub(r"\(\((ARRAY\[[^]]*\])\)\)", r"(\1)", bare)
    while _enclosed(bare):
        bare = bare[1:-1]
    return f"({bare})"


def _enclosed(text: str) -> bool:
    """Return whether the first parenthesis of a text closes with its last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place > 0 and place == len(text) - 1
    return False


def parts_of(condition: str, word: str) -> list[str]:
    """Return the conditions that a word, AND or OR, connects at the top of a condition, without parentheses around."""
    bare = condition.strip()
    while _is_one_pair(bare):
        bare = bare[1:-1].strip()
    parts = split(bare, word)
    return [each for part in parts for each in parts_of(part, word)] if len(parts) > 1 else [bare]


def _is_one_pair(text: str) -> bool:
    """Return whether the first parenthesis of a text closes with its last character, literals and names aside."""
    depth, tokens = 0, _TOKEN.findall(text)
    for place, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return place > 0 and place == len(tokens) - 1
    return False


def _apart(expression: str, work: Callable[[str], str], *, plainly: bool) -> str:
    """Apply `work` to an expression, with numbers in place of its literals and quoted names, so that it spares them.

    `plainly` drops the quotation marks around names of one word, such as reserved words.
    """
    simple = '"' not in expression and "''" not in expression
    if simple and all(map(_is_a_word, expression.split("'")[1::2])):
        return work(expression)
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        literal, sequence, name = found.groups()
        if literal is None and plainly and re.fullmatch(r"\w+", name):
            return str(name)
        if literal is not None and sequence and plainly:
            literal = re.sub(r'"(\w+)"', r"\1", literal)
        kept.append(found[0] if literal is None else literal)
        return f'"{len(kept) - 1}"' if literal is None else f"'{len(kept) - 1}'{sequence or ''}"

    done = work(_QUOTES.sub(keep, expression))
    return re.sub(r"""(['"])(\d+)\1""", lambda found: kept[int(found[2])], done)


def _is_a_word(literal: str) -> bool:
    """Return whether a literal is one plain word, and so passes through the rewriting unchanged."""
    return literal.replace("_", "").isalnum() and not literal.upper().endswith("TIMESTAMP")


CAST = "::as_"  # how a cast begins that counts; its type follows in letters, digits and underscores
_CAST = re.compile(
    r"::(?!as_)(?:(?:\"[^\"]+\"|\w+)\.)?(?P<name>\"[^\"]+\"|character varying|double precision|bit varying|"
    r"(?:timestamp|time)(?=(?:\(\d\))? with(?:out)? time zone)|[\w.]+)"
    r"(?P<zone>(?:\(\d\))? with(?:out)? time zone)?(?P<size>\(\d+(?:,\s*-?\d+)?\))?(?P<many>\[\])*"
)
_WHOLE, _TEXTS = ("smallint", "integer", "bigint"), ("character varying", "character", "bpchar", "bit", "bit varying")
# Types to which PostgreSQL casts nothing but what is cast by whoever wrote it, or, for domains, holds that already.
_CHANGING = frozenset(
    {*_WHOLE, "real", "boolean", "date", "time", "interval", "uuid", "bytea", "json", "jsonb", "character", "bit"}
)
_VALUE_BEFORE = re.compile(
    r"(?:'(?P<text>(?:[^']|'')*)'|\((?P<number>-?\d+(?:\.\d+)?)\)|(?P<list>ARRAY\[[^\[\]]*\]\)*|'\w*'(?:::[\w ]+)?\)))$"
)
_NOW = re.compile(r"(?i)\b(CURRENT_TIMESTAMP\b|transaction_timestamp\(\)|LOCALTIMESTAMP\b)")
_ATOM = r"'\w+'|ARRAY\[[^\[\]]*\]|-?(?:[\w.]|::as_|\"\d+\")+(?:\([^()]*\))?"
_IDLE = re.compile(rf"(?<!\w)\(\s*({_ATOM})\s*\)")
_DOUBLE = re.compile(r"\(\(([^()]*)\)\)")
_OUTER = re.compile(r"\([^()]*\)")


# --- definitions of indexes


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows the table's name in the definition of an index: USING btree (…) INCLUDE (…) WHERE …"""

    method: str  # USING btree
    elements: tuple[str, ...]  # each a column or an expression, with its collation, operator class and order
    options: str  # INCLUDE (…), NULLS NOT DISTINCT, WITH (…)
    condition: str  # what follows WHERE

    def names(self, column: str) -> bool:
        """Return whether the index depends on a column."""
        return any(names_column(text, column) for text in (*self.elements, self.options, self.condition))


@lru_cache(maxsize=4096)
def tail_of(tail: str) -> Tail:
    """Return the parts of an index definition, given what follows the table's name."""
    whole, *condition = split(tail, "WHERE")
    method, _, rest = whole.partition(" (")
    keys, *options = split(rest, ")")
    return Tail(method, tuple(split(keys, ",")), "".join(options), "".join(condition))


def split(text: str, mark: str) -> list[str]:
    """Return the parts of a text between marks, ignoring marks in parentheses, literals and quoted names."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(text):
        if token == mark and depth == 0:
            parts.append("")
            continue
        depth += (token == "(") - (token == ")")
        parts[-1] += token
    return [part.strip() for part in parts]


def column_of(element: str) -> tuple[str, str]:
    """Return the column of an index element, and what follows it; for an expression, "" and the whole element."""
    found = _COLUMN.fullmatch(element)
    return (unquoted(found[1]), found[2]) if found else ("", element)


_COLUMN = re.compile(r'("(?:[^"]|"")+"|[a-z_][a-z0-9_]*)((?: .*)?)', re.DOTALL)


def compared(element: str) -> tuple[str, str]:
    """Return the value that an element of an exclusion constraint compares, with its collation, and the operator."""
    value, *rest = split(element, " ")
    return (f"{value} COLLATE {rest[1]}" if rest[0] == "COLLATE" else value), rest[-1]
