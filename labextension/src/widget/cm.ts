/** The code editor, fetched when it is first needed. */
export { EditorView } from '@codemirror/view';
