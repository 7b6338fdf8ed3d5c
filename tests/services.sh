#!/usr/bin/env bash
# scripts/services over the real servers: up, status, up again, one killed, one paused, one that cannot start,
# down, nothing left. A minute or two; `make test-full` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
# PostgreSQL and the like run as others, who must get to their folders.
chmod 711 "$work"
dir=$work/servers
# Whatever happens, no server outlives the test.
trap 'scripts/services down --purge --dir "$dir" > /dev/null 2>&1; rm -rf "$work"' EXIT

services() { scripts/services "$1" --dir "$dir" "${@:2}" > "$work/said" 2>&1; }

fail() {
  echo "FAILED: $*" >&2
  sed 's/^/  | /' "$work/said" >&2
  exit 1
}

step() { echo "services: $*"; }

# Processes whose command line or folder is in the test's.
left() {
  local process
  for process in /proc/[0-9]*; do
    case $(readlink "$process/cwd" 2>/dev/null) in "$dir"/*) echo "${process#/proc/}" ;; esac
  done
}

step "without an up there is nothing, and status says so"
services status && fail "status succeeded"
grep -q "nothing was started" "$work/said" || fail "status did not say that nothing was started"

step "two of them come up alone, and a central reaches the database by central.yaml"
services up postgres elasticsearch || fail "up"
if [ -n "${GOLDENTIME_BIN_DIR:-}" ]; then
  GOLDENTIME_CENTRAL__STATE_DIR=$work/central "$GOLDENTIME_BIN_DIR/goldentime-central" migrate \
    --config "$dir/central.yaml" > "$work/said" 2>&1 || fail "migrate"
fi

step "all servers come up, three brokers among them"
services up --brokers 3 || fail "up"
services status || fail "status after up"
[ "$(grep -c 'ready$' "$work/said")" = 6 ] || fail "not six servers are ready"
(
  # shellcheck disable=SC1091
  . "$dir/env"
  PGPASSWORD=$(cat "$GOLDENTIME_SERVICES_POSTGRES_PASSWORD_FILE") psql -qtX -h "$GOLDENTIME_SERVICES_POSTGRES_HOST" \
    -p "$GOLDENTIME_SERVICES_POSTGRES_PORT" -U "$GOLDENTIME_SERVICES_POSTGRES_USER" \
    -c 'CREATE TABLE kept AS SELECT 1' "$GOLDENTIME_SERVICES_POSTGRES_DATABASE"
  REDISCLI_AUTH=$(cat "$GOLDENTIME_SERVICES_REDIS_PASSWORD_FILE") redis-cli -p "${GOLDENTIME_SERVICES_REDIS#*:}" set kept 1
  curl -sf -X PUT "$GOLDENTIME_SERVICES_ELASTICSEARCH/kept"
) > "$work/said" 2>&1 || fail "env does not lead to the servers"
if [ -n "${GOLDENTIME_BIN_DIR:-}" ]; then
  "$GOLDENTIME_BIN_DIR/goldentime-central" config check \
    --config "$dir/central.yaml" > "$work/said" 2>&1 || fail "a central does not take central.yaml"
fi
[ "$(find "$dir" -name '*-password' -perm /077)" = "" ] || fail "a password is not for its owner alone"
redis-cli -p "$(cut -d ' ' -f 1 "$dir/redis/ports")" get kept 2>&1 | grep -q NOAUTH || fail "Redis lets in whoever comes"

step "up again starts nothing and says what runs"
cp "$dir/kafka-2/process" "$work/before"
services up || fail "second up"
[ "$(grep -c 'runs already' "$work/said")" = 6 ] || fail "it did not say what runs"
cmp -s "$dir/kafka-2/process" "$work/before" || fail "a broker was started anew"
services up kafka --brokers 1 && fail "another number of brokers was accepted"
grep -q -- --purge "$work/said" || fail "it did not say what to do about the number of brokers"

step "a killed broker and a paused Redis are told, and up mends them"
kill -9 "$(cut -d ' ' -f 1 "$dir/kafka-2/process")"
kill -STOP "$(cut -d ' ' -f 1 "$dir/redis/process")"
services status && fail "status succeeded"
grep -Eq '^kafka-2 .* gone' "$work/said" || fail "the killed broker is not told"
grep -Eq '^redis .* not ready' "$work/said" || fail "the paused Redis is not told"
grep -Eq '^kafka-1 .* ready$' "$work/said" || fail "the other brokers are ready"
kill -CONT "$(cut -d ' ' -f 1 "$dir/redis/process")"
services up || fail "up after a kill"
services status || fail "status after it"

step "a server whose launcher was killed is found and started anew"
kill -9 "$(cut -d ' ' -f 1 "$dir/elasticsearch/process")"
services up elasticsearch || fail "up"
services status || fail "status"

step "a paused server is stopped all the same, and data stays"
kill -STOP "$(cut -d ' ' -f 1 "$dir/redis/process")"
services down || fail "down"
[ -z "$(left)" ] || fail "processes are left: $(left)"
services status && fail "status succeeded after down"
services up redis postgres || fail "up with data"
(
  # shellcheck disable=SC1091
  . "$dir/env"
  REDISCLI_AUTH=$(cat "$GOLDENTIME_SERVICES_REDIS_PASSWORD_FILE") redis-cli -p "${GOLDENTIME_SERVICES_REDIS#*:}" get kept
  PGPASSWORD=$(cat "$GOLDENTIME_SERVICES_POSTGRES_PASSWORD_FILE") psql -qtX -h 127.0.0.1 \
    -p "$GOLDENTIME_SERVICES_POSTGRES_PORT" -U goldentime -c 'SELECT * FROM kept' goldentime
) > "$work/said" 2>&1
[ "$(tr -dc 1 < "$work/said")" = 11 ] || fail "data did not survive down and up"

step "an up that fails leaves what ran, and nothing else"
# A Java that runs everything but brokers.
mkdir "$work/bin"
cat > "$work/bin/java" <<JAVA
#!/bin/sh
case "\$*" in *kafka.Kafka*) echo the log says why >&2; exit 3 ;; esac
exec $(command -v java) "\$@"
JAVA
chmod 755 "$work/bin/java" "$work/bin"
PATH=$work/bin:$PATH services up kafka elasticsearch redis && fail "up succeeded without brokers"
grep -q "the log says why" "$work/said" || fail "it does not show the log"
[ -d "$dir/kafka-1/data" ] || fail "data of an earlier up is gone"
services status || fail "what ran is not ready"
[ "$(grep -c 'ready$' "$work/said")" = 2 ] || fail "other servers are started than before"
services down --purge || fail "down"
[ ! -e "$dir" ] || fail "$dir is left"
PATH=$work/bin:$PATH services up && fail "up succeeded without brokers"
[ ! -e "$dir" ] || fail "$dir is left"
[ -z "$(left)" ] || fail "processes are left: $(left)"

step "an up that is told to stop leaves nothing, whatever it was doing"
for delay in 0 0.1 0.3 0.6 1 1.5 2; do
  scripts/services up redis elasticsearch --dir "$dir" > "$work/said" 2>&1 &
  up=$!
  until [ -f "$dir/elasticsearch/process" ]; do kill -0 "$up" 2> /dev/null || fail "up"; sleep 0.1; done
  sleep "$delay"
  kill -TERM "$up"
  wait "$up" && fail "up succeeded"
  [ ! -e "$dir" ] || fail "$dir is left after $delay s"
  [ -z "$(left)" ] || fail "processes are left after $delay s: $(left)"
done

step "down with --purge leaves nothing"
services up redis || fail "up"
grep -qx 'cluster: {}' "$dir/central.yaml" || fail "Redis stands in central.yaml without Kafka, which no central takes"
services down --purge || fail "down"
[ ! -e "$dir" ] || fail "$dir is left"
[ -z "$(left)" ] || fail "processes are left: $(left)"
services down || fail "down of nothing"
echo "services: all well"
