/** The development page: one or more explorers on a stand-in for the kernel. */
import widget from '../src/widget/index';
import { FakeModel } from './fake';

const query = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(query.get(name) ?? otherwise);
document.body.classList.toggle('dark', query.has('dark'));
const place = document.querySelector('#place');
const made = [];
for (let i = 0; i < number('views', 1); i++) {
  const model = new FakeModel({
    rate: number('rate', 98_700),
    wide: number('wide', 0),
    max: number('window', 100_000),
    subshells: !query.has('nosubshells'),
    assets: 'build',
  });
  const el = document.createElement('div');
  place?.append(el);
  widget.initialize({ model });
  made.push({ model, el, close: widget.render({ model, el }) });
}
Object.assign(globalThis, { made });
