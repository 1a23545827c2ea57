"""Expressions in PostgreSQL's spelling: which are equal, and which parts a condition has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from fixer.model.expression.names import TOKEN
from fixer.model.expression.patterns import pattern
from fixer.model.expression.tails import split

_QUOTES = pattern(r"""('(?:[^']|'')*')(::regclass\b)?|"((?:[^"]|"")*)\"""")


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
    depth, tokens = 0, TOKEN.findall(text)
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
_CAST = pattern(
    r"::(?!as_)(?:(?:\"[^\"]+\"|\w+)\.)?(?P<name>\"[^\"]+\"|character varying|double precision|bit varying|"
    r"(?:timestamp|time)(?=(?:\(\d\))? with(?:out)? time zone)|[\w.]+)"
    r"(?P<zone>(?:\(\d\))? with(?:out)? time zone)?(?P<size>\(\d+(?:,\s*-?\d+)?\))?(?P<many>\[\])*"
)
_WHOLE, _TEXTS = ("smallint", "integer", "bigint"), ("character varying", "character", "bpchar", "bit", "bit varying")
# Types to which PostgreSQL casts nothing but what is cast by whoever wrote it, or, for domains, holds that already.
_CHANGING = frozenset(
    {*_WHOLE, "real", "boolean", "date", "time", "interval", "uuid", "bytea", "json", "jsonb", "character", "bit"}
)
_VALUE_BEFORE = pattern(
    r"(?:'(?P<text>(?:[^']|'')*)'|\((?P<number>-?\d+(?:\.\d+)?)\)|(?P<list>ARRAY\[[^\[\]]*\]\)*|'\w*'(?:::[\w ]+)?\)))$"
)
_NOW = pattern(r"(?i)\b(CURRENT_TIMESTAMP\b|transaction_timestamp\(\)|LOCALTIMESTAMP\b)")
_ATOM = r"'\w+'|ARRAY\[[^\[\]]*\]|-?(?:[\w.]|::as_|\"\d+\")+(?:\([^()]*\))?"
_IDLE = pattern(rf"(?<!\w)\(\s*({_ATOM})\s*\)")
_DOUBLE = pattern(r"\(\(([^()]*)\)\)")
_OUTER = pattern(r"\([^()]*\)")


# --- queries

_JOINING = ("UNION", "INTERSECT", "EXCEPT")
_BEFORE_A_SELECT = ("ALL", "(")
_AFTER_A_LIST = (*_JOINING, "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR")


def seen(query: str) -> tuple[str, ...]:
    """Return the words of a query, without names that columns have only in a later SELECT of a UNION or the like.

    The first SELECT names the columns of all. Of a constant whose type the first one gives, PostgreSQL prints no name;
    of the same constant, read again with its cast, it prints the type's.
    """
    return tuple(_seen(token for token in TOKEN.findall(query) if not token.isspace()))


def _seen(tokens: Iterator[str]) -> Iterator[str]:
    depth, coming, lists = 0, False, list[int]()  # the depths of the lists whose names are not seen, innermost last
    for token in tokens:
        depth += (token == "(") - (token == ")")
        while lists and (depth < lists[-1] or (depth == lists[-1] and token in _AFTER_A_LIST)):
            lists.pop()
        if token == "SELECT" and coming:
            lists.append(depth)
        coming = token in _JOINING or (coming and token in _BEFORE_A_SELECT)
        if token == "AS" and lists and depth == lists[-1]:
            next(tokens, "")
        else:
            yield token
