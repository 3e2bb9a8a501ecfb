import { expect, test } from 'vitest';

import { isTree } from './protocol';
import type { Change, Tree } from './protocol';
import { marks, oneLine, treeView } from './tree';
import { examples } from './testing';

const sample = examples.toView.frame.sample;
const before: unknown = sample.before;
if (!isTree(before)) throw new Error('the example is no tree');
const tree: Tree = before;

function view(depth = 2): HTMLElement {
  const element = treeView(tree, { label: 'Value', folds: new Map(), depth });
  document.body.replaceChildren(element);
  return element;
}
const items = (element: HTMLElement): HTMLElement[] =>
  [...element.querySelectorAll<HTMLElement>('[role=treeitem]')].filter(item => !item.closest('[hidden]'));
const press = (key: string): void => {
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
};
const path = (): string | null | undefined => document.activeElement?.getAttribute('data-path');

test('a value shows as text, whatever it holds', () => {
  const element = view(3);
  expect(element.querySelector('script')).toBeNull();
  expect(element.textContent).toContain('"<script>alert(1)</script>"');
  expect(element.textContent).toContain('9007199254740993');
  expect(element.textContent).toContain('298 more');
});

test('a name that cannot be seen is put in quotes', () => {
  const kids: [string, Tree][] = ['', ' ', 'a'].map(name => [name, { k: 'n', v: '1' }]);
  const element = treeView({ k: 'o', n: 3, c: kids }, { label: 'Value', folds: new Map() });
  expect([...element.querySelectorAll('.sl-key')].map(key => key.textContent)).toEqual(['""', '" "', 'a']);
});

test('what is folded is made when it is opened', () => {
  const element = view(1);
  expect(element.textContent).not.toContain('alert');
  expect(items(element)).toHaveLength(5);
});

test('arrow keys walk, open and close', () => {
  const element = view(1);
  items(element)[0]?.focus();
  press('ArrowDown');
  press('ArrowDown');
  expect(path()).toBe('["who"]');
  press('ArrowRight');
  press('ArrowRight');
  expect(path()).toBe('["who","name"]');
  press('ArrowLeft');
  expect(path()).toBe('["who"]');
  press('ArrowLeft');
  expect(items(element)).toHaveLength(5);
  press('End');
  expect(path()).toBe('["blob"]');
  press('Home');
  expect(path()).toBe('[]');
});

test('one item is in the order of Tab: the one that had the focus last', () => {
  const element = view();
  items(element)[0]?.focus();
  press('ArrowDown');
  expect([...element.querySelectorAll('[role=treeitem][tabindex="0"]')].map(item => item.getAttribute('data-path'))).toEqual([
    '["id"]',
  ]);
});

test('folds outlive a drawing', () => {
  const folds = new Map<string, boolean>();
  const first = treeView(tree, { label: 'Value', folds, depth: 1 });
  document.body.replaceChildren(first);
  items(first)[2]?.querySelector<HTMLElement>('.sl-treeline')?.click();
  const second = treeView(tree, { label: 'Value', folds, depth: 1 });
  expect(second.textContent).toContain('alert');
});

test('differences are marked on the side where they are, and shown though they lie deep', () => {
  const diff = sample.diff as Change[];
  expect([...marks(diff, 'before').keys()]).toEqual(['["who","name"]']);
  expect([...marks(diff, 'after').values()]).toEqual(['added', 'changed']);
  const after: unknown = sample.after;
  if (!isTree(after)) throw new Error('the example is no tree');
  const element = treeView(after, { label: 'After', folds: new Map(), depth: 1, diff, side: 'after' });
  expect([...element.querySelectorAll('ins')].map(mark => mark.className)).toEqual(['sl-changed', 'sl-added']);
  expect(element.querySelector('ins.sl-added')?.textContent).toContain('78.38');
});

test('what was withheld comes when it is asked for', () => {
  let asked = 0;
  const element = treeView(tree, { label: 'Value', folds: new Map(), onWithheld: () => (asked += 1) });
  element.querySelector('button')?.click();
  expect(element.querySelector('button')?.textContent).toBe('Show 10.0 MB');
  expect(asked).toBe(1);
});

test('one line is cut', () => {
  expect(oneLine(tree, 400)).toContain('id: 9007199254740993, who: {name: "<script>');
  expect(oneLine(tree, 20)).toHaveLength(20);
});
