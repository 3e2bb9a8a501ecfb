/** The tab of the messages: the table, the filter above it, and what to do when there is nothing to see. */
import type { Context } from './context';
import { button, h, setAttribute, setClass, setText, uniqueId } from './dom';
import { columnPicker } from './columnpicker';
import { count, grouped } from './format';
import { Grid } from './grid';
import type { ColumnNames, Head, Rows } from './protocol';

const TYPING_MS = 250;

export interface Messages {
  readonly element: HTMLElement;
  /** Filter, columns and follow: they stand in the line of the tabs. */
  readonly tools: HTMLElement;
  update(section: Rows, buffer: DataView | null): void;
  columns(columns: ColumnNames): void;
  head(head: Head): void;
  /** What is wrong with the filter; nothing if all is well. */
  problem(text: string): void;
}

export function messages(context: Context): Messages {
  const grid = new Grid(context);
  const empty = h('div', { class: 'sl-empty' });
  const newer = button(
    'New messages',
    { class: 'sl-newer', hidden: true, onclick: () => context.ui.patch({ follow: true }) },
    'down',
  );
  const left = h(
    'div',
    { class: 'sl-left', role: 'status', hidden: true },
    'These rows have left the window. Pause the stream to keep what you look at.',
    button('Show the oldest rows', { class: 'sl-framed', onclick: () => grid.catchUp() }),
  );
  const element = h('div', { class: 'sl-messages' }, grid.element, empty, left, newer);
  let seenEnd = 0;
  let era = -1;
  let scanned = false;

  grid.onDraw = () => {
    const { store, end } = grid;
    const { follow } = context.ui.get();
    left.hidden = !grid.held;
    // What was there when the view came is not new, nor what a filter shows again.
    if (follow || seenEnd === 0 || end < seenEnd || store.order === 'sorted' || store.era !== era || scanned) seenEnd = end;
    ({ era, scanning: scanned } = store);
    newer.hidden = follow || end === seenEnd;
    if (!newer.hidden) setText(newer.lastElementChild ?? newer, `${grouped(end - seenEnd)} new`);
    empty.hidden = store.total > 0;
    if (!empty.hidden) setText(empty, emptyText(context, store.scanning));
  };
  const filter = filterBox(context, grid);
  const picker = columnPicker(context, () => grid.store.columns);
  return {
    element,
    tools: tools(context, filter.element, picker.element),
    problem: text => filter.problem(text),
    update: (section, buffer) => grid.receive(section, buffer),
    columns: columns => {
      grid.store.setNames(columns.names);
      picker.update(columns);
      grid.draw();
    },
    head: () => {
      if (grid.store.total === 0) grid.onDraw();
    },
  };
}

function emptyText(context: Context, scanning: boolean): string {
  const { filter, brush } = context.ui.get();
  const head = context.latest.head;
  if (scanning) return 'Looking through the window…';
  if (filter !== '') return 'No message in the window matches the filter. New ones are looked at as they come.';
  if (brush) return 'No message in the window lies in the selected time. Clear the selection to see all.';
  if (!head) return 'Connecting… Where there are no subshells, a cell that is running has to end first.';
  if (head.state === 'connecting') return 'Connecting…';
  if (head.state === 'retrying') return 'The broker cannot be reached.';
  if (head.state === 'stopping') return 'Stopping…';
  if (head.state === 'paused') return 'Paused. Press Run, and messages show here as they come.';
  if (head.failed > 0 && head.window.total === 0)
    return `No message came through: ${count(head.failed, 'error')}, and the tab Errors tells why.`;
  if (head.state === 'live' && head.start === 'earliest')
    return 'Waiting for messages: there are none yet, read from the earliest.';
  if (head.state === 'live')
    return `Waiting for messages, reading from ${head.start}. To see older ones choose another start position under More.`;
  return 'There are no messages in the window. Restart the stream to read.';
}

function tools(context: Context, filter: HTMLElement, columns: HTMLElement): HTMLElement {
  const { ui } = context;
  const follow = button(
    'Follow',
    { class: 'sl-bare sl-toggle', 'aria-pressed': true, title: 'Keep the newest rows in sight (F)' },
    'check',
  );
  const draw = (): void => {
    const on = ui.get().follow;
    setAttribute(follow, 'aria-pressed', String(on));
    setClass(follow, 'sl-on', on);
  };
  follow.addEventListener('click', () => ui.patch({ follow: !ui.get().follow }));
  ui.listen(draw);
  draw();
  return h('div', { class: 'sl-tools' }, filter, columns, follow);
}

/** The filter is kept as it is typed; what is wrong with it the kernel says, and shows what it showed before. */
function filterBox(context: Context, grid: Grid): { element: HTMLElement; problem(text: string): void } {
  const { ui } = context;
  const id = uniqueId('filter');
  const error = h('div', { class: 'sl-filtererror', id, role: 'alert', hidden: true });
  const found = h('span', { class: 'sl-dim sl-found' });
  const input = h('input', {
    type: 'search',
    class: 'sl-input sl-filter',
    placeholder: 'Filter: text, or amount > 100',
    'aria-label': 'Filter the window: text to search for, or an expression such as amount > 100',
    'aria-describedby': id,
    spellcheck: false,
    autocomplete: 'off',
    dir: 'auto',
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const problem = (text: string): void => {
    error.hidden = text === '';
    setText(error, text);
    setAttribute(input, 'aria-invalid', text === '' ? null : 'true');
    grid.onDraw(); // how many match is not said of a filter that cannot be read
  };
  const apply = (): void => {
    clearTimeout(timer);
    ui.patch({ filter: input.value.trim() });
  };
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(apply, TYPING_MS);
  });
  input.addEventListener('keydown', event => {
    if (event.key === 'Enter') apply();
    if (event.key !== 'Escape' || input.value === '') return;
    input.value = '';
    event.preventDefault();
    apply();
  });
  ui.listen((now, before) => {
    if (now.filter !== before.filter && document.activeElement !== input) input.value = now.filter;
  });
  input.value = ui.get().filter;
  const drawGrid = grid.onDraw;
  grid.onDraw = () => {
    drawGrid();
    const { store } = grid;
    const shown = (ui.get().filter !== '' && error.hidden) || ui.get().brush !== null;
    setText(found, shown ? `${count(store.total, 'match', 'matches')}${store.scanning ? ' so far' : ''}` : '');
  };
  return { element: h('div', { class: 'sl-anchor sl-filterbox' }, found, input, error), problem };
}
