/** The tab of the graph: laid out only when the topology changed; rates and states are patched into the picture. */
import type { Context } from './context';
import { kernelGone, messageOf } from './context';
import { asset } from './assets';
import { button, h, OWN_KEYS, setAttribute, setText, svg } from './dom';
import { movable } from './pipeline';
import type { Graph, Mark } from './protocol';

interface Layout {
  renderSVGElement(dot: string): SVGSVGElement;
}
/** One for the page: starting the layout engine takes longer than using it. */
const PAGE = globalThis as { streamlabLayout?: Promise<Layout> | undefined };
/** A picture that is too wide for its place is made smaller, but not so much that it can't be read: then it scrolls. */
const SMALLEST = 0.8;
const PIXELS_PER_POINT = 4 / 3;
const STATES = ['ok', 'off', 'bad'] as const;

export interface GraphTab {
  readonly element: HTMLElement;
  update(graph: Graph): void;
  shown(on: boolean): void;
  /** The kernel fell silent, or is heard again. */
  answers(): void;
}

const DRAWING = 'Drawing the graph…';
const NO_KERNEL = 'There is no graph without the kernel, and it does not answer. Run the cell again to see the stream.';

export function graphTab(context: Context): GraphTab {
  const place = h('div', { class: 'sl-graph' });
  const status = h('div', { class: 'sl-empty', role: 'status' });
  const element = h('div', { class: 'sl-scroll' }, status, place);
  let dot = '';
  let drawnDot = '';
  let marks: Mark[] = [];
  let processors: Graph['processors'] = {};
  let visible = false;
  let busy = false;

  /** Why there is no picture yet. */
  function explain(): void {
    status.hidden = place.childElementCount > 0;
    status.replaceChildren(kernelGone(context) ? NO_KERNEL : DRAWING);
  }

  async function layOut(): Promise<void> {
    if (busy || dot === '' || dot === drawnDot) return;
    busy = true;
    const wanted = dot;
    try {
      const picture = (await layout(context)).renderSVGElement(wanted);
      drawnDot = wanted;
      if (context.signal.aborted) return;
      prepare(context, picture, processors);
      place.replaceChildren(picture);
      status.hidden = true;
      patch(picture, marks);
    } catch (error) {
      drawnDot = wanted;
      status.hidden = false;
      const again = button('Try again', { class: 'sl-framed', onclick: () => ((drawnDot = ''), void layOut()) });
      status.replaceChildren(h('p', {}, `The graph could not be drawn: ${messageOf(error)}`), again);
    } finally {
      busy = false;
    }
    if (dot !== drawnDot) void layOut();
  }

  explain();
  return {
    element,
    update: graph => {
      ({ dot, marks, processors } = graph);
      if (!visible) return;
      if (dot !== drawnDot) void layOut();
      else patch(place, marks);
    },
    shown: on => {
      visible = on;
      if (on && dot !== drawnDot) void layOut();
      else if (on) patch(place, marks);
    },
    answers: () => {
      // What could not be drawn without the kernel is tried again with it.
      if (!status.hidden) drawnDot = '';
      explain();
      if (visible && !kernelGone(context)) void layOut();
    },
  };
}

async function layout(context: Context): Promise<Layout> {
  PAGE.streamlabLayout ??= asset(context.link, 'viz').then(module => (module as { instance(): Promise<Layout> }).instance());
  PAGE.streamlabLayout.catch(() => (PAGE.streamlabLayout = undefined));
  return PAGE.streamlabLayout;
}

/** Nodes that stand in the pipeline become buttons; the rest is a picture. */
function prepare(context: Context, picture: SVGSVGElement, processors: Graph['processors']): void {
  picture.style.minWidth = `${Math.round(wholeWidth(picture) * SMALLEST)}px`;
  setAttribute(picture, 'role', 'group');
  setAttribute(picture, 'aria-label', 'Stream graph');
  for (const link of picture.querySelectorAll('a')) link.replaceWith(...link.childNodes);
  for (const node of picture.querySelectorAll<SVGGElement>('g.node')) {
    const name = processors[node.id];
    const known = context.latest.pipe?.nodes.some(one => movable(one) && one.name === name);
    if (name === undefined || !known) continue;
    setAttribute(node, 'role', 'button');
    setAttribute(node, 'tabindex', 0);
    setAttribute(node, OWN_KEYS, 'true');
    setAttribute(node, 'aria-label', `Select ${name}`);
    const select = (): void => context.ui.select({ kind: 'processor', name });
    node.addEventListener('click', select);
    node.addEventListener('keydown', event => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      select();
    });
  }
}

/** The width in pixels at which text has the size that was asked for: Graphviz makes large graphs as small as a page. */
export function wholeWidth(picture: Element): number {
  const scale = /scale\(([\d.]+)/.exec(picture.querySelector('g.graph')?.getAttribute('transform') ?? '')?.[1] ?? '1';
  return (parseFloat(picture.getAttribute('width') ?? '0') * PIXELS_PER_POINT) / parseFloat(scale);
}

export function patch(picture: Element, marks: Mark[]): void {
  for (const mark of marks) {
    const group = picture.querySelector(`#${CSS.escape(mark.id)}`);
    if (!group) continue;
    for (const state of STATES) group.classList.toggle(`sl-mark-${state}`, state === mark.state);
    setMarkText(group, mark.text);
  }
}

/** An edge was laid out with room for its rate, in the place of its label; a node gets a line below. */
function setMarkText(group: Element, text: string): void {
  let line = group.classList.contains('edge') ? group.querySelector('text') : group.querySelector('text.sl-marktext');
  if (!line && text === '') return;
  if (!line) {
    const at = anchor(group);
    if (!at) return;
    line = svg('text', { 'text-anchor': 'middle', ...at });
    group.append(line);
  }
  line.classList.add('sl-marktext');
  setText(line, text);
}

function anchor(group: Element): { x: number; y: number } | null {
  if (!(group instanceof SVGGraphicsElement)) return null;
  const box = group.getBBox();
  return { x: box.x + box.width / 2, y: box.y + box.height + 10 };
}
