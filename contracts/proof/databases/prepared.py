"""Contracts as a server spells them, each read once in a process, with their cases."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property

from sqlalchemy import MetaData

from contracts.proof.cases import Case, cases_of
from contracts.rows.laws.references import APART
from contracts.rows.models import models_of, say_less
from fixer import api
from fixer.connect.target import Target
from fixer.contract import in_project as nearest
from fixer.contract import load
from fixer.contract.models.statements import spelt
from fixer.errors import ContractError
from fixer.model.contract import Contract
from fixer.model.table import QName


def with_models(contract: Contract) -> Contract:
    """Return a contract with models of what was read: where it has none, or they do not say what is made of them.

    They say too much where a part of them is refused, and too little of a table that INHERITs columns, or to which a
    listener adds a rule.
    """
    heirs = any(table.parents for table in contract.tables.values())
    lacks = contract.metadata is None or contract.refused or heirs or say_less(contract)
    return replace(contract, metadata=models_of(contract)) if lacks else contract


@dataclass(frozen=True)
class Prepared:
    """A contract as one server spells it."""

    contract: Contract
    models: MetaData | None = None  # as their author wrote them

    @cached_property
    def said_by_listeners(self) -> str:
        """What listeners of the models say beside the tables; nothing where they need a connection for it."""
        if self.models is None:
            return ""
        try:
            statements = spelt(self.models, self.contract.name, [[*self.models.tables.values()]])
        except ContractError:
            return ""
        return "\n".join(each.text for each in statements if each.listener)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """What is proved of a database under this contract."""
        return cases_of(self.contract)


class Library:
    """The contracts that this process has read."""

    def __init__(self, scratch: str | None = None) -> None:
        self.scratch = scratch  # the server of throw-away databases
        self._read: dict[tuple[str, str, str], Prepared] = {}

    def prepared(self, target: Target, spec: str, schema: str, *, in_project: bool = False) -> Prepared:
        """Return the contract `spec` (module:attribute) as the server of a target spells it.

        Where the nearest project counts, it may exclude tables, accept findings and add hints.
        """
        known = target.redacted, spec, schema
        if known not in self._read:
            with closing(target.connect()) as connection:
                source = load(spec, self.scratch)
                contract = api.prepare(nearest(source) if in_project else source, connection, schema)
            models, contract = contract.metadata, with_models(contract)
            for table in contract.metadata.tables.values() if contract.metadata is not None else ():
                if contract.excludes(QName(table.schema or schema, table.name)):
                    table.info[APART] = True
            self._read[known] = Prepared(contract, models)
        return self._read[known]
