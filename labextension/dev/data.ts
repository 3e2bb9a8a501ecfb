/** Made-up orders for the development page: exact big integers, markup, right-to-left text, emoji, formulas. */
import type { Cell, Row, Tree } from '../src/widget/protocol';

const NAMES = ['Ada', 'Grace', '<script>alert(1)</script>', 'Barbara', 'שלום עולם', '😀 emoji 👩‍🚀', '=1+1', 'مرحبا'];
const CURRENCIES = ['EUR', 'USD', 'EUR', 'GBP', 'EUR'];
export const START_MS = Date.UTC(2026, 10, 25, 10, 42, 7);

export interface Order {
  seq: number;
  partition: number;
  offset: number;
  time: number;
  key: string;
  id: string;
  amount: number;
  currency: string;
  name: string;
}

export function order(seq: number, perSecond: number): Order {
  return {
    seq,
    partition: seq % 4,
    offset: 301204 + Math.floor(seq / 4),
    time: START_MS + Math.floor((seq * 1000) / perSecond),
    key: `a${(seq * 37) % 997}`,
    id: String(9007199254740989n + BigInt(seq)),
    amount: Math.round(10000 + ((seq * 4735) % 90000)) / 100,
    currency: CURRENCIES[seq % CURRENCIES.length] ?? 'EUR',
    name: NAMES[seq % NAMES.length] ?? '',
  };
}

export function toRow(o: Order, wide: number): Row {
  const cells: Cell[] = [
    String(o.partition),
    String(o.offset),
    String(o.time),
    o.key,
    o.id,
    o.key,
    o.amount.toFixed(2),
    o.currency,
    o.name,
    o.seq % 9 === 0 ? null : o.seq % 7 === 0 ? ['z', 'null'] : o.seq % 11 === 0 ? ['w', '10.0 MB'] : '[{sku: "A1", n: 2}, …]',
  ];
  for (let i = 0; i < wide; i++) cells.push(String((o.seq * (i + 3)) % 1000));
  return [o.seq, ...cells];
}

export function columns(wide: number): { name: string; kind: 'n' | 's' | 't' | 'o'; group: 'meta' | 'value' }[] {
  const made = [
    { name: 'partition', kind: 'n', group: 'meta' },
    { name: 'offset', kind: 'n', group: 'meta' },
    { name: 'timestamp', kind: 't', group: 'meta' },
    { name: 'key', kind: 's', group: 'meta' },
    { name: 'id', kind: 'n', group: 'value' },
    { name: 'account_id', kind: 's', group: 'value' },
    { name: 'amount', kind: 'n', group: 'value' },
    { name: 'currency', kind: 's', group: 'value' },
    { name: 'who.name', kind: 's', group: 'value' },
    { name: 'items', kind: 'o', group: 'value' },
  ] as const;
  return [...made, ...Array.from({ length: wide }, (_, i) => ({ name: `c${i}`, kind: 'n' as const, group: 'value' as const }))];
}

const leaf = (k: Tree['k'], v: string): Tree => ({ k, v });

export function toTree(o: Order, vat = false): Tree {
  const c: [string, Tree][] = [
    ['id', leaf('n', o.id)],
    ['account_id', leaf('s', o.key)],
    ['amount', leaf('n', o.amount.toFixed(2))],
    ['currency', leaf('s', o.currency)],
    [
      'who',
      {
        k: 'o',
        n: 2,
        c: [
          ['name', leaf('s', o.name)],
          ['vip', leaf('b', 'true')],
        ],
      },
    ],
    [
      'items',
      {
        k: 'a',
        n: 40,
        c: [
          ['0', leaf('s', 'A1')],
          ['1', leaf('z', 'null')],
        ],
        more: 38,
      },
    ],
  ];
  if (vat) c.push(['vat', leaf('n', (o.amount * 0.19).toFixed(2))]);
  return { k: 'o', n: c.length, c };
}
