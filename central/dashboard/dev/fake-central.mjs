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

/** The account and the set-up link of a stand-in that has them. */
export const ACCOUNT = { name: 'kim', password: 'correct horse battery' };
export const SETUP_TOKEN = 'gts_0123456789abcdef0123456789abcdef01234567';

/** Sessions and set-up links: answers what `central/src/api/{session,setup}.rs` answer. */
class FakeAccess {
  /** `access` is `open`, `signed_in` or `signed_out`. */
  constructor(access) {
    this.state = access;
    this.name = ACCOUNT.name;
    this.hasAccounts = access !== 'open';
    this.wrong = 0;
  }

  session() {
    const known = this.state === 'signed_in' ? { name: this.name, role: 'admin' } : {};
    return { state: this.state, has_accounts: this.hasAccounts, ...known };
  }

  async answer(request, path) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
    switch (`${request.method} ${path}`) {
      case 'GET /api/v1/session':
        return [200, this.session()];
      case 'POST /api/v1/session':
        if (this.wrong >= 5) return [429, { code: 'too_many' }];
        if (body.name !== this.name || body.password !== ACCOUNT.password) {
          this.wrong += 1;
          return [401, { code: 'wrong_credentials' }];
        }
        this.state = 'signed_in';
        return [200, this.session()];
      case 'DELETE /api/v1/session':
        this.state = 'signed_out';
        return [204];
      case 'POST /api/v1/setup/link':
        if (body.token !== SETUP_TOKEN) return [404, { code: 'not_found' }];
        return [200, { role: 'admin', expires_at_ms: Date.now() + 3_600_000 }];
      case 'POST /api/v1/setup':
        if (body.password.length < 12) return [400, { code: 'invalid_request' }];
        [this.name, this.state, this.hasAccounts] = [body.name, 'signed_in', true];
        return [200, this.session()];
      default:
        return [404, { code: 'not_found' }];
    }
  }
}

/**
 * Starts a server; `port` 0 takes a free one. `tickMs` is the time between deltas, null for none but
 * those that `tick` sends. `access` says who looks: `open`, `signed_in` or `signed_out`.
 */
export async function startFake({
  name = 'critical',
  port = 0,
  tickMs = 1000,
  boot = 'boot-1',
  access = 'open',
} = {}) {
  const gate = new FakeAccess(access);
  const began = Math.floor(Date.now() / 1000) - 1;
  let told = scenario(name, began);
  let second = began;
  let seq = 1;
  const sent = [];
  const greetings = [];
  const http = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://x');
    if (!pathname.startsWith('/api/')) return serveFile(request, response);
    const [status, content] = await gate.answer(request, pathname);
    const headers = status === 429 ? { 'retry-after': '300' } : {};
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(content === undefined ? undefined : JSON.stringify(content));
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'goldentime.live.v1' });

  http.on('upgrade', (request, socket, head) => {
    if (new URL(request.url, 'http://x').pathname !== '/api/v1/live') {
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
      return;
    }
    if (gate.state === 'signed_out') {
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
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
    /** The session of whoever looks ends: everything is cut, and nobody is let in. */
    endSession: () => {
      gate.state = 'signed_out';
      for (const client of sockets.clients) client.terminate();
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
