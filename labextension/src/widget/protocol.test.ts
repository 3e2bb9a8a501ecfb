import { expect, test } from 'vitest';

import type { Guard } from './guards';
import { isFrame, isReply, isRow, isUi, section, SECTIONS } from './protocol';
import type { SectionName } from './protocol';
import * as replies from './replies';
import { isRows } from './protocol';
import { examples } from './testing';

const GUARDS: Record<string, Guard<unknown>> = {
  rows: isRows,
  open: replies.isMessage,
  part: replies.isPart,
  copy: replies.isPaste,
  code: replies.isCode,
  names: replies.isNames,
  pick: replies.isNamed,
  try: replies.isTrial,
  apply: replies.isNamed,
  cell: replies.isPaste,
  errors: replies.isErrorRows,
  error: replies.isErrorDetail,
  retry: replies.isRetried,
};

test.each(Object.keys(SECTIONS) as SectionName[])('the example of the section %s passes its guard', name => {
  expect(section(examples.toView.frame, name)).toBeDefined();
});

test.each(Object.entries(GUARDS))('the example of the answer to %s passes its guard, nothing does not', (action, guard) => {
  expect(guard((examples.replies as Record<string, unknown>)[action])).toBe(true);
  expect(guard({})).toBe(false);
  expect(guard(null)).toBe(false);
});

test('every action has an example of its answer', () => {
  expect(Object.keys(examples.replies).sort()).toEqual(Object.keys(examples.toKernel.do).sort());
});

test('no message has an id at its top', () => {
  const messages = [...Object.values(examples.toKernel.do), ...Object.values(examples.toView)];
  for (const message of messages) expect(message).not.toHaveProperty('id');
});

test('frames, answers, rows and the state of the interface pass their guards', () => {
  expect(isFrame(examples.toView.frame)).toBe(true);
  expect(isReply(examples.toView.reply)).toBe(true);
  expect(isReply(examples.toView.refusal)).toBe(true);
  expect(isReply({ ...examples.toView.refusal, error: 3 })).toBe(false);
  expect(isUi(examples.ui)).toBe(true);
  expect(examples.rowsBuffer.every(isRow)).toBe(true);
});

test('a section that is not as agreed is an error, one that is not there is not', () => {
  expect(() => section({ head: { state: 'dancing' } }, 'head')).toThrow('head');
  expect(section({}, 'head')).toBeUndefined();
});

test('a number in a cell does not pass: integers are text end to end', () => {
  expect(isRow([1, '2', 3])).toBe(false);
});
