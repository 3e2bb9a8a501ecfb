/** A table shown alive: what the kernel makes of it, drawn again when that changes, and who looks at it. */
import { h } from './dom';
import { Link } from './link';
import type { Model } from './link';
import { presence } from './presence';

const SILENT =
  'The kernel does not answer, and the table stands still: the kernel is busy, or it was restarted. Then run the cell again.';

interface Call {
  model: Model;
  el: HTMLElement;
}

function text(model: Model, name: string): string {
  const given = model.get(name);
  return typeof given === 'string' ? given : '';
}

function render({ model, el }: Call): () => void {
  const gone = new AbortController();
  // As the snapshot beside it looks, which is HTML of a cell.
  const card = h('div', { class: 'jp-RenderedHTMLCommon' });
  const silent = h('div', { role: 'status' });
  const draw = (): void => {
    const { scrollLeft = 0, scrollTop = 0 } = card.firstElementChild ?? {};
    // The kernel wrote it, and escaped what others said, as in the HTML of any cell.
    // eslint-disable-next-line no-restricted-properties
    card.innerHTML = text(model, 'html');
    for (const one of card.querySelectorAll('table')) one.style.marginInline = '0';
    if (card.firstElementChild) Object.assign(card.firstElementChild, { scrollLeft, scrollTop });
  };
  const link = new Link(
    model,
    () => undefined,
    answers => {
      silent.textContent = answers ? '' : SILENT;
      card.style.opacity = answers ? '' : '0.6';
    },
  );
  el.setAttribute('role', 'region');
  el.setAttribute('aria-label', text(model, 'label'));
  el.append(silent, card);
  model.on('change:html', draw);
  draw();
  presence(link, el, gone.signal);
  link.open(0);
  return () => {
    gone.abort();
    model.off('change:html', draw);
    link.close();
  };
}

export default { render };
