// Prints what a browser loads, compressed: the first page, and each page after it. It fails when
// the first page has become too heavy.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT = 550_000;
const folder = 'dist/assets/';
const size = (name) => gzipSync(readFileSync(folder + name)).length;
const html = readFileSync('dist/index.html', 'utf8');
const named = [...html.matchAll(/assets\/([^"]+\.(?:js|css))/g)].map((match) => match[1]);
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
let first = 0;
for (const name of named) {
  first += size(name);
  console.log(`${kb(size(name)).padStart(10)}  ${name}  (first load)`);
}
for (const name of readdirSync(folder)
  .filter((name) => /\.(js|css)$/.test(name))
  .sort()) {
  if (!named.includes(name)) console.log(`${kb(size(name)).padStart(10)}  ${name}`);
}
console.log(`first load: ${kb(first)} gzip`);
if (first > LIMIT) {
  console.error(`the first load is over ${kb(LIMIT)}`);
  process.exit(1);
}
