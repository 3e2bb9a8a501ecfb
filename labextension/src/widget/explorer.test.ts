import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { deal } from './explorer';
import widget from './index';
import { h, OWN_KEYS, svg } from './dom';
import css from './explorer.css?raw';
import { bufferOf, examples, manualFrames, standIns, TestModel } from './testing';

let model: TestModel;
let el: HTMLElement;
let draw: () => void;
let close: () => void;

beforeEach(() => {
  standIns();
  draw = manualFrames();
  model = new TestModel();
  el = document.createElement('div');
  document.body.replaceChildren(el);
  close = widget.render({ model, el });
});
afterEach(() => {
  close();
  vi.restoreAllMocks();
});

const view = (): unknown => model.of('hello')[0]?.view;
function show(sections: object, rows: unknown[] = examples.rowsBuffer): void {
  model.emit('msg:custom', { ...sections, t: 'frame', view: view(), n: 1, after: 0, ask: true }, [bufferOf(rows)]);
  draw();
}
const ui = (): Record<string, unknown> => model.get('ui') as Record<string, unknown>;

test('the example of a frame is drawn without a mistake and acknowledged', () => {
  const log = vi.spyOn(console, 'error');
  show(examples.toView.frame);
  expect(log).not.toHaveBeenCalled();
  expect(model.of('ack')).toHaveLength(1);
  for (const text of ['live', '98.7 k', '15.1 MB/s', 'lag 0', '3 errors', 'window 100,000 of 1,204,339', 'enrich'])
    expect(el.textContent).toContain(text);
});

test('a row shows exact numbers, and text of messages never becomes markup', () => {
  const rows = [[302204, '0', '301204', '1763980933104', '<img src=x onerror=alert(1)>', '9007199254740993', '=1+1', null]];
  const frame = { rows: { ...examples.toView.frame.rows, first: 0, total: 1, count: 1 } };
  show(frame, rows);
  const cells = [...el.querySelectorAll('.sl-row .sl-cell')].map(cell => cell.textContent);
  expect(cells).toEqual([
    '0',
    '301,204',
    '2025-11-24 10:42:13.104',
    '<img src=x onerror=alert(1)>',
    '9007199254740993',
    '=1+1',
    '',
  ]);
  expect(el.querySelector('img')).toBeNull();
});

test('fields may be called as things that every object has, and as nothing', () => {
  const names = ['__proto__', 'constructor', 'toString', '', 'timestamp', 'last'];
  const cols = names.map(name => ({ name, kind: 's', group: 'value' }));
  show({ rows: { ...examples.toView.frame.rows, first: 0, total: 1, count: 1, cols } }, [[7, 'a', 'b', 'c', 'd', 'e', 'f']]);
  const heads = [...el.querySelectorAll<HTMLElement>('.sl-colhead')];
  expect(heads.map(head => head.querySelector('.sl-collabel')?.textContent)).toEqual([
    '__proto__',
    'constructor',
    'toString',
    '""',
    'timestamp',
    'last',
  ]);
  expect(heads.every(head => /^\d+px$/.test(head.style.left))).toBe(true);
  expect([...el.querySelectorAll('.sl-row .sl-cell')].map(cell => cell.textContent)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('times too far away to be in the picture are counted beside it', () => {
  show({ hist: { ...examples.toView.frame.hist, outside: 2 } });
  expect(el.querySelector('.sl-axis')?.textContent).toContain('2 messages before or after');
});

test('an empty table says what there is to say', () => {
  const rows = { rows: { ...examples.toView.frame.rows, first: 0, total: 0, count: 0 } };
  const window = { ...examples.toView.frame.head.window, total: 0 };
  const head = { ...examples.toView.frame.head, window, state: 'live', start: 'earliest', errors: 0, failed: 0 };
  const said = (): string => el.querySelector('.sl-messages > .sl-empty')?.textContent ?? '';
  show({ ...rows, head }, []);
  expect(said()).toBe('Waiting for messages: there are none yet, read from the earliest.');
  show({ ...rows, head: { ...head, errors: 400, failed: 400 } }, []);
  expect(said()).toBe('No message came through: 400 errors, and the tab Errors tells why.');
  show({ ...rows, head: { ...head, errors: 1, failed: 0 } }, []); // before it was restarted
  expect(said()).toBe('Waiting for messages: there are none yet, read from the earliest.');
});

test('the toolbar says from where to where is read, and what is passed over', () => {
  const said = (more: object): string => {
    show({ head: { ...examples.toView.frame.head, mode: 'observe', start: '10', ...more } });
    return el.querySelector('.sl-mode')?.textContent ?? '';
  };
  expect(said({})).toBe('observe, from 10');
  expect(said({ stop: '20' })).toBe('observe, from 10 to 20');
  expect(said({ stop: 'end', committed: true })).toBe('observe, from 10 to end, committed only');
  expect(said({ start: '' })).toBe('observe');
});

test('it says that values have more fields than the table has columns', () => {
  const columns = (): string => el.querySelector('.sl-tools .sl-anchor:not(.sl-filterbox) > button')?.textContent ?? '';
  show({ columns: { names: ['id', 'amount'], more: false } });
  expect(columns()).toBe('Columns');
  show({ columns: { names: ['id', 'amount'], more: true } });
  expect(columns()).toBe('First 2 columns');
  expect(el.querySelector('.sl-picklist')?.parentElement?.textContent).toContain('more fields than these 2');
});

const slid = (base: number, first: number, more: object = {}): object => ({
  rows: { ...examples.toView.frame.rows, base, first, count: 40, total: 1000, ...more },
});
const block = (from: number): unknown[] =>
  Array.from({ length: 40 }, (_, i) => [from + i, '0', String(from + i), '0', 'k', '1', '1', null]);
function press(key: string): void {
  el.querySelector('.sl-grid')?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
}
const texts = (): (string | null)[] => [...el.querySelectorAll('.sl-row:not(.sl-missing)')].map(row => row.textContent);

test('rows that are anchored stay where they are while the window slides', () => {
  show(slid(0, 960), block(960));
  press('f');
  expect(ui().follow).toBe(false);
  const shown = (): Map<string | null, string> =>
    new Map(
      [...el.querySelectorAll<HTMLElement>('.sl-row:not(.sl-missing)')].map(row => [
        row.textContent,
        row.getAttribute('aria-rowindex') ?? '',
      ]),
    );
  const before = shown();
  show(slid(100, 860), block(960));
  const after = shown();
  const [text, index] = [...before][10] ?? [];
  expect(after.get(text ?? '')).toBe(String(Number(index) - 100));
});

test('rows that leave the window while they are in sight stay there, and it is said, until the user moves on', () => {
  const left = el.querySelector<HTMLElement>('.sl-left');
  show(slid(0, 960), block(960));
  press('f');
  show(slid(100, 860), block(960));
  expect(left?.hidden).toBe(true);
  const before = texts();
  for (const base of [1500, 2500]) {
    show(slid(base, 0), block(base));
    expect(texts()).toEqual(before);
    expect(left?.hidden).toBe(false);
  }
  expect(el.querySelector('.sl-newer')?.textContent).toBe('2,500 new');
  left?.querySelector('button')?.click();
  expect(left?.hidden).toBe(true);
  expect(texts()[0]).toContain('2,500');
});

const again = (): void => {
  close();
  model.sent.length = 0;
  close = widget.render({ model, el });
};

test('a view that is drawn anew begins at the rows that were looked at, however far the window slid meanwhile', () => {
  const first = (): number => Number(el.querySelector('.sl-row')?.getAttribute('aria-rowindex'));
  show(slid(0, 960), block(960));
  for (let i = 0; i < 40; i += 1) press('PageUp');
  const before = first();
  again();
  show(slid(100, 860), block(960));
  expect(first()).toBe(before - 100);
});

test('a view that is drawn anew and does not follow begins at the newest rows where nothing is known of what was looked at', () => {
  show(slid(0, 960), block(960));
  press('f');
  again();
  const before = ui();
  expect(before.follow).toBe(false);
  show(slid(0, 960, { era: 7 }), block(960));
  expect(texts().at(-1)).toContain('999');
});

test('rows that a filter hid are not new when it is taken away, nor those that it finds while it looks', () => {
  const newer = (): boolean => el.querySelector<HTMLElement>('.sl-newer')?.hidden === false;
  show(slid(0, 960), block(960));
  press('f');
  show(slid(0, 0, { era: 1, total: 40, order: 'filtered', scanning: true }), block(0));
  show(slid(0, 0, { era: 1, total: 80, order: 'filtered', scanning: true }), block(0));
  show(slid(0, 0, { era: 1, total: 90, order: 'filtered' }), block(0));
  expect(newer()).toBe(false);
  show(slid(0, 0, { era: 2 }), block(0));
  expect(newer()).toBe(false);
  show(slid(0, 0, { era: 2, total: 1003 }), block(0));
  expect(el.querySelector('.sl-newer')?.textContent).toBe('3 new');
});

test.each(['Home', 'f'])('%s goes on from rows that have left', key => {
  show(slid(0, 960), block(960));
  press('f');
  show(slid(2500, 960), block(3460));
  expect(el.querySelector<HTMLElement>('.sl-left')?.hidden).toBe(false);
  press(key);
  expect(el.querySelector<HTMLElement>('.sl-left')?.hidden).toBe(true);
  expect(ui().follow).toBe(key === 'f');
});

test('a window that was cleared shows what it has now, also to who had scrolled up', () => {
  show(slid(0, 960), block(960));
  press('f');
  show(slid(2500, 0, { era: 1, total: 40 }), block(2500));
  expect(el.querySelector<HTMLElement>('.sl-left')?.hidden).toBe(true);
  expect(texts().at(-1)).toContain('2,539');
});

test('keys do not leave the widget, Tab does', () => {
  const heard: string[] = [];
  el.addEventListener('keydown', event => heard.push(event.key));
  const button = el.querySelector('button');
  for (const key of ['d', 'Enter', 'Tab', 'f']) button?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  expect(heard).toEqual(['Tab']);
});

test('everything that can have the focus keeps shortcuts away', () => {
  show(examples.toView.frame);
  const focusable = [...el.querySelectorAll('button, input, select, textarea, summary, [tabindex]')];
  expect(focusable.length).toBeGreaterThan(20);
  expect(focusable.filter(element => !element.hasAttribute(OWN_KEYS))).toEqual([]);
});

test('a section that cannot be drawn does not keep the others from being drawn', () => {
  const heads: unknown[] = [];
  const nothing = (): void => undefined;
  const broken = (): void => {
    throw new Error('broken');
  };
  const handlers = {
    head: (head: unknown) => heads.push(head),
    pipe: broken,
    columns: nothing,
    rows: nothing,
    hist: nothing,
    sample: nothing,
    batch: nothing,
    errors: nothing,
    graph: nothing,
    notice: nothing,
  };
  const { head, pipe } = examples.toView.frame;
  const frame = { t: 'frame' as const, view: 'v', n: 1, after: 0, ask: true, head, pipe };
  expect(() => deal(frame, null, handlers)).toThrow(AggregateError);
  expect(heads).toHaveLength(1);
});

test('what is wrong with the filter is told below it, anything else in the notice line', () => {
  const problem = { notice: { text: 'a value is missing', kind: 'alarm' } };
  show(problem);
  expect(el.querySelector<HTMLElement>('.sl-notice')?.hidden).toBe(false);
  model.set('ui', { ...ui(), filter: 'amount >' });
  model.emit('change:ui');
  show(problem);
  expect(el.querySelector<HTMLElement>('.sl-notice')?.hidden).toBe(true);
  expect(el.querySelector('.sl-filtererror')?.textContent).toBe('a value is missing');
});

test('a window that is smaller because many share the memory says so, and a size that nobody wrote goes on to be shared', () => {
  const { head } = examples.toView.frame;
  const status = (window: object): string | null | undefined => {
    show({ head: { ...head, window: { ...head.window, ...window } } });
    return el.querySelector('.sl-statusline')?.textContent;
  };
  const why = (): string | null | undefined => el.querySelector('.sl-statusline .sl-num')?.getAttribute('title');
  expect([status({ sharing: 4 }), status({ maxBytes: 5e7, sharing: 0 })].join()).not.toContain('at most');
  expect(why()).toBeNull();
  expect(status({ maxBytes: 5e7, sharing: 20 })).toContain('at most 50.0 MB');
  expect(why()).toContain('20 explorers share the memory');
  const press = (label: string): void =>
    [...el.querySelectorAll('button')].find(one => (one.getAttribute('aria-label') ?? one.textContent) === label)?.click();
  const input = (label: string): HTMLInputElement | null => el.querySelector(`input[aria-label="${label}"]`);
  press('More');
  press('Set');
  expect(model.of('do').at(-1)).toMatchObject({ action: 'window', args: { messages: 100_000 } });
  expect(model.of('do').at(-1)?.args).not.toHaveProperty('bytes');
  const size = input('Megabytes in the window');
  if (size) size.value = '60';
  press('Set');
  expect(model.of('do').at(-1)).toMatchObject({ args: { bytes: 60_000_000 } });
});

test('without subshells the view says so', () => {
  const head = { ...examples.toView.frame.head, subshells: false };
  show({ head });
  expect(el.querySelector<HTMLElement>('.sl-banner')?.hidden).toBe(false);
});

test('a kernel that is gone is told, and what needs it is off, until it is heard again', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  close();
  close = widget.render({ model, el });
  const mine = model.of('hello').at(-1)?.view;
  const hear = (sections: object): void => {
    model.emit('msg:custom', { ...sections, t: 'frame', view: mine, n: 1, after: 0, ask: true }, [bufferOf([])]);
    draw();
  };
  const { head, pipe } = examples.toView.frame;
  const texts = (): (string | undefined)[] => ['.sl-state', '.sl-banner'].map(one => el.querySelector(one)?.textContent);
  const off = (): (string | null)[] => [...el.querySelectorAll('button:disabled')].map(one => one.textContent);
  hear({ head, pipe });
  expect(texts()).toEqual(['live', '']);
  expect(off()).not.toContain('Pause');
  vi.advanceTimersByTime(20_000);
  expect(texts()).toEqual(['no kernel', expect.stringContaining('Run the cell again')]);
  expect(off()).toEqual(expect.arrayContaining(['Pause', 'Stop', 'Clear', 'Processor']));
  hear({});
  expect(texts()).toEqual(['live', '']);
  expect(off()).not.toContain('Pause');
  hear({ head: { ...head, subshells: false } });
  vi.advanceTimersByTime(20_000);
  expect(texts()).toEqual(['waiting', expect.stringContaining('no subshells')]);
  expect(off()).not.toContain('Pause');
  vi.useRealTimers();
});

test('while the kernel is silent no place shows what flowed before it fell silent; what was counted stays', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  close();
  close = widget.render({ model, el });
  document.head.append(h('style', {}, css));
  const { head, pipe } = examples.toView.frame;
  const sections = { head: { ...head, buffered: 5_000_000, busy: 'enrich' }, pipe };
  model.emit('msg:custom', { ...sections, t: 'frame', view: model.of('hello').at(-1)?.view, n: 1, after: 0, ask: true }, []);
  draw();
  const edge = svg('g', { class: 'edge' }, svg('text', { class: 'sl-marktext' }));
  el.querySelector('.sl-graph')?.append(svg('svg', {}, edge));
  const visible = (one: string): boolean[] =>
    [...el.querySelectorAll(one)].map(found => getComputedStyle(found).visibility === 'visible');
  const flowing = ['.sl-spark', '.sl-volume', '.sl-lag', '.sl-edge span', '.sl-marktext', '.sl-buffered', '.sl-busy'];
  const flows = (): boolean[] => flowing.flatMap(visible);
  expect(flows().length).toBeGreaterThan(flowing.length);
  expect(flows()).not.toContain(false);
  expect(el.querySelector('.sl-busy')?.textContent).toBe('enrich is at work');
  vi.advanceTimersByTime(20_000);
  expect(flows()).not.toContain(true);
  expect(['.sl-badge', '.sl-node', '.sl-statusline span'].map(one => visible(one)[0])).toEqual([true, true, true]);
  vi.useRealTimers();
});

test('a node of the pipeline that is selected elsewhere comes into sight', () => {
  const { head, pipe } = examples.toView.frame;
  const nodes = [...pipe.nodes, { ...pipe.nodes[1], id: 'processor:last', name: 'last', label: 'last' }];
  show({ head, pipe: { nodes } });
  const steps = el.querySelector<HTMLElement>('.sl-steps');
  const last = [...el.querySelectorAll<HTMLElement>('.sl-node')].at(-1);
  if (!steps || !last) throw new Error('no pipeline');
  steps.getBoundingClientRect = () => new DOMRect(0, 0, 300, 40);
  last.getBoundingClientRect = () => new DOMRect(900, 0, 100, 40);
  const selected = { ...ui(), selected: { kind: 'processor', name: 'last' } };
  model.set('ui', selected);
  model.emit('change:ui');
  expect(steps.scrollLeft).toBe(700);
});

test('without a kernel the graph is not said to be on its way', () => {
  show({ head: examples.toView.frame.head });
  const said = (): string | undefined =>
    el.querySelector('.sl-graph')?.parentElement?.querySelector('[role=status]')?.textContent;
  expect(said()).toBe('Drawing the graph…');
  model.emit('comm_live_update');
  expect(said()).toContain('Run the cell again');
  show({ head: examples.toView.frame.head });
  expect(said()).toBe('Drawing the graph…');
});

test('a stream that is over offers to restart', () => {
  show({ head: { ...examples.toView.frame.head, state: 'stopped' } });
  const line = el.querySelector<HTMLElement>('.sl-condition');
  expect(line?.hidden).toBe(false);
  line?.querySelector('button')?.click();
  expect(model.of('do').at(-1)).toMatchObject({ action: 'restart' });
});

test('an outage is told with its cause, and that nothing needs to be done', () => {
  show({ head: { ...examples.toView.frame.head, state: 'retrying', detail: 'kafka:9092 refused', lag: null } });
  const line = el.querySelector<HTMLElement>('.sl-condition');
  expect(line?.hidden).toBe(false);
  expect(line?.textContent).toContain('goes on by itself');
  expect(line?.textContent).toContain('kafka:9092 refused');
  expect(line?.querySelector('button')?.hidden).toBe(true);
  expect(el.querySelector('.sl-lag')?.textContent).toBe('');
});

test('while a stream stops it can be neither stopped nor paused nor run', () => {
  show({ head: { ...examples.toView.frame.head, state: 'stopping' } });
  expect(el.querySelector('.sl-state')?.textContent).toBe('stopping');
  expect(el.querySelector('.sl-condition')?.textContent).toContain('as soon as its processor returns');
  const buttons = [...el.querySelectorAll<HTMLButtonElement>('.sl-toolbar button')];
  const can = buttons.filter(one => !one.hidden && !one.disabled).map(one => one.textContent);
  for (const label of ['Stop', 'Pause', 'Run']) expect(can).not.toContain(label);
});

test('closing says bye and leaves nothing', () => {
  close();
  expect(model.of('bye')).toHaveLength(1);
  expect(el.childElementCount).toBe(0);
  show(examples.toView.frame);
  expect(model.of('ack')).toEqual([]);
});

test('another protocol is told in words', () => {
  const other = new TestModel();
  other.set('protocol', 2);
  widget.render({ model: other, el });
  expect(el.textContent).toContain('another version');
});
