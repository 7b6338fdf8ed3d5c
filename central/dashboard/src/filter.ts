/**
 * Typed tokens that narrow the wall: `service:order-api env:prod state:critical`, and free words.
 * Tokens of one kind are alternatives, different kinds must all hold, `-` before a token excludes,
 * `*` stands for any characters. The same grammar is kept for silences.
 */

/** Kinds of token, in the order in which completion offers them. */
export const TOKEN_KINDS = ['service', 'env', 'project', 'state', 'host'] as const;
/** One kind of token. */
export type TokenKind = (typeof TOKEN_KINDS)[number];

/** One token as typed. */
export interface Token {
  /** Its kind, or null for a free word. */
  kind: TokenKind | null;
  /** What it asks for, in lower case. */
  value: string;
  /** It excludes. */
  negated: boolean;
}

/** What a row offers to be matched. */
export type Subject = Record<TokenKind, readonly string[]>;

function isKind(text: string): text is TokenKind {
  return (TOKEN_KINDS as readonly string[]).includes(text);
}

/** Reads tokens; an unknown kind is taken as a free word, so that nothing typed is ever an error. */
export function parseFilter(text: string): Token[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '' && word !== '-')
    .map((word) => {
      const negated = word.startsWith('-') && word.length > 1;
      const body = (negated ? word.slice(1) : word).toLowerCase();
      const colon = body.indexOf(':');
      const kind = body.slice(0, Math.max(colon, 0));
      return isKind(kind)
        ? { kind, value: body.slice(colon + 1), negated }
        : { kind: null, value: body, negated };
    })
    .filter((token) => token.value !== '');
}

function matchesPattern(value: string, pattern: string): boolean {
  if (!pattern.includes('*')) return value === pattern;
  const parts = pattern.split('*');
  const head = parts[0] ?? '';
  const tail = parts.at(-1) ?? '';
  if (!value.startsWith(head)) return false;
  let from = head.length;
  for (const part of parts.slice(1, -1)) {
    const found = value.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return value.length - tail.length >= from && value.endsWith(tail);
}

function holds(token: Token, subject: Subject): boolean {
  if (token.kind === null) {
    return TOKEN_KINDS.some((kind) => subject[kind].some((v) => v.toLowerCase().includes(token.value)));
  }
  return subject[token.kind].some((v) => matchesPattern(v.toLowerCase(), token.value));
}

/** Whether a row is shown. */
export function matches(tokens: readonly Token[], subject: Subject): boolean {
  if (tokens.some((token) => token.negated && holds(token, subject))) return false;
  const wanted = tokens.filter((token) => !token.negated);
  if (!wanted.filter((token) => token.kind === null).every((token) => holds(token, subject))) return false;
  return TOKEN_KINDS.every((kind) => {
    const alternatives = wanted.filter((token) => token.kind === kind);
    return alternatives.length === 0 || alternatives.some((token) => holds(token, subject));
  });
}

/** Adds a token to a filter's text, or takes it out where it stands there already. */
export function toggleToken(text: string, token: string): string {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return (words.includes(token) ? words.filter((word) => word !== token) : [...words, token]).join(' ');
}

/**
 * What could finish the last word of the text: kinds while none is typed, values once one is.
 * Whole texts are returned, ready to stand in the field; at most `limit`.
 */
export function completions(text: string, subjects: readonly Subject[], limit = 8): string[] {
  const start = text.search(/\S*$/);
  const before = text.slice(0, start);
  const word = text.slice(start);
  const sign = word.startsWith('-') ? '-' : '';
  const body = word.slice(sign.length).toLowerCase();
  const colon = body.indexOf(':');
  const kind = body.slice(0, Math.max(colon, 0));
  if (!isKind(kind)) {
    return TOKEN_KINDS.filter((k) => k.startsWith(body)).map((k) => `${before}${sign}${k}:`);
  }
  const typed = body.slice(colon + 1);
  const values = new Set(subjects.flatMap((subject) => subject[kind]));
  return [...values]
    .filter((value) => value.toLowerCase().includes(typed) && value.toLowerCase() !== typed)
    .sort()
    .slice(0, limit)
    .map((value) => `${before}${sign}${kind}:${value} `);
}
