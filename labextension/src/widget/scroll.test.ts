import { expect, test } from 'vitest';

import { MAX_HEIGHT, ROW_HEIGHT, Scroll } from './scroll';

function made(total: number, rows = 10): Scroll {
  const scroll = new Scroll();
  scroll.total = total;
  scroll.height = rows * ROW_HEIGHT;
  return scroll;
}

test('what is in sight is drawn, with some rows around it', () => {
  const scroll = made(1000);
  scroll.scrolledTo(100 * ROW_HEIGHT);
  expect(scroll.drawn(5)).toEqual({ first: 95, count: 20 });
  expect(scroll.offset(95)).toBe(95 * ROW_HEIGHT);
});

test('nothing is drawn beyond the ends', () => {
  const scroll = made(12);
  scroll.moveTo(Infinity);
  expect(scroll.drawn(5)).toEqual({ first: 0, count: 12 });
  expect(made(0).drawn()).toEqual({ first: 0, count: 0 });
});

test('fewer rows than fit never scroll', () => {
  const scroll = made(4);
  scroll.moveTo(3);
  expect(scroll.top).toBe(0);
  expect(scroll.atEnd).toBe(true);
});

test('a row is revealed by as little as needed', () => {
  const scroll = made(100);
  scroll.moveTo(20);
  scroll.reveal(25);
  expect(scroll.top).toBe(20);
  scroll.reveal(30);
  expect(scroll.top).toBe(21);
  scroll.reveal(3);
  expect(scroll.top).toBe(3);
});

test('more rows than a browser has height for: both ends are reached, and rows lie one below the other', () => {
  const scroll = made(5_000_000);
  expect(scroll.content).toBe(MAX_HEIGHT);
  scroll.scrolledTo(MAX_HEIGHT - scroll.height);
  expect(scroll.top).toBeCloseTo(scroll.maxTop);
  expect(scroll.drawn(0)).toEqual({ first: 4_999_990, count: 10 });
  scroll.scrolledTo(0);
  expect(scroll.top).toBe(0);
  scroll.moveTo(1_234_567);
  expect(scroll.offset(1_234_568) - scroll.offset(1_234_567)).toBe(ROW_HEIGHT);
  const before = scroll.pixels;
  scroll.scrolledTo(before);
  expect(Math.abs(scroll.top - 1_234_567)).toBeLessThan(2);
});
