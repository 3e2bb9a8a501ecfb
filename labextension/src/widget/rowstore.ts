/**
 * Rows that came from the kernel, by their lasting number: `base + index`, which does not change while the window slides.
 */
import { isRow } from './protocol';
import type { Cell, Column, Row, Rows } from './protocol';
import { list } from './guards';

const KEPT = 1200;
const isBlock = list(isRow);
const decoder = new TextDecoder();

export function decodeRows(buffer: DataView): Row[] {
  const data: unknown = JSON.parse(decoder.decode(buffer));
  if (!isBlock(data)) throw new Error('A block of rows is not as agreed.');
  return data;
}

export class RowStore {
  columns: Column[] = [];
  total = 0;
  base = 0;
  order: Rows['order'] = 'live';
  scanning = false;
  private readonly rows = new Map<number, Row>();

  /**
   * Take in a block. Returns by how many rows everything moved up: the table moves its top as much, so that what is
   * in sight stays. Null if the order is another one and nothing can stay.
   */
  accept(section: Rows, buffer: DataView | null): number | null {
    const block = buffer ? decodeRows(buffer) : [];
    const known = this.total > 0 && section.order === this.order;
    const moved = section.base - this.base;
    const same = known && this.agrees(section, block);
    if (!same) this.rows.clear();
    if (section.cols.length > 0 || section.total === 0) this.columns = section.cols;
    this.total = section.total;
    this.base = section.base;
    this.order = section.order;
    this.scanning = section.scanning;
    block.forEach((row, index) => this.rows.set(section.base + section.first + index, row));
    this.forget(section.base + section.first);
    return same ? moved : null;
  }

  /** The row at an index of the present order. */
  at(index: number): Row | undefined {
    return this.rows.get(this.base + index);
  }

  /** True if all these rows are here. */
  has(first: number, count: number): boolean {
    for (let index = first; index < Math.min(first + count, this.total); index++)
      if (!this.rows.has(this.base + index)) return false;
    return true;
  }

  /** Index of a message in the present order, if it is known here. */
  indexOf(seq: number): number | null {
    if (this.order === 'live') {
      const index = seq - this.base;
      return index >= 0 && index < this.total ? index : null;
    }
    for (const [number, row] of this.rows) if (row[0] === seq) return number - this.base;
    return null;
  }

  clear(): void {
    this.rows.clear();
  }

  /** Rows with the same number must be the same messages, or the order is another one. */
  private agrees(section: Rows, block: Row[]): boolean {
    if (section.base < this.base || !sameNames(section.cols, this.columns)) return false;
    return block.every((row, index) => {
      const known = this.rows.get(section.base + section.first + index);
      return known === undefined || known[0] === row[0];
    });
  }

  private forget(centre: number): void {
    if (this.rows.size <= KEPT) return;
    const far = [...this.rows.keys()].sort((a, b) => Math.abs(b - centre) - Math.abs(a - centre));
    for (const number of far.slice(0, this.rows.size - KEPT / 2)) this.rows.delete(number);
  }
}

/** New columns at the end are no change: rows that are here simply lack them. */
function sameNames(now: Column[], before: Column[]): boolean {
  return before.every((column, index) => now.length === 0 || now[index]?.name === column.name);
}

export function cellText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'string' ? cell : cell[1];
}

export function cellKind(cell: Cell | undefined, column: Column): string {
  if (cell === null || cell === undefined) return 'none';
  return typeof cell === 'string' ? column.kind : cell[0];
}
