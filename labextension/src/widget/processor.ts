/** The inspector's view of one processor: its last value before and after, its counters, its code. */
import type { Context } from './context';
import { act, messageOf, needsKernel } from './context';
import { copyText } from './clipboard';
import { button, h, iconButton, setAttribute, setClass, setText } from './dom';
import { count, duration, grouped } from './format';
import type { PipeNode, Sample } from './protocol';
import { isPaste } from './replies';
import { workbench } from './workbench';
import { movable } from './pipeline';
import { treeView } from './tree';

/** What is left free below the first difference. */
const ROOM_PX = 24;
/** As in the style sheet; the shorter side gets more, to scroll as far. */
const SIDE_PADDING_PX = 5;

export interface Panel {
  readonly element: HTMLElement;
  pipe(nodes: PipeNode[]): void;
  sample(sample: Sample): void;
  dispose(): void;
}

export function processorPanel(context: Context, name: string): Panel {
  const stats = h('div', { class: 'sl-counters' });
  const head = header(context, name);
  const values = sampleView();
  const bench = workbench(context, name, () => values.canBeTried());
  let code: number | undefined;
  const element = h(
    'section',
    { class: 'sl-panel', tabindex: -1, 'aria-label': `Processor ${name}` },
    head.element,
    stats,
    values.element,
    bench.element,
  );
  return {
    element,
    pipe: nodes => {
      const node = nodes.find(candidate => movable(candidate) && candidate.name === name);
      head.update(node, nodes.filter(movable));
      setText(stats, node ? counters(node) : 'This processor is not in the stream any more.');
      if (node && code !== undefined && node.code !== code) bench.changed();
      code = node?.code ?? code;
    },
    sample: sample => {
      if (sample.name === name) values.update(sample);
    },
    dispose: () => bench.dispose(),
  };
}

export function counters(node: PipeNode): string {
  const parts = [
    `in ${grouped(node.seen)}`,
    `out ${grouped(node.passed)}`,
    `skipped ${grouped(node.skipped)}`,
    count(node.errors, 'error'),
  ];
  if (node.seconds !== null && node.seen > 0) parts.push(`${duration(node.seconds / node.seen)} each`);
  return parts.join('   ');
}

function header(
  context: Context,
  name: string,
): { element: HTMLElement; update(node: PipeNode | undefined, all: PipeNode[]): void } {
  let at = 0;
  let enabled = true;
  const move = (by: number): void => void act(context, 'move', { name, to: at + by });
  const left = iconButton('Move to the left', 'left', { onclick: () => move(-1) });
  const right = iconButton('Move to the right', 'right', { onclick: () => move(1) });
  const power = h('button', { class: 'sl-switch', role: 'switch', 'aria-label': 'Enabled' }, h('span', { class: 'sl-knob' }));
  const remove = button('Remove', { class: 'sl-bare' });
  power.addEventListener('click', () => void act(context, 'enable', { name, on: !enabled }));
  remove.addEventListener('click', () => {
    void act(context, 'remove', { name }).then(done => {
      if (done) context.ui.select(null);
    });
  });
  const cell = button('Copy as cell', {
    class: 'sl-bare',
    title: 'Copy the code as a cell that adds this processor',
    onclick: () => void copyCell(),
  });
  const dot = h('span', { class: 'sl-dot', 'aria-hidden': 'true' });
  const close = iconButton('Close', 'close', { onclick: () => context.ui.select(null) });
  const element = h(
    'div',
    { class: 'sl-panelhead' },
    dot,
    h('h4', { dir: 'auto' }, name),
    h('span', { class: 'sl-space' }),
    needsKernel(context, left, right, power, cell, remove),
    close,
  );
  return {
    element,
    update: (node, all) => {
      at = node ? all.indexOf(node) : -1;
      enabled = node?.enabled ?? false;
      left.disabled = at <= 0;
      right.disabled = at < 0 || at >= all.length - 1;
      power.disabled = remove.disabled = !node;
      setAttribute(power, 'aria-checked', String(enabled));
      setAttribute(power, 'title', enabled ? 'On: switch it off' : 'Off: switch it on');
      setClass(dot, 'sl-on', enabled);
      setClass(dot, 'sl-error', (node?.errors ?? 0) > 0);
    },
  };

  async function copyCell(): Promise<void> {
    try {
      const { text } = await context.link.ask(isPaste, 'cell', { name });
      await copyText(text);
      context.notice('Copied. Paste it into a cell of the notebook.', 'info');
    } catch (error) {
      context.notice(messageOf(error), 'alarm');
    }
  }
}

/** The last value before and after, with what differs marked; folds stay as the user left them. */
function sampleView(): { element: HTMLElement; update(sample: Sample): void; canBeTried(): void } {
  const before = h('div', { class: 'sl-side' });
  const after = h('div', { class: 'sl-side' });
  const element = h('div', { class: 'sl-two' }, before, after);
  const folds = [new Map<string, boolean>(), new Map<string, boolean>()] as const;
  let shown = '';
  let led = false;
  const caption = (text: string): HTMLElement => h('div', { class: 'sl-dim sl-caption' }, text);
  before.append(caption('before'), h('p', { class: 'sl-dim' }, 'Waiting for the next value…'));
  after.append(caption('after'));
  return {
    element,
    canBeTried: () => {
      if (shown === '') after.append(h('p', { class: 'sl-dim' }, 'Try on 1,000 shows it for the messages that are here.'));
    },
    update: sample => {
      const key = JSON.stringify([sample.before, sample.after, sample.error]);
      if (key === shown || sample.before === null) return;
      const first = shown === '';
      shown = key;
      const focused = document.activeElement;
      const side = element.contains(focused) ? (before.contains(focused) ? before : after) : null;
      const path = focused?.getAttribute('data-path');
      const common = { depth: 1, diff: sample.diff };
      before.replaceChildren(
        caption('before'),
        treeView(sample.before, { ...common, label: 'Before', folds: folds[0], side: 'before' }),
      );
      after.replaceChildren(caption('after'));
      if (sample.error !== null) after.append(h('pre', { class: 'sl-text sl-bad' }, sample.error));
      else if (sample.after) after.append(treeView(sample.after, { ...common, label: 'After', folds: folds[1], side: 'after' }));
      else after.append(h('p', { class: 'sl-dim' }, 'skipped'));
      if (first) {
        // What differs is what one looks for; later nothing moves by itself.
        const change = after.querySelector('ins');
        const below = change ? change.getBoundingClientRect().bottom - after.getBoundingClientRect().bottom : 0;
        if (below > 0) before.scrollTop = after.scrollTop = below + after.clientHeight / 4;
      }
      if (side && typeof path === 'string')
        [...side.querySelectorAll<HTMLElement>('[data-path]')].find(one => one.dataset.path === path)?.focus();
      if (!led) led = leadToDifference([before, after]);
    },
  };
}

/** Bring the first difference into sight, both sides by the same way so that they stay side by side. True if there is one. */
function leadToDifference(sides: HTMLElement[]): boolean {
  const ways = sides.flatMap(side => {
    const mark = side.querySelector('ins, del');
    return mark ? [mark.getBoundingClientRect().bottom - side.getBoundingClientRect().bottom + side.scrollTop] : [];
  });
  if (ways.length === 0) return false;
  const most = sides.map(side => side.scrollHeight - side.clientHeight);
  const way = Math.max(0, Math.min(Math.min(...ways) + ROOM_PX, Math.max(...most)));
  sides.forEach((side, i) => {
    const lacking = way - (most[i] ?? 0);
    if (lacking > 0) side.style.paddingBottom = `${lacking + SIDE_PADDING_PX}px`;
    side.scrollTop = way;
  });
  return true;
}
