/**
 * Keeps the focus in the explorer when what had it goes away: a button that hides, a panel that closes. The page would have it
 * otherwise, and the next keys would be the notebook's: two of them delete the cell.
 */

const BARS = '.sl-toolbar, .sl-condition, .sl-notice';
const SIDE = '.sl-inspector';

export function keepFocus(root: HTMLElement, signal: AbortSignal): void {
  /** What had the focus last, while it is in here; and what had it when the side was opened. */
  let last: HTMLElement | null = null;
  let opener: HTMLElement | null = null;
  let outside: HTMLElement | null = null;
  let area: string | null = null;

  const moved = (event: FocusEvent): void => {
    const target = event.target;
    last = target instanceof HTMLElement && root.contains(target) ? target : null;
    if (!last) return;
    area = last.closest(BARS) ? BARS : last.closest(SIDE) ? SIDE : null;
    if (area !== SIDE) outside = last;
  };
  const left = (event: Event): void => {
    if (event.target instanceof Node && !root.contains(event.target)) last = null;
  };
  const check = (records: MutationRecord[]): void => {
    if (records.some(({ target }) => target instanceof HTMLElement && target.matches(SIDE) && !target.hidden)) opener = outside;
    const active = document.activeElement;
    if (!last || usable(last) || (active !== document.body && active !== last)) return;
    home()?.focus();
  };
  const home = (): HTMLElement | null => {
    const first = (selector: string): HTMLElement | null =>
      [...root.querySelectorAll<HTMLElement>(selector)].find(usable) ?? null;
    const bar = area === BARS ? first('.sl-toolbar button') : null;
    const side = area === SIDE ? first(`${SIDE} > .sl-panel`) : null;
    const before = opener && usable(opener) ? opener : null;
    return bar ?? side ?? before ?? first('.sl-grid') ?? first('[role="tab"][aria-selected="true"]');
  };

  const changes = new MutationObserver(check);
  changes.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ['hidden', 'disabled'] });
  signal.addEventListener('abort', () => changes.disconnect());
  document.addEventListener('focusin', moved, { signal });
  document.addEventListener('pointerdown', left, { signal });
}

/** Without a look at the layout, which is done for each frame. */
function usable(element: HTMLElement): boolean {
  return element.isConnected && element.closest('[hidden]') === null && !element.matches(':disabled');
}
