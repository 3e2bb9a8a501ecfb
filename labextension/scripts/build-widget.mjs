// Bundles the widgets' front end into the Python package: one ES module for each entry, and the style sheet.
import { build } from 'esbuild';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(root, 'src', 'widget');
const target = join(root, '..', 'streamlab', 'views', 'static');

// explorer.js and table.js are synced traits: they travel once for each widget. The others are fetched once for each page.
const ENTRIES = { explorer: 'index.ts', table: 'table.ts', cm: 'cm.ts', viz: 'viz.ts' };
const EXPLORER_LIMIT = 100 * 1024;

await build({
  entryPoints: Object.entries(ENTRIES).map(([out, source]) => ({ out, in: join(sources, source) })),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outdir: target,
  logLevel: 'warning',
});
await build({ entryPoints: [join(sources, 'explorer.css')], bundle: true, minify: true, outdir: target, logLevel: 'warning' });

const size = statSync(join(target, 'explorer.js')).size;
console.log(`explorer.js: ${size} bytes of at most ${EXPLORER_LIMIT}`);
if (size > EXPLORER_LIMIT) {
  console.error('explorer.js is too large to travel with each widget: move what is seldom needed into an asset of its own');
  process.exit(1);
}
