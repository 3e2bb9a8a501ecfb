/** A small dialog below its button: Escape and a click elsewhere close it, focus goes back to the button. */
import { h, OWN_KEYS, setAttribute } from './dom';

export interface Popover {
  readonly element: HTMLElement;
  open(): void;
  close(): void;
}

export function popover(
  trigger: HTMLButtonElement,
  label: string,
  content: HTMLElement,
  opened: () => void,
  signal: AbortSignal,
): Popover {
  const element = h('div', { class: 'sl-popover', role: 'dialog', 'aria-label': label, hidden: true, tabindex: -1 }, content);
  setAttribute(trigger, 'aria-haspopup', 'dialog');
  setAttribute(trigger, 'aria-expanded', 'false');
  const show = (on: boolean): void => {
    element.hidden = !on;
    setAttribute(trigger, 'aria-expanded', String(on));
  };
  const close = (): void => {
    if (element.hidden) return;
    const inside = element.contains(document.activeElement);
    show(false);
    if (inside) trigger.focus();
  };
  const open = (): void => {
    opened();
    show(true);
    (element.querySelector<HTMLElement>(`[${OWN_KEYS}]:not([disabled])`) ?? element).focus();
  };
  trigger.addEventListener('click', () => (element.hidden ? open() : close()));
  element.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    close();
  });
  const outside = (event: Event): void => {
    const path = event.composedPath();
    if (!path.includes(element) && !path.includes(trigger)) close();
  };
  document.addEventListener('pointerdown', outside, { signal });
  element.addEventListener('focusout', event => {
    if (event.relatedTarget instanceof Node && !element.contains(event.relatedTarget) && event.relatedTarget !== trigger)
      show(false);
  });
  return { element, open, close };
}
