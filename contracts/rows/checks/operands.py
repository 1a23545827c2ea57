"""Reads the operands of checks: columns, their lengths, literals and lists of literals."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from contracts.rows.checks.nodes import UNREAD, Items, Name, Node, split
from contracts.rows.kinds.text import Text
from contracts.rows.kinds.types import kind_or_none
from contracts.rows.sqltext import Tokens, Unread
from contracts.rows.tables import AnyColumn

_MEASURES = {"length", "char_length", "character_length"}
_WORDY_TYPES = {"varying", "precision", "with", "without", "time", "zone"}
_TYPED_LITERALS = {"date", "time", "timestamp", "timestamptz", "uuid", "numeric"}
_TEXT_TYPES = {"text", "varchar", "character varying"}
_NUMBER_TYPES = {"numeric", "decimal", "double precision"}
_KEYWORDS = {"and", "or", "not", "in", "is", "between", "any", "all", "array", "null", "true", "false", "cast"}
_NAMELESS = {"case", "exists", "row", "distinct", "interval"}


class Operands(Tokens, ABC):
    """Reads an operand; what it cannot read, it leaves unread."""

    def __init__(self, text: str, columns: Mapping[str, AnyColumn]) -> None:
        super().__init__(text)
        self.columns = columns

    @abstractmethod
    def either(self) -> Node:
        """Read what stands in parentheses: conditions, or an operand."""

    def operand(self) -> Node:
        """Read an operand; one with an operator in it is unread."""
        node = self._postfix(self._primary())
        while self._operator():
            self._postfix(self._primary())
            node = UNREAD
        return node

    def items(self, end: str) -> Node:
        """Read a list of literals up to its end."""
        nodes = [self.operand()]
        while self.accept(","):
            nodes.append(self.operand())
        self.expect(end)
        if not all(isinstance(node, Items) for node in nodes):
            return UNREAD
        return Items(tuple(v for node in nodes if isinstance(node, Items) for v in node.values), single=False)

    def _operator(self) -> bool:
        """Skip an operator that is not a comparison."""
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
        node = self.either()
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
            return self.items("]")
        if word == "cast":
            self.expect("(")
            node = self.operand()
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
            nodes.append(self.either())
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
