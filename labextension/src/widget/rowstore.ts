/**
 * Rows that came from the kernel, by their lasting number: `base + index`, which does not change while the window slides.
 *
 * A block holds only the fields that were in sight when it was asked for; the names of all come on their own.
 */
import { isRow } from './protocol';
import type { Cell, Column, Rows } from './protocol';
import { list } from './guards';

const KEPT = 1200;
const isBlock = list(isRow);
const decoder = new TextDecoder();

/** A row; `places` tells where a field stands in `cells`, and is shared by the rows of a block. */
export interface StoredRow {
  seq: number;
  cells: Cell[];
  places: Map<string, number>;
}

export function decodeRows(buffer: DataView, columns: Column[]): StoredRow[] {
  const data: unknown = JSON.parse(decoder.decode(buffer));
  if (!isBlock(data)) throw new Error('A block of rows is not as agreed.');
  const places = new Map(columns.map((column, i) => [column.name, i]));
  return data.map(([seq, ...cells]) => ({ seq, cells, places }));
}

export function cellOf(row: StoredRow | undefined, name: string): Cell | undefined {
  const place = row?.places.get(name);
  return place === undefined ? undefined : row?.cells[place];
}

export class RowStore {
  total = 0;
  base = 0;
  era = -1;
  order: Rows['order'] = 'live';
  scanning = false;
  private readonly rows = new Map<number, StoredRow>();
  private readonly known = new Map<string, Column>();
  private meta: Column[] = [];
  private names: string[] = [];
  /** Made when somebody asks, and the same until something changed. */
  private all: Column[] | null = null;
  private noted: Column[] = [];

  /** All columns: those of every message first, then the fields of values; nothing is known yet of some of those. */
  get columns(): Column[] {
    this.all ??= [
      ...this.meta,
      ...this.names.map(name => this.known.get(name) ?? { name, kind: 's' as const, group: 'value' as const }),
    ];
    return this.all;
  }

  /** The fields that there are. */
  setNames(names: string[]): void {
    if (names.length === this.names.length && names.every((name, i) => name === this.names[i])) return;
    this.names = names;
    this.all = null;
  }

  /**
   * Take in a block. Returns by how many rows everything moved up: the table moves its top as much, so that what is
   * in sight stays. Null if the rows are other ones, and nothing can stay.
   */
  accept(section: Rows, buffer: DataView | null): number | null {
    if (section.era < this.era) return 0; // made before the last one, though it came later
    const moved = this.moved(section);
    if (moved === null) this.rows.clear();
    this.note(section.cols);
    const block = buffer ? decodeRows(buffer, section.cols) : [];
    block.forEach((row, index) => this.rows.set(section.base + section.first + index, row));
    this.forget(section.base + section.first);
    if (moved !== null && moved < 0) return 0;
    this.total = section.total;
    this.base = section.base;
    this.era = section.era;
    this.order = section.order;
    this.scanning = section.scanning;
    return moved;
  }

  /** By how many rows everything will have moved up; null if the rows are other ones. */
  moved(section: Rows): number | null {
    return section.era === this.era ? section.base - this.base : null;
  }

  /** The row at an index of the present order. */
  at(index: number): StoredRow | undefined {
    return this.rows.get(this.base + index);
  }

  /** True if all these rows are here with these fields. */
  has(first: number, count: number, fields: string[]): boolean {
    for (let index = first; index < Math.min(first + count, this.total); index++) {
      const row = this.at(index);
      if (!row || fields.some(name => !row.places.has(name))) return false;
    }
    return true;
  }

  private note(columns: Column[]): void {
    if (columns.length === 0 || sameColumns(columns, this.noted)) return;
    this.noted = columns;
    this.all = null;
    this.meta = columns.filter(column => column.group === 'meta');
    const names = new Set(this.names);
    for (const column of columns) {
      if (column.group === 'meta') continue;
      this.known.set(column.name, column);
      if (!names.has(column.name)) this.names = [...this.names, column.name];
    }
  }

  private forget(centre: number): void {
    if (this.rows.size <= KEPT) return;
    const far = [...this.rows.keys()].sort((a, b) => Math.abs(b - centre) - Math.abs(a - centre));
    for (const number of far.slice(0, this.rows.size - KEPT / 2)) this.rows.delete(number);
  }
}

function sameColumns(now: Column[], before: Column[]): boolean {
  return (
    now.length === before.length && now.every((column, i) => column.name === before[i]?.name && column.kind === before[i].kind)
  );
}

export function cellText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'string' ? cell : cell[1];
}

export function cellKind(cell: Cell | undefined, kind: string): string {
  if (cell === null || cell === undefined) return 'none';
  return typeof cell === 'string' ? kind : cell[0];
}
