/** Which columns are shown: a searchable list of check boxes. */
import type { Context } from './context';
import { button, h, setText } from './dom';
import { grouped } from './format';
import { columnLabel } from './columns';
import { popover } from './popover';
import type { Column, ColumnNames } from './protocol';

const LISTED = 200;

export interface ColumnPicker {
  readonly element: HTMLElement;
  /** Say whether values have fields that are no columns. */
  update(columns: ColumnNames): void;
}

export function columnPicker(context: Context, columns: () => Column[]): ColumnPicker {
  const { ui } = context;
  const search = h('input', { type: 'search', class: 'sl-input', placeholder: 'Search columns', 'aria-label': 'Search columns' });
  const items = h('div', { class: 'sl-picklist', role: 'group', 'aria-label': 'Columns' });
  const all = button('Show all', { onclick: () => ui.patch({ hidden: [] }) });
  const none = button('Hide all', { onclick: () => ui.patch({ hidden: shown().map(column => column.name) }) });
  const shown = (): Column[] => {
    const text = search.value.trim().toLowerCase();
    return columns().filter(column => columnLabel(column).toLowerCase().includes(text));
  };

  function item(column: Column, hidden: boolean): HTMLElement {
    const box = h('input', { type: 'checkbox' });
    box.checked = !hidden;
    box.addEventListener('change', () => {
      const others = ui.get().hidden.filter(name => name !== column.name);
      ui.patch({ hidden: box.checked ? others : [...others, column.name] });
    });
    return h('label', { class: 'sl-pick' }, box, h('span', { dir: 'auto' }, columnLabel(column)));
  }

  function draw(): void {
    const focused = [...items.querySelectorAll('input')].indexOf(document.activeElement as HTMLInputElement);
    const hidden = new Set(ui.get().hidden);
    const found = shown();
    items.replaceChildren(...found.slice(0, LISTED).map(column => item(column, hidden.has(column.name))));
    if (found.length === 0) items.append(h('p', { class: 'sl-dim' }, 'No column has this in its name.'));
    if (found.length > LISTED)
      items.append(h('p', { class: 'sl-dim' }, `${found.length - LISTED} more: search for a part of the name.`));
    if (focused >= 0) items.querySelectorAll('input')[focused]?.focus();
  }

  const rest = h('p', { class: 'sl-dim', hidden: true });

  const trigger = button('Columns', { class: 'sl-bare' });
  const content = h('div', { class: 'sl-form' }, search, items, rest, h('div', { class: 'sl-line' }, all, none));
  const dialog = popover(trigger, 'Columns', content, draw, context.signal);
  search.addEventListener('input', draw);
  ui.listen((now, before) => {
    if (!dialog.element.hidden && now.hidden !== before.hidden) draw();
  });
  return {
    element: h('div', { class: 'sl-anchor' }, trigger, dialog.element),
    update: ({ names, more }) => {
      const shown = grouped(names.length);
      setText(trigger.lastElementChild ?? trigger, more ? `First ${shown} columns` : 'Columns');
      rest.hidden = !more;
      setText(
        rest,
        `Values have more fields than these ${shown}. The text of an opened message has all, and the filter knows all.`,
      );
    },
  };
}
