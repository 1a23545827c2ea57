"""The contract suite in a process that imports it and then waits: `python -m contracts.waiting`.

It can start while the database that it proves is still being made. The options of the suite come by standard input, as
a list in JSON; where none come, it ends.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

from fixer.connect.memory import undisturbed

_HERE = Path(__file__).parent
# Nothing of what a project says of its own tests holds: its settings, its plugins, its conftest.py. Assertions stay as
# they are written, for only the names of the items that fail are shown.
_APART = (
    "-q", "-rf", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", "-p", "contracts.plugin", "-c", os.devnull,
    f"--rootdir={_HERE.parent}", f"--confcutdir={_HERE}", str(_HERE),
)  # fmt: skip


def main() -> int:
    """Import the suite, wait for its options, and run it; return pytest's exit code."""
    with undisturbed():
        import pytest
        from hypothesis import strategies as st

        import contracts.conftest
        import contracts.proof.bad_rows
        import contracts.proof.default_rows
        import contracts.proof.good_rows  # noqa: F401 - what its items import
        from contracts.rows.making.pools import pool
        from fixer import defects

        defects.all_classes()
        pool(st.integers())  # what hypothesis looks for at its first draw
    gc.freeze()  # all of it stays, and pytest and hypothesis look for garbage by themselves
    said = sys.stdin.read()
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return int(pytest.main([*_APART, *json.loads(said)])) if said else 0


if __name__ == "__main__":
    sys.exit(main())
