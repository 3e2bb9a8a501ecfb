import { expect, test } from 'vitest';

import type { Trial } from './replies';
import { examples } from './testing';
import { trialResults } from './trialview';

const trial = (more: Partial<Trial>): Trial => ({ ...examples.replies.try, ...more });
const text = (more: Partial<Trial>): string => trialResults(trial(more), () => undefined).textContent;

test('the head tells how many of the last messages were tried, and that something was printed', () => {
  const nothing = { text: '', leftOut: 0 };
  expect(text({ printed: nothing })).toContain('The last 1,000 messages, nothing changed');
  expect(text({ tried: 95, asked: 342, printed: nothing })).toContain('95 of the last 342 messages, nothing changed');
  expect(text({ printed: nothing })).not.toContain('printed');
  expect(text({})).toContain('nothing changed; what was printed is below');
});

test('an error shows where it came from before the value that it came from', () => {
  const [first] = trialResults(trial({}), () => undefined).querySelectorAll('details');
  expect([...(first?.querySelectorAll('pre') ?? [])].map(one => one.textContent.split('\n').at(-1))).toEqual([
    "KeyError: 'amount'",
    "{'amount': 412.5}",
  ]);
});

test('what was printed is text, and how much of it is left out is told', () => {
  const shown = trialResults(trial({ printed: { text: '<b>x</b>\n', leftOut: 12345 } }), () => undefined);
  expect(shown.querySelector('b')).toBeNull();
  expect(shown.querySelector('[aria-label=Printed]')?.textContent).toBe('<b>x</b>\n');
  expect(shown.textContent).toContain('printed, without 12,345 characters before this');
});
