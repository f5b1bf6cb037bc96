#!/bin/sh
# with-services.sh COMMAND...: run a command with PostgreSQL and Redis at hand.
# What answers at TEST_DATABASE_URL and TEST_REDIS_URL is used. What does not is started here, on a port of its own, and stopped afterwards.
set -eu
: "${TEST_DATABASE_URL:=postgres://postgres@127.0.0.1:5432/council}"
: "${TEST_REDIS_URL:=redis://127.0.0.1:6379/0}"
home=$(mktemp -d)
postgres_data=""
redis_pid=""

missing() {
    echo "$1 is needed and not installed. On Debian: apt-get install $2" >&2
    exit 1
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        su postgres -s /bin/sh -c "$*"
    else
        sh -c "$*"
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

stop() {
    status=$?
    if [ -n "$postgres_data" ]; then as_postgres "'$binaries/pg_ctl' -D '$postgres_data' -m immediate stop" >/dev/null 2>&1 || true; fi
    if [ -n "$redis_pid" ]; then kill "$redis_pid" 2>/dev/null || true; fi
    rm -rf "$home"
    exit "$status"
}
trap stop EXIT
trap 'exit 130' INT TERM

# The database that is named last in the URL is made by the tests: ask for the one that always exists.
if command -v psql >/dev/null && PGCONNECT_TIMEOUT=3 psql "${TEST_DATABASE_URL%/*}/postgres" -qtc 'select 1' >/dev/null 2>&1; then
    echo "PostgreSQL: using the running one"
else
    binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
    [ -n "$binaries" ] || binaries=$(dirname "$(command -v initdb || true)")
    [ -x "$binaries/initdb" ] || missing PostgreSQL postgresql
    postgres_data=$home/postgres
    mkdir "$postgres_data"
    chmod 755 "$home"
    if [ "$(id -u)" = 0 ]; then chown postgres "$postgres_data"; fi
    port=$(free_port)
    as_postgres "'$binaries/initdb' -D '$postgres_data' -A trust -U postgres -E UTF8 --no-sync" >"$home/initdb.log" 2>&1 || { cat "$home/initdb.log" >&2; exit 1; }
    # It lives as long as the command: nothing in it needs to outlive a fall of the machine, so nobody waits for the disk.
    quick="-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    options="-p $port -k $postgres_data -c listen_addresses=127.0.0.1 -c max_connections=200 $quick"
    as_postgres "'$binaries/pg_ctl' -D '$postgres_data' -w -l '$postgres_data/log' -o '$options' start" >/dev/null
    TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$port/council
    echo "PostgreSQL: started for this run on port $port"
fi

if command -v redis-cli >/dev/null && [ "$(redis-cli -u "$TEST_REDIS_URL" ping 2>/dev/null)" = PONG ]; then
    echo "Redis: using the running one"
else
    command -v redis-server >/dev/null || missing Redis redis-server
    port=$(free_port)
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --maxmemory-policy noeviction --dir "$home" >"$home/redis.log" &
    redis_pid=$!
    TEST_REDIS_URL=redis://127.0.0.1:$port/0
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ] && break
        sleep 0.2
    done
    echo "Redis: started for this run on port $port"
fi

export TEST_DATABASE_URL TEST_REDIS_URL
"$@"
