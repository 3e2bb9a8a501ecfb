/**
 * Every message between the kernel and a view: types and the guards that they are made from.
 *
 * `protocol/examples.json` holds one example of each; both ends are tested against it.
 */
import { either, isFlag, isNumber, isObject, isText, isUnknown, list, maybe, oneOf, orNull, pair, shape } from './guards';
import type { Guard, Guarded } from './guards';

export const PROTOCOL = 1;

/** A value as a bounded tree; integers are text. `w` bytes of it were withheld, `more` children are not here. */
export interface Tree {
  k: 'o' | 'a' | 'n' | 's' | 'b' | 'z' | 'x';
  v?: string;
  n?: number;
  c?: [string, Tree][];
  more?: number;
  w?: number;
}

const treeFields = shape({
  k: oneOf('o', 'a', 'n', 's', 'b', 'z', 'x'),
  v: maybe(isText),
  n: maybe(isNumber),
  more: maybe(isNumber),
  w: maybe(isNumber),
});

export function isTree(value: unknown): value is Tree {
  if (!treeFields(value)) return false;
  const children = (value as { c?: unknown }).c;
  return children === undefined || list(pair(isText, isTree))(children);
}

/** What shows in a cell: nothing, text of the column's kind, or text with its own kind. */
export type Cell = null | string | [string, string];
export type Row = [number, ...Cell[]];

const isCell = either(orNull(isText), pair(isText, isText));
export const isRow = (value: unknown): value is Row => Array.isArray(value) && isNumber(value[0]) && value.slice(1).every(isCell);

const isCellKind = oneOf('n', 's', 'b', 't', 'o', 'w');
export const isColumn = shape({ name: isText, kind: isCellKind, group: oneOf('meta', 'value') });
export type Column = Guarded<typeof isColumn>;

export const isHead = shape({
  state: oneOf('live', 'paused', 'stopping', 'stopped', 'retrying', 'connecting', 'ended', 'failed', 'iterated'),
  detail: isText,
  name: isText,
  mode: isText,
  group: orNull(isText),
  start: isText,
  /** Nothing when it reads on for ever. */
  stop: isText,
  /** Whether it passes over aborted transactions. */
  committed: isFlag,
  rate: isNumber,
  bytesRate: isNumber,
  lag: orNull(isNumber),
  progress: orNull(isNumber),
  errors: isNumber,
  /** Those of the errors that came since it was last restarted. */
  failed: isNumber,
  buffered: isNumber,
  window: shape({
    count: isNumber,
    max: isNumber,
    total: isNumber,
    bytes: isNumber,
    maxBytes: isNumber,
    /** How many windows share the memory of which this one has a part; 0 when its size was set. */
    sharing: isNumber,
    full: isFlag,
  }),
  eventTime: orNull(pair(isNumber, isNumber)),
  busy: orNull(isText),
  subshells: isFlag,
  startedHere: isFlag,
  spark: list(isNumber),
});
export type Head = Guarded<typeof isHead>;

export const isNode = shape({
  id: isText,
  kind: oneOf('source', 'processor', 'filter', 'take', 'sink', 'through', 'group_by', 'echo', 'join'),
  name: isText,
  label: isText,
  detail: isText,
  /** Another number when another function took its place. */
  code: isNumber,
  enabled: isFlag,
  errors: isNumber,
  seen: isNumber,
  passed: isNumber,
  skipped: isNumber,
  seconds: orNull(isNumber),
  rate: orNull(isNumber),
});
export type PipeNode = Guarded<typeof isNode>;
export const isPipe = shape({ nodes: list(isNode) });
export type Pipe = Guarded<typeof isPipe>;

/** `base + place` is a number that a row keeps while the window slides, until the era ends: then all rows are others. */
export const isRows = shape({
  first: isNumber,
  count: isNumber,
  total: isNumber,
  base: isNumber,
  era: isNumber,
  order: oneOf('live', 'filtered', 'sorted'),
  scanning: isFlag,
  cols: list(isColumn),
});
export type Rows = Guarded<typeof isRows>;

export const isHist = shape({
  from: isNumber,
  step: isNumber,
  counts: list(isNumber),
  /** Messages with times too far from the others. */
  outside: isNumber,
  selected: orNull(pair(isNumber, isNumber)),
});
export type Hist = Guarded<typeof isHist>;

export const isChange = shape({ path: list(isText), change: oneOf('added', 'removed', 'changed') });
export type Change = Guarded<typeof isChange>;

export const isSample = shape({
  name: isText,
  before: orNull(isTree),
  after: orNull(isTree),
  error: orNull(isText),
  skipped: isFlag,
  at: orNull(isNumber),
  diff: list(isChange),
});
export type Sample = Guarded<typeof isSample>;

export const isBatchColumn = shape({ name: isText, kind: either(isCellKind, oneOf('z')) });
export type BatchColumn = Guarded<typeof isBatchColumn>;
export const isBatch = shape({
  number: orNull(isNumber),
  size: isNumber,
  reason: isText,
  stepping: isFlag,
  waiting: isFlag,
  columns: list(isBatchColumn),
  rows: list(list(orNull(isText))),
  total: isNumber,
});
export type Batch = Guarded<typeof isBatch>;

export const isFailure = shape({
  index: isNumber,
  at: orNull(isNumber),
  where: isText,
  /** Its name, or what else failed: decoding, or the stream. */
  processor: isText,
  error: isText,
  message: isText,
});
export type Failure = Guarded<typeof isFailure>;
export const isErrors = shape({ total: isNumber, kept: isNumber, oldest: isNumber, rows: list(isFailure) });
export type Errors = Guarded<typeof isErrors>;

export const isMark = shape({
  id: isText,
  text: isText,
  state: oneOf('', 'ok', 'off', 'bad'),
});
export type Mark = Guarded<typeof isMark>;
const isNames = (value: unknown): value is Record<string, string> => isObject(value) && Object.values(value).every(isText);
/** `processors` tells which processor a node of the picture is. */
export const isGraph = shape({ dot: isText, marks: list(isMark), processors: isNames });
export type Graph = Guarded<typeof isGraph>;

export const isNotice = shape({ text: isText, kind: oneOf('info', 'alarm') });
export type Notice = Guarded<typeof isNotice>;

/** The fields that values have, in the order of their appearance; a block of rows holds those that are in sight. */
/** `more` says that values have other fields too: a table has so many columns at most. */
export const isColumnNames = shape({ names: list(isText), more: isFlag });
export type ColumnNames = Guarded<typeof isColumnNames>;

/** The sections that a frame may carry, each with its guard. */
export const SECTIONS = {
  head: isHead,
  pipe: isPipe,
  columns: isColumnNames,
  rows: isRows,
  hist: isHist,
  sample: isSample,
  batch: isBatch,
  errors: isErrors,
  graph: isGraph,
  notice: isNotice,
} as const;
export type SectionName = keyof typeof SECTIONS;
export type Sections = { -readonly [K in SectionName]?: Guarded<(typeof SECTIONS)[K]> };

/** `after` is the number of the frame that was sent before, 0 for one that says everything; `ask`: it is to be acknowledged at once. */
export const isFrame = shape({ t: oneOf('frame'), view: isText, n: isNumber, after: isNumber, ask: isFlag });
export type Frame = Guarded<typeof isFrame> & Record<string, unknown>;

export const isReply = either(
  shape({ t: oneOf('reply'), view: isText, rid: isText, ok: (v): v is true => v === true, data: isUnknown }),
  shape({ t: oneOf('reply'), view: isText, rid: isText, ok: (v): v is false => v === false, error: isText }),
);
export type Reply = Guarded<typeof isReply>;

/** What is shown of a stream, shared by all views of one explorer. */
export const isSelected = either(
  shape({ kind: oneOf('processor'), name: isText }),
  either(shape({ kind: oneOf('message'), seq: isNumber }), shape({ kind: oneOf('source') })),
);
export type Selected = Guarded<typeof isSelected>;
export type Tab = 'messages' | 'batches' | 'graph' | 'errors';
const isWidths = (value: unknown): value is Record<string, number> =>
  typeof value === 'object' && value !== null && Object.values(value).every(isNumber);
export const isUi = shape({
  tab: oneOf('messages', 'batches', 'graph', 'errors'),
  selected: orNull(isSelected),
  follow: isFlag,
  filter: isText,
  sort: orNull(pair(isText, oneOf('asc', 'desc'))),
  brush: orNull(pair(isNumber, isNumber)),
  hidden: list(isText),
  widths: isWidths,
  /** Era and lasting number of the row on top, with a fraction, while the table does not follow: where a view that is drawn anew begins. */
  at: orNull(pair(isNumber, isNumber)),
});
export type Ui = Guarded<typeof isUi>;

/** Take a section out of a frame; undefined if it is not there, an error if it is not what it should be. */
export function section<K extends SectionName>(frame: Record<string, unknown>, name: K): Sections[K] {
  const value = frame[name];
  if (value === undefined || value === null) return undefined;
  const guard: Guard<unknown> = SECTIONS[name];
  if (!guard(value)) throw new Error(`The section “${name}” of a frame is not as agreed in protocol ${PROTOCOL}.`);
  return value as Sections[K];
}
