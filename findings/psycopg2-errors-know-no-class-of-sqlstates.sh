#!/usr/bin/env bash
# psycopg2 has an exception for each SQLSTATE, and one for the head of each class, such as 42000,
# SyntaxErrorOrAccessRuleViolation. The heads are no base classes: an error of 42883 (UndefinedFunction) is none of 42000,
# though the SQL standard makes 42 its class. `except errors.SyntaxErrorOrAccessRuleViolation` lets it pass; the class is
# to be told by pgcode[:2]. The same holds for 22000, DataException, and 23000, IntegrityConstraintViolation.
# Seen with psycopg2-binary 2.9.13. Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && cd "$place"
trap 'rm -rf "$place"' EXIT
python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check psycopg2-binary==2.9.13
venv/bin/python - <<'PYTHON'
from psycopg2 import errors

for head, one in (("42000", "42883"), ("22000", "22012"), ("23000", "23505")):
    a, b = errors.lookup(head), errors.lookup(one)
    print(f"{b.__name__} ({one}) is a {a.__name__} ({head}): {issubclass(b, a)}; its bases: {[c.__name__ for c in b.__bases__]}")
    assert not issubclass(b, a)
PYTHON
echo "as described"
