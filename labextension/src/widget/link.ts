/** The line to the kernel of one rendered view: requests with answers, frames with acknowledgements, presence. */
import { isFrame, isReply } from './protocol';
import type { Frame } from './protocol';
import type { Guard } from './guards';
import { Pulse } from './pulse';

export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(name: string, callback: (...args: unknown[]) => void): void;
  off(name: string, callback: (...args: unknown[]) => void): void;
  send(content: object): void;
}

export interface Answer {
  data: unknown;
  buffers: DataView[];
}
type Draw = (frame: Frame, rows: DataView | null) => void;
interface Pending {
  resolve: (answer: Answer) => void;
  reject: (reason: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** Asks whether the kernel is there. */
const PING = 'ping';
const PATIENCE_MS = 15_000;
const BUSY_PATIENCE_MS = 10 * 60_000;
/**
 * The kernel counts as busy with each message, and its indicator flickers. So a page that draws each frame before the next one
 * comes has room for many, and acknowledges them together; one that falls behind has room for one, until it has caught up.
 */
const ROOM = 24;
/** Frames are acknowledged after so long also when the kernel does not ask for it. */
const ACK_MS = 2000;

/**
 * A hello that leaves before the subshell is there waits behind the running cell: it is said again, after longer and longer
 * waits, until the kernel is heard.
 */
const GREET_MS = 500;

const GONE = 'The kernel that this view belongs to is gone. Run the cell again to see the stream.';

/** Whether streamlab's plugin is in this page: it keeps a live view when the snapshot beside it changes. */
function pageKeepsViews(): boolean {
  return document.documentElement.dataset.streamlabKeeps === 'true';
}

/** Views of this page that went without a bye, because their notebook had let go of the kernel: the next hello tells of them. */
const PAGE = globalThis as { streamlabUnsaid?: string[] };
const UNSAID = 50;

export class Link {
  readonly view = Math.random().toString(36).slice(2, 12);
  /** False where requests wait for the running cell. */
  subshells = true;
  private readonly pending = new Map<string, Pending>();
  private rows = 0;
  private requests = 0;
  private waiting: { frame: Frame; rows: DataView | null } | null = null;
  private drawRequest = 0;
  /** Number of the last frame that came; null once one was lost on its way, until one comes that says everything. */
  private latest: number | null = null;
  private drawn = 0;
  private asked = false;
  private behind = false;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private greetTimer: ReturnType<typeof setTimeout> | undefined;
  private logged = false;
  private readonly pulse: Pulse;
  private closed = false;
  /** The line was given up, and nothing was heard since. */
  private gone = false;

  constructor(
    private readonly model: Model,
    private readonly draw: Draw,
    /** Told when the kernel falls silent, and when it is heard again. */
    tell: (answers: boolean) => void,
  ) {
    this.pulse = new Pulse(() => void this.request(PING).catch(() => undefined), tell);
    model.on('msg:custom', this.receive);
    model.on('comm_live_update', this.lost);
  }

  open(rows: number): void {
    this.rows = rows;
    this.greet();
    this.pulse.start();
  }

  greet(wait = GREET_MS): void {
    this.send('hello', { rows: this.rows, keeps: pageKeepsViews(), gone: PAGE.streamlabUnsaid ?? [] });
    clearTimeout(this.greetTimer);
    this.greetTimer = setTimeout(() => this.greet(wait * 2), wait);
  }

  close(): void {
    if (this.closed) return;
    if (!this.send('bye')) PAGE.streamlabUnsaid = [...(PAGE.streamlabUnsaid ?? []), this.view].slice(-UNSAID);
    this.closed = true;
    this.pulse.stop();
    clearTimeout(this.greetTimer);
    clearTimeout(this.ackTimer);
    cancelAnimationFrame(this.drawRequest);
    this.model.off('msg:custom', this.receive);
    this.model.off('comm_live_update', this.lost);
    this.refuse('This view was closed.');
  }

  /** Nobody answers any more what was asked. */
  private refuse(why: string): void {
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new Error(why));
    }
    this.pending.clear();
  }

  /** False where the comm is gone: together with the kernel, or with the notebook. */
  send(t: string, fields: object = {}): boolean {
    if (this.closed) return false;
    try {
      this.model.send({ t, view: this.view, ...fields });
      return true;
    } catch {
      return false;
    }
  }

  /** Ask the kernel to do something; rejects with a sentence for the user. */
  request(action: string, args: object = {}, patience = PATIENCE_MS): Promise<Answer> {
    if (this.closed) return Promise.reject(new Error('This view was closed.'));
    if (this.gone && action !== PING) return Promise.reject(new Error(GONE));
    this.requests += 1;
    const rid = String(this.requests);
    const limit = this.subshells ? patience : Math.max(patience, BUSY_PATIENCE_MS);
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(rid);
        reject(new Error(`The kernel did not answer within ${limit / 1000} seconds. Check that it runs, then try again.`));
      }, limit);
      this.pending.set(rid, { resolve, reject, timer });
      this.send('do', { rid, action, args });
    });
  }

  /** Like `request`, with the data checked. */
  async ask<T>(guard: Guard<T>, action: string, args: object = {}, patience = PATIENCE_MS): Promise<T> {
    const { data } = await this.request(action, args, patience);
    if (!guard(data))
      throw new Error(`The kernel's answer to “${action}” is not understood. Restart the kernel and reload the page.`);
    return data;
  }

  /** The widget manager gave up the line, as when the kernel is restarted, or took it up again: then the kernel is heard. */
  private readonly lost = (): void => {
    this.gone = true;
    this.pulse.lost();
    this.refuse(GONE);
  };

  private readonly receive = (content: unknown, buffers: unknown): void => {
    const parts = Array.isArray(buffers) ? buffers.filter((part): part is DataView => part instanceof DataView) : [];
    if (!(isFrame(content) || isReply(content)) || content.view !== this.view) return;
    this.gone = false;
    this.pulse.heard();
    clearTimeout(this.greetTimer);
    if (isFrame(content)) this.take(content, parts[0] ?? null);
    else {
      const pending = this.pending.get(content.rid);
      if (!pending) return;
      this.pending.delete(content.rid);
      clearTimeout(pending.timer);
      if (content.ok) pending.resolve({ data: content.data, buffers: parts });
      else pending.reject(new Error(content.error));
    }
  };

  /** Frames that come before the last one was drawn are laid over each other: the latest of each section counts. */
  private take(frame: Frame, rows: DataView | null): void {
    this.latest = frame.after === 0 || frame.after === this.latest ? frame.n : null;
    this.asked ||= frame.ask;
    this.behind ||= this.waiting !== null;
    const block = frame.rows === undefined ? (this.waiting?.rows ?? null) : rows;
    this.waiting = { frame: { ...this.waiting?.frame, ...frame }, rows: block };
    if (this.drawRequest === 0) this.drawRequest = requestAnimationFrame(this.drawWaiting);
  }

  private readonly drawWaiting = (): void => {
    this.drawRequest = 0;
    const next = this.waiting;
    this.waiting = null;
    if (!next || this.closed) return;
    try {
      this.draw(next.frame, next.rows);
    } catch (error) {
      if (!this.logged) console.error('streamlab: a frame could not be drawn', error);
      this.logged = true;
    } finally {
      this.drawn = next.frame.n;
      if (this.asked || this.behind) this.ack();
      else this.ackTimer ??= setTimeout(this.ack, ACK_MS);
    }
  };

  private readonly ack = (): void => {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    const room = this.behind ? 1 : ROOM;
    this.asked = this.behind = false;
    // Without a word the kernel takes what it sent for lost, and says everything again.
    if (this.latest !== null) this.send('ack', { n: this.drawn, room });
  };
}
