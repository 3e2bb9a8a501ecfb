/** Tabs as screen readers know them: one of them in the tab order, arrow keys go between them. */
import { h, setAttribute, setClass, setText, uniqueId } from './dom';

export interface TabSpec<Name extends string> {
  name: Name;
  label: string;
  panel: HTMLElement;
}

export interface Tabs<Name extends string> {
  readonly bar: HTMLElement;
  show(name: Name): void;
  label(name: Name, text: string): void;
}

export function tabs<Name extends string>(label: string, specs: TabSpec<Name>[], chosen: (name: Name) => void): Tabs<Name> {
  const bar = h('div', { class: 'sl-tabs', role: 'tablist', 'aria-label': label });
  const made = specs.map(spec => {
    const id = uniqueId('tab');
    const tab = h('button', { class: 'sl-tab', role: 'tab', id, onclick: () => chosen(spec.name) }, spec.label);
    spec.panel.id = spec.panel.id || uniqueId('panel');
    setAttribute(tab, 'aria-controls', spec.panel.id);
    setAttribute(spec.panel, 'role', 'tabpanel');
    setAttribute(spec.panel, 'aria-labelledby', id);
    return { ...spec, tab };
  });
  bar.append(...made.map(one => one.tab));
  bar.addEventListener('keydown', event => {
    const at = made.findIndex(one => one.tab === event.target);
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const next = event.key === 'Home' ? 0 : event.key === 'End' ? made.length - 1 : (at + step + made.length) % made.length;
    if (at < 0 || next === at) return;
    event.preventDefault();
    const other = made[next];
    if (!other) return;
    other.tab.focus();
    chosen(other.name);
  });
  const show = (name: Name): void => {
    for (const one of made) {
      const on = one.name === name;
      setAttribute(one.tab, 'aria-selected', String(on));
      setAttribute(one.tab, 'tabindex', on ? 0 : -1);
      setClass(one.tab, 'sl-on', on);
      if (one.panel.hidden === on) one.panel.hidden = !on;
    }
  };
  return {
    bar,
    show,
    label: (name, text) => {
      const one = made.find(candidate => candidate.name === name);
      if (one) setText(one.tab, text);
    },
  };
}
