/** What a dry run of a processor gave: one line of counts, and the results message by message. */
import { h, iconButton } from './dom';
import { count, duration } from './format';
import type { Trial } from './replies';
import { oneLine, treeView } from './tree';

const SHOWN = 50;
const LINE = 80;

export function trialSummary(trial: Trial): string {
  const parts = [count(trial.ok, 'ok', 'ok'), count(trial.errors, 'error')];
  if (trial.skipped > 0) parts.splice(1, 0, count(trial.skipped, 'skipped', 'skipped'));
  if (trial.seconds !== null) parts.push(`${duration(trial.seconds)} each`);
  return parts.join(', ') + (trial.cut === null ? '' : `; ${trial.cut}`);
}

/** Errors first: they are what one looks for. */
export function trialResults(trial: Trial, close: () => void): HTMLElement {
  const rows = [...trial.rows].sort((a, b) => Number(b.error !== null) - Number(a.error !== null));
  const items = rows.slice(0, SHOWN).map(result);
  if (items.length === 0) items.push(h('p', { class: 'sl-dim sl-pad' }, 'There is no message in the window to try it on.'));
  const head = h(
    'div',
    { class: 'sl-line sl-resulthead' },
    h('span', { class: 'sl-dim' }, `The last ${count(trial.tried, 'message')}, nothing changed`),
    h('span', { class: 'sl-space' }),
    iconButton('Close the results', 'close', { onclick: close }),
  );
  return h('div', { class: 'sl-results', role: 'group', 'aria-label': 'Results of the trial' }, head, ...items);
}

function result(row: Trial['rows'][number]): HTMLElement {
  const outcome = row.error ?? (row.after ? oneLine(row.after, LINE) : 'skipped');
  const look = row.error !== null ? 'sl-bad' : row.after ? '' : 'sl-dim';
  const head = h(
    'summary',
    { class: 'sl-result' },
    h('span', { class: 'sl-dim', dir: 'auto' }, oneLine(row.before, LINE)),
    h('span', { class: 'sl-dim', 'aria-hidden': 'true' }, '→'),
    h('span', { class: look, dir: 'auto' }, outcome),
  );
  const details = h('details', {}, head);
  details.addEventListener('toggle', () => {
    if (!details.open || details.childElementCount > 1) return;
    const folds = new Map<string, boolean>();
    const parts = [treeView(row.before, { label: 'Before', folds })];
    if (row.after) parts.push(treeView(row.after, { label: 'After', folds }));
    const pair = h('div', { class: 'sl-two' }, ...parts.map(part => h('div', {}, part)));
    details.append(row.error !== null ? h('pre', { class: 'sl-text sl-bad' }, row.traceback ?? row.error) : pair);
  });
  return details;
}
