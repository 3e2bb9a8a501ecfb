import { expect, test } from 'vitest';

import type { Column, Rows } from './protocol';
import { cellOf, cellText, RowStore } from './rowstore';
import { bufferOf } from './testing';

const COLUMNS: Column[] = [
  { name: 'offset', kind: 'n', group: 'meta' },
  { name: 'id', kind: 'n', group: 'value' },
];

function block(base: number, first: number, count: number, more: Partial<Rows> = {}): [Rows, DataView] {
  const rows = Array.from({ length: count }, (_, i) => [base + first + i, '7', String(base + first + i)]);
  return [{ first, count, total: 1000, base, era: 1, order: 'live', scanning: false, cols: COLUMNS, ...more }, bufferOf(rows)];
}

test('while the window slides rows keep their numbers, and the table is told how far they moved', () => {
  const store = new RowStore();
  expect(store.accept(...block(100, 10, 5))).toBeNull();
  expect(store.at(10)?.seq).toBe(110);
  expect(store.accept(...block(104, 20, 5))).toBe(4);
  expect(store.at(6)?.seq).toBe(110);
  expect(store.has(6, 5, ['id'])).toBe(true);
  expect(store.has(5, 2, [])).toBe(false);
});

test('in another order, and of a window that was cleared, nothing of before stays', () => {
  const store = new RowStore();
  store.accept(...block(0, 0, 5));
  const [section] = block(0, 3, 1, { era: 2, order: 'filtered' });
  expect(store.accept(section, bufferOf([[77, '7', '77']]))).toBeNull();
  expect(store.at(0)).toBeUndefined();
  expect(store.at(3)?.seq).toBe(77);
});

test('what was made before the last block, and comes after it, changes nothing but the rows that it brings', () => {
  const store = new RowStore();
  store.accept(...block(104, 20, 5));
  expect(store.accept(...block(100, 10, 5, { total: 7 }))).toBe(0);
  expect([store.base, store.total]).toEqual([104, 1000]);
  expect(store.at(6)?.seq).toBe(110);
  store.accept(...block(0, 0, 1, { era: 2 }));
  expect(store.accept(...block(104, 20, 5))).toBe(0);
  expect([store.base, store.at(0)?.seq]).toEqual([0, 0]);
});

test('cells are found by the name of their field, also where a block has others', () => {
  const store = new RowStore();
  store.setNames(['wide', 'id']);
  store.accept(...block(0, 0, 1));
  expect(cellText(cellOf(store.at(0), 'id'))).toBe('0');
  expect(cellOf(store.at(0), 'wide')).toBeUndefined();
  expect(store.has(0, 1, ['wide'])).toBe(false);
  expect(store.columns.map(column => column.name)).toEqual(['offset', 'wide', 'id']);
});

test('64-bit integers stay exact', () => {
  const store = new RowStore();
  const [section] = block(0, 0, 1);
  store.accept(section, bufferOf([[0, '9223372036854775807', '-9007199254740993']]));
  expect(cellText(cellOf(store.at(0), 'id'))).toBe('-9007199254740993');
});

test('a long way of scrolling does not keep all that was seen', () => {
  const store = new RowStore();
  for (let first = 0; first < 5000; first += 100) store.accept(...block(0, first, 100, { total: 100_000 }));
  expect(store.at(4999)?.seq).toBe(4999);
  expect(store.at(0)).toBeUndefined();
});
