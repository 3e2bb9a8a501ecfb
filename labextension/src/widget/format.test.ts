import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { bytes, clock, count, duration, grouped, moment, percent, si, span, timeText, when } from './format';

test.each([
  [grouped('9223372036854775807'), '9,223,372,036,854,775,807'],
  [grouped('-1234'), '-1,234'],
  [grouped('12.5'), '12.5'],
  [si(0), '0'],
  [si(7.25), '7.3'],
  [si(999.4), '999'],
  [si(999.6), '1.0 k'],
  [si(98_700), '98.7 k'],
  [si(1_234_567), '1.2 M'],
  [bytes(131), '131 B'],
  [bytes(20_480), '20.5 kB'],
  [bytes(15_100_000), '15.1 MB'],
  [duration(0.0000008), '0.8 µs'],
  [duration(0.25), '250 ms'],
  [duration(1.5), '1.5 s'],
  [duration(90), '1 min 30 s'],
  [duration(7200), '2 h'],
  [count(1, 'error'), '1 error'],
  [count(1000, 'match', 'matches'), '1,000 matches'],
  [percent(41, 100), '41 %'],
  [percent(999, 1000), '99 %'],
  [percent(1, 1000), '<1 %'],
  [percent(0, 0), '0 %'],
])('%s', (got, wanted) => {
  expect(got).toBe(wanted);
});

const TIME = Date.UTC(2026, 10, 25, 10, 42, 13, 104);

beforeEach(() => vi.useFakeTimers({ now: TIME }));
afterEach(() => vi.useRealTimers());

test('what is not of today has its day with it', () => {
  expect(when(TIME)).toBe('10:42:13.104');
  expect(when(TIME - 86_400_000)).toBe('2026-11-24 10:42:13.104');
  expect(timeText('1')).toBe('1970-01-01 00:00:00.001');
  expect(timeText('1764000000000000')).toBe('57868-12-07 16:00:00.000');
  expect(timeText('9000000000000000')).toBe('9000000000000000');
  expect(timeText('4611686018427387904')).toBe('4611686018427387904');
  expect(when(253402300799000, false)).toBe('9999-12-31 23:59:59');
  expect(when(9e15)).toBe('9000000000000000');
  expect(span(1_700_000_000_000, 1_700_000_001_000)).toBe('2023-11-14 22:13:20 to 22:13:21');
});

test('times are UTC, to the millisecond', () => {
  expect(clock(TIME)).toBe('10:42:13.104');
  expect(moment(TIME)).toBe('2026-11-25 10:42:13.104 UTC');
  expect(clock(-1)).toBe('23:59:59.999');
  expect(span(TIME, TIME + 1000)).toBe('10:42:13 to 10:42:14');
  expect(span(TIME, TIME + 86_400_000)).toBe('2026-11-25 10:42:13 to 2026-11-26 10:42:13');
});

test('a time that is none is shown as it came', () => {
  expect(timeText(String(TIME))).toBe('10:42:13.104');
  expect(timeText('2026-11-25T10:42')).toBe('2026-11-25T10:42');
  expect(clock(9e15)).toBe('9000000000000000');
});
