/** What the kernel answers to the requests of a view, with guards. */
import { isFlag, isNumber, isText, list, orNull, shape } from './guards';
import type { Guard, Guarded } from './guards';
import { isFailure, isTree } from './protocol';

/** A header as it came: name, text, first bytes in hexadecimal; null for a header without a value. */
type Header = [string, string | null, string];
const isHeader: Guard<Header> = (value): value is Header =>
  Array.isArray(value) && value.length === 3 && isText(value[0]) && orNull(isText)(value[1]) && isText(value[2]);

/** Bytes as text and as a hexadecimal dump, only their beginning where they are `withheld`. */
export const isRaw = shape({ text: isText, hex: isText, size: isNumber, withheld: isFlag, utf8: isFlag });
export type Raw = Guarded<typeof isRaw>;

/** What one side of a join gave; `found` is false where there was no match. */
const isJoinSide = shape({ name: isText, place: isText, timestamp: orNull(isNumber), found: isFlag });
export type JoinSide = Guarded<typeof isJoinSide>;

export const isMessage = shape({
  seq: isNumber,
  topic: orNull(isText),
  partition: orNull(isNumber),
  offset: orNull(isText),
  timestamp: orNull(isNumber),
  timestampType: isText,
  value: isTree,
  key: isTree,
  decoder: isText,
  raw: orNull(isRaw),
  rawKey: orNull(isRaw),
  headers: list(isHeader),
  headersTotal: isNumber,
  sizes: shape({ key: orNull(isNumber), value: orNull(isNumber), headers: isNumber }),
  sides: list(isJoinSide),
});
export type Message = Guarded<typeof isMessage>;

/** A piece of a withheld part: `next` is the offset to go on at, null at the end; `size` is that of the whole. */
export const isPart = shape({ text: isText, next: orNull(isNumber), size: isNumber });
export type Part = Guarded<typeof isPart>;

export const isCode = shape({ code: isText, editable: isFlag, where: isText });
export type Code = Guarded<typeof isCode>;

export const isNames = shape({ names: list(isText) });
/** The name that a processor got in the list. */
export const isNamed = shape({ name: isText });

const isOutcome = shape({
  seq: isNumber,
  where: isText,
  status: isText,
  before: isText,
  after: isText,
  error: orNull(isText),
  traceback: isText,
});
export type Outcome = Guarded<typeof isOutcome>;
export const isTrial = shape({
  summary: isText,
  tried: isNumber,
  asked: isNumber,
  ok: isNumber,
  skipped: isNumber,
  errors: isNumber,
  microseconds: isNumber,
  rows: list(isOutcome),
  failures: list(isOutcome),
  /** The end of what was printed meanwhile, and how many characters there were before it. */
  printed: shape({ text: isText, leftOut: isNumber }),
});
export type Trial = Guarded<typeof isTrial>;

export const isPaste = shape({ text: isText });
export const isErrorRows = shape({ rows: list(isFailure), total: isNumber, kept: isNumber, oldest: isNumber });
export const isErrorDetail = shape({
  topic: orNull(isText),
  partition: orNull(isNumber),
  offset: orNull(isText),
  timestamp: orNull(isNumber),
  processor: orNull(isText),
  error: isText,
  message: isText,
  traceback: isText,
  value: orNull(isTree),
  raw: orNull(isRaw),
  rawKey: orNull(isRaw),
  headers: list(isHeader),
});
export type ErrorDetail = Guarded<typeof isErrorDetail>;
export const isRetried = shape({ retried: isNumber });
