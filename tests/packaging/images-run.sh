# shellcheck shell=bash
# The part of images.sh that runs in a network, mounts and process ids of its own, so that the images'
# own ports are free and nothing survives it: images-run.sh FOLDER
work=$1
ip link set lo up

# enter NAME: the root of an image as a container runtime would give it.
enter() {
  local name=$1 root=$work/$1 state=$work/state-$1
  cp -a "$root/var/lib/goldentime-$name" "$state"
  mkdir -p "$root/host/proc" "$root/host/root" "$root/host/cgroup" "$root/run/secrets" "$root/var/log/shop"
  mount --bind "$root" "$root"
  mount --bind "$state" "$root/var/lib/goldentime-$name"
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  if [ "$name" = central ]; then
    mount --bind -o ro "$work/slo" "$root/etc/goldentime/slo"
  else
    mount --bind -o ro /proc "$root/host/proc"
    mount --bind -o ro /sys/fs/cgroup "$root/host/cgroup"
    mount --bind -o ro "$work/secrets" "$root/run/secrets"
    mount --bind -o ro "$work/logs" "$root/var/log/shop"
    mount --bind -o ro "$work/agent.d" "$root/etc/goldentime/agent.d"
  fi
  mount -o remount,bind,ro "$root"
}

# The images' programs as their user, without a way to more rights.
user=(setpriv --no-new-privs --clear-groups unshare --setgid=65532 --setuid=65532)
central=(env -i SQLITE_TMPDIR=/var/lib/goldentime-central "${user[@]}" "--root=$work/central" /usr/bin/goldentime-central)
agent=(env -i SQLITE_TMPDIR=/var/lib/goldentime-agent "${user[@]}" "--root=$work/agent" /usr/bin/goldentime-agent)

# until_true SECONDS WHAT COMMAND...
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || fail "$what"
    sleep 0.2
  done
}

ask() { curl --silent --fail --insecure "${@:2}" "https://127.0.0.1:7700$1"; }

mkdir -p "$work/secrets" "$work/logs" "$work/agent.d"

# Rules as Kubernetes mounts a ConfigMap: names that lead through one link, which is replaced at a change.
mkdir -p "$work/slo/..first" "$work/slo/..second"
cp docs/slo/availability.yaml "$work/slo/..first/rules.yaml"
cp docs/slo/latency-p95.yaml "$work/slo/..second/rules.yaml"
ln -s ..first "$work/slo/..data"
ln -s ..data/rules.yaml "$work/slo/rules.yaml"

enter central
"${central[@]}" serve > "$work/central.log" 2>&1 &
central_pid=$!
until_true 60 "the central does not become ready" ask /readyz --output "$work/ready.log"
grep -q '^Uid:.65532.65532' "/proc/$central_pid/status" || fail "the central does not run as its user"
grep -q '^CapEff:.0000000000000000' "/proc/$central_pid/status" || fail "the central has rights that it needs not"
touch "$work/central/etc/x" 2> /dev/null && fail "the central's root can be written"

loaded() { [ "$(grep -c 'SLO files loaded.*files=1' "$work/central.log")" = "$1" ]; }
until_true 10 "the rules are not loaded" loaded 1
ln -s ..second "$work/slo/..new"
mv -T "$work/slo/..new" "$work/slo/..data"
until_true 60 "changed rules are not taken up" loaded 2

"${central[@]}" token create > "$work/secrets/join-token"
chown 65532 "$work/secrets/join-token"
chmod 400 "$work/secrets/join-token"
# As Kubernetes writes the logs of containers (the agent reads lines of nginx behind its three fields).
cat > "$work/agent.d/shop.yaml" <<'YAML'
inputs:
  tail:
    - name: shop
      paths: [/var/log/shop/*.log]
      service: shop
      start_at: beginning
      format:
        type: regex
        pattern: '^(?<time>\S+) (?:stdout|stderr) F .*"(?<request>[A-Z]+ [^"]*)" (?<status>\d{3}) .* rt=(?<duration>[0-9.]+)'
YAML
for second in $(seq 20); do
  printf '%sZ stdout F 10.0.0.9 - - [x] "GET /orders/%d HTTP/1.1" 200 157 "-" "curl" rt=0.012\n' \
    "$(date -u +%FT%T.%N)" "$second"
done > "$work/logs/0.log"
enter agent
"${agent[@]}" run > "$work/agent.log" 2>&1 &
agent_pid=$!
is_healthy() { "${agent[@]}" status > "$work/status.log" 2>&1; }
until_true 60 "the agent's health check does not succeed" is_healthy
token=$("${central[@]}" api-token create --name test 2> /dev/null | grep -oE 'gta_[0-9a-f]+' | head -n 1)
counted() {
  ask '/api/v1/windows?service=default/default/shop&seconds=300' --header "Authorization: Bearer $token" > "$work/window.log" || return 1
  [ "$(node -p "JSON.parse(require('fs').readFileSync('$work/window.log', 'utf8')).total.requests")" = 20 ]
}
until_true 60 "the requests are not counted" counted
grep -q '^Uid:.65532.65532' "/proc/$agent_pid/status" || fail "the agent does not run as its user"
kill -TERM "$agent_pid"
wait "$agent_pid" || fail "the agent did not end well"
kill -TERM "$central_pid"
wait "$central_pid" || fail "the central did not end well"
