/** State of the interface: it lives in the model, so that all views of it agree and a moved cell keeps it. */
import { isUi } from './protocol';
import type { Selected, Ui } from './protocol';
import type { Model } from './link';

export const START: Ui = {
  tab: 'messages',
  selected: null,
  follow: true,
  filter: '',
  sort: null,
  brush: null,
  hidden: [],
  widths: {},
  at: null,
};

const SAVE_MS = 100;

type Listener = (now: Ui, before: Ui) => void;

export class UiState {
  private now: Ui;
  private readonly listeners: Listener[] = [];
  private pause: ReturnType<typeof setTimeout> | undefined;
  private unsaved = false;

  constructor(private readonly model: Model) {
    this.now = this.read();
    model.on('change:ui', this.changed);
  }

  get(): Ui {
    return this.now;
  }

  listen(listener: Listener): void {
    this.listeners.push(listener);
  }

  patch(part: Partial<Ui>): void {
    const next = { ...this.now, ...part };
    if (JSON.stringify(next) === JSON.stringify(this.now)) return;
    this.accept(next);
    this.model.set('ui', this.now);
    this.save();
  }

  /** At once, and while things change quickly (a column is being dragged) once in a while. */
  private save(): void {
    if (this.pause !== undefined) {
      this.unsaved = true;
      return;
    }
    this.model.save_changes();
    this.pause = setTimeout(() => {
      this.pause = undefined;
      if (this.unsaved) this.save();
      this.unsaved = false;
    }, SAVE_MS);
  }

  select(selected: Selected | null): void {
    this.patch({ selected });
  }

  dispose(): void {
    this.model.off('change:ui', this.changed);
    clearTimeout(this.pause);
    if (this.unsaved) this.model.save_changes();
    this.listeners.length = 0;
  }

  private read(): Ui {
    const value = this.model.get('ui');
    const merged = { ...START, ...(typeof value === 'object' ? value : {}) };
    return isUi(merged) ? merged : START;
  }

  /** What comes while something newer waits to be saved is the kernel's echo of what was saved before. */
  private readonly changed = (): void => {
    const given = this.read();
    if (!this.unsaved) this.accept(given);
    else if (JSON.stringify(given) !== JSON.stringify(this.now)) this.model.set('ui', this.now);
  };

  private accept(next: Ui): void {
    const before = this.now;
    if (JSON.stringify(next) === JSON.stringify(before)) return;
    this.now = next;
    for (const listener of this.listeners) listener(next, before);
  }
}
