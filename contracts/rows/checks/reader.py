"""Reads the simple forms of checks as conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Column

from contracts.rows.checks.nodes import UNREAD, Claim, Items, Name, Node, split
from contracts.rows.conditions import LISTED, MIRRORED, Condition, Other
from contracts.rows.kinds.kind import LENGTHS, Grid
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.sqltext import Tokens, Unread

_COMPARISONS = {"<", "<=", ">", ">=", "=", "<>", "!="}
_MEASURES = {"length", "char_length", "character_length"}
_WORDY_TYPES = {"varying", "precision", "with", "without", "time", "zone"}
_TYPED_LITERALS = {"date", "time", "timestamp", "timestamptz", "uuid", "numeric"}
_TEXT_TYPES = {"text", "varchar", "character varying"}
_NUMBER_TYPES = {"numeric", "decimal", "double precision"}
_KEYWORDS = {
    "and",
    "or",
    "not",
    "in",
    "is",
    "between",
    "any",
    "all",
    "array",
    "null",
    "true",
    "false",
    "cast",
}
_NAMELESS = {"case", "exists", "row", "distinct", "interval"}


class _CheckReader(Tokens):
    """Reads the simple forms of checks; what it cannot read, it leaves unread."""

    def __init__(self, text: str, columns: Mapping[str, Column[Any]]) -> None:
        super().__init__(text)
        self.columns = columns

    def read(self) -> Claim:
        claim = self._claim(self._either())
        if self.at < len(self.tokens):
            raise Unread
        return claim

    def _either(self) -> Node:
        nodes = [self._both()]
        while self.accept("or"):
            nodes.append(self._both())
        if len(nodes) == 1:
            return nodes[0]
        return self._or_null([self._claim(node) for node in nodes])

    @staticmethod
    def _or_null(claims: list[Claim]) -> Claim:
        """Read `a IS NULL OR a > 0`, which says no more than `a > 0`."""
        nulls = {c.conditions[0].column for c in claims if len(c.conditions) == 1 and c.conditions[0].op == "null"}
        rest = [c for c in claims if not any(each.op == "null" for each in c.conditions)]
        if len(rest) == 1 and rest[0].whole and len(claims) == 2:
            about = {each.column for each in rest[0].conditions}
            plain = all(not isinstance(c.value, Other) and c.op != "not null" for c in rest[0].conditions)
            return rest[0] if about == nulls and plain else UNREAD
        return UNREAD

    def _both(self) -> Node:
        nodes = [self._negation()]
        while self.accept("and"):
            nodes.append(self._negation())
        if len(nodes) == 1:
            return nodes[0]
        claims = [self._claim(node) for node in nodes]
        return Claim(tuple(each for c in claims for each in c.conditions), all(c.whole for c in claims))

    def _negation(self) -> Node:
        if not self.accept("not"):
            return self._predicate()
        claim = self._claim(self._negation())
        if not claim.whole or len(claim.conditions) != 1:
            return UNREAD
        return Claim((claim.conditions[0].negated(),), True)

    def _predicate(self) -> Node:
        left = self._operand()
        while True:
            if op := self.accept(*_COMPARISONS):
                left = self._compare(left, op.replace("!=", "<>"))
            elif self.accept("is"):
                left = self._is(left)
            elif self.peek("not", "in", "between"):
                left = self._among(left, negated=bool(self.accept("not")))
            else:
                return left

    def _compare(self, left: Node, op: str) -> Node:
        if quantor := self.accept("any", "all"):
            self.expect("(")
            right = self._operand()
            self.expect(")")
            if (op, quantor) not in (("=", "any"), ("<>", "all")):
                return UNREAD
            return self._condition(left, LISTED[op], right)
        right = self._operand()
        if isinstance(left, Items) and isinstance(right, Name):
            left, op, right = right, MIRRORED[op], left
        if isinstance(right, Items) and right.single:
            return self._condition(left, LISTED.get(op, op), right)
        if isinstance(left, Name) and isinstance(right, Name):
            return self._relation(left, op, right)
        return UNREAD

    def _is(self, left: Node) -> Node:
        op = "not null" if self.accept("not") else "null"
        kind, word = self.next()
        if kind != "word" or word != "null":
            raise Unread
        if not isinstance(left, Name) or left.length:
            return UNREAD
        return Claim((Condition(left.column, op),), True)

    def _among(self, left: Node, negated: bool) -> Node:
        if self.accept("in"):
            self.expect("(")
            return self._condition(left, "not in" if negated else "in", self._list(")"))
        self.expect("between")
        low = self._operand()
        self.expect("and")
        high = self._operand()
        if negated:
            return UNREAD
        ends = [self._condition(left, ">=", low), self._condition(left, "<=", high)]
        return Claim(ends[0].conditions + ends[1].conditions, ends[0].whole and ends[1].whole)

    def _list(self, end: str) -> Node:
        nodes = [self._operand()]
        while self.accept(","):
            nodes.append(self._operand())
        self.expect(end)
        if not all(isinstance(node, Items) for node in nodes):
            return UNREAD
        return Items(tuple(v for node in nodes if isinstance(node, Items) for v in node.values), single=False)

    def _operand(self) -> Node:
        node = self._postfix(self._primary())
        while self._operator():
            self._postfix(self._primary())
            node = UNREAD
        return node

    def _operator(self) -> bool:
        """Pass an operator of which nothing is known."""
        if self.at >= len(self.tokens):
            return False
        kind, word = self.tokens[self.at]
        if kind == "symbol" and re.fullmatch(r"[-~!@#%^&|`?*/+]+", word):
            self.at += 1
            return True
        ahead = self.tokens[self.at : self.at + 2]
        if ahead[:1] == [("word", "not")] and ahead[1:] in ([("word", "like")], [("word", "ilike")]):
            self.at += 1
        return bool(self.accept("like", "ilike"))

    def _primary(self) -> Node:
        kind, word = self.next()
        if kind == "string":
            return Items((word,))
        if kind == "number":
            return Items((Decimal(word),))
        if kind == "quoted":
            return self._named(word)
        if kind == "word":
            return self._word(word)
        if word in ("-", "+"):
            return self._signed(word)
        if word != "(":
            raise Unread
        node = self._either()
        self.expect(")")
        return node

    def _signed(self, sign: str) -> Node:
        node = self._primary()
        if isinstance(node, Items) and len(node.values) == 1 and isinstance(node.values[0], Decimal):
            return node if sign == "+" else Items((-node.values[0],))
        return UNREAD

    def _word(self, word: str) -> Node:
        if word in ("true", "false"):
            return Items((word == "true",))
        if word == "null":
            return Items((None,))
        if word == "array":
            self.expect("[")
            return self._list("]")
        if word == "cast":
            self.expect("(")
            node = self._operand()
            if self.next() != ("word", "as"):
                raise Unread
            node = self._cast(node)
            self.expect(")")
            return node
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "string":
            literal = Items((self.next()[1],))
            return literal if word in _TYPED_LITERALS else UNREAD
        if word in _KEYWORDS | _NAMELESS:
            raise Unread
        return self._call(word) if self.accept("(") else self._named(word)

    def _call(self, word: str) -> Node:
        nodes: list[Node] = []
        while not self.accept(")"):
            if nodes:
                self.expect(",")
            nodes.append(self._either())
        if word in _MEASURES and len(nodes) == 1 and isinstance(nodes[0], Name):
            text = isinstance(kind_or_none(self.columns[nodes[0].column]), Text)
            return replace(nodes[0], length=True) if text else UNREAD
        return UNREAD

    def _named(self, word: str) -> Node:
        while self.accept("."):
            word = self.next()[1]
        if self.accept("("):  # a function in a schema
            return self._call("")
        return Name(word) if word in self.columns else UNREAD

    def _postfix(self, node: Node) -> Node:
        while found := self.accept("::", "collate", "["):
            if found == "::":
                node = self._cast(node)
            elif found == "collate":
                self._named(self.next()[1])
            else:
                raise Unread
        return node

    def _cast(self, node: Node) -> Node:
        words = [self.next()[1]]
        while word := self.accept(*_WORDY_TYPES):
            words.append(word)
        sized = bool(self.accept("("))
        while sized and not self.accept(")"):
            self.next()
        array = False
        while self.accept("["):
            self.expect("]")
            array = True
        if isinstance(node, Items):
            return split(node) if array else node
        if not isinstance(node, Name) or node.length or sized:
            return node if isinstance(node, Name) and node.length else UNREAD
        kind, wanted = kind_or_none(self.columns[node.column]), " ".join(words)
        harmless = {"text": _TEXT_TYPES, "enum": _TEXT_TYPES, "number": _NUMBER_TYPES}
        return node if kind and wanted in harmless.get(kind.family, ()) else UNREAD

    def _claim(self, node: Node) -> Claim:
        """Return what a node says where a condition is wanted: a boolean column says that it is true."""
        if isinstance(node, Name):
            return self._condition(node, "in", Items((True,)))
        return node if isinstance(node, Claim) else UNREAD

    def _condition(self, left: Node, op: str, right: Node) -> Claim:
        if not isinstance(left, Name) or not isinstance(right, Items) or None in right.values:
            return UNREAD
        kind = LENGTHS if left.length else kind_or_none(self.columns[left.column])
        ordered = op in ("<", "<=", ">", ">=")
        if kind is None or (ordered and not isinstance(kind, Grid)):
            return UNREAD
        try:
            values = tuple(kind.read(value) for value in right.values if value is not None)
        except (ValueError, ArithmeticError, LookupError):
            return UNREAD
        return Claim((Condition(left.column, op, values[0] if ordered else values, left.length),), True)

    def _relation(self, left: Name, op: str, right: Name) -> Claim:
        kinds = [kind_or_none(self.columns[name.column]) for name in (left, right)]
        families = {kind.family if kind else "" for kind in kinds}
        comparable = all(isinstance(kind, Grid) or (isinstance(kind, Text) and op in LISTED) for kind in kinds)
        if left.length or right.length or left == right or not comparable or len(families) > 1 or "" in families:
            return UNREAD
        return Claim((Condition(left.column, op, Other(right.column)),), True)


def read(text: str, columns: Mapping[str, Column[Any]]) -> Claim:
    """Return what a piece of SQL claims about these columns."""
    try:
        return _CheckReader(text, columns).read()
    except Unread:
        return UNREAD
