import { beforeEach, expect, test } from 'vitest';

import type { Context } from './context';
import { errorsTab } from './errors';
import type { ErrorsTab } from './errors';
import type { Errors } from './protocol';
import { Link } from './link';
import { TestModel } from './testing';
import { UiState } from './ui';

let tab: ErrorsTab;

beforeEach(() => {
  const model = new TestModel();
  const context: Context = {
    link: new Link(
      model,
      () => undefined,
      () => undefined,
    ),
    ui: new UiState(model),
    signal: new AbortController().signal,
    latest: { head: null, pipe: null, field: null, answers: true },
    notice: () => undefined,
    calm: () => undefined,
    announce: () => undefined,
    newProcessor: () => undefined,
  };
  tab = errorsTab(context);
  document.body.replaceChildren(tab.element);
});

function errors(newest: number): Errors {
  const rows = Array.from({ length: 50 }, (_, i) => ({
    index: newest - i,
    at: null,
    where: `o ${newest - i}`,
    processor: 'decoding',
    error: 'E',
    message: '',
  }));
  return { total: newest + 1, kept: Math.min(newest + 1, 1000), oldest: Math.max(newest - 999, 0), rows };
}
const shown = (): string[] =>
  [...tab.element.querySelectorAll('li')].map(row => row.querySelectorAll('span')[1]?.textContent ?? '');

test('many errors, again and again, do not pile up in the page', () => {
  for (let newest = 1000; newest < 10_000; newest += 1000) tab.update(errors(newest));
  expect(shown()).toHaveLength(50);
  expect(shown()[0]).toBe('o 9000');
});

test('while some are selected they stay where they are, and the newer ones are counted', () => {
  tab.update(errors(100));
  const box = tab.element.querySelector<HTMLInputElement>('li input');
  box?.click();
  tab.update(errors(5000));
  expect(shown()[0]).toBe('o 100');
  expect(tab.element.textContent).toContain('4,900 newer than these');
  box?.click();
  tab.update(errors(5001));
  expect(shown()[0]).toBe('o 5001');
});

test('what is no longer kept goes', () => {
  tab.update(errors(100));
  tab.update({ total: 101, kept: 0, oldest: 101, rows: [] });
  expect(shown()).toEqual([]);
});
