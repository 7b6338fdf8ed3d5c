// Sends timings, counters and sets with hot-shots, and prints what it sent as JSON.
//
//     send_hot_shots.js PORT ROUNDS
const fs = require('fs');
const StatsD = require('hot-shots');

const [port, rounds] = process.argv.slice(2).map(Number);
const client = new StatsD({ host: '127.0.0.1', port, maxBufferSize: 1200, globalTags: { service: 'node' } });

// UDP drops what its receiver's queue does not hold: waits until nothing is queued.
const address = ` 0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} `;
const isQueued = (line) => line.includes(address) && !line.trim().split(/\s+/)[4].endsWith(':00000000');
const untilRead = async () => {
  do {
    await new Promise(setImmediate);
  } while (fs.readFileSync('/proc/net/udp', 'utf8').split('\n').some(isQueued));
};

const send = async () => {
  let errors = 0;
  for (let n = 0; n < rounds; n += 1) {
    const failed = n % 5 === 0;
    errors += failed ? 1 : 0;
    client.timing('http.time', 3 + (n % 20), { route: `/orders/${n % 1000}`, method: 'PUT', status_code: failed ? 500 : 201 });
    client.distribution('http.size', n, { kind: 'json' });
    client.increment(['a', 'b'], 2);
    client.unique('visitors', `v${n % 1000}`);
    if (n % 100 === 0) await untilRead();
  }
  client.close(() => {
    const metrics = { timer: rounds, distribution: rounds, counter: 2 * rounds, set: rounds };
    console.log(JSON.stringify({ requests: { 'PUT /orders/{id}': [rounds, errors] }, metrics }));
  });
};

send();
