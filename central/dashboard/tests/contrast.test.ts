import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('../src/styles/tokens.css', import.meta.url), 'utf8');

/** The custom properties of the rule that starts with `selector`. */
function tokens(selector: string): Map<string, string> {
  const body = css.slice(css.indexOf(`${selector} {`)).split('}')[0] ?? '';
  return new Map([...body.matchAll(/(--[\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
}

const THEMES = {
  dark: tokens(':root'),
  light: tokens(":root[data-theme='light']"),
};

function channels(hex: string): [number, number, number] {
  const at = (i: number) => {
    const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return [at(1), at(3), at(5)];
}

const luminance = ([r, g, b]: [number, number, number]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

/** WCAG 2.2, "contrast ratio". */
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(channels(a)), luminance(channels(b))].sort((x, y) => x - y) as [
    number,
    number,
  ];
  return (high + 0.05) / (low + 0.05);
}

/** Severity 1 matrices of Machado, Oliveira and Fernandes, 2009, in linear RGB. */
const BLINDNESS = {
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};

function seen(hex: string, m: number[]): [number, number, number] {
  const [r, g, b] = channels(hex);
  const row = (i: number) =>
    Math.min(1, Math.max(0, (m[i] ?? 0) * r + (m[i + 1] ?? 0) * g + (m[i + 2] ?? 0) * b));
  return [row(0), row(3), row(6)];
}

function value(theme: Map<string, string>, name: string): string {
  const found = theme.get(name);
  if (found === undefined) throw new Error(`tokens.css has no ${name}`);
  return found;
}

describe.each(Object.entries(THEMES))('in the %s theme', (_, theme) => {
  const grounds = ['--ground', '--raised', '--sunken', '--hover'];
  test('every text colour has AA contrast on every ground', () => {
    for (const ink of ['--ink', '--ink-quiet', '--critical', '--warning', '--unknown', '--no-data', '--ok']) {
      for (const ground of grounds) {
        expect(
          contrast(value(theme, ink), value(theme, ground)),
          `${ink} on ${ground}`,
        ).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  test('notices keep AA contrast on their tints', () => {
    for (const tint of ['--tint-critical', '--tint-warning', '--tint-unknown']) {
      expect(contrast(value(theme, '--ink'), value(theme, tint)), tint).toBeGreaterThanOrEqual(4.5);
    }
  });

  test('lines of charts and borders of controls have 3 to 1 on the ground', () => {
    for (const line of ['--spark', '--line-strong', '--line-medium', '--rule-strong']) {
      expect(contrast(value(theme, line), value(theme, '--ground')), line).toBeGreaterThanOrEqual(3);
    }
  });

  test.each(Object.entries(BLINDNESS))(
    'states differ from the text and each other under %s',
    (_name, matrix) => {
      const states = ['--critical', '--warning', '--unknown'].map((name) => seen(value(theme, name), matrix));
      const ground = seen(value(theme, '--ground'), matrix);
      const distance = (a: number[], b: number[]) =>
        Math.hypot(...a.map((c, i) => Math.sqrt(c) - Math.sqrt(b[i] ?? 0)));
      for (const [i, a] of states.entries()) {
        expect(distance(a, ground)).toBeGreaterThan(0.3);
        for (const b of states.slice(i + 1)) expect(distance(a, b)).toBeGreaterThan(0.08);
      }
    },
  );
});
