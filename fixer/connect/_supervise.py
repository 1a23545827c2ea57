"""The process that keeps one PostgreSQL server for an owner, and at the owner's end leaves nothing behind.

It is run as a plain file with nothing but the standard library, so that it starts in milliseconds and needs
nothing of ours. Its one argument is an order in JSON; its one line of output says where the server is, or
why there is none.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PORT = 5432  # names the socket only: there is no TCP
PREFIX = "pgmend-server-"
ROOM = 512 * 2**20  # what /dev/shm must have free before it may hold a server, besides the room that is asked for
LONGEST_SOCKET = 106  # bytes, without the final NUL
PATIENCE = 60.0
LINUX = sys.platform == "linux"

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "200",
    "max_locks_per_transaction": "1024",
    "shared_buffers": "128MB",
    # Segments of parallel queries lie in the directory of the server, which is removed whatever happens.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
# For the C library of Linux: keep what memory one statement took for the next, instead of asking the kernel anew.
MEMORY = {"MALLOC_TOP_PAD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**24), "MALLOC_MMAP_THRESHOLD_": str(2**23)}
WISHES = ["-U", "postgres", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync"]
FLAGS = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]


class NoServerError(Exception):
    """PostgreSQL did not start; the text is the reason."""


class EndedError(Exception):
    """The owner ended, or asked to stop, while the server was starting."""


def main(bindir: Path, owner: int, moment: str, guises: list[str], room: int) -> None:
    """Start a server with room for so many bytes, say where, and stop it when its owner, of that moment, ends."""
    watch = Watch(owner, moment)
    try:
        guise = choose_guise(bindir, guises)
        with home(guise, room) as directory, server(bindir, directory, guise, watch) as postgres:
            answer(directory=str(directory))
            while postgres.poll() is None and not watch.over(1.0):
                pass
    except EndedError:
        pass
    except PermissionError as error:  # as nobody, who sees nothing below /root
        answer(error=f"{error.filename} is not open to the user it runs as: install it where every user may read")
    except (NoServerError, OSError, subprocess.SubprocessError) as error:
        answer(error=str(error))


def answer(**values: str) -> None:
    """Give the one line the owner waits for, and close the pipe behind it."""
    with contextlib.suppress(OSError):  # an owner that ended reads no more
        os.write(1, json.dumps(values).encode() + b"\n")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


# ---- the owner


def started(pid: int) -> str:
    """Return when a process started, which no later process of that number shares; "" when it ended."""
    if not LINUX:
        return subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class Watch:
    """Sees the end of the owner, and the signals that ask to stop."""

    def __init__(self, owner: int, moment: str) -> None:
        self.owner, self.moment = owner, moment
        asked, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # the byte in the pipe stays and is the answer
        self.poll = select.poll()
        self.poll.register(asked, select.POLLIN)
        with contextlib.suppress(AttributeError, OSError):  # without pidfd the poll below looks every second
            self.poll.register(os.pidfd_open(owner), select.POLLIN)

    def over(self, seconds: float) -> bool:
        """Wait at most so long for the end, and return whether it has come."""
        return bool(self.poll.poll(seconds * 1000)) or started(self.owner) != self.moment


# ---- who PostgreSQL runs as


def nobody() -> pwd.struct_passwd:
    """Give the user that stands in for root."""
    return pwd.getpwnam("nobody")


def choose_guise(bindir: Path, guises: list[str]) -> str:
    """Choose how PostgreSQL, which refuses root and users without a name, gets a user it accepts."""
    with contextlib.suppress(KeyError):  # of a user that the machine does not know
        if os.geteuid() != 0 and pwd.getpwuid(os.geteuid()).pw_name:
            return "self"
    for guise in guises[:-1]:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            probe = spawn([str(bindir / "postgres"), "--version"], Path("/"), guise, subprocess.DEVNULL)
            if probe.wait() == 0:
                return guise
    return guises[-1]


def spawn(command: list[str], cwd: Path, guise: str, output: int) -> subprocess.Popen[bytes]:
    """Start a program of PostgreSQL in a guise and a clean environment; it dies with this process."""
    user = nobody() if guise == "nobody" else None
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=kept | {"LC_ALL": "C", "TZ": "UTC"} | MEMORY,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=birth(guise),
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
    )


def birth(guise: str) -> Callable[[], None]:
    """Make what a child does before it becomes PostgreSQL."""
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def prepare() -> None:
        if guise == "namespace":
            enter_namespace(libc)
        if LINUX:  # after the change of user, which would clear it
            libc.prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def enter_namespace(libc: ctypes.CDLL) -> None:
    """Enter a user namespace in which this user is called nobody; outside of it nothing changes."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(0x10000000):  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), "no user namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{nobody().pw_uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{nobody().pw_gid} {gid} 1")


# ---- where it lives


@contextlib.contextmanager
def home(guise: str, room: int = 0) -> Iterator[Path]:
    """Make the private directory of a server, and remove it at the end."""
    base = choose_base(guise, room)
    sweep(base)
    # Locked before it has its name, so that no sweep ever meets it unlocked.
    nameless = Path(tempfile.mkdtemp(prefix="." + PREFIX, dir=base))
    lock = os.open(nameless / "supervised", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    directory = nameless.rename(base / nameless.name[1:])
    try:
        if guise == "nobody":
            os.chown(directory, nobody().pw_uid, nobody().pw_gid)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def choose_base(guise: str, room: int = 0) -> Path:
    """Choose the fastest place that has room, a short path, and lets PostgreSQL in."""
    temporary = Path(tempfile.gettempdir())
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM + room
    for base in [memory, temporary] if roomy else [temporary]:
        socket = base / (PREFIX + "12345678") / f".s.PGSQL.{PORT}"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET and (guise != "nobody" or open_to_all(base)):
            return base
    return Path("/tmp")


def open_to_all(place: Path) -> bool:
    """Return whether every user may pass through a directory and those above it."""
    return all(above.stat().st_mode & 0o001 for above in [place, *place.resolve().parents])


def sweep(base: Path) -> None:
    """Remove what supervisors left that were killed: directories whose lock nobody holds any more."""
    for marker in base.glob(PREFIX + "*/supervised"):
        with contextlib.suppress(OSError):
            if marker.lstat().st_uid != os.geteuid():
                continue
            with os.fdopen(os.open(marker, os.O_RDWR | os.O_NOFOLLOW)) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(marker.parent)


# ---- the server


@contextlib.contextmanager
def server(bindir: Path, directory: Path, guise: str, watch: Watch) -> Iterator[subprocess.Popen[bytes]]:
    """Run PostgreSQL in the directory from the moment it answers, and stop it at the end."""
    data, log = directory / "data", os.open(directory / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    initdb = spawn([str(bindir / "initdb"), "-D", str(data), *WISHES], directory, guise, log)
    with stopped(initdb):
        wait(lambda: initdb.poll() is not None, watch, directory)
    if initdb.returncode:
        raise NoServerError(f"initdb failed: {last_words(directory)}")
    command = [str(bindir / "postgres"), "-D", str(data), "-k", str(directory), *FLAGS]
    postgres = spawn(command, directory, guise, log)
    with stopped(postgres):
        wait(lambda: postgres.poll() is not None or is_ready(data), watch, directory)
        if postgres.poll() is not None:
            raise NoServerError(f"postgres ended: {last_words(directory)}")
        yield postgres


def is_ready(data: Path) -> bool:
    """Return whether the server takes connections, as pg_ctl does: by the last line of its pid file."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def wait(done: Callable[[], bool], watch: Watch, directory: Path) -> None:
    """Wait until it is done, at most a minute, and not longer than the owner lives."""
    end = time.monotonic() + PATIENCE
    while not done():
        if watch.over(0.005):
            raise EndedError
        if time.monotonic() > end:
            raise NoServerError(f"no answer after {PATIENCE:.0f} s: {last_words(directory)}")


@contextlib.contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a program of PostgreSQL at the end: politely, then firmly, then by force."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(number)  # does nothing when it has ended
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
                break


def last_words(directory: Path) -> str:
    """Give the end of the log as one line."""
    text = (directory / "log").read_text(errors="replace")
    return "; ".join([line.strip() for line in text.splitlines() if line.strip()][-4:]) or "the log is empty"


if __name__ == "__main__":
    os.umask(0o077)
    order = json.loads(sys.argv[1])
    main(Path(order["bindir"]), order["owner"], order["started"], order["guises"], order["room"])
