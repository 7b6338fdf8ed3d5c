"""Sends every type of metric with the plain StatsD client, and prints what it sent as JSON.

    send_statsd.py PORT ROUNDS
"""

import json
import sys

from pace import until_read
from statsd import StatsClient

port = int(sys.argv[1])
client = StatsClient("127.0.0.1", port, prefix="legacy")
rounds = int(sys.argv[2])
errors = 0

for n in range(rounds):
    status = 500 if n % 8 == 0 else 200
    errors += status == 500
    client.timing("api.cart.GET.%d" % status, 10 + n % 30)
    client.incr("logins")
    client.decr("logins", 2)
    client.set("users", "u%d" % (n % 1000))
    # A packet of several lines, one of which the client makes two.
    with client.pipeline() as pipe:
        pipe.timing("api.pay.POST.200", 0.25)
        pipe.gauge("level", -5)
        pipe.gauge("level", 3, delta=True)
    if n % 20 == 0:
        until_read(port)

print(json.dumps({
    "requests": {"GET cart": [rounds, errors], "POST pay": [rounds, 0]},
    "metrics": {"timer": 2 * rounds, "counter": 2 * rounds, "set": rounds, "gauge": 3 * rounds},
}))
