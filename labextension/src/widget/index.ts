/** The explorer: what anywidget calls. */
import { explorer } from './explorer';
import { PROTOCOL } from './protocol';
import type { Model } from './link';

interface Call {
  model: Model;
  el: HTMLElement;
}

function initialize({ model }: { model: Model }): void {
  const theirs = model.get('protocol');
  if (theirs !== PROTOCOL) console.warn(`streamlab: the kernel speaks protocol ${String(theirs)}, this view ${PROTOCOL}`);
}

function render({ model, el }: Call): () => void {
  return explorer(model, el);
}

export default { initialize, render };
