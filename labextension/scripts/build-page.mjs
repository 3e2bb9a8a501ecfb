// Bundles the development page: the explorer with made-up data, without a kernel. Then serve dev/ and open index.html.
import { build } from 'esbuild';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const widget = join(root, 'src', 'widget');

await build({
  entryPoints: [
    { out: 'page', in: join(root, 'dev', 'page.ts') },
    { out: 'cm', in: join(widget, 'cm.ts') },
    { out: 'viz', in: join(widget, 'viz.ts') },
    { out: 'explorer', in: join(widget, 'explorer.css') },
  ],
  bundle: true,
  format: 'esm',
  target: 'es2022',
  outdir: join(root, 'dev', 'build'),
  logLevel: 'warning',
});
