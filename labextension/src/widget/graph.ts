/** The tab of the graph: laid out only when the topology changed; rates and states are patched into the picture. */
import type { Context } from './context';
import { messageOf } from './context';
import { asset } from './assets';
import { button, h, OWN_KEYS, setAttribute } from './dom';
import { movable } from './pipeline';
import type { Graph, Mark } from './protocol';

interface Layout {
  renderSVGElement(dot: string): SVGSVGElement;
}
/** One for the page: starting the layout engine takes longer than using it. */
const PAGE = globalThis as { streamlabLayout?: Promise<Layout> | undefined };
const STATES = ['ok', 'idle', 'off', 'error', 'paused'] as const;

export interface GraphTab {
  readonly element: HTMLElement;
  update(graph: Graph): void;
  shown(on: boolean): void;
}

export function graphTab(context: Context): GraphTab {
  const place = h('div', { class: 'sl-graph' });
  const status = h('div', { class: 'sl-empty', role: 'status' }, 'Drawing the graph…');
  const element = h('div', { class: 'sl-scroll' }, status, place);
  let dot = '';
  let drawnDot = '';
  let marks: Mark[] = [];
  let visible = false;
  let busy = false;

  async function layOut(): Promise<void> {
    if (busy || dot === '' || dot === drawnDot) return;
    busy = true;
    const wanted = dot;
    try {
      const picture = (await layout(context)).renderSVGElement(wanted);
      drawnDot = wanted;
      if (context.signal.aborted) return;
      prepare(context, picture);
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

  return {
    element,
    update: graph => {
      if (graph.dot !== undefined) dot = graph.dot;
      marks = graph.marks;
      if (!visible) return;
      if (dot !== drawnDot) void layOut();
      else patch(place, marks);
    },
    shown: on => {
      visible = on;
      if (on && dot !== drawnDot) void layOut();
      else if (on) patch(place, marks);
    },
  };
}

async function layout(context: Context): Promise<Layout> {
  PAGE.streamlabLayout ??= asset(context.link, 'viz').then(module => (module as { instance(): Promise<Layout> }).instance());
  PAGE.streamlabLayout.catch(() => (PAGE.streamlabLayout = undefined));
  return PAGE.streamlabLayout;
}

/** Nodes that stand in the pipeline become buttons; the rest is a picture. */
function prepare(context: Context, picture: SVGSVGElement): void {
  setAttribute(picture, 'role', 'group');
  setAttribute(picture, 'aria-label', 'Stream graph');
  for (const link of picture.querySelectorAll('a')) link.replaceWith(...link.childNodes);
  for (const node of picture.querySelectorAll<SVGGElement>('g.node')) {
    const known = context.latest.pipe?.nodes.find(one => one.id === node.id);
    if (!known || !(movable(known) || known.kind === 'source')) continue;
    setAttribute(node, 'role', 'button');
    setAttribute(node, 'tabindex', 0);
    setAttribute(node, OWN_KEYS, 'true');
    setAttribute(node, 'aria-label', `Select ${known.label}`);
    const select = (): void =>
      context.ui.select(known.kind === 'source' ? { kind: 'source' } : { kind: 'processor', name: known.name });
    node.addEventListener('click', select);
    node.addEventListener('keydown', event => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      select();
    });
  }
}

export function patch(picture: Element, marks: Mark[]): void {
  for (const mark of marks) {
    const group = picture.querySelector(`#${CSS.escape(mark.id)}`);
    if (!group) continue;
    for (const state of STATES) group.classList.toggle(`sl-mark-${state}`, state === mark.state);
    setMarkText(group, mark.text);
  }
}

/** The line of a mark stands below a node's label, and beside the middle of an edge. */
function setMarkText(group: Element, text: string): void {
  let line = group.querySelector<SVGTextElement>('text.sl-marktext');
  if (!line) {
    const at = anchor(group);
    if (!at) return;
    line = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    for (const [name, value] of Object.entries({ class: 'sl-marktext', 'text-anchor': 'middle', x: at.x, y: at.y }))
      line.setAttribute(name, String(value));
    group.append(line);
  }
  if (line.textContent !== text) line.textContent = text;
}

function anchor(group: Element): { x: number; y: number } | null {
  if (!(group instanceof SVGGraphicsElement)) return null;
  const box = group.getBBox();
  const edge = group.classList.contains('edge');
  return { x: box.x + box.width / 2, y: edge ? box.y + box.height / 2 - 5 : box.y + box.height + 10 };
}
