import { describe, expect, test } from 'vitest';
import {
  besideService,
  compliance,
  duration,
  objectivePercent,
  percent,
  plain,
  rate,
  span,
  threeDigits,
  tick,
} from '../src/format';

describe('three significant digits', () => {
  test.each([
    [0, '0'],
    [0.0001, '<0.001'],
    [0.0123, '0.012'],
    [0.9994, '0.999'],
    [0.9996, '1.00'],
    [1.234, '1.23'],
    [9.994, '9.99'],
    [9.996, '10.0'],
    [99.94, '99.9'],
    [99.96, '100'],
    [182.4, '182'],
    [1234, '1234'],
  ])('%d is written %s', (value, text) => {
    expect(threeDigits(value)).toBe(text);
  });
});

test('a duration changes to seconds before it needs four digits', () => {
  expect(plain(duration(0.1824))).toBe('182 ms');
  expect(plain(duration(0.9994))).toBe('999 ms');
  expect(plain(duration(0.9996))).toBe('1.00 s');
  expect(plain(duration(null))).toBe('–');
});

test('a rate changes to thousands and millions before it needs four digits', () => {
  expect(plain(rate(999))).toBe('999 /s');
  expect(plain(rate(999.6))).toBe('1.00 k/s');
  expect(plain(rate(1_240_000))).toBe('1.24 M/s');
});

test('a percentage stands close to its sign and zero is no tiny number', () => {
  expect(plain(percent(0))).toBe('0%');
  expect(plain(percent(0.0723))).toBe('7.23%');
});

test('the decimal point starts the second part, so that columns align by it', () => {
  expect(duration(0.0123)).toEqual({ whole: '12', fraction: '.3', unit: 'ms' });
  expect(duration(0.123)).toEqual({ whole: '123', fraction: '', unit: 'ms' });
});

test('ticks of an axis drop zeros that say nothing', () => {
  expect(tick(percent(0.05))).toBe('5%');
  expect(tick(percent(0.125))).toBe('12.5%');
  expect(tick(rate(200))).toBe('200 /s');
});

test('a compliance just under its objective never reads as reached', () => {
  expect(compliance(0.9989999, 0.999)).toBe('99.89');
  expect(compliance(0.99996, 0.9999)).toBe('99.996');
  expect(compliance(0.9999999, 0.999)).toBe('99.99');
  expect(compliance(1, 0.999)).toBe('100');
  expect(compliance(0.95, 0.95)).toBe('95.0');
});

test('an objective is written with the digits that it was given', () => {
  expect(objectivePercent(0.999)).toBe('99.9');
  expect(objectivePercent(0.95)).toBe('95');
  expect(objectivePercent(0.9999)).toBe('99.99');
});

test('a span says its two largest units', () => {
  const units = { d: 'd', h: 'h', m: 'm', s: 's' };
  expect(span(900, units)).toBe('0s');
  expect(span(48_000, units)).toBe('48s');
  expect(span(200_000, units)).toBe('3m 20s');
  expect(span(7_200_000, units)).toBe('2h');
  expect(span(90_061_000, units)).toBe('1d 1h');
  expect(span(-5_000, units)).toBe('0s');
});

test('a rule beside its service does not say the name twice', () => {
  expect(besideService('order-availability', 'order')).toBe('availability');
  expect(besideService('order p95 under 210 ms', 'order')).toBe('p95 under 210 ms');
  expect(besideService('checkout errors', 'order')).toBe('checkout errors');
  expect(besideService('orders slow', 'order')).toBe('orders slow');
  expect(besideService('order', 'order')).toBe('order');
});
