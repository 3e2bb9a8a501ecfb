/** Messages over event time; a range of it can be brushed by mouse or keyboard, and then the table shows only that. */
import type { Context } from './context';
import { button, h, setAttribute, setClass, svg } from './dom';
import { count, span, when } from './format';
import type { Hist } from './protocol';

const HEIGHT = 34;
const WIDTH = 1000;

export interface Histogram {
  readonly element: HTMLElement;
  update(hist: Hist): void;
}

export function histogram(context: Context): Histogram {
  const { ui } = context;
  const bars = svg('path', { class: 'sl-bars', d: '' });
  const range = svg('rect', { class: 'sl-brush', y: 0, height: HEIGHT, width: 0 });
  const picture = svg(
    'svg',
    { class: 'sl-hist', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    bars,
    range,
  );
  const handles = [handle('Start of the selected time', 0), handle('End of the selected time', 1)] as const;
  const clear = button('Clear selection', {
    class: 'sl-framed sl-clearbrush',
    hidden: true,
    onclick: () => ui.patch({ brush: null }),
  });
  const track = h('div', { class: 'sl-track' }, picture, ...handles);
  const from = h('span', {});
  const to = h('span', {});
  /** How many are too far away to be in the picture. */
  const outside = h('span', {});
  const element = h(
    'div',
    { class: 'sl-time', role: 'group', 'aria-label': 'Messages over event time' },
    track,
    h('div', { class: 'sl-axis', 'aria-hidden': 'true' }, from, outside, to),
    clear,
  );
  let hist: Hist = { from: 0, step: 1, counts: [], outside: 0, selected: null };
  let dragging: [number, number] | null = null;
  let late: Hist | null = null;

  const end = (): number => hist.from + hist.step * hist.counts.length;
  const brush = (): [number, number] | null => dragging ?? ui.get().brush;
  const share = (time: number): number => Math.max(0, Math.min(1, (time - hist.from) / Math.max(1, end() - hist.from)));

  function handle(label: string, side: 0 | 1): HTMLElement {
    const element = h('span', { class: 'sl-handle', role: 'slider', tabindex: 0, 'aria-label': label });
    element.addEventListener('keydown', event => nudge(event, side));
    return element;
  }

  function nudge(event: KeyboardEvent, side: 0 | 1): void {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if ((event.key === 'Escape' || event.key === 'Delete') && ui.get().brush) ui.patch({ brush: null });
    else if (steps === undefined || hist.counts.length === 0) return;
    else {
      const next: [number, number] = [...(ui.get().brush ?? [hist.from, end()])];
      next[side] = Math.max(hist.from, Math.min(end(), next[side] + steps * hist.step));
      if (next[1] - next[0] >= hist.step) ui.patch({ brush: next });
    }
    event.preventDefault();
  }

  function drawBars(): void {
    const top = Math.max(1, ...hist.counts);
    const width = WIDTH / Math.max(1, hist.counts.length);
    const shapes = hist.counts.map((value, i) => {
      const height = value === 0 ? 0 : Math.max(1.5, (value / top) * (HEIGHT - 2));
      return `M${(i * width).toFixed(1)} ${HEIGHT}v-${height.toFixed(1)}h${Math.max(0.5, width * 0.78).toFixed(1)}v${height.toFixed(1)}z`;
    });
    setAttribute(bars, 'd', shapes.join(''));
    const empty = hist.counts.length === 0;
    from.textContent = empty ? 'No event time yet' : when(hist.from, false);
    outside.textContent = hist.outside > 0 ? `${count(hist.outside, 'message')} before or after` : '';
    to.textContent = empty ? '' : `${when(end(), false)} UTC`;
  }

  function drawBrush(): void {
    const now = brush();
    const [a, b] = now ? [share(now[0]), share(now[1])] : [0, 1];
    setAttribute(range, 'x', now ? a * WIDTH : 0);
    setAttribute(range, 'width', now ? Math.max(1, (b - a) * WIDTH) : 0);
    clear.hidden = ui.get().brush === null;
    setClass(track, 'sl-brushed', now !== null);
    handles.forEach((one, side) => {
      const at = side === 0 ? a : b;
      one.style.left = `${at * 100}%`;
      setAttribute(one, 'aria-valuemin', 0);
      setAttribute(one, 'aria-valuemax', 100);
      setAttribute(one, 'aria-valuenow', Math.round(at * 100));
      setAttribute(one, 'aria-valuetext', now ? `${when(now[side === 0 ? 0 : 1])} UTC` : 'not set');
    });
  }

  function timeAt(event: PointerEvent): number {
    const box = track.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / Math.max(1, box.width)));
    return Math.round(hist.from + share * (end() - hist.from));
  }

  track.addEventListener('pointerdown', event => {
    if (event.button !== 0 || hist.counts.length === 0) return;
    event.preventDefault();
    track.setPointerCapture(event.pointerId);
    const old = ui.get().brush;
    const at = timeAt(event);
    // Taken by a handle, the other end stays; else a new range begins.
    const grabbed = event.target === handles[0] && old ? old[1] : event.target === handles[1] && old ? old[0] : at;
    const move = (next: PointerEvent): void => {
      const time = timeAt(next);
      dragging = [Math.min(grabbed, time), Math.max(grabbed, time)];
      drawBrush();
    };
    const up = (): void => {
      track.removeEventListener('pointermove', move);
      const chosen = dragging;
      dragging = null;
      if (chosen && chosen[1] - chosen[0] >= hist.step / 2) ui.patch({ brush: chosen });
      else if (grabbed === at) ui.patch({ brush: null });
      if (late) update(late);
      else drawBrush();
    };
    dragging = old && grabbed !== at ? old : [at, at];
    track.addEventListener('pointermove', move);
    track.addEventListener('lostpointercapture', up, { once: true });
  });
  track.addEventListener('pointermove', event => {
    const box = track.getBoundingClientRect();
    const bin = Math.floor(((event.clientX - box.left) / Math.max(1, box.width)) * hist.counts.length);
    const value = hist.counts[bin];
    const start = hist.from + bin * hist.step;
    setAttribute(
      track,
      'title',
      value === undefined ? null : `${count(value, 'message')}, ${span(start, start + hist.step)} UTC`,
    );
  });
  ui.listen(drawBrush);

  /** While a range is being drawn the time below it stands still. */
  function update(next: Hist): void {
    late = dragging ? next : null;
    if (dragging) return;
    hist = next;
    drawBars();
    drawBrush();
  }
  drawBars();
  drawBrush();
  return { element, update };
}
