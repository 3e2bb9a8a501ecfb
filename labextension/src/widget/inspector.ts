/** The side that follows what is selected: a message, a processor, the source, or a processor to be. */
import type { Context } from './context';
import { h, iconButton, setClass } from './dom';
import { bytes, count, grouped, span } from './format';
import { messagePanel } from './message';
import { processorPanel } from './processor';
import type { Panel } from './processor';
import type { Head, Pipe, Sample, Selected } from './protocol';
import { namePicker, workbench } from './workbench';

export interface Inspector {
  readonly element: HTMLElement;
  pipe(pipe: Pipe): void;
  head(head: Head): void;
  sample(sample: Sample): void;
  newProcessor(): void;
}

const NOTHING = { pipe: () => undefined, sample: () => undefined, dispose: () => undefined };

export function inspector(context: Context): Inspector {
  const element = h('aside', { class: 'sl-inspector', 'aria-label': 'Selected', hidden: true });
  let panel: Panel | null = null;
  let source: { update(head: Head): void } | null = null;

  const show = (next: Panel | null): void => {
    panel?.dispose();
    panel = next;
    element.replaceChildren(...(next ? [next.element] : []));
    if (element.hidden === (next !== null)) element.hidden = next === null;
    setClass(element, 'sl-open', next !== null);
    if (next && context.latest.pipe) next.pipe(context.latest.pipe.nodes);
  };
  const select = (selected: Selected | null): void => {
    source = null;
    if (selected === null) show(null);
    else if (selected.kind === 'message') show({ ...NOTHING, element: messagePanel(context, selected.seq) });
    else if (selected.kind === 'processor') show(processorPanel(context, selected.name));
    else {
      const made = sourcePanel(context);
      source = made;
      show({ ...NOTHING, element: made.element });
      if (context.latest.head) made.update(context.latest.head);
    }
  };
  context.ui.listen((now, before) => {
    if (JSON.stringify(now.selected) !== JSON.stringify(before.selected)) select(now.selected);
  });
  context.signal.addEventListener('abort', () => panel?.dispose());
  select(context.ui.get().selected);

  return {
    element,
    pipe: pipe => panel?.pipe(pipe.nodes),
    head: head => source?.update(head),
    sample: sample => panel?.sample(sample),
    newProcessor: () => {
      context.ui.select(null);
      show(newPanel(context, () => show(null)));
    },
  };
}

function newPanel(context: Context, close: () => void): Panel {
  const bench = workbench(context, null);
  const head = h(
    'div',
    { class: 'sl-panelhead' },
    h('h4', {}, 'New processor'),
    h('span', { class: 'sl-space' }),
    iconButton('Close', 'close', { onclick: close }),
  );
  const element = h(
    'section',
    { class: 'sl-panel', tabindex: -1, 'aria-label': 'New processor' },
    head,
    namePicker(context),
    bench.element,
  );
  return { ...NOTHING, element, dispose: () => bench.dispose() };
}

function sourcePanel(context: Context): { element: HTMLElement; update(head: Head): void } {
  const list = h('dl', { class: 'sl-facts' });
  const head = h(
    'div',
    { class: 'sl-panelhead' },
    h('h4', {}, 'Source'),
    h('span', { class: 'sl-space' }),
    iconButton('Close', 'close', { onclick: () => context.ui.select(null) }),
  );
  let shown = '';
  const update = (now: Head): void => {
    const node = context.latest.pipe?.nodes.find(candidate => candidate.kind === 'source');
    const rows: [string, string | null][] = [
      ['name', now.name],
      ['source', node ? `${node.label}${node.detail ? `, ${node.detail}` : ''}` : null],
      ['mode', now.mode],
      ['group', now.group],
      ['start', now.start],
      ['state', now.detail ? `${now.state}: ${now.detail}` : now.state],
      ['read', count(now.window.total, 'message')],
      [
        'window',
        `${grouped(now.window.count)} of ${grouped(now.window.max)} messages, ${bytes(now.window.bytes)} of ${bytes(now.window.maxBytes)}`,
      ],
      ['event time', now.eventTime ? `${span(...now.eventTime)} UTC` : null],
      ['lag', now.lag === null ? null : grouped(now.lag)],
    ];
    const key = JSON.stringify(rows);
    if (key === shown) return;
    shown = key;
    list.replaceChildren(
      ...rows.flatMap(([name, text]) => (text === null ? [] : [h('dt', {}, name), h('dd', { dir: 'auto' }, text)])),
    );
  };
  return { element: h('section', { class: 'sl-panel', tabindex: -1, 'aria-label': 'Source' }, head, list), update };
}
