#!/usr/bin/env bash
# The chart and the compose file: against Kubernetes' and Compose's own schemas, without a network; against
# what they promise (manifests.py); and what they tell the programs, by the programs in GOLDENTIME_BIN_DIR
# (target/debug unless set). Half a minute.
#
# Not seen here: a cluster and a Docker that run them, and the images of others.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/target/tools
bin=${GOLDENTIME_BIN_DIR:-$PWD/target/debug}
[ -x "$bin/goldentime-central" ] || { echo "there are no programs in $bin: build them, or set GOLDENTIME_BIN_DIR" >&2; exit 2; }
chart=packaging/helm/goldentime
compose=packaging/container/compose
# The oldest Kubernetes that the chart promises, and the newest whose schemas there are.
readonly KUBERNETES=(1.27.0 1.37.0)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { echo "manifests: $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
python() { "$tools/packaging/bin/python" "$@"; }
render() { "$tools/bin/helm" template try "$chart" --namespace watch --kube-version "${KUBERNETES[0]}" "$@"; }

step "the chart is clean"
"$tools/bin/helm" lint --strict --quiet "$chart" || fail "helm lint"

# The schemas refer to one another by addresses of the network: by file names instead.
schemas=$(python -c 'import importlib.util as u; print(u.find_spec("kubernetes_validate").submodule_search_locations[0])')/kubernetes-json-schema
for version in "${KUBERNETES[@]}"; do cp -r "$schemas/v$version-local-strict" "$work/v$version"; done
# shellcheck disable=SC2016
find "$work" -name '*.json' -exec sed -i 's|"/api/_definitions.json|"_definitions.json|; s|"$id": "[^"]*"|"$comment": ""|' {} +

"$bin/goldentime-central" authority create --dir "$work/authority" > "$work/said" 2>&1 || { cat "$work/said" >&2; fail "authority create"; }
check_config() {
  local program=$1 file=$2 secret
  # Secrets are where the pod would have them mounted.
  sed -i "s|/etc/goldentime/secrets|$work/secrets|; s|/etc/goldentime/authority|$work/authority|" "$file"
  while read -r secret; do
    install -D -m 600 <(echo right-and-long) "$secret"
  done < <(grep -oE "$work/secrets/[a-z/-]+" "$file")
  "$bin/goldentime-$program" config check --config "$file" > "$work/said" 2>&1 || { cat "$work/said" >&2; fail "$program refuses $file"; }
}

for values in tests/packaging/values/*.yaml; do
  name=$(basename "$values" .yaml)
  step "rendered with $name: valid for Kubernetes ${KUBERNETES[*]}, hardened, and understood by the programs"
  render --values "$values" > "$work/$name.yaml"
  for version in "${KUBERNETES[@]}"; do
    "$tools/bin/kubeconform" -strict -kubernetes-version "$version" \
      -schema-location "$work/v$version/{{ .ResourceKind }}{{ .KindSuffix }}.json" "$work/$name.yaml" || fail "Kubernetes $version"
  done
  mkdir "$work/$name"
  python tests/packaging/manifests.py chart "$work/$name.yaml" "$work/$name"
  for program in central agent; do
    [ ! -f "$work/$name/$program.yaml" ] || SLACK_WEBHOOK_URL=https://hooks.example.com/x check_config "$program" "$work/$name/$program.yaml"
  done
done

step "what is shown after an installation says what is left to do"
cp -r "$chart" "$work/notes"
{ echo '{{- define "notes" }}'; cat "$chart/templates/NOTES.txt"; echo '{{- end }}'; } > "$work/notes/templates/_notes.tpl"
printf 'notes: |\n{{ include "notes" . | indent 2 }}\n' > "$work/notes/templates/notes.yaml"
"$tools/bin/helm" template try "$work/notes" --kube-version "${KUBERNETES[0]}" -s templates/notes.yaml > "$work/said"
for what in 'exec try-goldentime-central-0 -- /usr/bin/goldentime-central setup-link' 'NOBODY IS PAGED YET' 'create secret generic'; do
  grep -q -- "$what" "$work/said" || fail "the notes do not say '$what'"
done

step "wrong values are refused, and the refusal says what to do"
refused() {
  local what=$1
  shift
  render "$@" > "$work/said" 2>&1 && fail "accepted: $*"
  grep -q -- "$what" "$work/said" || { cat "$work/said" >&2; fail "the refusal of $* does not say '$what'"; }
}
refused 'authoritySecretName is not set' --set central.replicas=2
refused 'cluster.kafka is not set' --set central.replicas=2,central.authoritySecretName=x
refused '/agent/joinToken/secretName' --set agent.enabled=true
refused 'central.address is not set' --set central.enabled=false,agent.enabled=true,agent.joinToken.secretName=x
refused 'tls.mode is off' --set central.config.http.tls.mode=off
refused "additional properties 'replica' not allowed" --set central.replica=2
refused '/central/image/digest' --set central.image.digest=latest
refused '/agent/hostLogs/0' --set agent.hostLogs='{var/log}'

step "the compose file is valid and keeps its promises"
"$tools/bin/compose-config" "$compose/compose.yaml" > "$work/compose.yaml" || fail "compose.yaml"
python tests/packaging/manifests.py compose "$work/compose.yaml" "$compose/make-secrets"
cp -r "$compose" "$work/compose"
sed -i "s|/run/secrets|$work/secrets|" "$work/compose/central.yaml"
if [ "$(id -u)" = 0 ]; then
  rm -rf "$work/compose/secrets"
  "$work/compose/make-secrets" > /dev/null
  "$work/compose/make-secrets" > "$work/said" 2>&1 && fail "passwords were made anew over those that servers know"
  echo gt1.aa.bb | "$work/compose/make-secrets" agent > /dev/null
  echo nonsense | "$work/compose/make-secrets" agent > "$work/said" 2>&1 && fail "nonsense was taken for a join token"
  [ "$(find "$work/compose/secrets" -type f -printf '%P %U %m\n' | sort | tr '\n' ,)" = \
    'agent/join-token 65532 400,central/postgres-password 65532 400,central/redis-password 65532 400,postgres/postgres-password 70 400,redis/redis.conf 999 400,' ] ||
    { find "$work/compose/secrets" -type f -printf '%P %U %m\n'; fail "whose the secrets are"; }
  cmp -s "$work/compose/secrets/central/postgres-password" "$work/compose/secrets/postgres/postgres-password" || fail "two passwords"
  # Redis takes its file, but for where its data is, and lets in who knows the password.
  sed -i "s|^dir .*|dir $work|; s|^port .*|port 0\nunixsocket $work/redis.socket|" "$work/compose/secrets/redis/redis.conf"
  redis-server "$work/compose/secrets/redis/redis.conf" > "$work/said" 2>&1 &
  redis=$!
  for _ in $(seq 50); do [ ! -S "$work/redis.socket" ] || break; sleep 0.1; done
  [ "$(REDISCLI_AUTH=$(cat "$work/compose/secrets/central/redis-password") redis-cli -s "$work/redis.socket" ping)" = PONG ] ||
    { kill "$redis"; fail "Redis"; }
  [ "$(redis-cli -s "$work/redis.socket" ping 2>&1)" != PONG ] || { kill "$redis"; fail "Redis lets in whoever comes"; }
  kill "$redis"
  wait "$redis" || :
fi
check_config central "$work/compose/central.yaml"
check_config agent "$work/compose/agent.yaml"
check_config central packaging/container/central.yaml
check_config agent packaging/container/agent.yaml
[ "$(sed -n "s/^ *log_format: '\(.*\)'$/\1/p" "$compose/agent.yaml")" = "$(sed -n "s/^ *log_format goldentime '\(.*\)';$/\1/p" "$compose/nginx.conf")" ] ||
  fail "nginx writes other lines than the agent reads"
sed "s|/tmp/|$work/|; s|/var/log/storefront|$work|" "$compose/nginx.conf" > "$work/nginx.conf"
"$(command -v nginx || echo /usr/sbin/nginx)" -t -q -c "$work/nginx.conf" || fail "nginx.conf"
echo "manifests: all well"
