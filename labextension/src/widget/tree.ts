/** A value as a tree that folds: mouse and keyboard, differences marked, what was withheld on demand. */
import { button, h, setAttribute } from './dom';
import { bytes, count, named } from './format';
import type { Change, Tree } from './protocol';

export interface TreeOptions {
  label: string;
  /** Paths that the user opened or closed; outlives a drawing. */
  folds: Map<string, boolean>;
  /** How many levels are open at first. */
  depth?: number;
  diff?: Change[];
  side?: 'before' | 'after';
  onWithheld?: (() => void) | undefined;
}

interface Place {
  path: string[];
  name: string | null;
  level: number;
}

export function pathKey(path: string[]): string {
  return JSON.stringify(path);
}

/** What of a difference shows on this side: what was added is not in `before`, what was removed not in `after`. */
export function marks(diff: Change[], side: 'before' | 'after'): Map<string, Change['change']> {
  const absent = side === 'before' ? 'added' : 'removed';
  return new Map(diff.filter(change => change.change !== absent).map(change => [pathKey(change.path), change.change]));
}

/** What differs is shown though it lies deep. */
function leadsToChange(path: string[], diff: Change[] = []): boolean {
  return diff.some(change => change.path.length > path.length && path.every((name, i) => change.path[i] === name));
}

/** A value in one line, cut. */
export function oneLine(tree: Tree, limit = 120): string {
  const text = line(tree, limit);
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

function line(tree: Tree, limit: number): string {
  if (tree.k !== 'o' && tree.k !== 'a') return leafText(tree);
  let text = '';
  for (const [name, child] of tree.c ?? []) {
    if (text.length > limit) break;
    text += (text === '' ? '' : ', ') + (tree.k === 'o' ? `${name}: ` : '') + line(child, limit - text.length);
  }
  const more = (tree.more ?? 0) > 0 ? ', …' : '';
  return tree.k === 'o' ? `{${text}${more}}` : `[${text}${more}]`;
}

function leafText(tree: Tree): string {
  if (tree.k === 'z') return 'null';
  if (tree.w !== undefined) return `${tree.k === 's' ? '"' : ''}${tree.v ?? ''}…`;
  return tree.k === 's' ? `"${tree.v ?? ''}"` : (tree.v ?? '');
}

export function treeView(tree: Tree, options: TreeOptions): HTMLElement {
  const known = marks(options.diff ?? [], options.side ?? 'after');
  const root = h('div', { class: 'sl-tree', role: 'tree', 'aria-label': options.label });
  root.append(item(tree, { path: [], name: null, level: 1 }, options, known));
  root.querySelector('[role=treeitem]')?.setAttribute('tabindex', '0');
  root.addEventListener('keydown', event => keys(root, event));
  root.addEventListener('focusin', event => {
    for (const other of root.querySelectorAll('[tabindex="0"][role=treeitem]')) setAttribute(other, 'tabindex', -1);
    if (event.target instanceof Element && event.target.role === 'treeitem') setAttribute(event.target, 'tabindex', 0);
  });
  return root;
}

function item(tree: Tree, place: Place, options: TreeOptions, known: Map<string, Change['change']>): HTMLElement {
  const folds = tree.c !== undefined && (tree.c.length > 0 || (tree.more ?? 0) > 0);
  const key = pathKey(place.path);
  const change = known.get(key);
  const head = h('span', { class: 'sl-treeline' }, ...label(tree, place), value(tree, change));
  const element = h(
    'div',
    { class: 'sl-treeitem', role: 'treeitem', tabindex: -1, 'aria-level': place.level, 'data-path': key },
    head,
  );
  if (tree.w !== undefined && options.onWithheld)
    head.append(button(`Show ${bytes(tree.w)}`, { class: 'sl-framed', onclick: options.onWithheld }));
  if (!folds) return element;
  const children = h('div', { class: 'sl-treekids', role: 'group' });
  element.append(children);
  const show = (open: boolean): void => {
    setAttribute(element, 'aria-expanded', String(open));
    children.hidden = !open;
    if (open && children.childElementCount === 0) children.append(...kids(tree, place, options, known));
  };
  show(options.folds.get(key) ?? (place.level <= (options.depth ?? 2) || leadsToChange(place.path, options.diff)));
  const toggle = (): void => {
    const open = element.getAttribute('aria-expanded') !== 'true';
    options.folds.set(key, open);
    show(open);
  };
  head.addEventListener('click', event => {
    if (!(event.target instanceof Element) || event.target.closest('button') === null) toggle();
  });
  element.addEventListener('sl-toggle', event => {
    event.stopPropagation();
    toggle();
  });
  return element;
}

function kids(tree: Tree, place: Place, options: TreeOptions, known: Map<string, Change['change']>): HTMLElement[] {
  const items = (tree.c ?? []).map(([name, child]) =>
    item(child, { path: [...place.path, name], name, level: place.level + 1 }, options, known),
  );
  if (tree.more) items.push(h('div', { class: 'sl-dim sl-treemore' }, `… ${count(tree.more, 'more')}`.replace('mores', 'more')));
  return items;
}

function label(tree: Tree, place: Place): HTMLElement[] {
  const folds = tree.k === 'o' || tree.k === 'a';
  const arrow = h('span', { class: folds && (tree.c?.length ?? 0) > 0 ? 'sl-fold' : 'sl-nofold', 'aria-hidden': 'true' });
  return place.name === null
    ? [arrow]
    : [arrow, h('span', { class: 'sl-key', dir: 'auto' }, named(place.name)), h('span', { class: 'sl-dim' }, ': ')];
}

function value(tree: Tree, change: Change['change'] | undefined): HTMLElement {
  const size = tree.n ?? tree.c?.length ?? 0;
  const text = tree.k === 'o' ? `{ ${count(size, 'field')} }` : tree.k === 'a' ? `[ ${count(size, 'item')} ]` : leafText(tree);
  const shown = h('span', { class: `sl-value sl-kind-${tree.k}`, dir: tree.k === 's' ? 'auto' : 'ltr' }, text);
  if (!change) return shown;
  const marked = h(change === 'removed' ? 'del' : 'ins', { class: `sl-${change}`, title: change }, shown);
  marked.append(h('span', { class: 'sl-heard' }, ` (${change})`));
  return marked;
}

function keys(root: HTMLElement, event: KeyboardEvent): void {
  const now = event.target;
  if (!(now instanceof HTMLElement) || now.role !== 'treeitem') return;
  const shown = [...root.querySelectorAll<HTMLElement>('[role=treeitem]')].filter(one => one.closest('[hidden]') === null);
  const at = shown.indexOf(now);
  const open = now.getAttribute('aria-expanded');
  const toggle = (): boolean => now.dispatchEvent(new CustomEvent('sl-toggle'));
  const go = (target: HTMLElement | null | undefined): void => target?.focus();
  const step = event.key === 'ArrowRight' ? 'false' : 'true';
  if (event.key === 'ArrowDown') go(shown[at + 1]);
  else if (event.key === 'ArrowUp') go(shown[at - 1]);
  else if (event.key === 'Home') go(shown[0]);
  else if (event.key === 'End') go(shown.at(-1));
  else if (['ArrowRight', 'ArrowLeft'].includes(event.key) && open === step) toggle();
  else if (event.key === 'ArrowRight') go(open === 'true' ? shown[at + 1] : null);
  else if (event.key === 'ArrowLeft') go(now.parentElement?.closest<HTMLElement>('[role=treeitem]'));
  else if (event.key === 'Enter' || event.key === ' ') toggle();
  else return;
  event.preventDefault();
}
