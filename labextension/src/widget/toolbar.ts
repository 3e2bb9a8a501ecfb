/** The first line: state, name, what the user can do to the stream, and what flows. */
import type { Context } from './context';
import { act, needsKernel } from './context';
import { button, h, setAttribute, setClass, setText, svg } from './dom';
import { bytes, count, grouped, si } from './format';
import { moreMenu } from './more';
import type { Head } from './protocol';

const WORDS: Record<Head['state'], string> = {
  live: 'live',
  paused: 'paused',
  stopping: 'stopping',
  stopped: 'stopped',
  retrying: 'retrying',
  connecting: 'connecting',
  ended: 'ended',
  failed: 'failed',
  iterated: 'in a cell',
};
const RUNS: ReadonlySet<Head['state']> = new Set(['live', 'retrying', 'connecting', 'iterated', 'stopping'] as const);
const OVER: ReadonlySet<Head['state']> = new Set(['stopped', 'ended', 'failed'] as const);
const SPARK = { width: 90, height: 20 };

export function isOver(head: Head): boolean {
  return OVER.has(head.state);
}

export interface Toolbar {
  readonly element: HTMLElement;
  update(head: Head): void;
  /** The kernel fell silent, or is heard again. */
  answers(): void;
}

export function toolbar(context: Context): Toolbar {
  const state = h(
    'span',
    { class: 'sl-state' },
    h('span', { class: 'sl-dot', 'aria-hidden': 'true' }),
    h('span', {}, 'connecting'),
  );
  const name = h('b', { class: 'sl-name', dir: 'auto' });
  const mode = h('span', { class: 'sl-dim sl-mode', dir: 'auto' });
  const run = switchButton(context);
  const stop = button('Stop', { class: 'sl-framed', onclick: () => void act(context, 'stop') }, 'stop');
  const clear = button('Clear', { class: 'sl-bare', title: 'Empty the window', onclick: () => void act(context, 'clear') });
  const progress = h(
    'div',
    {
      class: 'sl-progress',
      role: 'progressbar',
      'aria-label': 'Position',
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      hidden: true,
    },
    h('div', {}),
  );
  const spark = sparkline();
  const rate = h('b', {});
  const volume = h('span', { class: 'sl-num sl-dim sl-volume' });
  const lag = h('span', { class: 'sl-num sl-dim sl-lag' });
  const errors = h('button', { class: 'sl-badge', hidden: true, onclick: () => context.ui.patch({ tab: 'errors' }) });
  const more = moreMenu(context);
  const element = h(
    'div',
    { class: 'sl-toolbar', role: 'toolbar', 'aria-label': 'Stream' },
    state,
    name,
    mode,
    needsKernel(context, run.element, stop, clear),
    h('span', { class: 'sl-space' }),
    progress,
    spark.element,
    h('span', { class: 'sl-num' }, rate, ' msg/s'),
    volume,
    lag,
    errors,
    needsKernel(context, more.element),
  );
  let said = '';
  const tell = (word: string, kind: string, detail: string, owner: string): void => {
    setText(state.lastElementChild ?? state, word);
    setAttribute(state, 'data-state', kind);
    setAttribute(state, 'title', detail);
    if (word !== said) context.announce(`${owner}${owner && ': '}${word}${detail && `. ${detail}`}`);
    said = word;
  };
  const drawState = (): void => {
    const { head, answers } = context.latest;
    if (!answers)
      tell(context.link.subshells ? 'no kernel' : 'waiting', 'silent', 'The kernel does not answer', head?.name ?? '');
    else if (head) tell(WORDS[head.state], head.state, head.detail, head.name);
    else tell('connecting', '', '', '');
  };

  return {
    element,
    answers: drawState,
    update: head => {
      drawState();
      setText(name, head.name);
      setText(mode, reading(head));
      setAttribute(mode, 'title', mode.textContent);
      run.update(head);
      stop.disabled = isOver(head) || head.state === 'stopping';
      setText(rate, si(head.rate));
      setText(volume, `${bytes(head.bytesRate)}/s`);
      setText(lag, head.lag === null ? '' : `lag ${grouped(head.lag)}`);
      setClass(lag, 'sl-gone', head.lag === null);
      progress.hidden = head.progress === null;
      if (head.progress !== null) drawProgress(progress, head.progress);
      errors.hidden = head.errors === 0;
      setText(errors, count(head.errors, 'error'));
      spark.update(head.spark);
      more.update(head);
    },
  };
}

/** What is read, in words. */
function reading({ mode, start, stop, committed }: Head): string {
  const range = [start && `from ${start}`, stop && `to ${stop}`].filter(part => part !== '').join(' ');
  return [mode, range, committed ? 'committed only' : ''].filter(part => part !== '').join(', ');
}

function switchButton(context: Context): { element: HTMLElement; update(head: Head): void } {
  const pause = button('Pause', { class: 'sl-framed', onclick: () => void act(context, 'pause') }, 'pause');
  const run = button('Run', { class: 'sl-framed', hidden: true, onclick: () => void act(context, 'run') }, 'run');
  const element = h('span', { class: 'sl-either' }, pause, run);
  return {
    element,
    update: head => {
      const running = RUNS.has(head.state);
      const focused = element.contains(document.activeElement);
      if (pause.hidden === running) {
        pause.hidden = !running;
        run.hidden = running;
        if (focused) (running ? pause : run).focus();
      }
      pause.disabled = head.state === 'iterated' || head.state === 'stopping';
      run.disabled = isOver(head);
    },
  };
}

function drawProgress(element: HTMLElement, share: number): void {
  const percent = Math.round(Math.max(0, Math.min(1, share)) * 100);
  setAttribute(element, 'aria-valuenow', percent);
  setAttribute(element, 'title', `${percent} % of the way from start to end`);
  if (element.firstElementChild instanceof HTMLElement) element.firstElementChild.style.width = `${percent}%`;
}

function sparkline(): { element: SVGElement; update(rates: number[]): void } {
  const line = svg('polyline', { class: 'sl-sparkline', points: '' });
  const { width, height } = SPARK;
  const element = svg(
    'svg',
    {
      class: 'sl-spark',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': 'Rate over the last minute',
    },
    line,
  );
  return {
    element,
    update: rates => {
      const top = Math.max(1, ...rates);
      const step = width / Math.max(1, rates.length - 1);
      const points = rates.map((rate, i) => `${(i * step).toFixed(1)},${(height - 2 - (rate / top) * (height - 4)).toFixed(1)}`);
      setAttribute(line, 'points', points.join(' '));
    },
  };
}
