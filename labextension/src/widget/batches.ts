/** The tab of the batches: what `take` gave out last, why, and one at a time where that is wanted. */
import type { Context } from './context';
import { act, needsKernel } from './context';
import { button, h, setAttribute, setClass, setText } from './dom';
import { shownText } from './columns';
import { count, grouped } from './format';
import type { Batch, BatchColumn } from './protocol';

const REASONS: Record<string, string> = {
  full: 'because it was full',
  time: 'because its time was over',
  end: 'because the stream ended',
};

export interface BatchesTab {
  readonly element: HTMLElement;
  update(batch: Batch): void;
}

export function batchesTab(context: Context): BatchesTab {
  const title = h('b', { class: 'sl-num' });
  const reason = h('span', { class: 'sl-dim' });
  const waiting = h('span', { class: 'sl-waiting', role: 'status' });
  const step = button('One at a time', { class: 'sl-framed sl-toggle' });
  const next = button(
    'Next batch',
    { class: 'sl-primary', hidden: true, onclick: () => void act(context, 'step', { on: null }) },
    'right',
  );
  const table = h('table', { class: 'sl-table', 'aria-label': 'Values of the batch' });
  const rest = h('p', { class: 'sl-dim sl-pad', hidden: true });
  const empty = h(
    'div',
    { class: 'sl-empty' },
    'The batches of a take are shown by stream.take(100, within=1).live(), each as it comes.',
  );
  const bar = h(
    'div',
    { class: 'sl-line sl-batchbar', hidden: true },
    title,
    reason,
    h('span', { class: 'sl-space' }),
    waiting,
    needsKernel(context, step, next),
  );
  const scroll = h('div', { class: 'sl-scroll', tabindex: 0, role: 'group', 'aria-label': 'Batch' }, table, rest);
  const element = h('div', { class: 'sl-batches' }, bar, scroll, empty);
  let stepping = false;
  let shown = '';
  step.addEventListener('click', () => void act(context, 'step', { on: !stepping }));

  return {
    element,
    update: batch => {
      if (batch.number === null) setText(empty, 'No batch yet. Each is shown as it comes.');
      if (batch.number === null) return;
      stepping = batch.stepping;
      bar.hidden = false;
      empty.hidden = true;
      setText(title, `Batch ${grouped(batch.number)}: ${count(batch.size, 'value')}`);
      setText(reason, REASONS[batch.reason] ?? batch.reason);
      setAttribute(step, 'aria-pressed', String(stepping));
      setClass(step, 'sl-on', stepping);
      next.hidden = !stepping;
      // The stream waits while a batch is looked at; in between the next one is on its way.
      next.disabled = !batch.waiting;
      setText(waiting, stepping && !batch.waiting ? 'waiting for the next batch…' : '');
      const key = JSON.stringify(batch.columns);
      if (key !== shown) table.replaceChildren(header(batch.columns), h('tbody', {}));
      shown = key;
      fill(table.tBodies[0], batch);
      rest.hidden = batch.rows.length >= batch.total;
      setText(rest, `${grouped(batch.total - batch.rows.length)} more values are not shown.`);
    },
  };
}

function header(columns: BatchColumn[]): HTMLElement {
  const cells = columns.map(column =>
    h('th', { scope: 'col', dir: 'auto', class: column.kind === 'n' ? 'sl-right' : '' }, column.name),
  );
  return h('thead', {}, h('tr', {}, ...cells));
}

function fill(body: HTMLTableSectionElement | undefined, { columns, rows }: Batch): void {
  if (!body) return;
  while (body.rows.length < rows.length) body.append(h('tr', {}, ...columns.map(() => h('td', { dir: 'auto' }))));
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, i) => {
    const cells = body.rows[i]?.cells;
    columns.forEach((column, j) => {
      const cell = cells?.[j];
      if (cell) drawCell(cell, row[j], column);
    });
  });
}

function drawCell(element: HTMLElement, text: string | null | undefined, { kind }: BatchColumn): void {
  setText(element, shownText(text ?? '', kind, 'value'));
  const look = `sl-kind-${kind}${kind === 'n' ? ' sl-right' : ''}`;
  if (element.className !== look) element.className = look;
}
