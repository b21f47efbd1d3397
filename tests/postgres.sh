#!/usr/bin/env bash
# Starts a PostgreSQL of our own in a temporary folder on a free loopback port, and prints the variable that names it.
# It ends with the machine or with: pg_ctl stop -D FOLDER.
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
dir=$(mktemp -d /tmp/kachi-postgres.XXXXXX)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
run() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$1"; else sh -c "$1"; fi; }
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
run "$bin/initdb -D $dir/data -U postgres -A trust -E UTF8 --locale=C.UTF-8" >&2
run "$bin/pg_ctl -w -D $dir/data -l $dir/log -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c max_connections=300' start" >&2
echo "export KACHI_TEST_POSTGRES=postgres://postgres@127.0.0.1:$port/postgres"
