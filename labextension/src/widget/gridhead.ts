/** The header of the table: sort, hide, resize; by mouse and by keyboard. */
import { h, iconButton, setAttribute, setText } from './dom';
import { MIN_WIDTH, columnLabel } from './columns';
import type { Columns, Placed } from './columns';
import type { UiState } from './ui';

const STEP = 16;

interface DrawnHead {
  element: HTMLElement;
  sort: HTMLButtonElement;
  label: HTMLElement;
  arrow: HTMLElement;
  place: Placed | null;
}

export class GridHead {
  readonly element = h('div', { class: 'sl-headrow', role: 'row', 'aria-rowindex': 1 });
  private readonly drawn: DrawnHead[] = [];
  private dragging = false;

  constructor(
    private readonly ui: UiState,
    private readonly columns: Columns,
    private readonly fit: (place: Placed) => number,
    private readonly leave: () => void,
  ) {}

  draw(first: number, last: number, active: number): void {
    const places = this.columns.placed.slice(first, last);
    while (this.drawn.length < places.length) this.add();
    while (this.drawn.length > places.length) this.drawn.pop()?.element.remove();
    const sort = this.ui.get().sort;
    const home = active >= first && active < last ? active : first;
    this.drawn.forEach((head, i) => {
      const place = places[i];
      if (place) this.drawOne(head, place, first + i, first + i === home, sort);
    });
  }

  /** Focus the header of a column that is in sight. */
  focus(column: number): void {
    this.drawn.find(head => head.place === this.columns.placed[column])?.sort.focus();
  }

  private drawOne(head: DrawnHead, place: Placed, number: number, home: boolean, sort: [string, 'asc' | 'desc'] | null): void {
    const { column } = place;
    const sorted = sort?.[0] === column.name ? sort[1] : null;
    head.place = place;
    head.element.style.left = `${place.left}px`;
    head.element.style.width = `${place.width}px`;
    head.element.className = `sl-colhead${column.kind === 'n' ? ' sl-right' : ''}${sorted ? ' sl-sorted' : ''}`;
    setAttribute(head.element, 'aria-colindex', number + 1);
    setAttribute(head.element, 'aria-sort', sorted ? (sorted === 'asc' ? 'ascending' : 'descending') : 'none');
    setText(head.label, columnLabel(column));
    setText(head.arrow, sorted ? (sorted === 'asc' ? '▲' : '▼') : '');
    setAttribute(head.sort, 'tabindex', home ? 0 : -1);
    setAttribute(head.sort, 'title', `Sort by ${columnLabel(column)}`);
  }

  private add(): void {
    const label = h('span', { class: 'sl-collabel', dir: 'auto' });
    const arrow = h('span', { class: 'sl-arrow', 'aria-hidden': 'true' });
    const sort = h('button', { class: 'sl-sort', tabindex: -1 }, label, arrow);
    const hide = iconButton('Hide this column', 'close', { class: 'sl-hide', tabindex: -1 });
    const grip = h('span', { class: 'sl-grip', title: 'Drag to resize, double-click to fit', 'aria-hidden': 'true' });
    const element = h('div', { class: 'sl-colhead', role: 'columnheader' }, sort, hide, grip);
    const head: DrawnHead = { element, sort, label, arrow, place: null };
    sort.addEventListener('click', () => this.sort(head));
    sort.addEventListener('keydown', event => this.key(event, head));
    hide.addEventListener('click', () => this.hide(head));
    grip.addEventListener('pointerdown', event => this.resize(event, head, grip));
    grip.addEventListener('dblclick', () => head.place && this.setWidth(head.place, this.fit(head.place)));
    this.drawn.push(head);
    this.element.append(element);
  }

  /** Ascending, descending, then the order of arrival again, with the newest in sight. */
  private sort(head: DrawnHead): void {
    const name = head.place?.column.name;
    if (name === undefined || this.dragging) return;
    const now = this.ui.get().sort;
    const next: [string, 'asc' | 'desc'] | null = now?.[0] !== name ? [name, 'asc'] : now[1] === 'asc' ? [name, 'desc'] : null;
    this.ui.patch({ sort: next, follow: next === null });
  }

  private hide(head: DrawnHead): void {
    const name = head.place?.column.name;
    if (name !== undefined) this.ui.patch({ hidden: [...this.ui.get().hidden, name] });
  }

  private key(event: KeyboardEvent, head: DrawnHead): void {
    const { place } = head;
    if (!place) return;
    const move = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (move !== 0 && event.altKey) this.setWidth(place, place.width + move * STEP);
    else if (move !== 0) this.drawn[this.drawn.indexOf(head) + move]?.sort.focus();
    else if (event.key === 'Delete') this.hide(head);
    else if (event.key === 'ArrowDown' || event.key === 'Escape') this.leave();
    else return;
    event.preventDefault();
  }

  private resize(event: PointerEvent, head: DrawnHead, grip: HTMLElement): void {
    const { place } = head;
    if (!place) return;
    event.preventDefault();
    grip.setPointerCapture(event.pointerId);
    this.dragging = true;
    const start = event.clientX - place.width;
    const move = (next: PointerEvent): void => this.setWidth(place, next.clientX - start);
    const end = (): void => {
      grip.removeEventListener('pointermove', move);
      setTimeout(() => (this.dragging = false));
    };
    grip.addEventListener('pointermove', move);
    grip.addEventListener('pointerup', end, { once: true });
    grip.addEventListener('pointercancel', end, { once: true });
  }

  private setWidth(place: Placed, width: number): void {
    const px = Math.max(MIN_WIDTH, Math.min(1200, Math.round(width)));
    this.ui.patch({ widths: { ...this.ui.get().widths, [place.column.name]: px } });
  }
}
