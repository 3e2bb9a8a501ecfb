/** One rendered view: makes the parts, deals the sections of each frame out to them, says hello and bye. */
import { batchesTab } from './batches';
import { kernelGone } from './context';
import type { Context } from './context';
import { h, setAttribute, setClass, setText } from './dom';
import { errorsTab } from './errors';
import { keepFocus } from './focus';
import { grouped } from './format';
import { graphTab } from './graph';
import { PAGE_ROWS } from './grid';
import { histogram } from './histogram';
import { inspector } from './inspector';
import { banner, noticeLine, stateLine, statusLine } from './lines';
import { Link } from './link';
import type { Model } from './link';
import { messages } from './messages';
import { pipeline } from './pipeline';
import { PROTOCOL, section } from './protocol';
import type { Frame, SectionName, Sections, Tab, Ui } from './protocol';
import { presence } from './presence';
import { tabs } from './subtabs';
import { toolbar } from './toolbar';
import { UiState } from './ui';

interface Made {
  handlers: Handlers;
  ui: UiState;
  answers(answers: boolean): void;
}
type Handlers = { [K in SectionName]: (section: NonNullable<Sections[K]>, rows: DataView | null) => void };

export function explorer(model: Model, el: HTMLElement): () => void {
  if (model.get('protocol') !== PROTOCOL) {
    el.replaceChildren(
      h(
        'p',
        {},
        'This view belongs to another version of streamlab: restart the kernel, reload the page and run the cell again.',
      ),
    );
    return () => undefined;
  }
  const gone = new AbortController();
  const root = h('section', {
    class: 'sl-root',
    role: 'region',
    'aria-label': 'Stream explorer',
    'data-jp-suppress-context-menu': 'true',
  });
  let parts: Made | null = null;
  const link = new Link(
    model,
    (frame, rows) => {
      if (parts) deal(frame, rows, parts.handlers);
    },
    answers => parts?.answers(answers),
  );
  const made = build(model, link, gone.signal, root);
  parts = made;
  // Keys typed in here are ours; Tab goes on, and so do the browser's own, which need no event of the page.
  root.addEventListener('keydown', event => {
    if (event.key !== 'Tab') event.stopPropagation();
  });
  el.append(root);
  keepFocus(root, gone.signal);
  presence(link, root, gone.signal);
  link.open(PAGE_ROWS);
  return () => {
    gone.abort();
    made.ui.dispose();
    link.close();
    root.remove();
  };
}

/** A section that cannot be drawn does not keep the others from being drawn. */
export function deal(frame: Frame, rows: DataView | null, handlers: Handlers): void {
  const problems: unknown[] = [];
  for (const name of Object.keys(handlers) as SectionName[]) {
    try {
      dealOne(frame, rows, handlers, name);
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw new AggregateError(problems, 'Parts of a frame could not be drawn.');
}

function dealOne<K extends SectionName>(frame: Frame, rows: DataView | null, handlers: Pick<Handlers, K>, name: K): void {
  const found: Sections[K] = section(frame, name);
  if (found !== undefined) handlers[name](found, rows);
}

function build(model: Model, link: Link, signal: AbortSignal, root: HTMLElement): Made {
  const ui = new UiState(model);
  const live = h('div', { class: 'sl-heard', role: 'status', 'aria-live': 'polite' });
  const notice = noticeLine(signal);
  const context: Context = {
    link,
    ui,
    signal,
    latest: { head: null, pipe: null, field: null, answers: true },
    notice: (text, kind) => notice.update({ text, kind, own: true }),
    calm: () => notice.calm(),
    announce: text => setText(live, text),
    newProcessor: () => side.newProcessor(),
  };
  const bar = toolbar(context);
  const pipe = pipeline(context);
  const subshells = banner(context);
  const condition = stateLine(context);
  const table = messages(context);
  const batch = batchesTab(context);
  const graph = graphTab(context);
  const errors = errorsTab(context);
  const time = histogram(context);
  const side = inspector(context);
  const status = statusLine();
  const panel = (part: HTMLElement): HTMLElement => h('div', { class: 'sl-tabpanel', hidden: true }, part);
  const strip = tabs<Tab>(
    'View',
    [
      { name: 'messages', label: 'Messages', panel: panel(table.element) },
      { name: 'batches', label: 'Batches', panel: panel(batch.element) },
      { name: 'graph', label: 'Graph', panel: panel(graph.element) },
      { name: 'errors', label: 'Errors', panel: panel(errors.element) },
    ],
    tab => ui.patch({ tab }),
  );
  const panels = [table, batch, graph, errors].map(part => part.element.parentElement);
  const main = h('div', { class: 'sl-main' }, h('div', { class: 'sl-panels' }, ...panels), side.element);
  const tabLine = h('div', { class: 'sl-tabline' }, strip.bar, h('span', { class: 'sl-space' }), table.tools);
  root.append(
    bar.element,
    notice.element,
    subshells.element,
    condition.element,
    pipe.element,
    tabLine,
    main,
    time.element,
    status.element,
    live,
  );

  // What is not in sight is drawn when it comes into sight.
  const later = new Map<Tab, () => void>();
  const onTab = (tab: Tab, draw: () => void): void => {
    if (ui.get().tab === tab) draw();
    else later.set(tab, draw);
  };
  const showTab = (now: Ui): void => {
    strip.show(now.tab);
    table.tools.hidden = now.tab !== 'messages';
    graph.shown(now.tab === 'graph');
    later.get(now.tab)?.();
    later.delete(now.tab);
  };
  ui.listen(showTab);
  showTab(ui.get());

  const handlers: Handlers = {
    head: head => {
      context.latest.head = head;
      link.subshells = head.subshells;
      setAttribute(root, 'aria-label', `Stream explorer: ${head.name}`);
      setClass(root, 'sl-over', head.state === 'stopped' || head.state === 'failed');
      for (const part of [bar, condition, status]) part.update(head);
      subshells.update();
      for (const part of [side, table]) part.head(head);
      strip.label('errors', head.errors > 0 ? `Errors ${grouped(head.errors)}` : 'Errors');
    },
    pipe: now => {
      context.latest.pipe = now;
      pipe.update(now);
      side.pipe(now);
    },
    columns: now => table.columns(now),
    rows: (rows, buffer) => table.update(rows, buffer),
    hist: hist => time.update(hist),
    sample: sample => side.sample(sample),
    batch: now => onTab('batches', () => batch.update(now)),
    errors: now => onTab('errors', () => errors.update(now)),
    graph: now => graph.update(now),
    notice: now => {
      // An alarm while there is a filter is about the filter: it is told where it was typed.
      const ofFilter = now.kind === 'alarm' && ui.get().filter !== '';
      table.problem(ofFilter ? now.text : '');
      notice.update(ofFilter ? { ...now, text: '' } : now);
    },
  };
  const answers = (now: boolean): void => {
    context.latest.answers = now;
    setClass(root, 'sl-silent', !now);
    subshells.update();
    bar.answers();
    graph.answers();
    for (const one of root.querySelectorAll<HTMLFieldSetElement>('.sl-needs')) one.disabled = kernelGone(context);
  };
  return { handlers, ui, answers };
}
