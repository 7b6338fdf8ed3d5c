# shellcheck shell=bash
# Kafka in KRaft mode, for scripts/services: one broker, or three that keep everything three times and go on
# while any one of them is away. Its jars are what scripts/servers/kafka.xml names.

kafka_ready_max_s() { echo 180; }
readonly KAFKA_JARS=$project/target/services/kafka/libs

# The folders of as many brokers as are asked for. Their number is fixed once they hold something.
kafka_lay_out() {
  local there id
  there=$(processes_of kafka | wc -l)
  if [ "$there" != 0 ]; then
    [ -z "$brokers" ] || [ "$brokers" = "$there" ] ||
      refuse "there is a Kafka of $there broker(s) in $dir: leave --brokers out, or \`scripts/services down kafka --purge\` first"
    return
  fi
  for ((id = 1; id <= ${brokers:-1}; id++)); do make_folder "kafka-$id"; done
  # Sixteen bytes in base64; one that began with a dash would be taken for an option.
  head -c 16 /dev/urandom | base64 | tr -d = | tr '+/' ab > "$dir/kafka-1/cluster-id"
}

kafka_start() {
  local process=$1 other voters='' replicas=1 in_sync=1 heap=512
  for other in $(processes_of kafka); do
    voters+=,${other#kafka-}@127.0.0.1:$(port "$other" 1)
    if [ "$other" = kafka-3 ]; then replicas=3 in_sync=2 heap=256; fi
  done
  cat > "$dir/$process/server.properties" <<CONFIG
process.roles=broker,controller
node.id=${process#kafka-}
controller.quorum.voters=${voters#,}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$(port "$process"),CONTROLLER://127.0.0.1:$(port "$process" 1)
log.dirs=$dir/$process/data
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
CONFIG
  as_user_of "$process" java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$KAFKA_JARS/*" kafka.tools.StorageTool \
    format --ignore-formatted -t "$(cat "$dir/kafka-1/cluster-id")" -c server.properties \
    > "$dir/$process/log" 2>&1 || come_to_nothing "$process could not be made"
  launch "$process" java "-Xmx${heap}m" -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
    -cp "$KAFKA_JARS/*" kafka.Kafka server.properties
}

# kafka_ready PROCESS [all]: it answers and knows of brokers that live; with `all`, of every one there is.
kafka_ready() {
  local alive
  alive=$(kafka_brokers_alive "$(port "$1")")
  if [ -n "${2:-}" ]; then
    [ "${alive:-0}" = "$(processes_of kafka | wc -l)" ]
  else
    [ "${alive:-0}" -gt 0 ]
  fi
}

# How many brokers the one at this port knows to live, by Kafka's Metadata request (key 3, version 5, about no
# topic). The answer: length, correlation, throttle time and the number of brokers, four bytes each.
kafka_brokers_alive() {
  # shellcheck disable=SC2016
  timeout 3 bash -c '
    exec 3<> "/dev/tcp/127.0.0.1/$0" || exit
    printf "\0\0\0\x0f\0\x03\0\x05\0\0\0\0\xff\xff\0\0\0\0\0" >&3
    head -c 16 <&3 | od -An -tu1 -w16 | while read -ra byte; do echo $((byte[14] * 256 + byte[15])); done
  ' "$1" 2>/dev/null || :
}

kafka_addresses() {
  local broker
  for broker in $(started kafka); do printf ',%s127.0.0.1:%s%s' "$1" "$(port "$broker")" "$1"; done | cut -c 2-
}

kafka_env() {
  printf 'export GOLDENTIME_SERVICES_KAFKA=%s\n' "$(kafka_addresses '')"
}

kafka_yaml() {
  local replication
  replication=$(processes_of kafka | wc -l)
  cat <<YAML
kafka:
  connection:
    brokers: [$(kafka_addresses "'")]
  replication: $replication
YAML
}
