"""Sends every type of metric with Datadog's client, and prints what it sent as JSON.

    send_datadog.py PORT|SOCKET plain|buffered|aggregated ROUNDS
"""

import itertools
import json
import sys
import time

from datadog.dogstatsd import base
from pace import until_read

target, mode, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
where = {"socket_path": target} if target.startswith("/") else {"host": "127.0.0.1", "port": int(target)}
client = base.DogStatsd(
    **where,
    socket_timeout=10,
    disable_telemetry=True,
    disable_buffering=mode == "plain",
    disable_aggregation=mode != "aggregated",
    # As many values of a name and its tags are kept until the client sends them together.
    max_metric_samples_per_context=1000 if mode == "aggregated" else 0,
)
# The client's dice: of what is sampled at a half every second one is sent.
base.random = itertools.cycle([0.1, 0.9]).__next__

service = "service:py-%s" % mode
sent = {"requests": {}, "metrics": {}}


def request(key, is_error):
    counts = sent["requests"].setdefault(key, [0, 0])
    counts[0] += 1
    counts[1] += is_error


def metric(kind, count=1):
    sent["metrics"][kind] = sent["metrics"].get(kind, 0) + count


for number in range(rounds):
    # What must fit into tables of names, tags and members comes again; and the client is made to send
    # before it begins to choose among the values it keeps.
    n = number % 1000
    if n % 500 == 0:
        client.flush_aggregated_metrics()
    if n % 20 == 0 and not target.startswith("/"):
        until_read(int(target))
    failed = n % 10 == 0
    status = "status:%d" % (503 if failed else 200)
    client.timing("http.time", 5 + n % 50, tags=[service, "endpoint:/users/%d" % n, "method:GET", status])
    metric("timer")
    request("GET /users/{id}", failed)
    client.distribution("http.time", 7.5, tags=[service, "resource_name:POST /cart", status])
    metric("distribution")
    request("POST /cart", failed)
    client.histogram("job.time", 1e-3 * n, tags=[service, "error:%s" % str(failed).lower()])
    metric("histogram")
    request(" job.time", failed)
    if mode != "aggregated":
        client.increment("orders.placed", tags=[service, "shop:서울"])
        client.gauge("queue.length", -n, tags=[service])
        client.set("users.seen", "user-%d:%d" % (n, n % 3), tags=[service])
        metric("counter"), metric("gauge"), metric("set")
        client.timing("rare.time", 20, tags=[service, "endpoint:rare"], sample_rate=0.5)
        request(" rare", False)
if mode != "aggregated":
    # What was sampled out is counted in by its rate.
    metric("timer", rounds // 2)
    client.count_with_timestamp("orders.late", 3, int(time.time()) - 5, tags=[service])
    client.gauge_with_timestamp("queue.late", 3, int(time.time()) - 5, tags=[service])
    client.event("Deploy", "version 2\nwith two lines", alert_type="warning", tags=[service])
    client.service_check("db.up", base.DogStatsd.WARNING, tags=[service], message="slow|very")
    # The service check becomes a gauge.
    metric("counter"), metric("gauge", 2)
client.flush()
client.stop()
print(json.dumps(sent))
