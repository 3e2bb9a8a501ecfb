/** Tells the kernel which rows are in sight, and asks at once for rows that are not here: one request at a time. */
import type { Link } from './link';
import { isRows } from './protocol';
import type { Rows } from './protocol';
import type { RowStore } from './rowstore';

const PORT_MS = 120;
const AROUND = 20;

export interface Wanted {
  first: number;
  count: number;
  follow: boolean;
  /** The fields to be sent; none for the first ones. */
  columns: string[];
  /** The fields in sight. */
  needed: string[];
}

interface Ask {
  first: number;
  count: number;
  columns: string[];
  base: number;
  era: number;
}

export class RowSource {
  private asking = false;
  private next: Ask | null = null;
  private asked = '';
  private port = '';
  private followed: boolean | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly link: Link,
    private readonly store: RowStore,
    private readonly receive: (section: Rows, buffer: DataView | null) => void,
  ) {}

  want(wanted: Wanted): void {
    this.tell(wanted);
    const { first, count, columns, needed } = wanted;
    if (count === 0 || this.store.has(first, count, needed)) return;
    const from = Math.max(0, first - AROUND);
    const ask = { first: from, count: first - from + count + AROUND, columns, base: this.store.base, era: this.store.era };
    // What the kernel did not have a moment ago is not asked for again: it comes with a frame.
    const key = `${ask.era}:${ask.base + from}:${ask.count}:${columns.join('\n')}`;
    if (key === this.asked) return;
    this.asked = key;
    this.next = ask;
    if (!this.asking) void this.ask();
  }

  /** `base` and `era` say which row index 0 was here: the kernel can tell how far the window slid meanwhile. */
  private tell({ first, count, follow, columns }: Wanted): void {
    const { base, era } = this.store;
    const port = `${follow ? 'end' : `${era}:${base + first}`}:${count}:${columns.join('\n')}`;
    if (port === this.port) return;
    const urgent = follow !== this.followed;
    this.port = port;
    this.followed = follow;
    clearTimeout(this.timer);
    const send = (): void => void this.link.send('port', { first, count, follow, base, era, columns });
    if (urgent) send();
    else this.timer = setTimeout(send, PORT_MS);
  }

  private async ask(): Promise<void> {
    this.asking = true;
    for (let wanted = this.taken(); wanted; wanted = this.taken()) {
      try {
        const { data, buffers } = await this.link.request('rows', wanted);
        if (isRows(data)) this.receive(data, buffers[0] ?? null);
      } catch {
        // The next scrolling, or the next frame, asks again.
        this.asked = '';
      }
    }
    this.asking = false;
  }

  /** What is still wanted: what came meanwhile is not asked for again. */
  private taken(): Ask | null {
    const wanted = this.next;
    this.next = null;
    return wanted;
  }
}
