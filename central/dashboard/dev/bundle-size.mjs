// Prints what the browser has to load, gzipped, for the first page and for each page after it, and
// fails when the first page outgrows its budget.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const FIRST_PAGE_KB_MAX = 100;
const dist = new URL('../dist/', import.meta.url);
const html = readFileSync(new URL('index.html', dist), 'utf8');
const size = (name) => gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length / 1024;

let first = size('index.html');
for (const name of [
  'before-paint.js',
  ...readdirSync(new URL('assets/', dist)).map((file) => `assets/${file}`),
]) {
  const onFirstPage = html.includes(name);
  if (onFirstPage) first += size(name);
  console.log(`${size(name).toFixed(1).padStart(7)} kB gzip  ${name}${onFirstPage ? '  (first page)' : ''}`);
}
console.log(`${first.toFixed(1).padStart(7)} kB gzip  first page in all, budget ${FIRST_PAGE_KB_MAX} kB`);
if (first > FIRST_PAGE_KB_MAX) {
  console.error('The first page is over its budget: move what it does not need into a lazy page.');
  process.exit(1);
}
