/** Where a processor is written: its code, a dry run on the window, Apply. A draft outlives closing and moving. */
import type { Context } from './context';
import { messageOf, needsKernel } from './context';
import { button, h, setClass, setText } from './dom';
import { editor } from './editor';
import type { Editor } from './editor';
import { isCode, isNamed, isNames, isTrial } from './replies';
import { trialResults } from './trialview';

const TRY_MS = 30_000;
const TEMPLATE = 'def process(value):\n    return value\n';

/** Unsaved code by stream and processor, with the code that it was begun from. */
const drafts = new Map<string, { from: string; text: string }>();

export interface Workbench {
  readonly element: HTMLElement;
  /** Another function took the processor's place: by Apply, here or elsewhere, or by a cell. */
  changed(): void;
  dispose(): void;
}

/** `name` null is a processor that does not exist yet; `opened` is called when there is code that can be tried. */
export function workbench(context: Context, name: string | null, opened: () => void = () => undefined): Workbench {
  const key = `${context.latest.head?.name ?? ''}\n${name ?? ''}`;
  const place = h('div', { class: 'sl-benchcode' });
  const status = h('span', { class: 'sl-status', role: 'status' });
  const results = h('div', { class: 'sl-trial' });
  const tryIt = button('Try on 1,000', { class: 'sl-framed', disabled: true, onclick: () => void trial() });
  const applyIt = button('Apply', { class: 'sl-primary', disabled: true, onclick: () => void apply() });
  const element = h(
    'div',
    { class: 'sl-bench' },
    place,
    results,
    h('div', { class: 'sl-go' }, needsKernel(context, tryIt, applyIt), status),
  );
  let code: Editor | null = null;
  let original = '';
  let gone = false;
  /** One at a time, in their order. */
  let applying = false;

  const say = (text: string, bad = false): void => {
    setText(status, text);
    setClass(status, 'sl-bad', bad);
  };
  const open = (text: string, editable: boolean, where: string): void => {
    if (gone) return;
    original = text;
    const draft = drafts.get(key);
    const start = editable && draft?.from === text ? draft.text : text;
    code = editor(
      context,
      name === null ? 'Code of the new processor' : `Code of ${name}`,
      start,
      !editable,
      () => void apply(),
      changed => {
        if (changed === original) drafts.delete(key);
        else drafts.set(key, { from: original, text: changed });
        applyIt.disabled = applying || (name !== null && changed === original);
      },
    );
    place.replaceChildren(code.element);
    tryIt.disabled = !editable;
    applyIt.disabled = !editable || (name !== null && start === text);
    say(start !== text ? 'Not applied yet' : where);
    // A new one is written at once, as soon as it is on the page; so is one that was just applied.
    if (name === null) queueMicrotask(() => code?.focus());
    else if (element.parentElement === document.activeElement) code.focus();
  };

  async function load(): Promise<void> {
    if (name === null) {
      open(TEMPLATE, true, '');
      return;
    }
    try {
      const found = await context.link.ask(isCode, 'code', { name });
      open(found.code, found.editable, found.where);
      if (found.editable) opened();
    } catch (error) {
      say(messageOf(error), true);
    }
  }

  async function reload(): Promise<void> {
    if (!code || name === null) return;
    const found = await context.link.ask(isCode, 'code', { name });
    const text = code.text();
    if (gone || found.code === original || found.code.trim() === text.trim()) return;
    if (text !== original) {
      original = found.code;
      drafts.set(key, { from: original, text });
      say('Changed elsewhere meanwhile: Apply replaces that');
      return;
    }
    const focused = place.contains(document.activeElement);
    code.dispose();
    open(found.code, found.editable, found.where);
    results.replaceChildren();
    if (focused) code.focus();
  }

  async function trial(): Promise<void> {
    if (!code) return;
    say('Trying…');
    tryIt.disabled = true;
    try {
      const outcome = await context.link.ask(isTrial, 'try', { name: name ?? '', code: code.text() }, TRY_MS);
      say(outcome.summary, outcome.errors > 0);
      results.replaceChildren(trialResults(outcome, () => results.replaceChildren()));
    } catch (error) {
      say(messageOf(error), true);
      results.replaceChildren();
    }
    tryIt.disabled = false;
  }

  async function apply(): Promise<void> {
    if (!code || applyIt.disabled || applying) return;
    const text = code.text();
    say('Applying…');
    applying = applyIt.disabled = true;
    try {
      const { name: given } = await context.link.ask(isNamed, 'apply', { name: name ?? '', code: text }, TRY_MS);
      drafts.delete(key);
      original = text;
      say('Applied');
      if (name === null) context.ui.select({ kind: 'processor', name: given });
    } catch (error) {
      say(messageOf(error), true);
    }
    applying = false;
    applyIt.disabled = name !== null && code.text() === original;
  }

  void load();
  return {
    element,
    changed: () => void reload().catch((error: unknown) => say(messageOf(error), true)),
    dispose: () => {
      gone = true;
      code?.dispose();
    },
  };
}

/** Functions of the user's namespace, to add one as it is. */
export function namePicker(context: Context): HTMLElement {
  const choice = h('select', { class: 'sl-input', 'aria-label': 'A function of the notebook' });
  const add = button('Add', { class: 'sl-framed', disabled: true });
  const fill = async (): Promise<void> => {
    try {
      const { names } = await context.link.ask(isNames, 'names');
      choice.replaceChildren(...names.map(name => h('option', { value: name }, name)));
      if (names.length === 0) choice.append(h('option', { value: '' }, 'no function in the notebook yet'));
      choice.disabled = add.disabled = names.length === 0;
    } catch (error) {
      context.notice(messageOf(error), 'alarm');
    }
  };
  add.addEventListener('click', () => {
    context.link
      .ask(isNamed, 'pick', { name: choice.value })
      .then(({ name }) => context.ui.select({ kind: 'processor', name }))
      .catch((error: unknown) => context.notice(messageOf(error), 'alarm'));
  });
  void fill();
  return h(
    'div',
    { class: 'sl-line sl-pad' },
    h('span', { class: 'sl-dim' }, 'A function of the notebook:'),
    needsKernel(context, choice, add),
  );
}
