/** The tab of the errors: each bad record and each failure of a processor, with its traceback; some can be retried. */
import type { Context } from './context';
import { messageOf, needsKernel } from './context';
import { button, h, setText, textBlock } from './dom';
import { bytes, count, grouped, moment, named, when } from './format';
import type { Errors, Failure } from './protocol';
import { isErrorDetail, isErrorRows, isRetried } from './replies';
import type { ErrorDetail, Raw } from './replies';
import { treeView } from './tree';

const OLDER = 50;
const RETRY_MS = 60_000;

export interface ErrorsTab {
  readonly element: HTMLElement;
  update(errors: Errors): void;
}

interface Drawn {
  element: HTMLElement;
  box: HTMLInputElement;
  detail: HTMLElement;
}

export function errorsTab(context: Context): ErrorsTab {
  const all = h('input', { type: 'checkbox', 'aria-label': 'Select all that are shown' });
  const retry = button('Retry selected', { class: 'sl-framed', disabled: true, onclick: () => void retrySelected() });
  const summary = h('span', { class: 'sl-dim' });
  const older = button('Show older', { class: 'sl-framed', hidden: true, onclick: () => void showOlder() });
  const rows = h('ul', { class: 'sl-errorlist', 'aria-label': 'Errors' });
  const empty = h(
    'div',
    { class: 'sl-empty' },
    'No errors. A record that cannot be decoded, or that a processor fails on, shows here with its traceback.',
  );
  const bar = h('div', { class: 'sl-line sl-errorbar' }, all, needsKernel(context, retry), summary);
  const element = h('div', { class: 'sl-scroll' }, bar, rows, older, empty);
  const drawn = new Map<number, Drawn>();
  /** Older ones that were asked for. */
  const asked = new Set<number>();
  let under = false;
  let latest: Errors = { total: 0, kept: 0, oldest: 0, rows: [] };

  const chosen = (): number[] => [...drawn].filter(([, one]) => one.box.checked).map(([index]) => index);
  const counted = (): void => {
    const selected = chosen().length;
    retry.disabled = selected === 0;
    setText(retry.lastElementChild ?? retry, selected > 0 ? `Retry ${grouped(selected)} selected` : 'Retry selected');
    all.checked = selected > 0 && selected === drawn.size;
    all.indeterminate = selected > 0 && selected < drawn.size;
  };
  all.addEventListener('change', () => {
    for (const one of drawn.values()) one.box.checked = all.checked;
    counted();
  });

  function add(list: Failure[]): void {
    for (const failure of list) if (!drawn.has(failure.index)) drawn.set(failure.index, errorRow(context, failure, counted));
    // Newest first; elements that are there stay, so that open details and focus stay too.
    [...drawn.keys()]
      .sort((a, b) => b - a)
      .forEach((index, i) => {
        const one = drawn.get(index)?.element;
        if (one && rows.children[i] !== one) rows.insertBefore(one, rows.children[i] ?? null);
      });
    const oldest = Math.min(...drawn.keys());
    older.hidden = drawn.size === 0 || drawn.size >= latest.kept || oldest === 0;
    empty.hidden = drawn.size > 0;
    bar.hidden = drawn.size === 0;
    const kept = latest.kept < latest.total ? `, ${grouped(latest.kept)} of them kept` : '';
    setText(summary, `${count(latest.total, 'error')}${kept}`);
    counted();
  }

  async function showOlder(): Promise<void> {
    try {
      const { rows: more } = await context.link.ask(isErrorRows, 'errors', { first: drawn.size, count: OLDER });
      for (const row of more) asked.add(row.index);
      add(more);
      if (more.length === 0) older.hidden = true;
    } catch (error) {
      context.notice(messageOf(error), 'alarm');
    }
  }

  async function retrySelected(): Promise<void> {
    const indices = chosen();
    retry.disabled = true;
    try {
      const { retried } = await context.link.ask(isRetried, 'retry', { indices }, RETRY_MS);
      for (const index of indices) forget(index);
      context.notice(retriedText(context, retried, indices.length), retried > 0 ? 'info' : 'alarm');
    } catch (error) {
      context.notice(messageOf(error), 'alarm');
    }
    add([]);
  }

  function forget(index: number): void {
    drawn.get(index)?.element.remove();
    drawn.delete(index);
    asked.delete(index);
  }

  /** What is looked at, selected or open stays under the mouse; newer ones wait. */
  const held = (): boolean =>
    under || rows.contains(document.activeElement) || [...drawn.values()].some(one => one.box.checked || !one.detail.hidden);

  function show(): void {
    const newest = latest.rows[0]?.index ?? -1;
    const shown = Math.max(-1, ...drawn.keys());
    if (drawn.size > 0 && latest.rows.length > 0 && held()) {
      counted();
      if (newest > shown) setText(summary, `${count(latest.total, 'error')}, ${grouped(newest - shown)} newer than these`);
      return;
    }
    const here = new Set(latest.rows.map(row => row.index));
    for (const index of [...drawn.keys()]) if (!here.has(index) && !(asked.has(index) && index >= latest.oldest)) forget(index);
    add(latest.rows);
  }
  rows.addEventListener('pointerenter', () => (under = true));
  rows.addEventListener('pointerleave', () => {
    under = false;
    show();
  });
  rows.addEventListener('focusout', () => setTimeout(show));

  return {
    element,
    update: errors => {
      latest = errors;
      show();
    },
  };
}

function retriedText(context: Context, retried: number, selected: number): string {
  const paused = context.latest.head?.state === 'paused';
  const how = paused ? 'to go through the stream again once it runs on' : 'put through the stream again';
  const left = selected - retried;
  const why = left > 0 ? ` ${grouped(left)} not: no longer kept, or not the failure of a record.` : '';
  return `${count(retried, 'record')} ${how}.${why}`;
}

function errorRow(context: Context, failure: Failure, changed: () => void): Drawn {
  const label = `${failure.error} at ${failure.where}`;
  const box = h('input', { type: 'checkbox', 'aria-label': `Select ${label}`, onchange: changed });
  const detail = h('div', { class: 'sl-errordetail', hidden: true });
  const toggle = h(
    'button',
    { class: 'sl-errorhead', 'aria-expanded': 'false' },
    h(
      'span',
      { class: 'sl-num sl-dim', title: failure.at === null ? '' : moment(failure.at) },
      failure.at === null ? '' : when(failure.at),
    ),
    h('span', { class: 'sl-num sl-dim', dir: 'auto' }, failure.where),
    h('span', { class: 'sl-by', dir: 'auto' }, failure.processor),
    h('b', { class: 'sl-bad' }, failure.error),
    h('span', { class: 'sl-errortext', dir: 'auto' }, failure.message),
  );
  toggle.addEventListener('click', () => {
    detail.hidden = !detail.hidden;
    toggle.setAttribute('aria-expanded', String(!detail.hidden));
    if (!detail.hidden && detail.childElementCount === 0) void openDetail(context, failure.index, detail);
  });
  const element = h('li', {}, h('div', { class: 'sl-line' }, box, toggle), detail);
  return { element, box, detail };
}

async function openDetail(context: Context, index: number, place: HTMLElement): Promise<void> {
  place.replaceChildren(h('p', { class: 'sl-dim' }, 'Opening…'));
  try {
    place.replaceChildren(...detailParts(context, await context.link.ask(isErrorDetail, 'error', { index })));
  } catch (error) {
    place.replaceChildren(h('p', { class: 'sl-bad', role: 'alert' }, messageOf(error)));
  }
}

function detailParts(context: Context, detail: ErrorDetail): HTMLElement[] {
  const parts: HTMLElement[] = [textBlock('Traceback', detail.traceback || detail.message)];
  const { processor } = detail;
  if (processor !== null)
    parts.push(
      button(`Open ${processor}`, {
        class: 'sl-framed',
        onclick: () => context.ui.select({ kind: 'processor', name: processor }),
      }),
    );
  for (const [name, text] of detail.headers)
    parts.push(h('div', { class: 'sl-dim', dir: 'auto' }, `header ${named(name)}: ${text ?? 'no value'}`));
  if (detail.rawKey) parts.push(h('div', { class: 'sl-dim' }, 'key'), rawText(detail.rawKey, 'Key'));
  if (detail.raw) parts.push(h('div', { class: 'sl-dim' }, 'value as it came'), rawText(detail.raw, 'Value'));
  if (detail.value)
    parts.push(h('div', { class: 'sl-dim' }, 'value'), treeView(detail.value, { label: 'Value', folds: new Map() }));
  return parts;
}

/** Text where it is text, else bytes. */
function rawText(raw: Raw, label: string): HTMLElement {
  const rest = raw.withheld ? `\n… ${bytes(raw.size)} in all` : '';
  return textBlock(label, (raw.utf8 ? raw.text : raw.hex) + rest, !raw.utf8);
}
