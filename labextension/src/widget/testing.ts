/** What the tests share: a model that records, examples of all messages, the parts of a browser that jsdom lacks. */
import examples from '../../protocol/examples.json';
import type { Model } from './link';

type Callback = (...args: unknown[]) => void;
export { examples };

export class TestModel implements Model {
  readonly sent: Record<string, unknown>[] = [];
  saves = 0;
  private readonly traits: Record<string, unknown> = { protocol: 1, ui: {} };
  private readonly listeners = new Map<string, Set<Callback>>();

  get(name: string): unknown {
    return this.traits[name];
  }
  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }
  save_changes(): void {
    this.saves += 1;
  }
  on(name: string, callback: Callback): void {
    this.listeners.set(name, (this.listeners.get(name) ?? new Set()).add(callback));
  }
  off(name: string, callback: Callback): void {
    this.listeners.get(name)?.delete(callback);
  }
  send(content: object): void {
    this.sent.push(content as Record<string, unknown>);
  }
  emit(name: string, ...args: unknown[]): void {
    for (const callback of [...(this.listeners.get(name) ?? [])]) callback(...args);
  }
  of(t: string): Record<string, unknown>[] {
    return this.sent.filter(message => message.t === t);
  }
}

export function bufferOf(value: unknown): DataView {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Tells once that all is in sight; nothing changes its size or place in jsdom. */
class Observer {
  constructor(private readonly tell: (entries: { isIntersecting: boolean }[]) => void) {}
  observe(): void {
    this.tell([{ isIntersecting: true }]);
  }
  disconnect(): void {
    // Nothing to undo.
  }
}

export function standIns(): void {
  Object.assign(globalThis, { ResizeObserver: Observer, IntersectionObserver: Observer });
  // jsdom lays nothing out: the table needs a height to draw rows in.
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => 320 });
  Object.defineProperty(HTMLElement.prototype, 'clientWidth', { configurable: true, get: () => 900 });
  HTMLCanvasElement.prototype.getContext = () => null;
}

/** Frames are drawn when this is called. */
export function manualFrames(): () => void {
  let waiting: (() => void)[] = [];
  globalThis.requestAnimationFrame = callback => waiting.push(() => callback(0));
  globalThis.cancelAnimationFrame = () => {
    waiting = [];
  };
  return () => {
    const now = waiting;
    waiting = [];
    for (const draw of now) draw();
  };
}
