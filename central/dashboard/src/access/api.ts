/** Asks the central about sessions and set-up links. A refusal is told by its stable code. */

/** What somebody may do. */
export type Role = 'viewer' | 'editor' | 'admin';

/** Answer of `GET /api/v1/session`. */
export interface SessionAnswer {
  state: 'open' | 'signed_in' | 'signed_out';
  name?: string;
  role?: Role;
  has_accounts: boolean;
}

/** Answer of `POST /api/v1/setup/link`. */
export interface LinkAnswer {
  role: Role;
  name?: string;
  expires_at_ms: number;
}

/** The central refused, or did not answer (`unreachable`). */
export class Refused extends Error {
  constructor(
    readonly code: string,
    detail: string,
    /** Seconds to wait, when it said so. */
    readonly retryAfterS: number | null = null,
  ) {
    super(detail);
  }
}

/** Longest wait for an answer. */
const ANSWER_LONGEST_MS = 15_000;

async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
  let answer: Response;
  try {
    answer = await fetch(new URL(`api/v1/${path}`, document.baseURI), {
      method,
      signal: AbortSignal.timeout(ANSWER_LONGEST_MS),
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
  } catch (error) {
    throw new Refused('unreachable', String(error));
  }
  if (answer.status === 204) return undefined;
  const content: unknown = await answer.json().catch(() => null);
  if (answer.ok) return content;
  const problem = (content ?? {}) as { code?: string; detail?: string };
  const wait = Number(answer.headers.get('retry-after'));
  throw new Refused(problem.code ?? 'internal', problem.detail ?? '', wait > 0 ? wait : null);
}

/** Passwords are compared as bytes: the same letters must be the same bytes on every keyboard. */
const normal = (text: string) => text.normalize('NFC');

/** Who looks. */
export async function askSession(): Promise<SessionAnswer> {
  return (await ask('GET', 'session')) as SessionAnswer;
}

/** Signs in. */
export async function askSignIn(name: string, password: string): Promise<SessionAnswer> {
  const body = { name: normal(name.trim()), password: normal(password) };
  return (await ask('POST', 'session', body)) as SessionAnswer;
}

/** Signs out. */
export async function askSignOut(): Promise<void> {
  await ask('DELETE', 'session');
}

/** What a set-up link is for. */
export async function askLink(token: string): Promise<LinkAnswer> {
  return (await ask('POST', 'setup/link', { token })) as LinkAnswer;
}

/** Uses a set-up link, and signs in. */
export async function askSetUp(token: string, name: string, password: string): Promise<SessionAnswer> {
  const body = { token, name: normal(name.trim()), password: normal(password) };
  return (await ask('POST', 'setup', body)) as SessionAnswer;
}
