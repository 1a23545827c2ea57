"""Reads the table [tool.pgmend] of a pyproject.toml; what it should not say is refused by file and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from pathlib import Path

from fixer.errors import ContractError
from fixer.model.contract import ORPHAN_POLICIES
from fixer.model.finding import Accepted
from fixer.model.values import dataclass

_KEYS = ("accept", "contract", "exclude", "hints", "scratch")
_NAMED = (("contract", "app.models:Base"), ("scratch", "docker:postgres:18"))
_OF_ACCEPT = ("finding", "reason", "until")
OF_TABLE = ("default_rows", "legacy_names", "oldest_by")
_OF_COLUMN = ("backfill", "legacy_keys", "legacy_names", "orphans", "timezone")
_LISTS = ("legacy_keys", "legacy_names")

Said = Mapping[str, object]  # what a table of TOML says, by its keys


@dataclass(frozen=True)
class Project:
    """What the table says, and the file in which it stands."""

    contract: str | None = None
    exclude: tuple[str, ...] = ()
    accept: tuple[Accepted, ...] = ()
    hints: Mapping[str, Said] = field(default_factory=dict)  # by SCHEMA.TABLE or SCHEMA.TABLE.COLUMN
    file: str = ""
    scratch: str | None = None

    def wrong(self, what: str) -> ContractError:
        """Return the error that the file says something wrong."""
        return ContractError(f"{self.file}: {what}.")

    def nearest(self, what: str, name: str, known: Sequence[str]) -> ContractError:
        """Return the error that a name is unknown, with the nearest that is known."""
        from difflib import get_close_matches

        near = get_close_matches(name, known, 1, 0)
        return ContractError(f"{self.file}: {what}: is it {near[0]}?") if near else self.wrong(what)


def read(file: Path) -> Project:
    """Return what a file says; raise ContractError with its name where it cannot be read, or says it wrong."""
    try:
        return of_text(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ContractError(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise ContractError(f"{file} is not TOML: {error}.") from None


def of_text(text: str, file: str) -> Project:
    """Return what the text of a file says; raise ContractError where it says it wrong, ValueError if it is no TOML."""
    import tomllib

    tools = tomllib.loads(text).get("tool", {})
    return _Reader(file).project(tools.get("pgmend", {}) if isinstance(tools, dict) else {})


@dataclass(frozen=True)
class _Reader:
    """Reads the parts of the table; `file` is named where one is wrong."""

    file: str

    def project(self, said: object) -> Project:
        if not isinstance(said, dict):
            raise self._wrong("tool.pgmend should be a table")
        self._known(said, "[tool.pgmend]", _KEYS)
        contract, scratch = (self._named(said.get(key), f"{key} in [tool.pgmend]", example) for key, example in _NAMED)
        return Project(
            contract,
            self._texts(said.get("exclude", []), "exclude in [tool.pgmend]"),
            tuple(self._accepted(said.get("accept", []))),
            dict(self._hints(said.get("hints", {}))),
            self.file,
            scratch,
        )

    def _named(self, said: object, where: str, example: str) -> str | None:
        if said is not None and (not isinstance(said, str) or not said.strip()):
            raise self._wrong(f"{where} should be a text, as in {example}")
        return said

    def _accepted(self, said: object) -> Iterator[Accepted]:
        if not isinstance(said, list):
            raise self._wrong("accept should be tables, as [[tool.pgmend.accept]]")
        for each in said:
            if not isinstance(each, dict):
                raise self._wrong("accept should be tables, as [[tool.pgmend.accept]]")
            self._known(each, "[[tool.pgmend.accept]]", _OF_ACCEPT)
            finding, reason = (self._text(each.get(key), f"{key} in [[tool.pgmend.accept]]") for key in _OF_ACCEPT[:2])
            if not finding.partition(":")[0].strip():
                raise self._wrong(f"finding in [[tool.pgmend.accept]] should be SLUG:OBJECT, not {finding}")
            yield Accepted(finding.strip(), " ".join(reason.split()), self._day(each.get("until")), self.file)

    def _day(self, said: object) -> date | None:
        if isinstance(said, datetime):
            return said.date()
        if said is None or isinstance(said, date):
            return said
        try:
            return date.fromisoformat(str(said) if isinstance(said, str) else "")
        except ValueError:
            raise self._wrong(f"until in [[tool.pgmend.accept]] should be a date as 2027-06-30, not {said}") from None

    def _hints(self, said: object) -> Iterator[tuple[str, Said]]:
        if not isinstance(said, dict):
            raise self._wrong('hints should be tables, as [tool.pgmend.hints."public.users"]')
        for name, each in said.items():
            where = f'[tool.pgmend.hints."{name}"]'
            if not isinstance(each, dict):
                raise self._wrong(f"{where} should be a table")
            self._known(each, where, sorted({*OF_TABLE, *_OF_COLUMN}))
            for key, value in each.items():
                self._hint(key, value, f"{key} in {where}")
            yield name, each

    def _hint(self, key: str, value: object, where: str) -> None:
        """Raise ContractError if a hint has no value that it may have."""
        if key in _LISTS:
            self._texts(value, where)
        elif key == "default_rows":
            if not isinstance(value, list) or not all(isinstance(row, dict) and row for row in value):
                raise self._wrong(f"{where} should be a list of rows, each as {{name = 'root'}}")
        elif self._text(value, where) not in ORPHAN_POLICIES and key == "orphans":
            raise self._wrong(f"{where} should be one of {', '.join(ORPHAN_POLICIES)}, not {value}")

    def _texts(self, said: object, where: str) -> tuple[str, ...]:
        if not isinstance(said, list):
            raise self._wrong(f"{where} should be a list of texts")
        return tuple(self._text(each, f"each of {where}") for each in said)

    def _text(self, said: object, where: str) -> str:
        if not isinstance(said, str) or not said.strip() or "\0" in said:
            raise self._wrong(f"{where} should be a text")
        return said

    def _known(self, said: Mapping[str, object], where: str, known: Sequence[str]) -> None:
        """Raise ContractError if a table has a key that it does not know."""
        if unknown := sorted(said.keys() - set(known)):
            raise self._wrong(f"{where} knows no {unknown[0]}; it knows {', '.join(known)}")

    def _wrong(self, what: str) -> ContractError:
        return ContractError(f"{self.file}: {what}.")
