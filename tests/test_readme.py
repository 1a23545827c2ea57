"""The README shows what is true."""

from __future__ import annotations

import re
from pathlib import Path

from lab.database import Database
from lab.process import HOUSE, fixer

README = (HOUSE / "README.md").read_text(encoding="utf-8")
# The shop of the README, once a script has dropped a key and others have deleted a user.
SHOP = """
CREATE TABLE users (id integer NOT NULL, email varchar(255) NOT NULL UNIQUE);
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer NOT NULL);
INSERT INTO users VALUES (1, 'asha@example.in'), (2, 'ravi@example.in');
INSERT INTO orders (user_id) VALUES (1), (2), (7), (7);
"""


def block(after: str, language: str) -> str:
    """Return the first block of code in this language that follows a sentence."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README.partition(after)[2], re.M | re.S)
    assert found
    return found[1]


def test_the_readme_shows_what_check_prints_of_its_models(empty: Database, tmp_path: Path) -> None:
    empty.run(SHOP)
    (tmp_path / "models.py").write_text(block("## Your own models", "python"))
    ended = fixer("check", empty.dsn, "--contract", "models:Base", cwd=tmp_path, env={"COLUMNS": "120"})
    shown = block("## Your own models", "text").splitlines()

    assert ended.stdout.splitlines()[2:-1] == shown[2:-1]
    assert shown[0].endswith("against  models:Base")
    assert (ended.returncode, shown[-1].partition(":")[0]) == (1, "See the repair with")


def test_every_page_of_the_docs_is_listed() -> None:
    pages = {f"docs/{page.name}" for page in (HOUSE / "docs").glob("*.md")}

    assert pages - set(re.findall(r"\]\((docs/\w+\.md)\)", README.partition("## More to read")[2])) == set()
