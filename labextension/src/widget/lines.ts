/** The thin lines: notice, banner, what to do when the stream is over, status. */
import type { Context } from './context';
import { act, kernelGone, needsKernel } from './context';
import { button, h, iconButton, setAttribute, setClass, setText } from './dom';
import { bytes, grouped, span } from './format';
import type { Head, Notice } from './protocol';
import { isOver } from './toolbar';

const INFO_MS = 8000;
/** What a window holds by default when few are open. */
const MAX_BYTES = 256_000_000;

export interface NoticeLine {
  readonly element: HTMLElement;
  update(notice: Notice & { own?: boolean }): void;
  /** Take the view's own alarm away. */
  calm(): void;
}

/** What the kernel says stays until it says something else; what the view says itself goes by itself if it is no alarm. */
export function noticeLine(signal: AbortSignal): NoticeLine {
  const text = h('span', { dir: 'auto' });
  const close = iconButton('Close this notice', 'close', { onclick: () => (element.hidden = true) });
  const element = h('div', { class: 'sl-notice', role: 'status', hidden: true }, text, h('span', { class: 'sl-space' }), close);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ownAlarm = false;
  signal.addEventListener('abort', () => clearTimeout(timer));
  return {
    element,
    calm: () => {
      if (ownAlarm) element.hidden = true;
    },
    update: notice => {
      clearTimeout(timer);
      ownAlarm = notice.own === true && notice.kind === 'alarm';
      setText(text, notice.text);
      element.hidden = notice.text === '';
      setClass(element, 'sl-alarm', notice.kind === 'alarm');
      if (notice.own && notice.kind === 'info') timer = setTimeout(() => (element.hidden = true), INFO_MS);
    },
  };
}

const WAITING =
  'This front end has no subshells: while a cell runs, the view waits for it, and catches up within a second after. The stream itself goes on.';
const NO_KERNEL =
  'The kernel does not answer: it is busy without subshells, or it was restarted. Run the cell again to see the stream.';

/** Said plainly where the kernel cannot answer while a cell runs, and where it does not answer at all. */
export function banner(context: Context): { element: HTMLElement; update(): void } {
  const element = h('div', { class: 'sl-banner', role: 'status', hidden: true });
  return {
    element,
    update: () => {
      const text = kernelGone(context) ? NO_KERNEL : context.link.subshells ? '' : WAITING;
      setText(element, text);
      element.hidden = text === '';
    },
  };
}

const SAID: Partial<Record<Head['state'], string>> = {
  stopping: 'The stream stops as soon as its processor returns.',
  retrying: 'The broker cannot be reached. The stream goes on by itself as soon as it can be.',
  stopped: 'The stream is stopped.',
  ended: 'The stream has read all there was to read.',
  failed: 'The stream failed.',
};

/** Why nothing comes, and what to do. */
export function stateLine(context: Context): { element: HTMLElement; update(head: Head): void } {
  const text = h('span', { dir: 'auto' });
  const restart = button('Restart', { class: 'sl-primary' }, 'run');
  const element = h('div', { class: 'sl-condition', hidden: true }, text, needsKernel(context, restart));
  restart.addEventListener('click', () => void act(context, 'restart'));
  return {
    element,
    update: now => {
      element.hidden = SAID[now.state] === undefined;
      restart.hidden = !isOver(now);
      setClass(element, 'sl-error', now.state === 'failed');
      setClass(element, 'sl-waits', !isOver(now));
      setText(text, `${SAID[now.state] ?? ''}${now.detail ? ` ${now.detail}` : ''}`);
    },
  };
}

/** What the window holds, and what it may hold where that is less than usual: when many explorers share the memory. */
function drawWindow(element: HTMLElement, { count, total, full, maxBytes, sharing }: Head['window']): void {
  const less = sharing > 1 && maxBytes < MAX_BYTES;
  const most = less ? `, at most ${bytes(maxBytes)}` : '';
  setText(element, `window ${grouped(count)} of ${grouped(total)}${full ? ', full' : ''}${most}`);
  const why = `${sharing} explorers share the memory for windows. Under … this one gets a size of its own.`;
  setAttribute(element, 'title', less ? why : null);
}

export function statusLine(): { element: HTMLElement; update(head: Head): void } {
  const window = h('span', { class: 'sl-num' });
  const buffered = h('span', { class: 'sl-num sl-buffered' });
  const time = h('span', { class: 'sl-num' });
  const busy = h('span', { class: 'sl-busy' });
  const keys = h('span', { class: 'sl-keys' }, 'Tab leaves the table, Enter opens a message, F freezes');
  const element = h('div', { class: 'sl-statusline' }, window, buffered, time, busy, h('span', { class: 'sl-space' }), keys);
  return {
    element,
    update: head => {
      drawWindow(window, head.window);
      setText(buffered, head.buffered > 0 ? `buffered ${bytes(head.buffered)}` : '');
      setText(time, head.eventTime ? `event time ${span(...head.eventTime)}` : '');
      setText(busy, head.busy === null ? '' : `${head.busy} is at work`);
    },
  };
}
