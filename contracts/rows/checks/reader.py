"""Reads the simple forms of checks as conditions."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.rows.checks.claims import claim_of, condition, or_null, relation
from contracts.rows.checks.nodes import UNREAD, Claim, Items, Name, Node
from contracts.rows.checks.operands import Operands
from contracts.rows.conditions import LISTED, MIRRORED, Condition
from contracts.rows.sqltext import Unread
from contracts.rows.tables import AnyColumn

_COMPARISONS = {"<", "<=", ">", ">=", "=", "<>", "!="}


class _CheckReader(Operands):
    """Reads the simple forms of checks; what it cannot read, it leaves unread."""

    def read(self) -> Claim:
        claim = claim_of(self.either(), self.columns)
        if self.at < len(self.tokens):
            raise Unread
        return claim

    def either(self) -> Node:
        """Read conditions joined by OR."""
        nodes = [self._both()]
        while self.accept("or"):
            nodes.append(self._both())
        if len(nodes) == 1:
            return nodes[0]
        return or_null([claim_of(node, self.columns) for node in nodes])

    def _both(self) -> Node:
        nodes = [self._negation()]
        while self.accept("and"):
            nodes.append(self._negation())
        if len(nodes) == 1:
            return nodes[0]
        claims = [claim_of(node, self.columns) for node in nodes]
        return Claim(tuple(each for c in claims for each in c.conditions), all(c.whole for c in claims))

    def _negation(self) -> Node:
        if not self.accept("not"):
            return self._predicate()
        claim = claim_of(self._negation(), self.columns)
        if not claim.whole or len(claim.conditions) != 1:
            return UNREAD
        return Claim((claim.conditions[0].negated(),), True)

    def _predicate(self) -> Node:
        left = self.operand()
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
            right = self.operand()
            self.expect(")")
            if (op, quantor) not in (("=", "any"), ("<>", "all")):
                return UNREAD
            return condition(left, LISTED[op], right, self.columns)
        right = self.operand()
        if isinstance(left, Items) and isinstance(right, Name):
            left, op, right = right, MIRRORED[op], left
        if isinstance(right, Items) and right.single:
            return condition(left, LISTED.get(op, op), right, self.columns)
        if isinstance(left, Name) and isinstance(right, Name):
            return relation(left, op, right, self.columns)
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
            return condition(left, "not in" if negated else "in", self.items(")"), self.columns)
        self.expect("between")
        low = self.operand()
        self.expect("and")
        high = self.operand()
        if negated:
            return UNREAD
        ends = [condition(left, ">=", low, self.columns), condition(left, "<=", high, self.columns)]
        return Claim(ends[0].conditions + ends[1].conditions, ends[0].whole and ends[1].whole)


def read(text: str, columns: Mapping[str, AnyColumn]) -> Claim:
    """Return what a piece of SQL claims about these columns."""
    try:
        return _CheckReader(text, columns).read()
    except Unread:
        return UNREAD
