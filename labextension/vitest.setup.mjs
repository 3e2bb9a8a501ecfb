// jsdom has no drag events, and Lumino derives a class from theirs when it is loaded.
globalThis.DragEvent ??= class DragEvent extends MouseEvent {};
