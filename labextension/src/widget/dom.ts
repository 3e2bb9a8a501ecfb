/** Making elements. Text goes in as text nodes only: what a message holds can never become markup. */

type Value = string | number | boolean | null | undefined;
type Events = { [K in keyof HTMLElementEventMap as `on${K}`]?: (event: HTMLElementEventMap[K]) => void };
interface Named {
  [aria: `aria-${string}`]: Value;
  [data: `data-${string}`]: Value;
}
interface Attributes extends Named {
  class?: Value;
  id?: Value;
  role?: Value;
  title?: Value;
  type?: Value;
  tabindex?: Value;
  dir?: Value;
  for?: Value;
  hidden?: Value;
  value?: Value;
  checked?: Value;
  disabled?: Value;
  placeholder?: Value;
  spellcheck?: Value;
  autocomplete?: Value;
  min?: Value;
  max?: Value;
  step?: Value;
  rows?: Value;
  list?: Value;
  draggable?: Value;
  colspan?: Value;
  scope?: Value;
}
export type Props = Attributes & Events;
export type Kid = Node | string | null;

const FOCUSABLE = new Set(['button', 'input', 'textarea', 'select', 'summary']);
/** JupyterLab's shortcuts leave alone what carries this; it must be on the focused element itself. */
export const OWN_KEYS = 'data-lm-suppress-shortcuts';

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...kids: Kid[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props) as [string, Value | EventListener][]) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  if (FOCUSABLE.has(tag) || props.tabindex !== undefined) element.setAttribute(OWN_KEYS, 'true');
  if (tag === 'button' && props.type === undefined) element.setAttribute('type', 'button');
  element.append(...kids.filter(kid => kid !== null));
  return element;
}

/** A text of its own that scrolls, with a name; bytes as hexadecimal digits keep their lines. */
export function textBlock(label: string, text = '', hex = false): HTMLPreElement {
  const props = { class: `sl-text${hex ? ' sl-hex' : ''}`, role: 'group', tabindex: 0, 'aria-label': label, dir: 'auto' };
  return h('pre', props, text);
}

export function setAttribute(element: Element, name: string, value: Value): void {
  const aria = name.startsWith('aria-') || name === 'draggable' || name === 'spellcheck';
  if (value === null || value === undefined || (value === false && !aria)) element.removeAttribute(name);
  else {
    const text = value === true && !aria ? '' : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Set the text of an element, touching the page only if it changed. */
export function setText(element: Element, text: string): void {
  const node = element.firstChild;
  if (node === null) {
    if (text !== '') element.append(text);
  } else if (node.nodeType === Node.TEXT_NODE && node.nextSibling === null) {
    if ((node as Text).data !== text) (node as Text).data = text;
  } else element.textContent = text;
}

export function setClass(element: Element, name: string, on: boolean): void {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number> = {},
  ...kids: Node[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...kids);
  return element;
}

const ICONS = {
  pause: 'M4 3h3v10H4zM9 3h3v10H9z',
  run: 'M4 2.5v11l9-5.5z',
  stop: 'M3.5 3.5h9v9h-9z',
  more: 'M2 7h2.4v2.4H2zM6.8 7h2.4v2.4H6.8zM11.6 7H14v2.4h-2.4z',
  left: 'M10.5 2.5 5 8l5.5 5.5 1.2-1.2L7.4 8l4.3-4.3z',
  right: 'M5.5 2.5 11 8l-5.5 5.5-1.2-1.2L8.6 8 4.3 3.7z',
  close: 'M3.3 4.5 4.5 3.3 8 6.8l3.5-3.5 1.2 1.2L9.2 8l3.5 3.5-1.2 1.2L8 9.2l-3.5 3.5-1.2-1.2L6.8 8z',
  down: 'M7.2 2h1.6v8.2l3-3L13 8.4l-5 5-5-5 1.2-1.2 3 3z',
  check: 'M6.3 12.6 2 8.3l1.2-1.2 3.1 3.1 6.5-6.6L14 4.8z',
  plus: 'M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z',
} as const;
export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  return svg(
    'svg',
    { viewBox: '0 0 16 16', class: 'sl-icon', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: ICONS[name] }),
  );
}

export function button(label: string, props: Props = {}, picture?: IconName): HTMLButtonElement {
  const kids: Kid[] = picture ? [icon(picture)] : [];
  return h('button', { ...props, class: `sl-button ${String(props.class ?? '')}`.trim() }, ...kids, h('span', {}, label));
}

/** A button that shows a picture only; its label is for screen readers and as a tooltip. */
export function iconButton(label: string, picture: IconName, props: Props = {}): HTMLButtonElement {
  const look = `sl-button sl-bare ${String(props.class ?? '')}`.trim();
  return h('button', { title: label, ...props, 'aria-label': label, class: look }, icon(picture));
}

let serial = 0;
/** An id that no other element of the page has. */
export function uniqueId(word: string): string {
  serial += 1;
  return `sl-${word}-${serial}-${Math.random().toString(36).slice(2, 7)}`;
}
