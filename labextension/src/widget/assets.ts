/** Heavy parts (the code editor, the graph layout): fetched from the kernel once for a page, imported from a blob. */
import type { Link } from './link';

const FETCH_MS = 60_000;
const KEY = Symbol.for('streamlab.assets');
type Store = Map<string, Promise<unknown>>;

function store(): Store {
  const page = globalThis as { [KEY]?: Store };
  page[KEY] ??= new Map();
  return page[KEY];
}

async function fetchModule(link: Link, name: string): Promise<unknown> {
  const { buffers } = await link.request('asset', { name }, FETCH_MS);
  const code = buffers[0];
  if (!code) throw new Error(`The part “${name}” came empty. Install streamlab again: its files are not complete.`);
  const bytes = new Uint8Array(code.byteLength);
  bytes.set(new Uint8Array(code.buffer, code.byteOffset, code.byteLength));
  const url = URL.createObjectURL(new Blob([bytes], { type: 'text/javascript' }));
  try {
    return (await import(/* @vite-ignore */ url)) as unknown;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The module of an asset; one that failed is fetched again the next time. */
export function asset(link: Link, name: 'cm' | 'viz'): Promise<unknown> {
  const modules = store();
  let module = modules.get(name);
  if (!module) {
    module = fetchModule(link, name);
    modules.set(name, module);
    module.catch(() => modules.delete(name));
  }
  return module;
}
