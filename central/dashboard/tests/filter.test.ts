import { describe, expect, test } from 'vitest';
import { completions, matches, parseFilter, toggleToken, type Subject } from '../src/filter';

const order: Subject = {
  service: ['order-api'],
  env: ['prod'],
  project: ['shop'],
  state: ['critical'],
  host: ['web-1', 'web-2'],
};
const search: Subject = {
  service: ['search'],
  env: ['staging'],
  project: ['shop'],
  state: ['ok'],
  host: ['web-9'],
};
const holds = (text: string, subject: Subject) => matches(parseFilter(text), subject);

describe('a filter', () => {
  test('that is empty lets everything through', () => {
    expect(holds('  ', order)).toBe(true);
  });
  test('asks for all kinds and takes values of one kind as alternatives', () => {
    expect(holds('service:order-api env:prod', order)).toBe(true);
    expect(holds('service:order-api env:staging', order)).toBe(false);
    expect(holds('service:order-api service:search', search)).toBe(true);
  });
  test('matches whole names unless a star says otherwise', () => {
    expect(holds('service:order', order)).toBe(false);
    expect(holds('service:order*', order)).toBe(true);
    expect(holds('service:*-api', order)).toBe(true);
    expect(holds('service:o*r*i', order)).toBe(true);
    expect(holds('service:api*api', order)).toBe(false);
  });
  test('takes free words as parts of any name', () => {
    expect(holds('ORDER', order)).toBe(true);
    expect(holds('web-2', order)).toBe(true);
    expect(holds('nothing', order)).toBe(false);
  });
  test('excludes what a minus stands before', () => {
    expect(holds('-state:ok', order)).toBe(true);
    expect(holds('-state:ok', search)).toBe(false);
  });
  test('takes an unknown kind as a free word, and an unfinished token as nothing', () => {
    expect(holds('colour:red', order)).toBe(false);
    expect(holds('service:', order)).toBe(true);
  });
});

test('a token is put in and taken out', () => {
  expect(toggleToken('env:prod', 'state:critical')).toBe('env:prod state:critical');
  expect(toggleToken('env:prod state:critical', 'state:critical')).toBe('env:prod');
});

test('completion offers kinds first and then the values that are there', () => {
  expect(completions('s', [order, search])).toEqual(['service:', 'state:']);
  expect(completions('env:prod service:', [order, search])).toEqual([
    'env:prod service:order-api ',
    'env:prod service:search ',
  ]);
  expect(completions('-host:web-9', [order, search])).toEqual([]);
  expect(completions('-host:9', [order, search])).toEqual(['-host:web-9 ']);
});
