/** Where the columns of the table lie: widths, what is hidden, which are in sight. */
import type { Column, Ui } from './protocol';
import { cellKind, cellOf, cellText } from './rowstore';
import type { StoredRow } from './rowstore';
import { grouped, named, timeText } from './format';

export const MIN_WIDTH = 36;
const MAX_AUTO_WIDTH = 260;
/** Where text cannot be measured. */
const CHAR = 7;
const PADDING = 18;
const LOOKED_AT = 40;
/** Room for what will come: numbers grow, times keep their length. */
const ROOM: Record<Column['kind'], string> = {
  n: '00000',
  s: 'xxxxx',
  b: 'false',
  t: '00:00:00.000',
  o: 'xxxxxxxx',
  w: 'xxxxxxxx',
};
const LONGEST = 60;
const UNKNOWN_WIDTH = 80;

export interface Placed {
  column: Column;
  left: number;
  width: number;
}

export function shownText(text: string, kind: string, group: Column['group']): string {
  if (kind === 't') return timeText(text);
  return kind === 'n' && group === 'meta' ? grouped(text) : text;
}

/** What a column is called on the page. */
export function columnLabel({ name, group }: Column): string {
  if (group === 'meta') return name === 'timestamp' ? 'time' : name;
  return named(name);
}

/** The width that the user gave; a field may be called as something that every object has. */
function widthOf(ui: Ui, { name }: Column): number | undefined {
  return Object.hasOwn(ui.widths, name) ? ui.widths[name] : undefined;
}

export class Columns {
  placed: Placed[] = [];
  width = 0;
  private readonly auto = new Map<string, number>();
  private columns: Column[] = [];
  private hidden: string[] = [];
  private widths: Ui['widths'] = {};
  private guessed: StoredRow['places'] | null = null;
  private pen: CanvasRenderingContext2D | null = null;

  /** Lay out again if something changed; true if so. */
  layout(columns: Column[], ui: Ui, rows: (StoredRow | undefined)[]): boolean {
    const guessed = this.guess(columns, rows);
    const same = columns === this.columns && ui.hidden === this.hidden && ui.widths === this.widths;
    if (same && !guessed) return false;
    ({ hidden: this.hidden, widths: this.widths } = ui);
    this.columns = columns;
    const hidden = new Set(ui.hidden);
    let left = 0;
    this.placed = [];
    for (const column of columns) {
      if (hidden.has(column.name)) continue;
      const width = Math.max(MIN_WIDTH, Math.round(widthOf(ui, column) ?? this.auto.get(column.name) ?? UNKNOWN_WIDTH));
      this.placed.push({ column, left, width });
      left += width;
    }
    this.width = left;
    return true;
  }

  /** Places in `placed` of the first and behind the last column in sight. */
  inSight(left: number, width: number): [number, number] {
    let first = 0;
    while (first < this.placed.length && right(this.placed[first]) <= left) first += 1;
    let last = first;
    while (last < this.placed.length && (this.placed[last]?.left ?? 0) < left + width) last += 1;
    return [first, last];
  }

  /** The width that fits what is in these rows. */
  fitting(column: Column, rows: (StoredRow | undefined)[]): number {
    // The header is bold and has room for the arrow of the sorting, or for the mark that hides it.
    let width = Math.max(this.measure(columnLabel(column)) * 1.12 + 14, this.measure(ROOM[column.kind]));
    for (const row of rows) {
      const cell = cellOf(row, column.name);
      width = Math.max(width, this.measure(shownText(cellText(cell), cellKind(cell, column.kind), column.group)));
    }
    return Math.ceil(width) + PADDING;
  }

  /** The font that widths are measured with. */
  set font(font: string) {
    this.pen ??= document.createElement('canvas').getContext('2d');
    if (this.pen) this.pen.font = font;
  }

  private measure(text: string): number {
    const start = text.slice(0, LONGEST);
    return this.pen ? this.pen.measureText(start).width : start.length * CHAR;
  }

  /** Widths are guessed once, from the first rows: nothing moves that the user did not move. True if one was. */
  private guess(columns: Column[], rows: (StoredRow | undefined)[]): boolean {
    const known = rows.filter(row => row !== undefined).slice(0, LOOKED_AT);
    const places = known[0]?.places;
    if (!places || places === this.guessed) return false;
    this.guessed = places;
    let some = false;
    for (const column of columns) {
      if (this.auto.has(column.name) || !places.has(column.name)) continue;
      const room = column.name === 'offset' ? 2 * CHAR : 0; // it will have more digits soon
      this.auto.set(column.name, Math.min(MAX_AUTO_WIDTH, this.fitting(column, known) + room));
      some = true;
    }
    return some;
  }
}

function right(placed: Placed | undefined): number {
  return placed ? placed.left + placed.width : Infinity;
}
