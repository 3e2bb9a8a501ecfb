/** What every part of a view is given. */
import { h } from './dom';
import type { Kid } from './dom';
import type { Link } from './link';
import type { Head, Pipe } from './protocol';
import type { UiState } from './ui';

export interface Context {
  readonly link: Link;
  readonly ui: UiState;
  /** Aborted when the view goes. */
  readonly signal: AbortSignal;
  /** The latest of what the kernel said, null before the first frame. */
  readonly latest: {
    head: Head | null;
    pipe: Pipe | null;
    /** The field whose cell was clicked: it is shown first in the message. */
    field: string | null;
    /** False while the kernel gives no sign of life. */
    answers: boolean;
  };
  /** Say something in the line below the pipeline. */
  notice(text: string, kind: 'info' | 'alarm'): void;
  /** Take back what was said to be wrong: now it went well. */
  calm(): void;
  /** Tell a screen reader; for changes of state only. */
  announce(text: string): void;
  /** Open the editor of a processor that does not exist yet. */
  newProcessor(): void;
}

/** A part of the view; `update` gets the section that changed. */
export interface Part<Section> {
  readonly element: HTMLElement;
  update(section: Section): void;
}

/** No answer is to be expected; where answers wait for a cell, what is asked for now is done after it. */
export function kernelGone(context: Context): boolean {
  return !context.latest.answers && context.link.subshells;
}

/** Controls that the kernel must be there for: off while it does not answer, whatever each of them says for itself. */
export function needsKernel(context: Context, ...kids: Kid[]): HTMLElement {
  return h('fieldset', { class: 'sl-needs', role: 'none', disabled: kernelGone(context) }, ...kids);
}

/** Ask the kernel and show in the notice line what went wrong. True if it was done. */
export async function act(context: Context, action: string, args: object = {}): Promise<boolean> {
  try {
    await context.link.request(action, args);
    context.calm();
    return true;
  } catch (error) {
    if (!context.signal.aborted) context.notice(messageOf(error), 'alarm');
    return false;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
