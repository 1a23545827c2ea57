"""What pytest loads wherever pgmend is installed: it loads the contract suite's plugin if the suite is asked for.

Other sessions are left as they are: they may have options, markers and a package `contracts` of their own. So this
imports neither pytest nor the suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

SUITE = "contracts"
_HOME = Path(__file__).resolve().parents[2] / SUITE
_NAMES = ("pgmend", "-ppgmend")  # as in `-p pgmend`


class _Invocation(Protocol):
    @property
    def dir(self) -> Path: ...


class _Plugins(Protocol):
    def import_plugin(self, modname: str) -> None: ...


class _Config(Protocol):
    """What is used of pytest's own."""

    @property
    def rootpath(self) -> Path: ...
    @property
    def invocation_params(self) -> _Invocation: ...
    @property
    def pluginmanager(self) -> _Plugins: ...
    def getini(self, name: str) -> list[str]: ...


def pytest_load_initial_conftests(early_config: _Config, args: Sequence[str]) -> None:
    """Load the suite's plugin where the command line or the ini file names pgmend or its suite."""
    ini = (early_config.rootpath / path for path in early_config.getini("testpaths"))
    if _is_named(early_config.invocation_params.dir, args) or any(map(_is_ours, ini)):
        early_config.pluginmanager.import_plugin(f"{SUITE}.plugin")


def _is_named(directory: Path, args: Sequence[str]) -> bool:
    """Return whether the words of a command line name pgmend, a file of its suite, or the suite by its name."""
    words = [*_words(args)]
    by_name = "--pyargs" in args and any(word.partition(".")[0] == SUITE for word in words) and _is_found()
    return by_name or any(name in args for name in _NAMES) or any(_is_ours(directory / word) for word in words)


def _words(args: Iterable[str]) -> Iterator[str]:
    """Yield what may name tests, without the names of single ones."""
    return (arg.partition("::")[0] for arg in args if arg and not arg.startswith("-"))


def _is_ours(path: Path) -> bool:
    """Return whether a path leads into the suite, and the suite is what its name imports."""
    try:
        found = path.resolve()
    except (OSError, ValueError):  # a word that is no path
        return False
    return (found == _HOME or _HOME in found.parents) and _is_found()


def _is_found() -> bool:
    """Return whether the suite's name leads to the suite, and to no other package of that name."""
    spec = find_spec(SUITE)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve().parent == _HOME
