/** Text that is too large to send unasked: fetched piece by piece. */
import type { Context } from './context';
import { messageOf } from './context';
import { button, h, setText, textBlock } from './dom';
import { bytes } from './format';
import { isPart } from './replies';

export function pieces(context: Context, seq: number, part: 'value' | 'raw' | 'hex' | 'key'): HTMLElement {
  const text = textBlock(part === 'hex' ? 'Bytes' : 'Text', '', part === 'hex');
  const status = h('span', { class: 'sl-dim', role: 'status' });
  let offset = 0;
  const more = button('Show more', { hidden: true, onclick: () => void fetch() });
  const label = more.lastElementChild ?? more;

  async function fetch(): Promise<void> {
    more.disabled = true;
    setText(status, 'Fetching…');
    try {
      const piece = await context.link.ask(isPart, 'part', { seq, part, offset });
      text.append(piece.text);
      setText(status, '');
      more.hidden = piece.next === null;
      offset = piece.next ?? offset;
      setText(label, `Show more: ${bytes(offset)} of ${bytes(piece.size)}`);
    } catch (error) {
      setText(status, messageOf(error));
      setText(label, 'Try again');
      more.hidden = false;
    }
    more.disabled = false;
  }

  void fetch();
  return h('div', {}, text, h('div', { class: 'sl-line' }, more, status));
}
