#!/usr/bin/env bash
# PostgreSQL 15.20, as of the minor releases of November 2026: the server itself writes an entry pg_attver=N into attoptions
# of every column that it makes, where pg_attribute had NULL before. pg_dump leaves it out, SET (pg_attver=…) is accepted
# and changes nothing. So "attoptions IS NOT NULL" no longer means that somebody set an option, and two columns alike in
# all that one can say have different attoptions. Up to 15.18 it was NULL.
# Runs Debian 12's package, unpacked aside (on Debian 12, or where its libraries are). Fails if that changes.
set -euo pipefail
place=$(mktemp -d) && chmod 755 "$place" && cd "$place"
as=() && mkdir data && if [ "$(id -u)" = 0 ]; then chown 65534:65534 data && as=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
bin="$place/usr/lib/postgresql/15/bin"
trap '"${as[@]}" "$bin/pg_ctl" -D "$place/data/db" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$place"' EXIT
pool=http://deb.debian.org/debian-security/pool/updates/main/p/postgresql-15
for package in postgresql-15 postgresql-client-15; do
  curl -sSfO "$pool/${package}_15.20-0+deb12u1_amd64.deb"
  dpkg-deb -x "${package}_15.20-0+deb12u1_amd64.deb" .
done
"${as[@]}" "$bin/initdb" -D "$place/data/db" -L "$place/usr/share/postgresql/15" -U postgres -A trust -E UTF8 --locale=C >/dev/null
"${as[@]}" "$bin/pg_ctl" -w -D "$place/data/db" -l "$place/data/log" -o "-c listen_addresses= -k $place/data" start >/dev/null

ask() { "$bin/psql" -XAtq -h "$place/data" -U postgres -d postgres -c "$1"; }
ask "CREATE TABLE t (a integer); ALTER TABLE t ALTER a SET (pg_attver = 5)"
seen=$(ask "SELECT regexp_replace(attoptions::text, '=\d{2,}', '=N') FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum = 1")
dumped=$("$bin/pg_dump" -s -h "$place/data" -U postgres postgres | grep -c attver || true)
echo "$(ask 'SHOW server_version'): $seen; lines of pg_dump that name it: $dumped"
[ "$seen" = "{pg_attver=N}" ] && [ "$dumped" = 0 ] || { echo "This has changed." >&2; exit 1; }
