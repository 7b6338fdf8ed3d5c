// A stand-in for goldentime-central for working on the dashboard and for its tests: it speaks
// docs/websocket.md and serves dist/ under the same content security policy. Never shipped.
//
//   node dev/fake-central.mjs [scenario] [port]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WebSocketServer } from 'ws';
import { scenario } from './scenarios.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** The policy under which the dashboard must work. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function serveFile(request, response) {
  const path = normalize(new URL(request.url, 'http://x').pathname);
  const file = join(DIST, path === '/' ? 'index.html' : path);
  try {
    const body = await readFile(file);
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'cache-control': 'no-store',
    });
    response.end(body);
  } catch {
    response.writeHead(404).end('not found');
  }
}

/**
 * Starts a server; `port` 0 takes a free one. `tickMs` is the time between deltas, null for none but
 * those that `tick` sends.
 */
export async function startFake({ name = 'critical', port = 0, tickMs = 1000, boot = 'boot-1' } = {}) {
  const began = Math.floor(Date.now() / 1000) - 1;
  let told = scenario(name, began);
  let second = began;
  let seq = 1;
  const sent = [];
  const greetings = [];
  const http = createServer((request, response) => void serveFile(request, response));
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'goldentime.live.v1' });

  http.on('upgrade', (request, socket, head) => {
    if (new URL(request.url, 'http://x').pathname !== '/api/v1/live') {
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.once('message', (text) => {
        const greeting = JSON.parse(text.toString());
        greetings.push(greeting);
        const { resume } = greeting;
        const missed = sent.filter((frame) => resume !== undefined && frame.seq > resume.seq);
        const whole = resume !== undefined && resume.boot === boot && missed.length === seq - resume.seq;
        for (const frame of whole ? missed : [{ ...told.snapshot(second), boot, seq }]) {
          client.send(JSON.stringify(frame));
        }
        client.subscribed = true;
      });
    });
  });

  const broadcast = (frame) => {
    for (const client of sockets.clients) if (client.subscribed) client.send(JSON.stringify(frame));
  };
  const send = (frame) => {
    seq += 1;
    const numbered = { ...frame, seq };
    sent.push(numbered);
    if (sent.length > 30) sent.shift();
    broadcast(numbered);
  };
  const fake = {
    greetings,
    /** One more second passes. */
    tick: () => {
      second += 1;
      send(told.delta(second));
    },
    /** An alert fires now. */
    fire: () => send(told.fired(second)),
    /** A frame is lost on its way: its number is used up, nobody gets it. */
    lose: () => {
      seq += 1;
    },
    /** Sends something that is no frame. */
    babble: () => {
      for (const client of sockets.clients) client.send('{"type":');
    },
    /** Cuts every connection. */
    cut: () => {
      for (const client of sockets.clients) client.terminate();
    },
    /** From now on another scenario is told, to everybody from a new snapshot. */
    become: (next) => {
      told = scenario(next, second);
      seq += 1;
      sent.length = 0;
      broadcast({ ...told.snapshot(second), boot, seq });
    },
    clients: () => [...sockets.clients].filter((client) => client.subscribed).length,
    stop: async () => {
      clearInterval(timer);
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      await new Promise((done) => http.close(done));
    },
  };
  const timer = tickMs === null ? undefined : setInterval(fake.tick, tickMs);
  await new Promise((done) => http.listen(port, '127.0.0.1', done));
  const address = `http://127.0.0.1:${http.address().port}/`;
  return { ...fake, address, live: `${address.replace('http', 'ws')}api/v1/live` };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const fake = await startFake({
    name: process.argv[2] ?? 'critical',
    port: Number(process.argv[3] ?? 7799),
  });
  console.log(`${fake.address}  (Ctrl-C ends it)`);
}
