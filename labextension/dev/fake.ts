/**
 * A stand-in for the kernel: speaks the protocol with made-up data, ten frames a second, each after the ack of the last.
 *
 * Parameters of the page's address: `rate` (messages a second), `wide` (more columns), `window` (messages), `state`.
 */
import type { Model } from '../src/widget/link';
import type { Head, PipeNode, Ui } from '../src/widget/protocol';
import { START } from '../src/widget/ui';
import { columns, order, START_MS, toRow, toTree } from './data';

type Content = Record<string, unknown>;
type Callback = (...args: unknown[]) => void;

const TICK_MS = 100;
const RAW = 131;
const SENT = 60;

interface Port {
  first: number;
  count: number;
  follow: boolean;
  base: number;
  columns: string[];
}

function node(kind: PipeNode['kind'], name: string, detail: string, more: Partial<PipeNode> = {}): PipeNode {
  return {
    id: `n-${name}`,
    kind,
    name,
    label: name,
    code: 0,
    detail,
    enabled: true,
    errors: 0,
    seen: 0,
    passed: 0,
    skipped: 0,
    seconds: null,
    rate: null,
    ...more,
  };
}

function raw(text: string, withheld = false): Content {
  return {
    text,
    hex: `00000000  ${Array.from(new TextEncoder().encode(text), byte => byte.toString(16)).join(' ')}`,
    size: withheld ? 10_000_000 : text.length,
    withheld,
    utf8: true,
  };
}

export class FakeModel implements Model {
  /** What the views sent, for tests that look at it. */
  readonly sent: Content[] = [];
  private readonly traits: Record<string, unknown>;
  private readonly listeners = new Map<string, Set<Callback>>();
  private readonly ports = new Map<string, Port>();
  private readonly waiting = new Set<string>();
  private readonly unseen = new Set<string>();
  private total = 0;
  private state: Head['state'] = 'live';
  private frames = 0;
  private stepping = false;
  private code = 'def enrich(order):\n    order["vat"] = order["amount"] * 0.19\n    return order\n';
  private nodes: PipeNode[];
  private retried = new Set<number>();
  private spark: number[] = Array.from({ length: 60 }, (_, i) => 80_000 + 15_000 * Math.sin(i / 6));

  constructor(private readonly options: { rate: number; wide: number; max: number; subshells: boolean; assets: string }) {
    this.traits = { protocol: 1, ui: { ...START, selected: { kind: 'processor', name: 'enrich' } } satisfies Ui };
    this.total = Math.min(options.max, 5000);
    this.nodes = [
      node('source', 'orders', '4 partitions'),
      node('processor', 'enrich', '0.8 µs', { seconds: 1 }),
      node('filter', 'only_eur', '41 % pass', { errors: 3 }),
      node('processor', 'fraud_score', '', { enabled: false }),
      node('take', 'take 100, 1 s', '405 batches/s'),
      node('echo', 'echo: eur-orders', 'explicit write'),
    ];
    setInterval(() => this.tick(), TICK_MS);
  }

  get(name: string): unknown {
    return this.traits[name];
  }
  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }
  save_changes(): void {
    this.emit('change:ui');
  }
  on(name: string, callback: Callback): void {
    const known = this.listeners.get(name) ?? new Set();
    known.add(callback);
    this.listeners.set(name, known);
  }
  off(name: string, callback: Callback): void {
    this.listeners.get(name)?.delete(callback);
  }
  send(content: object): void {
    const message = structuredClone(content) as Content;
    this.sent.push(message);
    if (this.sent.length > 500) this.sent.shift();
    setTimeout(() => this.hear(message), 15);
  }

  private emit(name: string, ...args: unknown[]): void {
    for (const callback of [...(this.listeners.get(name) ?? [])]) callback(...args);
  }

  private get ui(): Ui {
    return this.traits.ui as Ui;
  }
  private get base(): number {
    return Math.max(0, this.total - this.options.max);
  }

  private hear(message: Content): void {
    const view = String(message.view);
    if (message.t === 'hello')
      this.ports.set(view, { first: 0, count: Number(message.rows), follow: true, base: 0, columns: [] });
    else if (message.t === 'bye') this.ports.delete(view);
    else if (message.t === 'seen') this.unseen[message.on === true ? 'delete' : 'add'](view);
    else if (message.t === 'port') this.ports.set(view, message as unknown as Port);
    else if (message.t === 'ack') this.waiting.delete(view);
    else if (message.t === 'do') void this.answer(view, String(message.rid), String(message.action), message.args as Content);
  }

  private async answer(view: string, rid: string, action: string, args: Content): Promise<void> {
    try {
      const { data, buffers } = await this.act(action, args);
      this.emit('msg:custom', { t: 'reply', view, rid, ok: true, data }, buffers);
    } catch (error) {
      this.emit('msg:custom', { t: 'reply', view, rid, ok: false, error: (error as Error).message }, []);
    }
  }

  private async act(action: string, args: Content): Promise<{ data: unknown; buffers: DataView[] }> {
    if (action === 'rows') {
      const first = Number(args.first) + Number(args.base ?? this.base) - this.base;
      const { section, buffer } = this.rows(Math.max(0, first), Number(args.count), args.columns as string[]);
      return { data: section, buffers: [buffer] };
    }
    if (action === 'asset') {
      const bytes = await (await fetch(`${this.options.assets}/${String(args.name)}.js`)).arrayBuffer();
      return { data: {}, buffers: [new DataView(bytes)] };
    }
    return { data: this.reply(action, args), buffers: [] };
  }

  private reply(action: string, args: Content): unknown {
    const at = (): number => this.nodes.findIndex(one => one.name === args.name);
    const patch = (more: Partial<PipeNode>): void => {
      this.nodes = this.nodes.map(one => (one.name === args.name ? { ...one, ...more } : one));
    };
    switch (action) {
      case 'run':
      case 'restart':
        this.state = 'live';
        return {};
      case 'pause':
        this.state = 'paused';
        return {};
      case 'stop':
        this.state = 'stopped';
        return {};
      case 'clear':
        this.total = 0;
        return {};
      case 'enable':
        patch({ enabled: args.on === true });
        return {};
      case 'remove':
        this.nodes = this.nodes.filter(one => one.name !== args.name);
        return {};
      case 'move': {
        const moved = this.nodes.splice(at(), 1);
        this.nodes.splice(Number(args.to) + 1, 0, ...moved);
        this.nodes = [...this.nodes];
        return {};
      }
      case 'code':
        return {
          code: args.name === 'enrich' ? this.code : `def ${String(args.name)}(value):\n    return value\n`,
          editable: true,
          where: '',
        };
      case 'names':
        return { names: ['enrich', 'only_eur', 'to_cents'] };
      case 'pick':
        this.nodes.splice(4, 0, node('processor', String(args.name), ''));
        return { name: args.name };
      case 'try':
        if (String(args.code).includes('!')) throw new Error('line 2, column 7: invalid syntax');
        return {
          summary: '997 ok, 0 skipped, 3 errors, 0.9 µs each',
          tried: 1000,
          asked: 1000,
          ok: 997,
          skipped: 0,
          errors: 3,
          microseconds: 0.9,
          unfinished: false,
          rows: Array.from({ length: 20 }, (_, i) => ({
            seq: i,
            where: `0 / ${i}`,
            status: 'ok',
            before: `{'id': ${i}, 'amount': 412.5}`,
            after: `{'id': ${i}, 'amount': 412.5, 'vat': 78.38}`,
            error: null,
            traceback: '',
          })),
          failures: [1, 2, 3].map(i => ({
            seq: i,
            where: `0 / ${i}`,
            status: 'error',
            before: `{'id': ${i}}`,
            after: '',
            error: "KeyError: 'amount'",
            traceback: "KeyError: 'amount'",
          })),
          printed: { text: '412.5\n<b>412.5</b>\n', leftOut: 1234 },
        };
      case 'apply': {
        const name = /def\s+(\w+)/.exec(String(args.code))?.[1] ?? 'processor';
        if (args.name === '') this.nodes.splice(4, 0, node('processor', name, ''));
        else this.code = String(args.code);
        return { name: args.name === '' ? name : args.name };
      }
      case 'cell':
        return { text: `@s.processor\n${this.code}` };
      case 'open': {
        const o = order(Number(args.seq), this.options.rate);
        const large = o.seq % 11 === 0;
        return {
          seq: o.seq,
          topic: 'orders',
          partition: o.partition,
          offset: String(o.offset),
          timestamp: o.time,
          timestampType: 'set by the producer',
          key: { k: 's', v: o.key },
          rawKey: raw(o.key),
          value: large ? { k: 's', v: 'xxxxxxxx', w: 10_000_000 } : toTree(o, true),
          raw: raw(`{"id": ${o.id}}`, large),
          decoder: 'JSON',
          headers: [
            ['trace', 'abc', '61 62 63'],
            ['trace', '<b>def</b>', '3c 62'],
            ['empty', null, ''],
          ],
          headersTotal: 3,
          sizes: { key: 4, value: RAW, headers: 13 },
        };
      }
      case 'part': {
        const next = Number(args.offset) + 200_000;
        return {
          text: `${args.part === 'hex' ? '00000000  7b 22 69 64 22 3a  {"id":' : '{"id": 9007199254740993, "amount": 412.5}'}\n`,
          next: next < 600_000 ? next : null,
          size: 600_000,
        };
      }
      case 'copy':
        return { text: args.as === 'json' ? '{"id": 9007199254740993}' : "{'id': 9007199254740993}" };
      case 'errors':
        return { rows: [], total: 3, kept: 3, oldest: 0 };
      case 'error':
        return {
          topic: 'orders',
          partition: 0,
          offset: String(301204 + Number(args.index)),
          timestamp: START_MS,
          processor: 'only_eur',
          error: 'KeyError',
          message: "'currency'",
          traceback:
            'Traceback (most recent call last):\n  File "only_eur", line 2, in only_eur\n    return order["currency"] == "EUR"\nKeyError: \'currency\'',
          value: null,
          raw: raw('{"id": 9007199254740993}'),
          rawKey: raw('a37'),
          headers: [['trace', 'abc', '61 62 63']],
        };
      case 'retry':
        for (const index of args.indices as number[]) this.retried.add(index);
        return { retried: (args.indices as number[]).length };
      case 'step':
        if (args.on !== null) this.stepping = args.on === true;
        return {};
      default:
        return {};
    }
  }

  private failure(index: number): {
    index: number;
    at: number;
    where: string;
    processor: string;
    error: string;
    message: string;
  } {
    return {
      index,
      at: START_MS + index * 1000,
      where: `orders 0:${301204 + index}`,
      processor: 'only_eur',
      error: 'KeyError',
      message: "'currency'",
    };
  }

  private rows(first: number, count: number, wanted: string[]): { section: Content; buffer: DataView } {
    const { order: kind, all } = this.ordered();
    const from = Math.min(first, Math.max(0, all - 1));
    const n = Math.max(0, Math.min(count, all - from));
    const step = kind === 'filtered' ? 2 : 1;
    const known = columns(this.options.wide);
    const fields = known.filter(one => one.group === 'value');
    const sent = wanted.length > 0 ? fields.filter(one => wanted.includes(one.name)) : fields.slice(0, SENT);
    const cols = [...known.filter(one => one.group === 'meta'), ...sent];
    const rows = Array.from({ length: n }, (_, i) => {
      const index = kind === 'sorted' && this.ui.sort?.[1] === 'desc' ? all - 1 - from - i : from + i;
      const [seq, ...cells] = toRow(order(this.base + index * step, this.options.rate), this.options.wide);
      return [seq, ...cols.map(one => cells[known.indexOf(one)])];
    });
    const section = {
      first: from,
      count: n,
      total: all,
      base: kind === 'live' ? this.base : 0,
      order: kind,
      scanning: false,
      cols,
    };
    return { section, buffer: new DataView(new TextEncoder().encode(JSON.stringify(rows)).buffer) };
  }

  private ordered(): { order: 'live' | 'filtered' | 'sorted'; all: number } {
    const held = this.total - this.base;
    if (this.ui.sort) return { order: 'sorted', all: held };
    if (this.ui.filter !== '' || this.ui.brush) return { order: 'filtered', all: Math.floor(held / 2) };
    return { order: 'live', all: held };
  }

  private tick(): void {
    const { rate } = this.options;
    if (this.state === 'live') this.total += Math.round((rate * TICK_MS) / 1000);
    this.spark = [...this.spark.slice(1), rate * (0.85 + 0.15 * Math.sin(this.frames / 20))];
    for (const [view, port] of this.ports) {
      if (this.waiting.has(view) || this.unseen.has(view)) continue;
      this.waiting.add(view);
      this.frames += 1;
      const { all } = this.ordered();
      const first = port.follow ? Math.max(0, all - port.count) : Math.max(0, port.first + port.base - this.base);
      const { section, buffer } = this.rows(first, port.count, port.columns);
      this.emit('msg:custom', { t: 'frame', view, n: this.frames, after: 0, ask: true, rows: section, ...this.sections() }, [
        buffer,
      ]);
    }
  }

  private sections(): Content {
    const live = this.state === 'live';
    const now = order(this.total, this.options.rate);
    const flow = live ? this.options.rate : 0;
    const nodes = this.nodes.map(one => ({
      ...one,
      rate: one.kind === 'filter' ? flow * 0.41 : flow * (one.kind === 'source' || one.name === 'enrich' ? 1 : 0.41),
      seen: this.total,
      passed: this.total,
      skipped: 0,
      seconds: this.total * 8e-7,
    }));
    const from = order(this.base, this.options.rate).time;
    const step = Math.max(1, Math.ceil((now.time - from) / 120));
    return {
      head: {
        state: this.state,
        detail: '',
        name: 'orders',
        mode: 'observe',
        group: null,
        start: 'latest',
        stop: '',
        committed: false,
        rate: flow * 0.987,
        bytesRate: flow * 152,
        lag: 0,
        progress: null,
        errors: 3 - this.retried.size,
        failed: 3 - this.retried.size,
        buffered: 312,
        eventTime: [from, now.time],
        busy: null,
        subshells: this.options.subshells,
        startedHere: true,
        spark: this.spark,
        window: {
          count: this.total - this.base,
          max: this.options.max,
          total: this.total,
          bytes: (this.total - this.base) * 1200,
          maxBytes: 256e6,
          sharing: 1,
          full: this.base > 0,
        },
      },
      pipe: { nodes },
      hist: {
        from,
        step,
        counts: Array.from({ length: 120 }, (_, i) =>
          Math.round(500 + 900 * Math.abs(Math.sin((from / step + i) / 11) + 0.3 * Math.sin((from / step + i) / 3))),
        ),
        selected: this.ui.brush,
      },
      sample: {
        name: 'enrich',
        before: toTree(now),
        after: toTree(now, true),
        error: null,
        skipped: false,
        at: now.time,
        diff: [{ path: ['vat'], change: 'added' }],
      },
      batch: {
        number: Math.floor(this.frames / 4),
        size: 100,
        reason: 'full',
        stepping: this.stepping,
        waiting: this.stepping,
        columns: columns(0).map(({ name, kind }) => ({ name, kind })),
        rows: Array.from({ length: 30 }, (_, i) =>
          toRow(order(this.total + i, this.options.rate), 0)
            .slice(1)
            .map(cell => (Array.isArray(cell) ? cell[1] : cell)),
        ),
        total: 100,
      },
      errors: {
        total: 3,
        kept: 3 - this.retried.size,
        oldest: 0,
        rows: [0, 1, 2].filter(index => !this.retried.has(index)).map(index => this.failure(index)),
      },
      graph: {
        dot: this.dot(),
        processors: Object.fromEntries(this.nodes.map(one => [one.id, one.name])),
        marks: [
          ...this.nodes.slice(1).map((_, i) => ({ id: `e${i}`, text: `${Math.round(flow)}/s`, state: '' })),
          ...this.nodes.map(one => ({ id: one.id, text: '', state: !one.enabled ? 'off' : one.errors > 0 ? 'bad' : 'ok' })),
        ],
      },
      columns: { names: columns(this.options.wide).flatMap(one => (one.group === 'value' ? [one.name] : [])), more: false },
      notice: {
        text: this.ui.filter.endsWith('>') ? 'The filter ends too early: a value is missing after “>” (character 8).' : '',
        kind: this.ui.filter.endsWith('>') ? 'alarm' : 'info',
      },
    };
  }

  private dot(): string {
    const boxes = this.nodes.map(
      one => `"${one.id}" [id="${one.id}" label="${one.label}" shape=${one.kind === 'source' ? 'cylinder' : 'box'} style=filled]`,
    );
    const edges = this.nodes
      .slice(1)
      .map(
        (one, i) =>
          `"${this.nodes[i]?.id ?? ''}" -> "${one.id}" [id="e${i}" label="000,000/s"${one.enabled ? '' : ' style=dashed'}]`,
      );
    return `digraph { rankdir=LR; bgcolor=transparent; node [fontname=Helvetica fontsize=11]; ${[...boxes, ...edges].join(';')} }`;
  }
}
