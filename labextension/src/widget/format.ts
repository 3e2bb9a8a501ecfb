/** Numbers, rates, sizes, durations and times as short exact text. Times are UTC. */

const GROUPS = /\B(?=(\d{3})+(?!\d))/g;

/** `1204339` -> `1,204,339`; text of any length stays exact. */
export function grouped(value: number | string): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? text.replace(GROUPS, ',') : text;
}

const PREFIXES = ['', ' k', ' M', ' G', ' T'] as const;

function scaled(value: number): [string, string] {
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= 999.5 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const digits = step === 0 ? (rest >= 10 || Number.isInteger(rest) ? 0 : 1) : rest < 99.95 ? 1 : 0;
  return [(value < 0 ? '-' : '') + rest.toFixed(digits), PREFIXES[step] ?? ''];
}

/** `98700` -> `98.7 k`. */
export function si(value: number): string {
  return scaled(value).join('');
}

/** `15100000` -> `15.1 MB`, `20480` -> `20.5 kB`, `131` -> `131 B`. */
export function bytes(value: number): string {
  const [number, prefix] = scaled(value);
  return `${number}${prefix === '' ? ' ' : prefix}B`;
}

/** `0.0000008` -> `0.8 µs`, `0.25` -> `250 ms`, `90` -> `1 min 30 s`. */
export function duration(seconds: number): string {
  if (seconds >= 60) {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`.replace(' 0 s', '');
    return `${grouped(Math.floor(minutes / 60))} h ${minutes % 60} min`.replace(' 0 min', '');
  }
  for (const [unit, size] of [
    ['s', 1],
    ['ms', 1e-3],
    ['µs', 1e-6],
  ] as const)
    if (seconds >= size * 0.9995) return `${short(seconds / size)} ${unit}`;
  return seconds <= 0 ? '0 µs' : seconds < 1e-7 ? `${short(seconds * 1e9)} ns` : `${short(seconds * 1e6)} µs`;
}

function short(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value.toFixed(1).replace('.0', '');
}

function two(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}

/** Milliseconds since 1970 -> `10:42:13.104`. */
export function clock(ms: number, millis = true): string {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return String(ms);
  const text = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  return millis ? `${text}.${two(time.getUTCMilliseconds(), 3)}` : text;
}

const DAY_MS = 86_400_000;

/** A time on the clock, with its day unless that is today. */
export function when(ms: number, millis = true): string {
  const today = Math.floor(ms / DAY_MS) === Math.floor(Date.now() / DAY_MS);
  return today ? clock(ms, millis) : `${day(ms)} ${clock(ms, millis)}`.trim();
}

export function day(ms: number): string {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return '';
  return `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
}

/** Milliseconds since 1970 -> `2026-11-25 10:42:13.104 UTC`. */
export function moment(ms: number): string {
  return `${day(ms)} ${clock(ms)} UTC`.trim();
}

/** `10:42:07 to 10:42:13`, with the day unless that is today, with both where they differ. */
export function span(from: number, to: number): string {
  if (day(from) === day(to)) return `${when(from, false)} to ${clock(to, false)}`;
  return `${day(from)} ${clock(from, false)} to ${day(to)} ${clock(to, false)}`;
}

/** A name as it is shown: one that cannot be seen is put in quotes. */
export function named(name: string): string {
  return name.trim() === '' ? JSON.stringify(name) : name;
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${grouped(value)} ${value === 1 ? one : many}`;
}

export function percent(part: number, whole: number): string {
  if (whole <= 0) return '0 %';
  const share = (100 * part) / whole;
  return `${share > 0 && share < 1 ? '<1' : share < 100 && share > 99 ? '99' : String(Math.round(share))} %`;
}

/** Text of a cell of kind "t": milliseconds become a time, anything else is shown as it came. */
export function timeText(text: string): string {
  return /^-?\d{1,16}$/.test(text) ? when(Number(text)) : text;
}
