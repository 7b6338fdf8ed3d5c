# shellcheck shell=bash
# PostgreSQL, for scripts/services: one role with one database, by password; nobody else comes in. It refuses
# to run as root.

postgres_ready_max_s() { echo 120; }

# The newest of Debian's versions, or what the path leads to.
postgres_bin() {
  local newest
  newest=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 2>/dev/null | sort -V | tail -n 1)
  if [ -x "$newest/bin/postgres" ]; then echo "$newest/bin"; else dirname "$(command -v postgres)"; fi
}

postgres_start() {
  local process=$1 bin secret
  bin=$(postgres_bin)
  if [ ! -f "$dir/$process/data/ours" ]; then
    # One that was interrupted is not gone on with.
    rm -rf "${dir:?}/$process/data"
    as_user_of "$process" "$bin/initdb" --pgdata=data --username=postgres --auth=reject \
      --encoding=UTF8 --locale=C.UTF-8 > "$dir/$process/log" 2>&1 || come_to_nothing "$process could not be made"
    secret=$(password postgres)
    printf "%s\n" "CREATE ROLE goldentime LOGIN PASSWORD '$secret';" "CREATE DATABASE goldentime OWNER goldentime;" \
      | as_user_of "$process" "$bin/postgres" --single -D data postgres >> "$dir/$process/log" 2>&1 \
      || come_to_nothing "$process could not be given its role"
    echo "host all goldentime 127.0.0.1/32 scram-sha-256" | as_user_of "$process" tee data/pg_hba.conf > /dev/null
    as_user_of "$process" touch data/ours
  fi
  launch "$process" "$bin/postgres" -D data -p "$(port "$process")" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=200
}

# It lets the role in and answers.
postgres_ready() {
  PGPASSWORD=$(cat "$dir/postgres-password") PGCONNECT_TIMEOUT=3 timeout 5 \
    "$(postgres_bin)/psql" -h 127.0.0.1 -p "$(port "$1")" -U goldentime -d goldentime -X -q -t -c 'SELECT 1' > /dev/null 2>&1
}

postgres_env() {
  printf 'export GOLDENTIME_SERVICES_POSTGRES_HOST=127.0.0.1\nexport GOLDENTIME_SERVICES_POSTGRES_PORT=%s\n' "$(port postgres)"
  printf 'export GOLDENTIME_SERVICES_POSTGRES_DATABASE=goldentime\nexport GOLDENTIME_SERVICES_POSTGRES_USER=goldentime\n'
  printf 'export GOLDENTIME_SERVICES_POSTGRES_PASSWORD_FILE=%q\n' "$dir/postgres-password"
}

postgres_yaml() {
  cat <<YAML
postgres:
  host: 127.0.0.1
  port: $(port postgres)
  database: goldentime
  user: goldentime
  password_file: '$dir/postgres-password'
  tls: off
YAML
}
