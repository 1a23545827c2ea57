"""The file that declares a contract: where code scanning shows a finding, which is in no file itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fixer.contract.migrations.project import PREFIX
from fixer.contract.project import nearest


def place_of(contract: str | None, directory: Path | None = None) -> str:
    """Return the path of the file that declares a contract, from the root of its repository.

    It is the file of the models, of the SQL or of Alembic's settings; else the pyproject.toml; else there is none.
    """
    here = (directory or Path.cwd()).resolve()
    root = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
    for file in _candidates(contract or "", here):
        if file.is_file() and (found := file.resolve()).is_relative_to(root):
            return found.relative_to(root).as_posix()
    return ""


def _candidates(contract: str, here: Path) -> Iterator[Path]:
    if contract.startswith(PREFIX):
        home = here / (contract.removeprefix(PREFIX) or ".")
        yield from (home / "alembic.ini", home.parent / "alembic.ini", home / "env.py")
    elif "://" not in contract and contract:
        yield here / contract
        module = contract.partition(":")[0]
        if all(part.isidentifier() for part in module.split(".")):
            path = here.joinpath(*module.split("."))
            yield from (path.with_suffix(".py"), path / "__init__.py")
            if loaded := getattr(sys.modules.get(module), "__file__", None):
                yield Path(loaded)
    if project := nearest(here):
        yield project
