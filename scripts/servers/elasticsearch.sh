# shellcheck shell=bash
# Elasticsearch, for scripts/services: one node that no other joins, without password (loopback). What it is
# made of, scripts/servers/elasticsearch.xml names. It refuses to run as root.

elasticsearch_ready_max_s() { echo 240; }

elasticsearch_start() {
  local process=$1 home java_home folder=$dir/$1
  for home in "$project"/target/services/elasticsearch/*/; do [ ! -x "$home/bin/elasticsearch" ] || break; done
  java_home=$(readlink -f "$(command -v java)")
  java_home=${java_home%/bin/java}
  mkdir -p "$folder/config" "$folder/tmp" "$folder/data" "$folder/logs"
  # Whether this machine's disk is nearly full is no matter here.
  cat > "$folder/config/elasticsearch.yml" <<CONFIG
discovery.type: single-node
network.host: 127.0.0.1
http.port: $(port "$process")
transport.port: $(port "$process" 1)
path.data: $folder/data
path.logs: $folder/logs
cluster.routing.allocation.disk.threshold_enabled: false
xpack.security.enabled: false
CONFIG
  cat > "$folder/config/jvm.options" <<'CONFIG'
-Xms512m
-Xmx512m
-XX:+UseSerialGC
-Djava.io.tmpdir=${ES_TMPDIR}
CONFIG
  cat > "$folder/config/log4j2.properties" <<'CONFIG'
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1.} %m%n
CONFIG
  chown -R "$(user_of "$process")" "$folder/config" "$folder/tmp" "$folder/data" "$folder/logs"
  launch "$process" env ES_JAVA_HOME="$java_home" ES_PATH_CONF="$folder/config" ES_TMPDIR="$folder/tmp" \
    "${home%/}/bin/elasticsearch"
}

# It answers, and all that it holds can be written and searched.
elasticsearch_ready() {
  curl --silent --fail --noproxy '*' --max-time 3 --output /dev/null \
    "http://127.0.0.1:$(port "$1")/_cluster/health?wait_for_status=yellow&timeout=2s"
}

elasticsearch_env() {
  printf 'export GOLDENTIME_SERVICES_ELASTICSEARCH=http://127.0.0.1:%s\n' "$(port elasticsearch)"
}

elasticsearch_yaml() {
  cat <<YAML
elasticsearch:
  urls: ['http://127.0.0.1:$(port elasticsearch)']
  replicas: 0
YAML
}
