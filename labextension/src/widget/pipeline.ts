/** The spine across the top: source, processors in order, take, sinks, and what flows between them. */
import type { Context } from './context';
import { act, needsKernel } from './context';
import { button, h, setAttribute, setClass, setText } from './dom';
import { count, duration, percent, si } from './format';
import type { Pipe, PipeNode, Selected } from './protocol';

const MOVABLE: ReadonlySet<PipeNode['kind']> = new Set(['processor', 'filter', 'through', 'group_by', 'echo'] as const);

/** What stands in the list of processors and can be selected, moved, switched off. */
export function movable(node: PipeNode): boolean {
  return MOVABLE.has(node.kind);
}

interface Drawn {
  node: PipeNode;
  element: HTMLButtonElement;
  label: HTMLElement;
  detail: HTMLElement;
  edge: HTMLElement | null;
}

export interface Pipeline {
  readonly element: HTMLElement;
  update(pipe: Pipe): void;
}

export function pipeline(context: Context): Pipeline {
  const steps = h('ol', { class: 'sl-steps' });
  const add = button(
    'Processor',
    { class: 'sl-framed', 'aria-label': 'Add a processor', onclick: () => context.newProcessor() },
    'plus',
  );
  const element = h('div', { class: 'sl-pipe', role: 'group', 'aria-label': 'Pipeline' }, steps, needsKernel(context, add));
  let drawn: Drawn[] = [];
  let dragged: string | null = null;

  const selectedId = (selected: Selected | null): string | null => {
    if (selected?.kind === 'source') return drawn.find(one => one.node.kind === 'source')?.node.id ?? null;
    if (selected?.kind !== 'processor') return null;
    return drawn.find(one => movable(one.node) && one.node.name === selected.name)?.node.id ?? null;
  };
  let shown: string | null = null;
  /** Bring what was selected elsewhere into sight, without moving the page. */
  const lead = (element: HTMLElement): void => {
    const [inner, outer] = [element.getBoundingClientRect(), steps.getBoundingClientRect()];
    if (inner.left < outer.left) steps.scrollLeft += inner.left - outer.left;
    else if (inner.right > outer.right) steps.scrollLeft += inner.right - outer.right;
  };
  const mark = (): void => {
    const id = selectedId(context.ui.get().selected);
    const chosen = id === shown ? undefined : drawn.find(one => one.node.id === id)?.element;
    shown = id;
    if (chosen) lead(chosen);
    for (const { node, element: one } of drawn) {
      setClass(one, 'sl-selected', node.id === id);
      setAttribute(one, 'aria-pressed', movable(node) || node.kind === 'source' ? String(node.id === id) : null);
    }
  };
  const place = (name: string): number => drawn.filter(one => movable(one.node)).findIndex(one => one.node.name === name);
  const move = (name: string, to: number): void => {
    const last = drawn.filter(one => movable(one.node)).length - 1;
    if (to >= 0 && to <= last && to !== place(name)) void act(context, 'move', { name, to });
  };
  const click = (id: string): void => {
    const node = drawn.find(one => one.node.id === id)?.node;
    if (!node) return;
    const again = selectedId(context.ui.get().selected) === id;
    if (again) context.ui.select(null);
    else if (movable(node)) context.ui.select({ kind: 'processor', name: node.name });
    else if (node.kind === 'source') context.ui.select({ kind: 'source' });
    else if (node.kind === 'take') context.ui.patch({ tab: 'batches' });
    else context.ui.patch({ tab: 'graph' });
  };
  const key = (event: KeyboardEvent, id: string): void => {
    const at = drawn.findIndex(one => one.node.id === id);
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const node = drawn[at]?.node;
    if (step === 0 || !node) return;
    event.preventDefault();
    if (!event.altKey) drawn[at + step]?.element.focus();
    else if (movable(node)) move(node.name, place(node.name) + step);
  };
  const make = (node: PipeNode, first: boolean): Drawn => {
    const label = h('span', { class: 'sl-nodelabel', dir: 'auto' });
    const detail = h('small', {});
    const element = h(
      'button',
      { class: 'sl-node', draggable: movable(node) },
      h('span', {}, h('span', { class: 'sl-dot', 'aria-hidden': 'true' }), label),
      detail,
    );
    if (movable(node)) setAttribute(element, 'aria-keyshortcuts', 'Alt+ArrowLeft Alt+ArrowRight');
    element.addEventListener('click', () => click(node.id));
    element.addEventListener('keydown', event => key(event, node.id));
    element.addEventListener('dragstart', event => {
      dragged = node.name;
      event.dataTransfer?.setData('text/plain', node.name);
      if (event.dataTransfer) event.dataTransfer.effectAllowed = 'move';
    });
    element.addEventListener('dragend', () => (dragged = null));
    element.addEventListener('dragover', event => {
      if (dragged === null || !movable(node)) return;
      event.preventDefault();
      setClass(element, 'sl-drop', dragged !== node.name);
    });
    element.addEventListener('dragleave', () => setClass(element, 'sl-drop', false));
    element.addEventListener('drop', event => {
      setClass(element, 'sl-drop', false);
      if (dragged === null || !movable(node)) return;
      event.preventDefault();
      event.stopPropagation();
      move(dragged, place(node.name));
    });
    return { node, element, label, detail, edge: first ? null : h('span', { class: 'sl-edge' }, h('span', {})) };
  };
  context.ui.listen(mark);

  return {
    element,
    update: ({ nodes }) => {
      if (nodes.map(node => node.id).join('\n') !== drawn.map(one => one.node.id).join('\n')) {
        const focused = drawn.find(one => one.element === document.activeElement)?.node.id;
        const old = new Map(drawn.map(one => [one.node.id, one]));
        drawn = nodes.map((node, i) => {
          const known = old.get(node.id);
          return known && (known.edge === null) === (i === 0) ? known : make(node, i === 0);
        });
        steps.replaceChildren(...drawn.map(one => h('li', {}, ...(one.edge ? [one.edge] : []), one.element)));
        drawn.find(one => one.node.id === focused)?.element.focus();
      }
      let flow: number | null = null;
      nodes.forEach((node, i) => {
        const one = drawn[i];
        if (!one) return;
        one.node = node;
        drawNode(one, flow);
        if (node.enabled) flow = node.rate;
      });
      mark();
    },
  };
}

function drawNode({ node, element, label, detail, edge }: Drawn, flow: number | null): void {
  const bad = node.errors > 0;
  setText(label, node.label);
  setText(detail, node.enabled ? detailOf(node) : 'off');
  setClass(element, 'sl-off', !node.enabled);
  setClass(element, 'sl-error', bad);
  setClass(element, 'sl-source', node.kind === 'source');
  setClass(element, 'sl-function', node.kind === 'processor' || node.kind === 'filter');
  setAttribute(element, 'title', `${node.label}: ${node.enabled ? detailOf(node) : 'off'}`);
  if (!edge) return;
  setClass(edge, 'sl-off', !node.enabled);
  const text = flow === null || !node.enabled ? '' : `${si(flow)}/s`;
  if (edge.firstElementChild) setText(edge.firstElementChild, text);
}

/** What the kernel says, else what the counters say: the share that passes, or the time of one value. */
function detailOf(node: PipeNode): string {
  const { seen, passed, skipped, seconds } = node;
  const parts = node.detail === '' ? [] : [node.detail];
  if (parts.length === 0 && seen > 0) {
    if (node.kind === 'filter' || skipped > 0) parts.push(`${percent(passed, seen)} pass`);
    else if (seconds !== null) parts.push(duration(seconds / seen));
  }
  if (node.errors > 0) parts.push(count(node.errors, 'error'));
  return parts.join(', ');
}
