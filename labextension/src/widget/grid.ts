/**
 * The table: virtual scrolling over the whole window.
 *
 * While it follows, the newest rows are in sight. While it does not, it is anchored by the lasting number of its top
 * row, so that what is in sight stays where it is though the window slides below it. When the window has slid past
 * that row the table is held as it is, and says so, until the user moves on.
 */
import type { Context } from './context';
import { h, setAttribute } from './dom';
import { Columns } from './columns';
import { GridHead } from './gridhead';
import { GridRows } from './gridrows';
import type { Sight } from './gridrows';
import { gridKeys } from './gridkeys';
import { RowStore } from './rowstore';
import { RowSource } from './rowsource';
import { ROW_HEIGHT, Scroll } from './scroll';
import type { Column, Rows, Ui } from './protocol';
import { uniqueId } from './dom';

/** So many fields travel with a row at most. */
const SENT = 56;
const BESIDE = 8;
/** Where the table stands is kept when it has stood there for so long. */
const NOTE_MS = 300;

export class Grid {
  readonly store = new RowStore();
  readonly scroll = new Scroll();
  readonly columns = new Columns();
  readonly rows: GridRows;
  readonly head: GridHead;
  readonly canvas: HTMLElement;
  readonly element: HTMLElement;
  active = -1;
  activeColumn = 0;
  /** Called after each drawing. */
  onDraw: () => void = () => undefined;
  private readonly source: RowSource;
  private expected = -1;
  private expectedLeft = 0;
  private pressed = false;
  private late: [Rows, DataView | null] | null = null;
  private toTop = false;
  /** Where this view said last that its table stands. */
  private noted = '';
  private noteTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly context: Context) {
    this.rows = new GridRows(uniqueId('row'), this.store, this.columns);
    this.head = new GridHead(
      context.ui,
      this.columns,
      place => this.fit(place.column),
      () => this.element.focus(),
    );
    this.canvas = h('div', { class: 'sl-canvas', role: 'rowgroup' }, this.rows.element);
    this.element = h(
      'div',
      { class: 'sl-grid', role: 'grid', tabindex: 0, 'aria-label': 'Messages', 'aria-multiselectable': false },
      h('div', { class: 'sl-headgroup', role: 'rowgroup' }, this.head.element),
      this.canvas,
    );
    this.source = new RowSource(context.link, this.store, (section, buffer) => this.receive(section, buffer));
    this.element.addEventListener('scroll', () => this.scrolled(), { passive: true });
    this.element.addEventListener('keydown', event => gridKeys(this, event));
    this.element.addEventListener('pointerdown', event => (this.pressed = event.target !== this.element));
    this.element.addEventListener('click', event => this.clicked(event));
    for (const name of ['pointerup', 'pointercancel', 'selectionchange'])
      document.addEventListener(name, this.letGo, { signal: context.signal });
    context.ui.listen((now, before) => this.interfaceChanged(now, before));
    const sizes = new ResizeObserver(() => this.resized());
    sizes.observe(this.element);
    context.signal.addEventListener('abort', () => {
      sizes.disconnect();
      this.note();
    });
  }

  /** A block of rows came, in a frame or as an answer. */
  receive(section: Rows, buffer: DataView | null): void {
    const held = this.held;
    if (this.pressed || this.selecting() || this.wouldLeave(section)) {
      this.late = [section, buffer];
      if (this.held && !held) this.draw();
      else this.onDraw();
    } else this.take(section, buffer);
  }

  /** Whether the window has slid past rows that stay in sight. */
  get held(): boolean {
    return this.late !== null && this.wouldLeave(this.late[0]);
  }

  /** The lasting number after the last row that there is, be it shown or not. */
  get end(): number {
    const { base, total } = this.late?.[0] ?? this.store;
    return base + total;
  }

  /** Show what there is now in place of what was held. */
  catchUp(): void {
    const late = this.late;
    if (late) this.take(...late);
    else this.draw();
  }

  private take(section: Rows, buffer: DataView | null): void {
    this.late = null;
    const isFirst = this.store.era < 0;
    const moved = this.store.accept(section, buffer);
    this.scroll.total = this.store.total;
    if (this.context.ui.get().follow) this.scroll.moveTo(Infinity);
    else if (isFirst) this.scroll.moveTo(this.begin());
    else if (this.toTop && moved === null) this.scroll.moveTo(0);
    else this.scroll.moveTo(this.scroll.top - (moved ?? 0));
    this.toTop &&= moved !== null;
    if (this.active >= 0) this.active = moved === null ? -1 : Math.max(-1, this.active - moved);
    this.draw();
  }

  /** The row that was on top in an earlier view of this explorer; the last ones where that says nothing any more. */
  private begin(): number {
    const { at } = this.context.ui.get();
    if (at === null || (at[0] !== this.store.era && this.store.order !== 'sorted')) return Infinity;
    return at[1] - this.store.base;
  }

  /** Keep where the table stands. Only what changed here is told: the other views of the explorer stand elsewhere. */
  private note(): void {
    clearTimeout(this.noteTimer);
    const { store, scroll } = this;
    if (this.context.ui.get().follow || store.era < 0) return;
    const number = Number((store.base + scroll.top).toFixed(2));
    const key = store.order === 'sorted' ? `${number}` : `${store.era}:${number}`;
    if (key === this.noted) return;
    this.noted = key;
    this.context.ui.patch({ at: [store.era, number] });
  }

  /** The top row is to stay in sight, is here, and has left the window. */
  private wouldLeave(section: Rows): boolean {
    const top = Math.floor(this.scroll.top);
    return !this.context.ui.get().follow && this.store.at(top) !== undefined && (this.store.moved(section) ?? 0) > top;
  }

  /** Draw what is in sight, and ask for what is not here. */
  draw(): void {
    if (this.element.clientHeight === 0) return;
    this.place();
    const sight = this.sight();
    this.rows.draw(sight);
    this.head.draw(sight.columns[0], sight.columns[1], this.activeColumn);
    setAttribute(this.element, 'aria-activedescendant', this.rows.activeId(sight));
    setAttribute(this.element, 'aria-rowcount', this.store.total + 1);
    setAttribute(this.element, 'aria-colcount', this.columns.placed.length);
    this.source.want({
      first: sight.first,
      count: this.held ? 0 : sight.count,
      follow: this.context.ui.get().follow,
      ...this.fields(sight.columns),
    });
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => this.note(), NOTE_MS);
    this.onDraw();
  }

  /** Make a row the active one and bring it into sight; the table stops following. */
  activate(index: number): void {
    this.unfollow();
    this.active = Math.max(0, Math.min(index, this.store.total - 1));
    const before = this.scroll.top;
    this.scroll.reveal(this.active);
    if (this.held && this.scroll.top !== before) this.catchUp();
    else this.draw();
  }

  activateColumn(column: number): void {
    this.activeColumn = Math.max(0, Math.min(column, this.columns.placed.length - 1));
    const place = this.columns.placed[this.activeColumn];
    if (place) {
      const { scrollLeft, clientWidth } = this.element;
      if (place.left < scrollLeft) this.element.scrollLeft = place.left;
      else if (place.left + place.width > scrollLeft + clientWidth)
        this.element.scrollLeft = place.left + place.width - clientWidth;
    }
    this.draw();
  }

  /** Open the message of a row in the inspector. */
  open(index: number, field: string | null = this.columns.placed[this.activeColumn]?.column.name ?? null): void {
    const row = this.store.at(index);
    this.context.latest.field = field;
    if (row) this.context.ui.patch({ selected: { kind: 'message', seq: row.seq }, follow: false });
  }

  unfollow(): void {
    this.context.ui.patch({ follow: false });
  }

  private sight(): Sight {
    const { first, count } = this.scroll.drawn();
    const selected = this.context.ui.get().selected;
    return {
      first,
      count,
      columns: this.columns.inSight(this.element.scrollLeft, this.element.clientWidth),
      active: this.active,
      activeColumn: this.activeColumn,
      selected: selected?.kind === 'message' ? selected.seq : null,
      offset: this.scroll.offset(first),
    };
  }

  /** Few fields travel as they are; of many, those in sight and some beside them. */
  private fields([first, last]: [number, number]): { columns: string[]; needed: string[] } {
    const names = (from: number, to: number): string[] =>
      this.columns.placed.slice(Math.max(0, from), to).flatMap(({ column }) => (column.group === 'value' ? [column.name] : []));
    const needed = names(first, last);
    if (this.store.columns.length <= SENT) return { columns: [], needed };
    const from = Math.floor((first - BESIDE) / BESIDE) * BESIDE;
    return { columns: names(from, Math.max(last, from + BESIDE * 3)).slice(0, SENT), needed };
  }

  private place(): void {
    const { first, count } = this.scroll.drawn();
    const known = Array.from({ length: count }, (_, i) => this.store.at(first + i));
    if (this.columns.placed.length === 0) this.columns.font = fontOf(this.element);
    if (this.columns.layout(this.store.columns, this.context.ui.get(), known)) {
      this.rows.replaced();
      // Columns grow when they are seen for the first time: who went to the right end stays there.
      const { scrollLeft, clientWidth } = this.element;
      const atEnd = scrollLeft > 0 && scrollLeft + clientWidth >= this.canvas.offsetWidth - 1;
      this.canvas.style.width = this.head.element.style.width = `${this.columns.width}px`;
      if (atEnd) this.element.scrollLeft = this.columns.width;
    }
    const height = `${this.scroll.content}px`;
    if (this.canvas.style.height !== height) this.canvas.style.height = height;
    if (this.expected !== this.scroll.pixels) {
      this.expected = this.scroll.pixels;
      this.element.scrollTop = this.expected;
    }
  }

  private scrolled(): void {
    const { scrollTop, scrollLeft, clientHeight } = this.element;
    // Told of a scrolling after the table was hidden or taken away: nobody scrolled to where it stands now.
    if (clientHeight === 0) return;
    if (this.rowsHeight !== this.scroll.height) {
      // It grew, and the browser moved what is in it: nobody scrolled.
      this.resized();
      return;
    }
    const sideways = scrollLeft !== this.expectedLeft;
    this.expectedLeft = scrollLeft;
    if (Math.abs(scrollTop - this.expected) > 1) {
      this.expected = scrollTop;
      this.scroll.scrolledTo(scrollTop);
      const { held } = this;
      if (!this.scroll.atEnd) this.unfollow();
      if (held) this.catchUp();
      else this.draw();
    } else if (sideways) this.draw();
  }

  private get rowsHeight(): number {
    return Math.max(0, this.element.clientHeight - this.head.element.offsetHeight);
  }

  private resized(): void {
    // Shown again: what was off the page may stand at its beginning now.
    if (this.scroll.height === 0) this.expected = this.element.scrollTop;
    this.scroll.height = this.rowsHeight;
    this.scroll.moveTo(this.context.ui.get().follow ? Infinity : this.scroll.top);
    this.draw();
  }

  private clicked(event: MouseEvent): void {
    const found = this.rows.find(event.target);
    if (!found || this.selecting()) return;
    if (found.column) this.activeColumn = this.columns.placed.indexOf(found.column);
    this.activate(found.index);
    this.open(found.index, found.column?.column.name);
  }

  private interfaceChanged(now: Ui, before: Ui): void {
    if (now.follow && !before.follow) {
      this.catchUp();
      this.scroll.moveTo(Infinity);
    }
    if (JSON.stringify(now.sort) !== JSON.stringify(before.sort)) this.toTop = true;
    if (now.filter !== before.filter || JSON.stringify(now.brush) !== JSON.stringify(before.brush)) this.active = -1;
    this.draw();
  }

  /** While the mouse selects, and while text is selected, what is there stays; then the latest is shown. */
  private readonly letGo = (event: Event): void => {
    if (event.type !== 'selectionchange') this.pressed = false;
    if (!this.pressed && this.late && !this.selecting()) this.receive(...this.late);
  };

  private selecting(): boolean {
    const selection = document.getSelection();
    return selection !== null && !selection.isCollapsed && this.element.contains(selection.anchorNode);
  }

  private fit(column: Column): number {
    const { first, count } = this.scroll.drawn();
    return this.columns.fitting(
      column,
      Array.from({ length: count }, (_, i) => this.store.at(first + i)),
    );
  }
}

/** Not the shorthand: it is empty where digits are tabular. */
function fontOf(element: Element): string {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  return `${fontWeight} ${fontSize} ${fontFamily}`;
}

export const PAGE_ROWS = Math.ceil(320 / ROW_HEIGHT);
