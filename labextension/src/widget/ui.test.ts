import { expect, test, vi } from 'vitest';
import { TestModel } from './testing';
import { UiState } from './ui';

test('an echo of what was saved does not undo what waits to be saved', () => {
  vi.useFakeTimers();
  const model = new TestModel();
  const ui = new UiState(model);
  const receive = (value: unknown): void => {
    model.set('ui', value);
    model.emit('change:ui');
  };
  ui.patch({ widths: { amount: 100 } });
  const echo = model.get('ui');
  ui.patch({ widths: { amount: 120 } });
  receive(echo);
  expect(ui.get().widths).toEqual({ amount: 120 });
  vi.advanceTimersByTime(1000);
  expect(model.get('ui')).toMatchObject({ widths: { amount: 120 } });
  // Nothing waits any more: what comes now comes from another view, or from the kernel.
  receive(echo);
  expect(ui.get().widths).toEqual({ amount: 100 });
  vi.useRealTimers();
});
