"""UDP drops what its receiver's queue does not hold; who sends faster than it is read has to wait."""

import time


def until_read(port):
    """Waits until nothing is queued for a port of 127.0.0.1."""
    address = "0100007F:%04X" % port
    while any(" %s " % address in line and not line.split()[4].endswith(":00000000") for line in queues()):
        time.sleep(0.001)


def queues():
    with open("/proc/net/udp") as table:
        return table.readlines()
