import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Link } from './link';
import type { Frame } from './protocol';
import { isText, shape } from './guards';
import { bufferOf, manualFrames, TestModel } from './testing';

let model: TestModel;
let draw: () => void;
let drawn: [Frame, DataView | null][];
let fail: boolean;
let heard: boolean[];
let link: Link;

beforeEach(() => {
  vi.useFakeTimers();
  model = new TestModel();
  draw = manualFrames();
  drawn = [];
  fail = false;
  heard = [];
  link = new Link(
    model,
    (frame, rows) => {
      drawn.push([frame, rows]);
      if (fail) throw new Error('cannot be drawn');
    },
    answers => heard.push(answers),
  );
});
afterEach(() => {
  link.close();
  vi.useRealTimers();
});

const frame = (n: number, more: object = {}): object => ({
  t: 'frame',
  view: link.view,
  n,
  after: n - 1,
  ask: true,
  ...more,
});
const acks = (): unknown[] => model.of('ack').map(({ n, room }) => [n, room]);

test('a frame is acknowledged after it was drawn, not before', () => {
  model.emit('msg:custom', frame(1), []);
  expect(model.of('ack')).toEqual([]);
  draw();
  expect(drawn).toHaveLength(1);
  expect(model.of('ack')).toEqual([{ t: 'ack', view: link.view, n: 1, room: 24 }]);
});

test('a frame that cannot be drawn is acknowledged, and logged once', () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  fail = true;
  for (const n of [1, 2]) {
    model.emit('msg:custom', frame(n), []);
    draw();
  }
  expect(model.of('ack').map(ack => ack.n)).toEqual([1, 2]);
  expect(log).toHaveBeenCalledOnce();
});

test('frames that come before one was drawn are laid over each other', () => {
  const rows = bufferOf([]);
  model.emit('msg:custom', frame(1, { head: 1, rows: 'a' }), [rows]);
  model.emit('msg:custom', frame(2, { head: 2 }), []);
  draw();
  expect(drawn).toEqual([[frame(2, { head: 2, rows: 'a' }), rows]]);
  expect(model.of('ack').map(ack => ack.n)).toEqual([2]);
});

test('frames that are drawn in time are acknowledged together, when the kernel asks for it or after a while', () => {
  for (let n = 1; n <= 5; n += 1) {
    model.emit('msg:custom', frame(n, { ask: n === 4 }), []);
    draw();
  }
  expect(acks()).toEqual([[4, 24]]);
  vi.advanceTimersByTime(2_000);
  expect(acks()).toEqual([
    [4, 24],
    [5, 24],
  ]);
  vi.advanceTimersByTime(20_000);
  expect(acks()).toHaveLength(2);
});

test('a page that falls behind has room for one frame, until it has caught up', () => {
  for (const n of [1, 2, 3]) model.emit('msg:custom', frame(n, { ask: false }), []);
  draw();
  expect(acks()).toEqual([[3, 1]]);
  model.emit('msg:custom', frame(4), []);
  draw();
  expect(acks()).toEqual([
    [3, 1],
    [4, 24],
  ]);
});

test('when a frame was lost none is acknowledged until one says everything', () => {
  model.emit('msg:custom', frame(1), []);
  draw();
  for (const n of [3, 4]) {
    model.emit('msg:custom', frame(n), []);
    draw();
  }
  expect(drawn.map(([one]) => one.n)).toEqual([1, 3, 4]);
  expect(acks()).toEqual([[1, 24]]);
  model.emit('msg:custom', frame(9, { after: 0 }), []);
  draw();
  model.emit('msg:custom', frame(10), []);
  draw();
  expect(acks().slice(1)).toEqual([
    [9, 24],
    [10, 24],
  ]);
});

test('frames of another view are left alone', () => {
  model.emit('msg:custom', frame(1, { view: 'other' }), []);
  draw();
  expect(model.sent).toEqual([]);
});

test('an answer finds its request, and is checked', async () => {
  const asked = link.ask(shape({ text: isText }), 'copy', { seq: 1 });
  const other = link.ask(shape({ text: isText }), 'cell');
  const [first, second] = model.of('do');
  model.emit('msg:custom', { t: 'reply', view: link.view, rid: second?.rid, ok: true, data: { text: 1 } }, []);
  model.emit('msg:custom', { t: 'reply', view: link.view, rid: first?.rid, ok: true, data: { text: 'a' } }, []);
  await expect(asked).resolves.toEqual({ text: 'a' });
  await expect(other).rejects.toThrow('not understood');
});

test('a refusal is told in the words of the kernel', async () => {
  const asked = link.request('retry');
  model.emit('msg:custom', { t: 'reply', view: link.view, rid: model.of('do')[0]?.rid, ok: false, error: 'restart it' }, []);
  await expect(asked).rejects.toThrow('restart it');
});

test('a request without an answer fails after its time, later where answers wait for a cell', async () => {
  const asked = expect(link.request('open')).rejects.toThrow('within 15 seconds');
  link.subshells = false;
  let settled = false;
  const patient = link.request('open').catch(() => (settled = true));
  await vi.advanceTimersByTimeAsync(15_000);
  await asked;
  expect(settled).toBe(false);
  link.close();
  await patient;
});

const answer = (): void => {
  const asked = model.of('do').at(-1);
  model.emit('msg:custom', { t: 'reply', view: link.view, rid: asked?.rid, ok: true, data: null }, []);
};

const signOfLife = (): void => {
  model.emit('msg:custom', { t: 'reply', view: link.view, rid: '', ok: true, data: null }, []);
};

test('a kernel that answers, or sends frames, is there; one that does neither for 15 seconds is not, until it is heard', async () => {
  link.open(14);
  for (let i = 0; i < 3; i += 1) {
    await vi.advanceTimersByTimeAsync(10_000);
    expect(model.of('do').at(-1)).toMatchObject({ action: 'ping' });
    answer();
  }
  await vi.advanceTimersByTimeAsync(14_000);
  model.emit('msg:custom', frame(1), []);
  await vi.advanceTimersByTimeAsync(14_000);
  expect(heard).toEqual([]);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(heard).toEqual([false]);
  model.emit('msg:custom', { ...frame(2), view: 'other' }, []);
  expect(heard).toEqual([false]);
  answer();
  expect(heard).toEqual([false, true]);
  await vi.advanceTimersByTimeAsync(20_000);
  model.emit('msg:custom', frame(3), []);
  expect(heard).toEqual([false, true, false, true]);
});

test('a kernel that is restarted is gone at once, until it is heard', () => {
  link.open(14);
  signOfLife();
  model.emit('comm_live_update');
  expect(heard).toEqual([false]);
  model.emit('msg:custom', frame(1), []);
  expect(heard).toEqual([false, true]);
});

test('what is asked of a kernel that is gone is refused at once, and asked again once it is heard', async () => {
  link.open(14);
  const pending = expect(link.request('open')).rejects.toThrow('Run the cell again');
  model.emit('comm_live_update');
  await pending;
  await expect(link.request('copy')).rejects.toThrow('Run the cell again');
  signOfLife();
  const asked = link.request('copy');
  answer();
  await asked;
});

test('a page that slept does not take its own sleep for silence', () => {
  link.open(14);
  signOfLife();
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersToNextTimer();
  expect(heard).toEqual([]);
});

test('hello is said again, after longer and longer waits, until the kernel is heard', async () => {
  link.open(14);
  const hellos = (): number => model.of('hello').length;
  expect(hellos()).toBe(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(hellos()).toBe(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(hellos()).toBe(3);
  await vi.advanceTimersByTimeAsync(1_000);
  signOfLife();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(hellos()).toBe(3);
});

test('a view that cannot say bye any more is told of by the next hello', () => {
  link.open(14);
  expect(model.of('hello')[0]).toMatchObject({ gone: [] });
  model.send = () => {
    throw new Error('Cannot send');
  };
  link.close();
  const other = new TestModel();
  const next = new Link(
    other,
    () => undefined,
    () => undefined,
  );
  next.open(14);
  expect(other.of('hello')[0]).toMatchObject({ gone: [link.view] });
  next.close();
});

test('hello at first, questions in between, bye at last, and then nothing', async () => {
  link.open(14);
  signOfLife();
  await vi.advanceTimersByTimeAsync(20_000);
  link.close();
  link.close();
  await vi.advanceTimersByTimeAsync(20_000);
  model.emit('msg:custom', frame(1), []);
  draw();
  expect(model.sent.map(message => message.t)).toEqual(['hello', 'do', 'do', 'bye']);
  expect(model.sent[0]).toMatchObject({ rows: 14, keeps: false });
});
