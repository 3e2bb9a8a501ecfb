/** The code editor: an asset of its own, fetched when a processor is opened for the first time. */
import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { python } from '@codemirror/lang-python';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { EditorOptions, MountedEditor } from './editor';

const LEAVE_MS = 4000;
/** JupyterLab's colours, a little nearer to the text's: some of them are too faint on our background. */
const color = (name: string, fallback: string): string =>
  `color-mix(in srgb, var(--jp-mirror-editor-${name}-color, ${fallback}) 82%, var(--sl-fg))`;

const highlights = HighlightStyle.define([
  { tag: tags.keyword, color: color('keyword', '#008000'), fontWeight: 'bold' },
  { tag: tags.string, color: color('string', '#ba2121') },
  { tag: tags.comment, color: color('comment', '#408080'), fontStyle: 'italic' },
  { tag: tags.number, color: color('number', '#080') },
  { tag: tags.definition(tags.variableName), color: color('def', '#00f') },
  { tag: tags.operator, color: color('operator', '#a2f') },
  { tag: tags.propertyName, color: color('property', '#05a') },
]);

const theme = EditorView.theme({
  '&': { color: 'var(--sl-fg)', backgroundColor: 'var(--sl-bg2)', fontSize: '12px', height: '100%' },
  '&.cm-focused': { outline: '2px solid var(--sl-accent)', outlineOffset: '-2px' },
  '.cm-content': { fontFamily: 'var(--sl-mono)', caretColor: 'var(--jp-editor-cursor-color, currentColor)' },
  '.cm-content:focus-visible': { outline: 'none' },
  '.cm-cursor': { borderLeftColor: 'var(--jp-editor-cursor-color, currentColor)' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--sl-dim)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLine': { backgroundColor: 'var(--sl-hover)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--jp-editor-selected-focused-background, #b4d5fe88)',
  },
});

export function mount(options: EditorOptions): MountedEditor {
  const root = options.parent.getRootNode();
  const apply = (): boolean => {
    options.onApply();
    return true;
  };
  const leave = (view: EditorView): boolean => {
    view.setTabFocusMode(LEAVE_MS);
    return true;
  };
  const view = new EditorView({
    parent: options.parent,
    root: root instanceof Document || root instanceof ShadowRoot ? root : document,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        indentUnit.of('    '),
        python(),
        syntaxHighlighting(highlights),
        theme,
        EditorState.readOnly.of(options.readOnly),
        EditorView.contentAttributes.of({
          'aria-label': options.label,
          'aria-describedby': options.hint,
          'data-lm-suppress-shortcuts': 'true',
        }),
        EditorView.updateListener.of(update => {
          if (update.docChanged) options.onChange(update.state.doc.toString());
        }),
        keymap.of([
          { key: 'Shift-Enter', run: apply },
          { key: 'Mod-Enter', run: apply },
          { key: 'Ctrl-Enter', run: apply },
          { key: 'Escape', run: leave },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          indentWithTab,
        ]),
      ],
    }),
  });
  view.scrollDOM.setAttribute('data-lm-suppress-shortcuts', 'true');
  return {
    focus: () => view.focus(),
    hasFocus: () => view.hasFocus,
    dispose: () => view.destroy(),
  };
}
