"""The options of a session, as the command line of pytest gives them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field

from fixer.contract.project import SELF, contract_named, scratch_named
from fixer.errors import UsageError

PREFIX = "pgmend_"  # of our options among those of pytest
WRITES = ("rollback", "none")


@dataclass(frozen=True)
class Options:
    """What a session is asked to prove, and how."""

    dsn: list[str] = field(default_factory=list)
    dsn_file: str | None = None
    contract: str = SELF  # or what the environment or the project names
    scratch: str | None = None  # the server of throw-away databases, or what the environment or the project names
    schema: str = "public"
    snapshots: str | None = None
    deep: bool = False
    writes: str = "rollback"
    role: str | None = None
    baseline: str | None = None  # the file of what is known
    server: str = "embedded"
    version: int | None = None

    @classmethod
    def of(cls, given: Namespace) -> Options:
        """Return our options among those of pytest; one that is absent has its default."""
        named = {name.removeprefix(PREFIX): value for name, value in vars(given).items() if name.startswith(PREFIX)}
        found = {"contract": contract_named, "scratch": scratch_named}
        return cls(**{**named, **{name: named.get(name) or default() for name, default in found.items()}})

    def check(self) -> None:
        """Raise UsageError where `--writes` is unknown."""
        if self.writes == "shadow":
            raise UsageError("--writes shadow is not there yet: there are rollback and none.")
        if self.writes not in WRITES:
            raise UsageError(f"--writes {self.writes!r} should be one of {' and '.join(WRITES)}.")
