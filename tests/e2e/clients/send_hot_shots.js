// Sends timings, counters and sets with hot-shots, and prints what it sent as JSON.
//
//     send_hot_shots.js PORT ROUNDS
const StatsD = require('hot-shots');

const [port, rounds] = process.argv.slice(2).map(Number);
const client = new StatsD({ host: '127.0.0.1', port, maxBufferSize: 1200, globalTags: { service: 'node' } });

let errors = 0;
for (let n = 0; n < rounds; n += 1) {
  const failed = n % 5 === 0;
  errors += failed ? 1 : 0;
  client.timing('http.time', 3 + (n % 20), { route: `/orders/${n % 1000}`, method: 'PUT', status_code: failed ? 500 : 201 });
  client.distribution('http.size', n, { kind: 'json' });
  client.increment(['a', 'b'], 2);
  client.unique('visitors', `v${n % 1000}`);
}
client.close(() => {
  const metrics = { timer: rounds, distribution: rounds, counter: 2 * rounds, set: rounds };
  console.log(JSON.stringify({ requests: { 'PUT /orders/{id}': [rounds, errors] }, metrics }));
});
