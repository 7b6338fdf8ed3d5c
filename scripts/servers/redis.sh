# shellcheck shell=bash
# Redis, for scripts/services: keeps what it holds in its append-only file, evicts nothing, wants a password.

redis_ready_max_s() { echo 60; }

redis_start() {
  local process=$1 secret
  secret=$(password redis)
  (
    umask 077
    cat > "$dir/$process/redis.conf" <<CONFIG
bind 127.0.0.1
port $(port "$process")
requirepass $secret
dir $dir/$process
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
CONFIG
  )
  chown "$(user_of "$process")" "$dir/$process/redis.conf"
  launch "$process" redis-server "$dir/$process/redis.conf"
}

# It answers, its data loaded.
redis_ready() {
  [ "$(REDISCLI_AUTH=$(cat "$dir/redis-password") \
    timeout 3 redis-cli -h 127.0.0.1 -p "$(port "$1")" ping 2>/dev/null)" = PONG ]
}

redis_env() {
  printf 'export GOLDENTIME_SERVICES_REDIS=127.0.0.1:%s\n' "$(port redis)"
  printf 'export GOLDENTIME_SERVICES_REDIS_PASSWORD_FILE=%q\n' "$dir/redis-password"
}

redis_yaml() {
  cat <<YAML
redis:
  nodes: ['127.0.0.1:$(port redis)']
  password: {file: '$dir/redis-password'}
YAML
}
