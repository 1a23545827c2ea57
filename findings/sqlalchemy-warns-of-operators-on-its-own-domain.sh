#!/usr/bin/env bash
# SQLAlchemy 2.1.9: an operator on a column whose type is SQLAlchemy's own DOMAIN of PostgreSQL raises an
# SADeprecationWarning that speaks to the authors of types ("does not refer to an OperatorClass in its operator_classes
# attribute"), though the user has written no type at all. Where warnings are errors, models with such a CHECK or such a
# partial index cannot be imported. A plain INTEGER warns of nothing; the SQL that is spelt is right.
#
# Way round: type_coerce(column, Integer) >= 0.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check 'sqlalchemy==2.1.9'

cat >"$place/try.py" <<'PY'
import warnings

from sqlalchemy import Column, Integer, type_coerce
from sqlalchemy.dialects.postgresql import DOMAIN


def told(of):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        spelt = str(of())
    return spelt, [type(each.message).__name__ for each in heard]


domain = Column("n", DOMAIN("positive", Integer, check="VALUE > 0"))
for found in (told(lambda: domain >= 0), told(lambda: Column("n", Integer) >= 0)):
    print(*found)
print(*told(lambda: type_coerce(domain, Integer) >= 0))
PY
seen=$("$place/venv/bin/python" "$place/try.py")
echo "$seen"
wanted="n >= :n_1 ['SADeprecationWarning']
n >= :n_1 []
n >= :param_1 []"
[ "$seen" = "$wanted" ] || { echo "This has changed." >&2; exit 1; }
