"""The tools of `fixer mcp`. Four only read, in a session that cannot write; two write, once a person has typed what.

No answer holds a password: the target is named as everywhere else, and every text is redacted. The SDK is an extra, so
it is imported where the tools are made; it reads their annotations as they are, which therefore are no strings.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any  # what the client of a protocol sends

from fixer import api
from fixer.api import Session
from fixer.connect.link import Link
from fixer.connect.redact import redact
from fixer.connect.target import Target
from fixer.contract.source import Source
from fixer.errors import PgmendError, UsageError
from fixer.model.choice import Choice
from fixer.model.plan import ATOMIC, MODES, Plan
from fixer.report import json as as_json
from fixer.report.explain import page, told
from fixer.report.words import counted

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

INSTRUCTIONS = """\
pgmend compares a PostgreSQL database with its contract, and repairs it without losing a row. Call check first. explain
says what a finding means. plan returns the repair with its identity; show its steps, hazards and identity to the person
who decides. apply and undo ask that person to type the identity: never type it yourself."""
SHOWN = 20  # steps of a plan that the question names


@dataclass
class Desk:
    """What the tools work on: one database and its contract, and the plans that were made here, by identity."""

    target: Target
    contract: Source
    schema: str
    plans: dict[str, Plan] = field(default_factory=dict)
    at_work: Lock = field(default_factory=Lock)

    @contextmanager
    def reading(self) -> Iterator[Link]:
        """Lend a link whose sessions cannot write."""
        connect = partial(self.target.connect, read_only=True, autocommit=True)
        with self.at_work, closing(connect()) as connection:
            connection.autocommit = False
            yield Link(connection, self.target.redacted, self.target.settings, connect, self.target.pooled)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend a session that cannot write."""
        with self.reading() as link, api.session(link, self.contract, schema=self.schema) as session:
            yield session

    def check(self, deep: bool) -> str:
        """Return the findings."""
        with self.session() as session:
            return as_json.of_report(session.check(deep=deep))

    def plan(self, deep: bool, mode: str, choice: Choice) -> str:
        """Return a plan, and keep it."""
        if mode not in MODES:
            raise UsageError(f"There is no mode {mode!r}: say {' or '.join(MODES)}.")
        with self.session() as session:
            made = session.made(deep=deep, mode=mode, choice=choice)[1]
        self.plans[made.identity] = made
        return as_json.of_plan(made)

    def history(self) -> str:
        """Return past runs."""
        with self.reading() as link:
            return as_json.of_history(link.target, api.history(link))

    def apply(self, plan: Plan, allowed: list[str]) -> str:
        """Carry out exactly a plan."""
        with self.at_work, api.session(self.target, self.contract, schema=self.schema) as session:
            return as_json.of_run(session.apply(session.published(plan), allowed=allowed))

    def planned(self, identity: str) -> Plan:
        """Return a plan that was made here; raise UsageError if there is none of this identity."""
        if identity not in self.plans:
            raise UsageError(f"There is no plan {identity!r} here: call plan, and take its identity.")
        return self.plans[identity]

    def identity_of(self, run: int) -> str:
        """Return the identity of the plan of a past run; raise UsageError if there is no such run."""
        with self.reading() as link:
            found = [past.plan for past in api.history(link) if past.run == run]
        if not found:
            raise UsageError(f"There is no run {run}: call history.")
        return found[0]

    def answer(self, work: Callable[[], str]) -> str:
        """Return what some work answers, without passwords; raise ToolError with one sentence if it fails."""
        from mcp.server.mcpserver.exceptions import ToolError

        try:
            return redact(work(), self.target)
        except PgmendError as error:
            raise ToolError(redact(str(error), self.target)) from None


def serve(desk: Desk) -> None:
    """Serve the tools on standard input and output, until the client goes away."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("pgmend", instructions=INSTRUCTIONS, log_level="WARNING")
    for add in (_reading, _writing):
        add(server, desk)
    server.run("stdio")


def _reading(server: "MCPServer", desk: Desk) -> None:
    from mcp_types import ToolAnnotations

    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)

    @server.tool(annotations=reads)
    def check(deep: bool = False) -> str:
        """Compare the database with its contract, and return the findings. `deep` reads every row."""
        return desk.answer(lambda: desk.check(deep))

    @server.tool(annotations=reads)
    def plan(deep: bool = False, mode: str = ATOMIC, skip: list[str] = [], only: list[str] = []) -> str:  # noqa: B006
        """Return the ordered steps of the repair with lock, hazard and rows, and the identity of the plan.

        `mode` is atomic or online; `skip` and `only` choose findings, each as SLUG or SLUG:OBJECT.
        """
        return desk.answer(lambda: desk.plan(deep, mode, Choice(tuple(skip), tuple(only))))

    @server.tool(annotations=reads)
    def explain(slug: str = "") -> str:
        """Return what a defect is, what it costs, its cure, and the hint that decides; without a slug, all of them."""
        return desk.answer(lambda: explained(slug))

    @server.tool(annotations=reads)
    def history() -> str:
        """Return past runs, the newest first."""
        return desk.answer(desk.history)


def explained(slug: str) -> str:
    """Return what `fixer explain` says of a defect, or of all."""
    if not slug:
        return page.json_of_all(told.every())
    found = told.of(slug)
    return page.json_of_one(found, told.seen(found.slug))


def _writing(server: "MCPServer", desk: Desk) -> None:
    from mcp.server.mcpserver import Elicit, ElicitationResult, Resolve
    from mcp_types import ToolAnnotations
    from pydantic import BaseModel, Field

    class Typed(BaseModel):
        """What a person types to confirm."""

        identity: str = Field(description="The identity of the plan, as it stands above: 16 characters.")

    writes = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=False)

    def before_apply(plan: str, allow_hazards: list[str] = []) -> Elicit[Typed]:  # noqa: B006
        return Elicit(desk.answer(lambda: question(desk.planned(plan), desk.target, allow_hazards)), Typed)

    def before_undo(run: int) -> Elicit[Typed]:
        words = f"Undo run {run} of {desk.target.redacted}? It takes back rows, values and definitions."
        identity = desk.answer(lambda: desk.identity_of(run))
        return Elicit(f"{words}\nTo undo it, type the identity of its plan: {identity}", Typed)

    @server.tool(annotations=writes)
    def apply(
        plan: str,
        typed: Annotated[ElicitationResult[Typed], Resolve(before_apply)],
        allow_hazards: list[str] = [],  # noqa: B006
    ) -> str:
        """Carry out exactly the plan of this identity, once a person has typed the identity to confirm it."""
        desk.answer(lambda: confirmed(typed, plan))
        return desk.answer(lambda: desk.apply(desk.planned(plan), allow_hazards))

    @server.tool(annotations=writes)
    def undo(run: int, typed: Annotated[ElicitationResult[Typed], Resolve(before_undo)]) -> str:
        """Undo a run, once a person has typed the identity of its plan to confirm it."""

        def work() -> str:
            confirmed(typed, desk.identity_of(run))
            with desk.at_work:
                return as_json.of_undone(api.undo(desk.target, run))

        return desk.answer(work)


def confirmed(typed: Any, identity: str) -> str:
    """Return the identity that a person typed; raise UsageError if it is not that of the plan, or if they declined."""
    if typed.action != "accept":
        raise UsageError("The person declined. Nothing was changed.")
    if typed.data.identity.strip() != identity:
        raise UsageError("The person typed another identity than that of the plan. Nothing was changed.")
    return identity


def question(plan: Plan, target: Target, allowed: list[str]) -> str:
    """Return what a person is asked before a plan is applied: where, what, at which risk."""
    steps = [f"{step.number}. {step.title}" + (f" [{step.hazard}]" if step.hazard else "") for step in plan.steps]
    more = [f"… and {len(steps) - SHOWN} more"] if len(steps) > SHOWN else []
    moved, broken = sum(plan.moves.values()), {finding.object for finding in plan.findings if finding.breaks}
    lines = [
        f"Apply this plan to {target.redacted}? It repairs what is wrong with {counted(len(broken), 'object')}.",
        *steps[:SHOWN],
        *more,
        f"Rows that go to quarantine: {moved}. Hazards that are allowed: {', '.join(allowed) or 'none'}.",
        f"To apply it, type its identity: {plan.identity}",
    ]
    return "\n".join(lines)
