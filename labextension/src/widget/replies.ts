/** What the kernel answers to the requests of a view, with guards. */
import { isFlag, isNumber, isText, list, maybe, orNull, pair, shape } from './guards';
import type { Guarded } from './guards';
import { isFailure, isTree } from './protocol';

/** A header as it came: name, text, size in bytes (null for a header without a value). */
const isHeader = shape({ name: isText, text: orNull(isText), size: isNumber });

export const isMessage = shape({
  seq: isNumber,
  topic: orNull(isText),
  partition: orNull(isNumber),
  offset: orNull(isText),
  timestamp: orNull(isNumber),
  timestampType: orNull(isText),
  key: orNull(isTree),
  value: isTree,
  headers: list(isHeader),
  sizes: shape({ key: orNull(isNumber), value: orNull(isNumber), headers: orNull(isNumber) }),
  decoder: orNull(isText),
  raw: isFlag,
});
export type Message = Guarded<typeof isMessage>;

/** A piece of a withheld part: `next` is the offset to go on at, null at the end. */
export const isPart = shape({ text: isText, next: orNull(isNumber), total: isNumber });
export type Part = Guarded<typeof isPart>;

export const isCode = shape({ code: isText, editable: isFlag, where: isText });
export type Code = Guarded<typeof isCode>;

export const isNames = shape({ names: list(isText) });

export const isTrial = shape({
  tried: isNumber,
  ok: isNumber,
  skipped: isNumber,
  errors: isNumber,
  seconds: orNull(isNumber),
  cut: orNull(isText),
  rows: list(shape({ seq: isNumber, before: isTree, after: orNull(isTree), error: orNull(isText), traceback: maybe(isText) })),
});
export type Trial = Guarded<typeof isTrial>;

export const isText1 = shape({ text: isText });
export const isErrorRows = shape({ rows: list(isFailure), total: isNumber });
export const isErrorDetail = shape({
  index: isNumber,
  at: isNumber,
  where: isText,
  processor: orNull(isText),
  error: isText,
  message: isText,
  traceback: isText,
  key: orNull(isTree),
  value: orNull(isTree),
  headers: list(pair(isText, orNull(isText))),
});
export type ErrorDetail = Guarded<typeof isErrorDetail>;
export const isRetried = shape({ retried: isNumber });
