/** The place of a processor's code: a plain text area at once, the code editor as soon as it is there. */
import type { Context } from './context';
import { asset } from './assets';
import { h, uniqueId } from './dom';

export interface EditorOptions {
  parent: HTMLElement;
  text: string;
  label: string;
  /** Id of the element that tells how to leave by keyboard. */
  hint: string;
  readOnly: boolean;
  onChange(text: string): void;
  onApply(): void;
}

export interface MountedEditor {
  focus(): void;
  hasFocus(): boolean;
  dispose(): void;
}

export interface Editor {
  readonly element: HTMLElement;
  text(): string;
  focus(): void;
  dispose(): void;
}

const INDENT = '    ';
const LEAVE_MS = 4000;

export function editor(
  context: Context,
  label: string,
  text: string,
  readOnly: boolean,
  onApply: () => void,
  onChange: (text: string) => void,
): Editor {
  const hint = uniqueId('hint');
  const place = h('div', { class: 'sl-codeplace' });
  const keys = readOnly ? 'Read only here.' : 'Shift+Enter applies. Escape, then Tab leaves the editor.';
  const element = h('div', { class: 'sl-code' }, place, h('div', { class: 'sl-hint', id: hint }, keys));
  let now = text;
  let gone = false;
  const options: EditorOptions = {
    parent: place,
    text,
    label,
    hint,
    readOnly,
    onApply,
    onChange: changed => {
      now = changed;
      onChange(changed);
    },
  };
  let mounted = plain(options);
  void asset(context.link, 'cm')
    .then(module => {
      if (gone || !isEditorModule(module)) return;
      const focused = mounted.hasFocus();
      mounted.dispose();
      mounted = module.mount({ ...options, text: now });
      if (focused) mounted.focus();
    })
    .catch(() => undefined);
  return {
    element,
    text: () => now,
    focus: () => mounted.focus(),
    dispose: () => {
      gone = true;
      mounted.dispose();
    },
  };
}

function isEditorModule(module: unknown): module is { mount(options: EditorOptions): MountedEditor } {
  return typeof module === 'object' && module !== null && 'mount' in module && typeof module.mount === 'function';
}

function plain(options: EditorOptions): MountedEditor {
  const area = h('textarea', {
    class: 'sl-plaincode',
    'aria-label': options.label,
    'aria-describedby': options.hint,
    spellcheck: false,
  });
  area.value = options.text;
  area.readOnly = options.readOnly;
  options.parent.append(area);
  let leaveUntil = 0;
  area.addEventListener('input', () => options.onChange(area.value));
  area.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.shiftKey || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      options.onApply();
    } else if (event.key === 'Escape') leaveUntil = Date.now() + LEAVE_MS;
    else if (event.key === 'Tab' && !event.shiftKey && Date.now() > leaveUntil && !options.readOnly) {
      event.preventDefault();
      area.setRangeText(INDENT, area.selectionStart, area.selectionEnd, 'end');
      options.onChange(area.value);
    }
  });
  return { focus: () => area.focus(), hasFocus: () => document.activeElement === area, dispose: () => area.remove() };
}
