import { beforeEach, expect, test } from 'vitest';

import type { Context } from './context';
import { errorsTab } from './errors';
import type { ErrorsTab } from './errors';
import type { Errors } from './protocol';
import { Link } from './link';
import { examples, TestModel } from './testing';
import { UiState } from './ui';

let tab: ErrorsTab;
let model: TestModel;
let context: Context;
let notices: [string, string][];

beforeEach(() => {
  model = new TestModel();
  notices = [];
  context = {
    link: new Link(
      model,
      () => undefined,
      () => undefined,
    ),
    ui: new UiState(model),
    signal: new AbortController().signal,
    latest: { head: null, pipe: null, field: null, answers: true },
    notice: (text, kind) => notices.push([text, kind]),
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
  expect(tab.element.textContent).toContain('9,001 errors, 1,000 of them kept');
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

async function retry(retried: number): Promise<void> {
  tab.element.querySelector<HTMLInputElement>('.sl-errorbar input')?.click();
  tab.element.querySelector<HTMLButtonElement>('.sl-errorbar button')?.click();
  const { view, rid } = model.of('do').at(-1) ?? {};
  model.emit('msg:custom', { t: 'reply', view, rid, ok: true, data: { retried } }, []);
  await new Promise(resolve => setTimeout(resolve));
}

test('what was not retried is told, and that a paused stream waits with it', async () => {
  tab.update(errors(100));
  await retry(50);
  tab.update(errors(200));
  await retry(47);
  context.latest.head = { ...examples.toView.frame.head, state: 'paused' } as unknown as Context['latest']['head'];
  tab.update(errors(300));
  await retry(50);
  tab.update(errors(400));
  await retry(0);
  expect(notices).toEqual([
    ['50 records put through the stream again.', 'info'],
    ['47 records put through the stream again. 3 not: no longer kept, or not the failure of a record.', 'info'],
    ['50 records to go through the stream again once it runs on.', 'info'],
    [
      '0 records to go through the stream again once it runs on. 50 not: no longer kept, or not the failure of a record.',
      'alarm',
    ],
  ]);
});
