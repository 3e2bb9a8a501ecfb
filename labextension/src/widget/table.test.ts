import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import widget from './table';
import { standIns, TestModel } from './testing';

let model: TestModel;
let el: HTMLElement;
let close: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  standIns();
  model = new TestModel();
  model.set('html', '<div>ada</div>');
  model.set('label', 'Table: users');
  el = document.createElement('div');
  close = widget.render({ model, el });
});
afterEach(() => {
  close();
  vi.useRealTimers();
});

const answer = (): void => {
  model.emit('msg:custom', { t: 'reply', view: model.of('hello')[0]?.view, rid: 'hello', ok: true, data: null }, []);
};

test('it shows what the kernel makes of the table, and says hello again until the kernel is heard', () => {
  expect(el.textContent).toBe('ada');
  expect(el.getAttribute('aria-label')).toBe('Table: users');
  model.set('html', '<div>bob</div>');
  model.emit('change:html');
  expect(el.textContent).toBe('bob');
  vi.advanceTimersByTime(500);
  expect(model.of('hello')).toHaveLength(2);
  answer();
  vi.advanceTimersByTime(60_000);
  expect(model.of('hello')).toHaveLength(2);
});

test('it says when the kernel does not answer any more', () => {
  answer();
  vi.advanceTimersByTime(20_000);
  expect(el.querySelector('[role=status]')?.textContent).toContain('does not answer');
  answer();
  expect(el.querySelector('[role=status]')?.textContent).toBe('');
  model.emit('comm_live_update');
  expect(el.querySelector('[role=status]')?.textContent).toContain('run the cell again');
});

test('closing says bye, and nothing is drawn after it', () => {
  close();
  expect(model.sent.at(-1)?.t).toBe('bye');
  model.set('html', '<div>bob</div>');
  model.emit('change:html');
  expect(el.textContent).toBe('ada');
});
