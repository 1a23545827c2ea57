"""demo: the whole story, in time, and nothing left behind."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

from lab.process import fixer, started


def test_demo_tells_the_whole_story_in_time() -> None:
    began = time.monotonic()
    with started("demo") as process:
        ended = subprocess.CompletedProcess("demo", 0, *process.communicate(timeout=60))
    ended.returncode = process.returncode
    seconds = time.monotonic() - began
    parts = [
        "there is no unique constraint matching given keys for referenced table", "(42830)",
        'null value in column "user_id" of relation "users" violates not-null constraint', "(23502)",
        "Could not create default user", "fixer plan", "before + inserted = after + quarantined",
    ]  # fmt: skip
    greens = re.findall(r"✓ (\d) ", ended.stdout.partition("check --deep")[2])

    assert seconds < 15
    assert (0, [], list("12345")) == (ended.returncode, [part for part in parts if part not in ended.stdout], greens)


def test_demo_leaves_no_server_behind_and_needs_no_package_of_the_current_directory(tmp_path: Path) -> None:
    (here := tmp_path / "here" / "contracts").mkdir(parents=True)
    (here / "__init__.py").touch()
    (scratch := tmp_path / "scratch").mkdir()
    with started("demo", "-q", cwd=here.parent, env={"TMPDIR": str(scratch)}) as process:
        said = process.communicate(timeout=60)

    assert (process.returncode, said) == (0, ("", ""))
    assert list(scratch.iterdir()) == []


def test_demo_gives_machines_one_document() -> None:
    ended = fixer("demo", "--format", "json")
    document = json.loads(ended.stdout)

    assert (ended.returncode, document["ok"], document["run"]) == (0, True, 1)
