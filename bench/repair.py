"""The repair of users and trades without any constraint, against the best script by hand and against the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import data
from bench.harness import (
    HERE,
    Options,
    OwnServer,
    Result,
    alternate,
    ask,
    database,
    fixer,
    own_server,
    psql,
    say,
    seconds,
    statements,
)

SMALL, FULL = (50_000,), (500_000, 5_000_000)
BY_HAND = "script by hand"
BOUNDS = {
    "fixer apply, atomic": "≤ 1.2; of 50,000 users ≤ 2.5",
    "fixer apply, online": "≤ 2 × atomic",
    "fixer undo, atomic": "≤ its apply",
}
COUNT = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM paper_trades)"


def run(options: Options) -> Result:
    """Measure every way of repair, each on its own copy of one template."""
    result = Result("repair, tuned server" if options.tuned else "repair")
    settings = options.settings()
    with own_server(settings, options.version) as own:
        for users in options.pick(SMALL, FULL):
            say(f"{users:,} users, {2 * users:,} trades: filling the template")
            template = own.server.create_database()
            data.broken(own.server.database_dsn(template), users)
            Repairs(own, template, users, result, options).measure()
            own.server.drop_database(template)
    return result


class Repairs:
    """The ways to repair one size."""

    def __init__(self, own: OwnServer, template: str, users: int, result: Result, options: Options) -> None:
        self.own, self.server, self.template, self.users = own, own.server, template, users
        self.result, self.options = result, options
        self.undone: dict[str, list[float]] = {}
        self.rows = ask(self.server.database_dsn(template), COUNT)
        self.lost = 0

    def measure(self) -> None:
        """Measure them in turns."""
        ways: dict[str, Callable[[], float]] = {
            BY_HAND: self.by_hand,
            "fixer apply, atomic": lambda: self.apply("atomic"),
            "fixer apply, online": lambda: self.apply("online"),
            "drop and recreate": self.drop,
        }
        medians = alternate(ways, self.options.runs)
        self.result.compare(self.users, medians, BY_HAND, BOUNDS)
        for mode, taken in self.undone.items():
            applied = f"fixer apply, {mode}"
            typical = sorted(taken)[len(taken) // 2]
            self.result.add(
                f"fixer undo, {mode}", self.users, typical, reference=applied, ratio=typical / medians[applied],
                bound="≤ 1",
            )  # fmt: skip
        self.result.note(f"Drop and recreate lost {self.lost:,} of {self.rows:,} rows; the others lost none.")

    def by_hand(self) -> float:
        """Run the script, and see that the contract holds after it and no row is lost."""
        with database(self.server, self.template) as dsn:
            with self.told(BY_HAND):
                ended = psql(dsn, HERE / "handwritten.sql")
            fixer("check", "--deep", dsn=dsn)
            rescued = ask(dsn, "SELECT count(*) FROM rescued.rows WHERE reason NOT LIKE 'before %'")
            assert ask(dsn, COUNT) + rescued == self.rows + 1, "the script lost rows"
            return ended.seconds

    @contextmanager
    def told(self, way: str) -> Iterator[None]:
        """Tell the long statements of what is done here, where that was asked for."""
        before = len(self.own.log())
        yield
        if self.options.steps:
            say(f"{way}:")
            for taken, statement in statements(self.own.log()[before:]):
                say(f"{taken:8.2f} s  {statement[:160]}")

    def apply(self, mode: str) -> float:
        """Run the fixer, and see that the contract holds after it; its ledger has counted the rows."""
        with database(self.server, self.template) as dsn:
            with self.told(f"fixer apply, {mode}"):
                ended = fixer("apply", "--yes", "--allow-hazards", "all", "--mode", mode, dsn=dsn)
            fixer("check", dsn=dsn)
            number = ask(dsn, "SELECT max(id) FROM fixer_journal.run")
            self.undone.setdefault(mode, []).append(seconds(lambda: fixer("undo", str(number), "--yes", dsn=dsn)))
            assert ask(dsn, COUNT) == self.rows, "undo did not give every row back"
            return ended.seconds

    def drop(self) -> float:
        """Run the script that people write, and count what it lost."""
        with database(self.server, self.template) as dsn:
            ended = psql(dsn, HERE / "drop_and_recreate.sql")
            fixer("check", dsn=dsn)
            self.lost = self.rows + 1 - ask(dsn, COUNT)
            return ended.seconds
