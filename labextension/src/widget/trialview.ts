/** What a dry run of a processor gave, message by message: errors first, they are what one looks for. */
import { h, iconButton } from './dom';
import { count, grouped } from './format';
import type { Outcome, Trial } from './replies';

export function trialResults(trial: Trial, close: () => void): HTMLElement {
  const items = [...trial.failures, ...trial.rows].map(result);
  if (items.length === 0) items.push(h('p', { class: 'sl-dim sl-pad' }, 'There is no message in the window to try it on.'));
  const head = h(
    'div',
    { class: 'sl-line sl-resulthead' },
    h('span', { class: 'sl-dim' }, `${tried(trial)}, nothing changed${trial.printed.text ? '; what was printed is below' : ''}`),
    h('span', { class: 'sl-space' }),
    iconButton('Close the results', 'close', { onclick: close }),
  );
  return h(
    'div',
    { class: 'sl-results', role: 'group', 'aria-label': 'Results of the trial' },
    head,
    ...items,
    ...printed(trial),
  );
}

function tried({ tried, asked }: Trial): string {
  const last = `the last ${count(asked, 'message')}`;
  return tried < asked ? `${grouped(tried)} of ${last}` : `T${last.slice(1)}`;
}

function printed({ printed: { text, leftOut } }: Trial): HTMLElement[] {
  if (text === '') return [];
  const label = leftOut > 0 ? `printed, without ${grouped(leftOut)} characters before this` : 'printed';
  return [
    h('div', { class: 'sl-dim sl-pad' }, label),
    h('pre', { class: 'sl-text sl-pad', tabindex: 0, 'aria-label': 'Printed' }, text),
  ];
}

function result(outcome: Outcome): HTMLElement {
  const text = outcome.error ?? (outcome.status === 'ok' ? outcome.after : outcome.status);
  const look = outcome.error !== null ? 'sl-bad' : outcome.status === 'ok' ? '' : 'sl-dim';
  const head = h(
    'summary',
    { class: 'sl-result', title: outcome.where },
    h('span', { class: 'sl-dim', dir: 'auto' }, outcome.before),
    h('span', { class: 'sl-dim', 'aria-hidden': 'true' }, '→'),
    h('span', { class: look, dir: 'auto' }, text),
  );
  const whole = (label: string, content: string, bad = false): HTMLElement[] => [
    h('div', { class: 'sl-dim' }, label),
    h('pre', { class: `sl-text${bad ? ' sl-bad' : ''}` }, content),
  ];
  const rest = outcome.error !== null ? whole('error', outcome.traceback || outcome.error, true) : whole('after', text);
  const before = whole('before', outcome.before);
  const parts = outcome.error !== null ? [...rest, ...before] : [...before, ...rest];
  return h('details', {}, head, h('div', { class: 'sl-pad' }, h('div', { class: 'sl-dim' }, outcome.where), ...parts));
}
