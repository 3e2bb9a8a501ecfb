/** Under «More»: another start, another mode, the size of the window. */
import type { Context } from './context';
import { messageOf } from './context';
import { button, h, icon, setText, uniqueId } from './dom';
import { popover } from './popover';
import type { Head } from './protocol';

const STARTS = ['latest', 'earliest', '-1000', '-10m', '-1h', '-1d'];
const MB = 1_000_000;

export function moreMenu(context: Context): { element: HTMLElement; update(head: Head): void } {
  const starts = uniqueId('starts');
  const start = h('input', { class: 'sl-input', list: starts, 'aria-label': 'Start position', spellcheck: false });
  const group = h('input', { class: 'sl-input', 'aria-label': 'Group', placeholder: 'none, observe', spellcheck: false });
  const messages = h('input', {
    class: 'sl-input',
    type: 'number',
    min: 100,
    step: 1000,
    'aria-label': 'Messages in the window',
  });
  const size = h('input', { class: 'sl-input', type: 'number', min: 1, step: 1, 'aria-label': 'Megabytes in the window' });
  let head: Head | null = null;

  const restart = button('Restart', { class: 'sl-primary', title: 'Read again from this start; what is in the window goes' });
  const resize = button('Set', { class: 'sl-framed' });
  /** Here, for the dialog covers the line of notices. */
  const problem = h('p', { class: 'sl-bad', role: 'alert', hidden: true });
  const field = (label: string, ...inputs: HTMLElement[]): HTMLElement =>
    h('label', { class: 'sl-field' }, h('span', { class: 'sl-dim' }, label), ...inputs);
  const form = h(
    'div',
    { class: 'sl-form' },
    field('Start from', start),
    h('datalist', { id: starts }, ...STARTS.map(value => h('option', { value }))),
    field('Group', group),
    h('div', { class: 'sl-line' }, h('span', { class: 'sl-space' }), restart),
    h('hr', {}),
    field('Window, messages', messages),
    field('Window, MB', size),
    h('div', { class: 'sl-line' }, h('span', { class: 'sl-space' }), resize),
    problem,
  );
  const trigger = h(
    'button',
    { class: 'sl-button sl-bare', 'aria-label': 'More', title: 'Start position, mode, window' },
    icon('more'),
  );
  const fill = (): void => {
    problem.hidden = true;
    if (!head) return;
    start.value = head.start;
    group.value = head.group ?? '';
    messages.value = String(head.window.max);
    size.value = size.defaultValue = String(Math.round(head.window.maxBytes / MB));
  };
  const dialog = popover(trigger, 'Start position, mode and window', form, fill, context.signal);
  async function ask(action: string, args: object): Promise<void> {
    problem.hidden = true;
    try {
      await context.link.request(action, args);
      context.calm();
      dialog.close();
    } catch (error) {
      setText(problem, messageOf(error));
      problem.hidden = false;
    }
  }
  restart.addEventListener('click', () => {
    void ask('restart', { start: start.value.trim(), group: group.value.trim() || null });
  });
  resize.addEventListener('click', () => {
    // A size that nobody wrote is a share of what all windows have, and goes on to be one.
    const bytes = size.value === size.defaultValue ? {} : { bytes: Number(size.value) * MB };
    void ask('window', { messages: Number(messages.value), ...bytes });
  });
  return {
    element: h('div', { class: 'sl-anchor' }, trigger, dialog.element),
    update: now => {
      head = now;
    },
  };
}
