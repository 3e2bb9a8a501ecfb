/** Tells the kernel which rows are in sight, and asks at once for rows that are not here: one request at a time. */
import type { Link } from './link';
import { isRows } from './protocol';
import type { Rows } from './protocol';
import type { RowStore } from './rowstore';

const PORT_MS = 120;
const AROUND = 20;

export class RowSource {
  private asking = false;
  private next: { first: number; count: number } | null = null;
  private port = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly link: Link,
    private readonly store: RowStore,
    private readonly receive: (section: Rows, buffer: DataView | null) => void,
  ) {}

  want(first: number, count: number, follow: boolean): void {
    this.tell(first, count, follow);
    if (count === 0 || this.store.has(first, count)) return;
    const from = Math.max(0, first - AROUND);
    this.next = { first: from, count: first - from + count + AROUND };
    if (!this.asking) void this.ask();
  }

  /** `base` says which row index 0 was here: the kernel can tell how far the window slid meanwhile. */
  private tell(first: number, count: number, follow: boolean): void {
    const { base } = this.store;
    const port = `${follow ? 'end' : base + first}:${count}`;
    if (port === this.port) return;
    const urgent = this.port === '' || follow !== this.port.startsWith('end');
    this.port = port;
    clearTimeout(this.timer);
    const send = (): void => this.link.send('port', { first, count, follow, base });
    if (urgent) send();
    else this.timer = setTimeout(send, PORT_MS);
  }

  private async ask(): Promise<void> {
    this.asking = true;
    for (let wanted = this.taken(); wanted; wanted = this.taken()) {
      try {
        const { data, buffers } = await this.link.request('rows', { ...wanted, base: this.store.base });
        if (isRows(data)) this.receive(data, buffers[0] ?? null);
      } catch {
        // The next scrolling, or the next frame, asks again.
      }
    }
    this.asking = false;
  }

  /** What is still wanted: what came meanwhile is not asked for again. */
  private taken(): { first: number; count: number } | null {
    const wanted = this.next;
    this.next = null;
    return wanted;
  }
}
