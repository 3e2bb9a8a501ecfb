/** A whole message in the inspector: place, key, headers, sizes, and its value as a tree, as text and as bytes. */
import type { Context } from './context';
import { messageOf } from './context';
import { copyText } from './clipboard';
import { button, h, iconButton, textBlock } from './dom';
import { bytes, grouped, moment, named } from './format';
import { isMessage, isPaste } from './replies';
import type { JoinSide, Message, Raw } from './replies';
import { pieces } from './pieces';
import { tabs } from './subtabs';
import { oneLine, treeView } from './tree';

/** So many bytes come as hexadecimal digits with a message. */
const HEX_BYTES = 4096;

export function messagePanel(context: Context, seq: number): HTMLElement {
  const body = h('div', { class: 'sl-panelbody' }, h('p', { class: 'sl-dim sl-pad' }, 'Opening…'));
  const title = h('h4', {}, 'Message');
  const copy = async (as: 'json' | 'python'): Promise<void> => {
    try {
      const { text } = await context.link.ask(isPaste, 'copy', { seq, as });
      await copyText(text);
      context.notice(`Copied as ${as === 'json' ? 'JSON' : 'Python'}.`, 'info');
    } catch (error) {
      context.notice(messageOf(error), 'alarm');
    }
  };
  const head = h(
    'div',
    { class: 'sl-panelhead' },
    title,
    h('span', { class: 'sl-space' }),
    button('Copy as JSON', { onclick: () => void copy('json') }),
    button('Copy as Python', { onclick: () => void copy('python') }),
    iconButton('Close', 'close', { onclick: () => context.ui.select(null) }),
  );
  void open();
  const element = h('section', { class: 'sl-panel', tabindex: -1, 'aria-label': 'Message' }, head, body);
  element.addEventListener('keydown', event => {
    if (event.key === 'Escape') context.ui.select(null);
  });
  return element;

  async function open(): Promise<void> {
    try {
      const message = await context.link.ask(isMessage, 'open', { seq });
      title.textContent = message.offset === null ? `Message ${grouped(seq)}` : `Offset ${grouped(message.offset)}`;
      body.replaceChildren(facts(message), headers(message), values(context, message));
      showField(body, context.latest.field);
    } catch (error) {
      body.replaceChildren(
        h('p', { class: 'sl-pad sl-bad', role: 'alert' }, messageOf(error)),
        button('Try again', { class: 'sl-pad', onclick: () => void open() }),
      );
    }
  }
}

/** Bring the field whose cell was clicked into sight; its name may have dots of its own, and `key` is `value.key`. */
function showField(body: HTMLElement, field: string | null): void {
  if (field === null) return;
  for (const item of body.querySelectorAll<HTMLElement>('.sl-treeitem[data-path]')) {
    const path: unknown = JSON.parse(item.dataset.path ?? '[]');
    const name = Array.isArray(path) ? path.join('.') : null;
    if (name === null || (name !== field && `value.${name}` !== field)) continue;
    if (item.getAttribute('aria-expanded') === 'false') item.dispatchEvent(new CustomEvent('sl-toggle'));
    item.classList.add('sl-asked');
    const [inner, outer] = [item.getBoundingClientRect(), body.getBoundingClientRect()];
    if (inner.bottom > outer.bottom) body.scrollTop += inner.top - outer.top - outer.height / 3;
    return;
  }
}

function facts(message: Message): HTMLElement {
  const rows: [string, string | null][] = [
    ['topic', message.topic],
    ['partition', message.partition === null ? null : String(message.partition)],
    [
      'time',
      message.timestamp === null ? null : `${moment(message.timestamp)}${message.timestampType && `, ${message.timestampType}`}`,
    ],
    ['key', message.rawKey === null && message.key.k === 'z' ? null : oneLine(message.key, 400)],
    ['sizes', sizes(message)],
    ['decoder', message.decoder],
    ...message.sides.map((side): [string, string] => [side.name, origin(side)]),
  ];
  const list = h('dl', { class: 'sl-facts' });
  for (const [name, text] of rows) if (text !== null) list.append(h('dt', {}, name), h('dd', { dir: 'auto' }, text));
  return list;
}

/** Where one side of a join comes from; its fields are in the value. */
function origin({ place, timestamp, found }: JoinSide): string {
  if (!found) return 'no match';
  const parts = [place, timestamp === null ? '' : moment(timestamp)].filter(part => part !== '');
  return parts.length > 0 ? parts.join(', ') : 'a plain value';
}

function sizes({ sizes: { key, value, headers: rest } }: Message): string | null {
  const parts = [
    ['value', value],
    ['key', key],
    ['headers', rest],
  ] as const;
  const shown = parts.flatMap(([name, size]) => (size === null ? [] : [`${name} ${bytes(size)}`]));
  return shown.length > 0 ? shown.join(', ') : null;
}

/** In the order in which they came; the same name may come more than once. */
function headers(message: Message): HTMLElement {
  if (message.headers.length === 0) return h('span', { hidden: true });
  const rows = message.headers.map(([name, text, hex]) =>
    h(
      'tr',
      { title: hex },
      h('th', { scope: 'row', dir: 'auto' }, named(name)),
      h('td', { dir: 'auto' }, text ?? h('i', { class: 'sl-dim' }, 'no value')),
    ),
  );
  const rest = message.headersTotal - rows.length;
  if (rest > 0) rows.push(h('tr', {}, h('td', { class: 'sl-dim' }, `${grouped(rest)} more`)));
  return h('table', { class: 'sl-headers', 'aria-label': 'Headers' }, h('tbody', {}, ...rows));
}

/** What came whole with the message is there; the rest is fetched in pieces. */
function rawView(context: Context, seq: number, view: 'raw' | 'hex', raw: Raw): HTMLElement {
  const whole = !raw.withheld && (view === 'raw' || raw.size <= HEX_BYTES);
  if (!whole) return pieces(context, seq, view);
  return view === 'raw' ? textBlock('Text', raw.text) : textBlock('Bytes', raw.hex, true);
}

type View = 'tree' | 'raw' | 'hex';

function values(context: Context, message: Message): HTMLElement {
  const tree = h('div', { class: 'sl-pad' });
  const raw = h('div', { class: 'sl-pad' });
  const hex = h('div', { class: 'sl-pad' });
  const show = (view: View): void => {
    bar.show(view);
    const panel = view === 'raw' ? raw : hex;
    if (view !== 'tree' && message.raw && panel.childElementCount === 0)
      panel.append(rawView(context, message.seq, view, message.raw));
  };
  const bar = tabs<View>(
    'Value',
    [
      { name: 'tree', label: 'Value', panel: tree },
      ...(message.raw
        ? [
            { name: 'raw' as const, label: 'Text', panel: raw },
            { name: 'hex' as const, label: 'Bytes', panel: hex },
          ]
        : []),
    ],
    show,
  );
  tree.append(
    treeView(message.value, {
      label: 'Value',
      folds: new Map(),
      depth: 3,
      onWithheld: () => tree.replaceChildren(pieces(context, message.seq, 'value')),
    }),
  );
  raw.hidden = hex.hidden = true;
  show('tree');
  return h('div', { class: 'sl-values' }, bar.bar, tree, raw, hex);
}
