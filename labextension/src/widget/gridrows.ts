/** Draws the rows in sight. Row and cell elements are used again; text is set only where it changed. */
import { h, setAttribute } from './dom';
import { cellKind, cellOf, cellText } from './rowstore';
import type { RowStore, StoredRow } from './rowstore';
import { shownText } from './columns';
import type { Columns, Placed } from './columns';

interface DrawnCell {
  element: HTMLElement;
  text: Text;
  shown: string;
  look: string;
  place: Placed | null;
}
interface DrawnRow {
  element: HTMLElement;
  cells: DrawnCell[];
  index: number;
  classes: string;
  columns: string;
}

export interface Sight {
  first: number;
  count: number;
  columns: [number, number];
  active: number;
  activeColumn: number;
  selected: number | null;
  /** Where the first row lies in the scrolled content, in pixels. */
  offset: number;
}

export class GridRows {
  readonly element = h('div', { class: 'sl-rows', role: 'presentation' });
  private readonly drawn: DrawnRow[] = [];
  private version = 0;
  private offset = -1;

  constructor(
    private readonly id: string,
    private readonly store: RowStore,
    private readonly columns: Columns,
  ) {}

  /** Columns lie elsewhere: every cell is placed again at the next drawing. */
  replaced(): void {
    this.version += 1;
  }

  draw(sight: Sight): void {
    while (this.drawn.length < sight.count) this.add();
    while (this.drawn.length > sight.count) this.drawn.pop()?.element.remove();
    const places = this.columns.placed.slice(sight.columns[0], sight.columns[1]);
    const key = `${this.version}:${sight.columns[0]}:${places.length}`;
    if (this.offset !== sight.offset) {
      this.offset = sight.offset;
      this.element.style.transform = `translateY(${sight.offset}px)`;
    }
    this.drawn.forEach((row, i) => this.drawRow(row, sight.first + i, sight, places, key));
  }

  /** Id of the element of a row or cell, for aria-activedescendant. */
  activeId(sight: Sight): string | null {
    const inside = sight.active >= sight.first && sight.active < sight.first + sight.count;
    if (!inside) return null;
    const slot = sight.active - sight.first;
    const column = sight.activeColumn - sight.columns[0];
    return column >= 0 && sight.activeColumn < sight.columns[1] ? `${this.id}-${slot}-${column}` : `${this.id}-${slot}`;
  }

  /** Index of the row that an element of the table belongs to, and which column. */
  find(target: EventTarget | null): { index: number; column: Placed | null } | null {
    if (!(target instanceof Element)) return null;
    const element = target.closest('.sl-row');
    const row = this.drawn.find(candidate => candidate.element === element);
    if (!row) return null;
    const cell = row.cells.find(candidate => candidate.element.contains(target));
    return { index: row.index, column: cell?.place ?? null };
  }

  private add(): void {
    const element = h('div', { class: 'sl-row', role: 'row', id: `${this.id}-${this.drawn.length}` });
    this.drawn.push({ element, cells: [], index: -1, classes: '', columns: '' });
    this.element.append(element);
  }

  private drawRow(row: DrawnRow, index: number, sight: Sight, places: Placed[], key: string): void {
    const data = this.store.at(index);
    if (row.index !== index) {
      row.index = index;
      setAttribute(row.element, 'aria-rowindex', index + 2);
    }
    const selected = data?.seq === sight.selected;
    const odd = (this.store.base + index) % 2 === 1;
    const classes = `sl-row${selected ? ' sl-selected' : ''}${index === sight.active ? ' sl-active' : ''}${odd ? ' sl-odd' : ''}${data ? '' : ' sl-missing'}`;
    if (row.classes !== classes) {
      row.classes = classes;
      row.element.className = classes;
      setAttribute(row.element, 'aria-selected', selected);
    }
    if (row.columns !== key) this.place(row, places, key);
    this.fill(row, data, index === sight.active ? sight.activeColumn - sight.columns[0] : -1);
  }

  private place(row: DrawnRow, places: Placed[], key: string): void {
    row.columns = key;
    while (row.cells.length < places.length) {
      const text = document.createTextNode('');
      const element = h('span', { class: 'sl-cell', role: 'gridcell', id: `${row.element.id}-${row.cells.length}` }, text);
      row.cells.push({ element, text, shown: '', look: '', place: null });
      row.element.append(element);
    }
    while (row.cells.length > places.length) row.cells.pop()?.element.remove();
    row.cells.forEach((cell, i) => {
      const place = places[i];
      if (!place) return;
      cell.place = place;
      cell.element.style.left = `${place.left}px`;
      cell.element.style.width = `${place.width}px`;
      setAttribute(cell.element, 'aria-colindex', this.columns.placed.indexOf(place) + 1);
    });
  }

  private fill(row: DrawnRow, data: StoredRow | undefined, activeCell: number): void {
    row.cells.forEach((cell, i) => {
      const place = cell.place;
      if (!place) return;
      const { kind: columnKind, group, name } = place.column;
      const content = cellOf(data, name);
      const kind = cellKind(content, columnKind);
      const text = shownText(cellText(content), kind, group);
      if (cell.shown !== text) {
        cell.shown = text;
        cell.text.data = text;
      }
      const look = `sl-cell sl-kind-${kind}${group === 'meta' ? ' sl-meta' : ''}${columnKind === 'n' ? ' sl-right' : ''}${i === activeCell ? ' sl-active-cell' : ''}`;
      if (cell.look !== look) {
        cell.look = look;
        cell.element.className = look;
        setAttribute(cell.element, 'title', kind === 'w' ? 'Large: open the message to see it' : null);
        setAttribute(cell.element, 'dir', kind === 's' || kind === 'o' ? 'auto' : null);
      }
    });
  }
}
